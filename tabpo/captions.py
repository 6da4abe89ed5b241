"""What stands above and below a table: its caption, and notes on what its numbers are and are not."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from tabpo.metrics.meanings import ceiling_note, meanings, quantity
from tabpo.metrics.names import METRICS
from tabpo.names import DICTIONARY, HUMAN, PREFERENCES, PROMPTED
from tabpo.tables import Cell, Run, metric_value

STRICT = ("ner_strict", "triple")
"""The metric that decides, per dataset, whether SFT is far enough above the dictionary."""


def describe(
    settings: Mapping[str, Any], runs: Sequence[Run], cells: Sequence[Cell], differing: Sequence[str]
) -> dict[str, Any]:
    """Caption, notes and whether marks are shown, as keyword arguments for `typeset`."""
    behind = rehearsals(runs)
    notes = [f"{quantity(settings['metrics'])}, {_seeds(runs)}; hyperparameters: presets “{settings['presets']}”."]
    if behind:
        notes.append(
            f"REHEARSAL: SFT is below twice the dictionary on {', '.join(behind)}; no marks are given, and the"
            " rows say nothing about the methods."
        )
    if not behind and any(cell.significant for cell in cells):
        notes.append(f"*: the 95 % Student interval of the paired difference to {settings['baseline']} excludes 0.")
    if any(run.collapsed for run in runs):
        notes.append(f"†: collapsed while trained, and counts: {_collapsed(runs)}.")
    if any(run.method == PROMPTED for run in runs):
        notes.append(
            f"{PROMPTED}: a model behind an endpoint, not trained, given the same prompts; one run at temperature 0,"
            " without seeds, which the server need not repeat to the letter."
        )
    notes += _agreements(runs)
    notes.append(meanings(settings["metrics"]))
    notes += _ceilings(runs, settings["metrics"])
    notes += [f"– {reason}." for reason in sorted({cell.reason for cell in cells if cell.mean is None})]
    incomplete = [cell for cell in cells if cell.mean is not None and cell.reason]
    notes += sorted({f"{cell.dataset} / {cell.model}: {cell.reason}." for cell in incomplete})
    if differing:
        notes.append(f"Runs were made with different code in {', '.join(differing)}.")
    caption = f"REHEARSAL. {settings['caption']}" if behind else settings["caption"]
    return {"caption": caption, "notes": notes, "marks": not behind}


def rehearsals(runs: Sequence[Run]) -> list[str]:
    """Datasets and models on which mean SFT is below twice the dictionary in the strict metric, as "dataset/model"."""
    behind = []
    for (dataset, model), group in groupby(
        sorted((run for run in runs if run.method == "sft"), key=lambda run: (run.dataset, run.model)),
        key=lambda run: (run.dataset, run.model),
    ):
        sft = list(group)
        for run in runs:
            metric = next((name for name in STRICT if name in run.scores["metrics"]), None)
            if run.method == DICTIONARY and run.dataset == dataset and metric is not None:
                mean = sum(metric_value(one.scores, metric) for one in sft) / len(sft)
                if mean < 2 * metric_value(run.scores, metric):
                    behind.append(f"{dataset}/{model}")
    return behind


def _seeds(runs: Sequence[Run]) -> str:
    seeds = sorted({run.seed for run in runs if run.seed is not None})
    if not seeds:
        return "one run each"
    return f"seed {seeds[0]} alone" if len(seeds) == 1 else f"mean ± standard deviation over {len(seeds)} seeds"


def _collapsed(runs: Sequence[Run]) -> str:
    return ", ".join(f"{one.method} of seed {one.seed} on {one.dataset} / {one.model}" for one in runs if one.collapsed)


def _agreements(runs: Sequence[Run]) -> list[str]:
    """How much of the test split the row `human` is of."""
    whole = {run.dataset: run.scores["prompts"] for run in runs if run.method == DICTIONARY}
    notes = []
    for run in (run for run in runs if run.method == HUMAN):
        both, of = run.scores["prompts"], whole[run.dataset]
        notes.append(
            f"{HUMAN}: a second annotator of {run.dataset} against the first, on the {both} of {of} test prompts that"
            " both have annotated."
        )
    return notes


def _ceilings(runs: Sequence[Run], metrics: Sequence[str]) -> list[str]:
    """What gold itself scores when it goes through text and back, where that is below 100."""
    notes = set()
    for run in (run for run in runs if run.method != HUMAN):  # which may be of fewer prompts
        for metric in set(metrics) - {"valid", *METRICS[PREFERENCES]}:
            gold = {"metrics": run.scores["ceiling"]}
            ceiling = metric_value(gold, metric)
            if ceiling is not None and ceiling < 100:
                notes.add(ceiling_note(run.dataset, metric, ceiling, run.scores["ceiling"].get(metric, {})))
    return sorted(notes)
