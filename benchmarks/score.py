"""Measure the time to score SciERC's test split from gold answers: reading, grounding and every convention.

Seconds are process time on one core, the median of the rounds. `read` parses and grounds the answers, `conventions` is
`all_scores` of one reading, and `file` is the content of a whole score file, for which answers and gold are read in
every way. The program needs TABPO_DATA.

    python -m benchmarks.score > benchmarks/results/score.jsonl
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from tabpo.answers.grounding import read_answer
from tabpo.answers.ontology import Ontology, read_ontology
from tabpo.answers.render import gold_answer, render
from tabpo.answers.units import Unit, document_units
from tabpo.data.readers import scierc
from tabpo.metrics.scores import all_scores, score
from tabpo.records import Completion


def main() -> None:
    """Print one row for sentences and one for documents as JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    ontology = read_ontology(Path(__file__).parents[1] / "config/ontologies/scierc.yaml")
    documents = scierc.read_documents(Path(os.environ["TABPO_DATA"]) / "scierc/test.json")
    for kind in ("sentence", "document"):
        units = [unit for document in documents for unit in document_units(document, kind)]
        print(json.dumps({"unit": kind, "units": len(units), **measured(units, ontology, args.rounds)}), flush=True)


def measured(units: list[Unit], ontology: Ontology, rounds: int) -> dict[str, Any]:
    """Return the number of conventions, and the seconds of each program."""
    answers = [render(gold_answer(unit), "entities") for unit in units]
    completions = [Completion(unit.prompt_id, text, 1, True) for unit, text in zip(units, answers, strict=True)]
    predictions = [read_answer(text, unit, ontology) for text, unit in zip(answers, units, strict=True)]
    programs = {
        "read": lambda: [read_answer(text, unit, ontology) for text, unit in zip(answers, units, strict=True)],
        "conventions": lambda: all_scores(units, predictions, {}, ontology),
        "file": lambda: score("test", units, predictions, answers, ontology, completions),
    }
    names = {convention for conventions in programs["conventions"]().values() for convention in conventions}
    seconds = {name: round(median(timed(program) for _ in range(rounds)), 3) for name, program in programs.items()}
    return {"conventions": len(names), "seconds": seconds}


def timed(program: Callable[[], object]) -> float:
    """Return the process time in seconds of one run."""
    start = time.process_time()
    program()
    return time.process_time() - start


if __name__ == "__main__":
    main()
