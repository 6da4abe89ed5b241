"""Measure the time to draw pairs for all of SciERC train, and the distance of each operator's answers from gold.

Confusions are counted on the dictionary's predictions for dev, which contain spans and no relations. Tokens are those
of a byte-level BPE of 2,000 entries trained on the gold answers. Seconds are process time on one core, for counting
confusions and for drawing pairs with four negatives (contexts included). The program needs TABPO_DATA.

    python -m benchmarks.pairs > benchmarks/results/pairs.jsonl
"""

import argparse
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from tabpo.answers.ontology import Ontology, read_ontology
from tabpo.answers.render import gold_answer, render
from tabpo.answers.units import Unit, document_units
from tabpo.confusions.ambiguities import read_ambiguities
from tabpo.confusions.counts import count_confusions
from tabpo.data.readers import scierc
from tabpo.inference.dictionary import annotate, build_dictionary
from tabpo.pairs.audit import describe_drawn
from tabpo.pairs.draw import Encode, Pairing, draw_pairs, pairing_contexts
from tabpo.pairs.proposals import proposal_tables
from tabpo.records import Prompt

CONFIG = Path(__file__).parents[1] / "config"


def main() -> None:
    """Print one row for each unit and source of errors as JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--negatives", type=int, default=4)
    args = parser.parse_args()
    ontology = read_ontology(CONFIG / "ontologies/scierc.yaml")
    for unit in ("sentence", "document"):
        train, dev = (scierc_units(split, unit) for split in ("train", "dev"))
        encode = answer_encoder(train)
        for source in ("mixed", "uniform"):
            row = {"unit": unit, "confusions": source, "negatives": args.negatives}
            print(json.dumps(row | measured(train, dev, ontology, source, args.negatives, encode)), flush=True)


def scierc_units(split: str, unit: str) -> list[Unit]:
    """Return all units of a split of the published files."""
    documents = scierc.read_documents(Path(os.environ["TABPO_DATA"]) / f"scierc/{split}.json")
    return [item for document in documents for item in document_units(document, unit)]


def answer_encoder(units: Sequence[Unit]) -> Encode:
    """Train a small tokenizer on the answers and return its encoder."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=2000, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator((render(gold_answer(unit), "entities") for unit in units), trainer)
    return lambda text: tokenizer.encode(text).ids


def measured(
    train: Sequence[Unit], dev: Sequence[Unit], ontology: Ontology, source: str, negatives: int, encode: Encode
) -> dict[str, object]:
    """Return seconds, numbers of pairs, and distances by kind of error."""
    dictionary = build_dictionary(train)
    predictions = [annotate(dictionary, unit, 0.5) for unit in dev]
    patterns = read_ambiguities(CONFIG / "ambiguities/scierc.yaml", ontology)

    start = time.process_time()
    confusions, _ = count_confusions(dev, predictions, ontology)
    counted = time.process_time()
    settings = {"confusions": source, "smoothing": 1.0, "expert_share": 0.4}
    tables = proposal_tables(settings, confusions, patterns, ontology, links=train[0].clusters is not None)
    pairing = Pairing("benchmark", negatives, edits=1, flip_rate=0.0, seed=1, max_completion_tokens=100_000)
    pairs, tally = draw_pairs(train, pairing, pairing_contexts(train, ontology, tables), encode)
    drawn = time.process_time()

    prompts = [Prompt(unit.prompt_id, unit.doc_id, (), render(gold_answer(unit), "entities")) for unit in train]
    report = describe_drawn(tally, tables, train, prompts, pairs)
    sizes = ("token_edit_distance", "character_edit_distance", "share_of_differing_tokens")
    return {
        "examples": report["examples"],
        "pairs": report["pairs"],
        "seconds": {"confusions": round(counted - start, 2), "pairs": round(drawn - counted, 2)},
        "sources": report["sources"],
        "refusals": report["refusals"],
        **{size: report[size] for size in sizes},
        "kinds": {
            kind: {"wanted": row["wanted"], "got": row["got"]}
            | {size: row[size] and row[size]["mean"] for size in sizes}
            for kind, row in report["kinds"].items()
        },
    }


if __name__ == "__main__":
    main()
