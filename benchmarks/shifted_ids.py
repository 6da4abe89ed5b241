"""Measure which share of the token edits of deletions and insertions are shifted ids, on all SciERC train sentences.

Each rejected answer is compared with gold twice: unchanged, and with its records numbered as in gold, where an inserted
record gets the next free number. Pairs are drawn uniformly, four for each example. Tokens are those of
`benchmarks.pairs` unless a tokenizer is given. The program needs TABPO_DATA.

    python -m benchmarks.shifted_ids [--tokenizer tokenizer.json] >> benchmarks/results/shifted_ids.jsonl
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rapidfuzz.distance import Levenshtein
from tokenizers import Tokenizer

from benchmarks.pairs import CONFIG, answer_encoder, scierc_units
from tabpo.answers.ontology import read_ontology
from tabpo.pairs.draw import Encode, Pairing, draw_pairs, pairing_contexts
from tabpo.pairs.proposals import Proposals
from tabpo.records import Pair


def main() -> None:
    """Print one row for each kind of edit as JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", type=Path)
    args = parser.parse_args()
    ontology, train = read_ontology(CONFIG / "ontologies/scierc.yaml"), scierc_units("train", "sentence")
    encode = answer_encoder(train)
    if args.tokenizer is not None:
        tokenizer = Tokenizer.from_file(str(args.tokenizer))
        encode = lambda text: tokenizer.encode(text, add_special_tokens=False).ids  # noqa: E731
    contexts = pairing_contexts(train, ontology, [(1.0, Proposals("uniform", 1.0, [], [], ontology))])
    for kind in ("missed", "spurious"):
        pairing = Pairing(kind, 4, 1, 0.0, 1, max_completion_tokens=100_000, kinds=[kind])
        pairs, _ = draw_pairs(train, pairing, contexts, encode)
        alone = [pair for pair in pairs if len(pair.edits) == 1]
        row = {"kind": kind, "tokens": "own" if args.tokenizer is None else "given", "pairs": len(pairs)}
        row |= {"pairs_without_consequences": len(alone)}
        row |= {"share": share_of_ids(pairs, encode), "share_without_consequences": share_of_ids(alone, encode)}
        print(json.dumps(row), flush=True)


def share_of_ids(pairs: list[Pair], encode: Encode) -> float:
    """Return the share of token edits that disappear if records keep their numbers."""
    shifted = sum(pair.token_edit_distance for pair in pairs)
    kept = sum(Levenshtein.distance(encode(pair.chosen), encode(with_gold_ids(pair))) for pair in pairs)
    return round(1 - kept / shifted, 4)


def with_gold_ids(pair: Pair) -> str:
    """Return the rejected answer with its records numbered as in gold."""
    gold, wrong = json.loads(pair.chosen), json.loads(pair.rejected)
    number = gold_number(gold, wrong, pair)
    for record in wrong["entities"]:
        record["id"] = number(record["id"])
    for relation in wrong["relations"]:
        relation |= {"head": number(relation["head"]), "tail": number(relation["tail"])}
    return json.dumps(wrong, ensure_ascii=False, separators=(",", ":"))


def gold_number(gold: dict[str, Any], wrong: dict[str, Any], pair: Pair) -> Callable[[int], int]:
    """Return a function from a record's number in the rejected answer to its number in gold."""
    if pair.edits[0].operator == "delete":
        deleted = int(pair.edits[0].field.split("/")[1]) + 1
        return lambda number: number + (number >= deleted)
    before, after = ([(item["label"], item["span"]) for item in answer["entities"]] for answer in (gold, wrong))
    inserted = next((place for place, item in enumerate(before) if after[place] != item), len(before)) + 1
    return lambda number: len(after) if number == inserted else number - (number > inserted)


if __name__ == "__main__":
    main()
