"""Answer new texts with one trained model, and write its annotations for brat and Label Studio with confidences."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.answers.grounding import read_completions
from tabpo.answers.ontology import read_ontology
from tabpo.answers.units import units_of_prompts
from tabpo.artefacts import whole_directory, write_whole
from tabpo.data.prompts import Style, build_prompts
from tabpo.data.readers.new_texts import read_documents
from tabpo.data.reading import Reading
from tabpo.errors import exit_on_error
from tabpo.inference.answer import answer_prompts
from tabpo.inference.answered import join_answers
from tabpo.inference.confidence import answer_confidences
from tabpo.inference.writers.brat import write_brat
from tabpo.inference.writers.label_studio import write_label_studio
from tabpo.models.loading import less_per_pass, load_frozen, naming_less_memory, set_threads
from tabpo.models.tokenizer import load_tokenizer
from tabpo.privacy import NOTICE
from tabpo.records import Document, read_records


def main(argv: list[str] | None = None) -> None:
    """Read the texts, answer prompts about them, score the answers, and write a folder."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: generation, style, private, name")
    parser.add_argument("--model", type=Path, required=True, help="folder of the trained model")
    parser.add_argument("--texts", type=Path, required=True, help="a folder of .txt files, or a .jsonl file")
    parser.add_argument("--train", type=Path, required=True, help="documents of train, for demonstrations")
    parser.add_argument("--ontology", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True, help="folder")
    args = parser.parse_args(argv)

    settings, generation = args.settings, args.settings["generation"]
    numerics, ontology = generation["numerics"], read_ontology(args.ontology)
    set_threads(numerics)
    reading = Reading()
    documents = read_documents(args.texts, reading)
    prompts = build_prompts(documents, ontology, Style(**settings["style"]), read_records(args.train, Document))
    units = units_of_prompts(documents, [prompt.prompt_id for prompt in prompts])
    tokenizer, size = load_tokenizer(args.model), generation["batch_size"]
    with naming_less_memory(less_per_pass("generation.batch_size", size)):
        model = load_frozen(args.model, numerics)
        completions = answer_prompts(model, tokenizer, prompts, generation, ontology)
        predictions = read_completions(completions, units, ontology, str(args.texts))
        answers = [item.completion for item in completions]
        scored = answer_confidences(model, tokenizer, prompts, answers, predictions, numerics, size)
    answered = join_answers(documents, predictions, scored)
    with whole_directory(args.output) as folder:
        (folder / "brat").mkdir()
        write_brat(folder / "brat", answered, ontology)
        write_label_studio(folder / "label_studio.json", answered, settings["name"])
        if settings["private"]:
            write_whole(folder / "INSIDE_ONLY.txt", f"{NOTICE}\n")
    unreadable = sum(item.unreadable for item in answered)
    logging.info(
        "%d texts, %d answers, %d unreadable; %s", len(answered), len(answers), unreadable, dict(reading.noticed)
    )


if __name__ == "__main__":
    exit_on_error(main)
