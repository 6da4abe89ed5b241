"""Fixed names in studies: rows of tables, sources of data and pairs, and kinds of errors."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

SFT = "sft"
"""The method that all other methods start from; it needs no entry in a study, and is the first row of every table."""

ON_POLICY = "on_policy"
"""The source of pairs whose rejected answers are the SFT model's own wrong answers, not edits of gold answers."""

GIVEN = "given"
"""The source of pairs in a study of preferences: the data itself contains the pairs."""

PREFERENCES = "preferences"
"""The source of datasets that contain pairs instead of annotations."""

PROMPTED = "prompted"
"""The only row of a model behind an endpoint. The model is not trained and its answers are greedy: no seed matters."""

DICTIONARY = "dictionary"
"""A baseline row without a model: the longest matches of mentions from the training data."""

MAJORITY = "majority"
"""A baseline row that matches mentions like `dictionary`, and gives each the label it has most often in training."""

BASELINES = (DICTIONARY, MAJORITY)
"""The baseline rows of every table; they have no model and no seed."""

HUMAN = "human"
"""The row of a second annotator, in tables of a dataset whose test documents have a second annotation."""

WITHOUT_MODEL = (*BASELINES, HUMAN)
"""All rows without a model."""


def run_folder(dataset: str, model: str | None, method: str, seed: int | None) -> str:
    """Return the folder of a run under a study's results. A baseline has no model and no seed."""
    parts = [dataset, model, method, None if seed is None else f"seed{seed}"]
    return "/".join(part for part in parts if part is not None)


def run_folders(runs: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield each run of a table for each of its seeds, with its folder under the study's results.

    A table may have a thousand runs, more than a command line can list. Settings therefore name the seeds of a run
    together, and both the Snakefile and the program call this function to find the files.
    """
    for run in runs:
        for seed in run["seeds"]:
            single = {"dataset": run["dataset"], "model": run["model"], "method": run["method"], "seed": seed}
            yield single, run_folder(**single)


SPAN_KINDS = ("label", "sublabel", "boundary", "missed", "spurious")
"""Kinds of errors in spans."""

RELATION_KINDS = (
    "relation_label",
    "relation_direction",
    "relation_endpoint",
    "relation_missed",
    "relation_spurious",
)
"""Kinds of errors in relations."""

COREFERENCE = "coreference"
"""The kind of error in coreference links."""

KINDS = (*SPAN_KINDS, *RELATION_KINDS, COREFERENCE)
"""All kinds of errors, which an edit of a gold answer can introduce."""

ONE_OF_EACH = "one_of_each"
"""A value of a pairing's `kinds`: three pairs per example, which change a label or sub-label, remove and add a record.

This is Algorithm S1 of arXiv 2606.16074.
"""
