"""List all faults of a study's data at once, with counts, labels, lengths in tokens and the limits that they need."""

import argparse
import logging
import os
import shlex
from pathlib import Path

from tabpo.answers.ontology import read_ontology
from tabpo.artefacts import read_yaml
from tabpo.data.card import build_card
from tabpo.data.faults import find_faults, find_preference_faults, list_faults
from tabpo.data.preference_card import preference_card
from tabpo.data.prompts import Style
from tabpo.data.readers.preferences import as_prompts
from tabpo.errors import ConfigError, DataError, exit_on_error
from tabpo.models.base import tokenizer_of
from tabpo.names import PREFERENCES
from tabpo.reports.card_page import render_card
from tabpo.scoring.lengths import suggest_limits, token_lengths
from tabpo.study.datasets import SOURCES, complete_dataset, second_files, sources_of, without_absent
from tabpo.study.keys import StudyKeys
from tabpo.study.shape import checked

ONTOLOGIES = Path(__file__).parents[1] / "config/ontologies"


def main(argv: list[str] | None = None) -> None:
    """Print the card of each data set, the lengths by each model's tokenizer, and then all faults."""
    logging.basicConfig(level=logging.WARNING)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the YAML of a study")
    args = parser.parse_args(argv)

    study = without_absent(checked(StudyKeys, read_yaml(args.config, "study")).model_dump(exclude_unset=True))
    faults = {}
    for name, given in study["datasets"].items():
        entry, folder = complete_dataset(given), Path(study["results"], name)
        try:
            sources = sources_of(f"datasets.{name}", entry, folder / "source", os.environ.get("TABPO_DATA", ""))
        except ConfigError as error:
            faults[name] = [error]
            continue
        rows = {}
        if entry["source"] == PREFERENCES:
            rows, noticed, faults[name] = find_preference_faults(entry, sources)
            prompts = {split: as_prompts(items) for split, items in rows.items()}
            card = preference_card(rows, noticed) if all(rows.values()) else None
        else:
            path = Path(entry["ontology"])
            ontology = read_ontology(path if path.suffix else ONTOLOGIES / f"{path}.yaml")
            style = Style(entry["unit"], entry["prompt"], tuple(entry["context"]), entry["demonstrations"])
            second = {split: Path(file) for split, file in second_files(entry, f"{folder}/source").items()}
            second = {split: path for split, path in second.items() if path.exists()}  # a published file may come later
            settings = entry | {"all_splits": SOURCES[entry["source"]].second}
            corpus, prompts, faults[name] = find_faults(settings, sources, second, ontology, style)
            whole = all(corpus.documents.values())
            card = build_card(corpus.documents, ontology, corpus.variants, corpus.noticed) if whole else None
        print(render_card(name, entry | card) if card else f"# {name}\n\nA split has no document that can be read.\n")
        for model, source in study["models"].items():
            tokenizer = prompts["train"] and tokenizer_of(source, prompts["train"], folder / model / "base")
            if not tokenizer:
                base = shlex.join(["--configfile", str(args.config), "--", str(folder / model / "base")])
                print(f"Lengths in tokens of {model} need its tokenizer: snakemake --profile local {base}")
                continue
            try:
                lines = suggest_limits(token_lengths(tokenizer, prompts, rows), entry)
            except DataError as error:
                faults[name].append(error)
            else:
                print(f"Lengths in tokens of {model}:", *lines, sep="\n- ")
    total = sum(map(len, faults.values()))
    for name, errors in faults.items():
        print(f"\n## {name}: {len(errors)} faults", *list_faults(errors), sep="\n- ")
    if total:
        raise DataError(f"{total} faults; the first {'is' if total == 1 else 'of each kind are'} listed above")


if __name__ == "__main__":
    exit_on_error(main)
