"""How different a method's sampled answers are, and how smoothly it trains: what papers claim besides scores."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import fmean, pvariance
from typing import Any

import numpy as np

from tabpo.metrics.diversity import DIVERSITY
from tabpo.names import SFT
from tabpo.records import TrainingStep
from tabpo.tables.captions import describe_tests, rehearsal, seeds_in_words, too_little, training_notes
from tabpo.tables.cells import NOT_DEFINED, Block, Cell, Run, Samples, build_cells, pooled_block, single_blocks
from tabpo.tables.comparisons import Comparison, adjust_families, differences, mark, over_seeds_alone
from tabpo.tables.estimates import RunEstimates
from tabpo.tables.meanings import in_text
from tabpo.tables.significance import Estimates
from tabpo.tables.typeset import tests_csv, tests_latex, tests_markdown, to_csv, to_latex, to_markdown

TRAINED = ("margin_variance", "spikes")
"""Quantities of the steps of training. A step logs no documents, so their differences are over seeds alone."""

TESTED = ("distinct", "oracle_f1")
"""The differences in these quantities form the tested family."""

WARM_UP, SMOOTHING, THRESHOLD = 25, 0.97, 2.5
"""The settings of ZClip (arXiv 2504.02507), and of its authors' code."""

ROUNDING = 1e-6
"""Added to a standard deviation before dividing by it, as in that code."""


def spike_share(norms: Sequence[float]) -> float | None:
    """The share of steps, in percent, whose gradient norm is a spike; None if there are no steps after the warm-up.

    A spike is what ZClip (arXiv 2504.02507) takes for one: the norm is over 2.5 standard deviations above the mean.
    Mean and variance are those of the first 25 steps, then exponential moving averages with the factor 0.97 over the
    norms before the step; a spike enters them as ZClip would clip it.

    Args:
        norms: The gradient norm of each step before it is scaled down.
    """
    later = norms[WARM_UP:]
    if not later:
        return None
    mean, variance = fmean(norms[:WARM_UP]), pvariance(norms[:WARM_UP])
    spikes = 0
    for norm in later:
        deviation = variance**0.5
        score = (norm - mean) / (deviation + ROUNDING)
        if score > THRESHOLD:
            spikes += 1
            norm = mean + THRESHOLD**2 * deviation / score
        mean = SMOOTHING * mean + (1 - SMOOTHING) * norm
        variance = SMOOTHING * variance + (1 - SMOOTHING) * (norm - mean) ** 2
    return 100 * spikes / len(later)


def margin_variance(steps: Sequence[TrainingStep]) -> float | None:
    """The variance of a step's mean margin about its trend, in squared nats; None for fewer than two steps.

    It is half the mean squared difference of successive steps (von Neumann, Annals of Mathematical Statistics 1941), to
    which the growth of the margin adds little. The margin is the change of the chosen answer's log-prob minus that of
    the rejected one, without beta, so that losses can be compared; all methods see the same pairs in the same steps.
    """
    margins = [step.chosen_drift - step.rejected_drift for step in steps]
    if len(margins) < 2:
        return None
    return fmean((later - earlier) ** 2 for earlier, later in pairwise(margins)) / 2


def stability_run(
    run: Mapping[str, Any], steps: Sequence[TrainingStep], samples: RunEstimates, *, collapsed: bool
) -> Run:
    """The quantities of one run; those of training are left out for SFT, which has no pairs.

    Args:
        run: Its dataset, model, method and seed.
        steps: Its `training.parquet`.
        samples: The estimates of `DIVERSITY` from the counts of its samples.
        collapsed: Whether the run collapsed in training.
    """
    values = {name: float(samples.metrics[name].whole[0]) for name in DIVERSITY}
    trained = {}
    if run["method"] != SFT:
        measured = (margin_variance(steps), spike_share([step.grad_norm for step in steps]))
        trained = {name: value for name, value in zip(TRAINED, measured, strict=True) if value is not None}
    estimates = samples.metrics | {
        name: Estimates(np.array([value]), np.full((1, 2), value)) for name, value in trained.items()
    }
    gold = samples.gold | dict.fromkeys(trained, 1)
    of_run = RunEstimates(samples.clusters, estimates, gold)
    return Run(**run, scores=values | trained, estimates=of_run, collapsed=collapsed)


def stability_contents(
    settings: Mapping[str, Any],
    samples: Samples,
    differing: Sequence[str],
    _left_out: Mapping[str, Mapping[str, int]],
) -> tuple[str, ...]:
    """The contents of a table's files, in the order of `tabpo.tables.files.FILES`."""
    single, methods = single_blocks(samples), settings["rows"]
    rows = [SFT, *methods]
    means = {name: pooled_block(samples, rows, name) for name in DIVERSITY}
    means |= {name: pooled_block(samples, methods, name) for name in TRAINED}
    blocks = {name: single + ([mean] if mean else []) for name, mean in means.items()}
    cells = build_cells(samples, blocks, rows)
    compared = differences(samples, cells, against=settings["against"], tested=TESTED)
    several = [comparison for comparison in compared if comparison.metric in DIVERSITY or comparison.effect.seeds > 1]
    comparisons = adjust_families(
        [comparison if comparison.metric in DIVERSITY else over_seeds_alone(comparison) for comparison in several]
    )
    withheld = {block: "generated data" for block in single if block.dataset in settings["generated"]}
    cells = [replace(_explained(cell), runs=()) for cell in mark(samples, cells, comparisons, withheld)]
    text = _describe(settings, samples, cells, comparisons, withheld, differing)
    about_tests = describe_tests(settings, comparisons)
    about_tests["notes"].append("Groups 0: over seeds alone, since the steps of training log no documents.")
    label, names = f"tab:{settings['name']}", settings["names"]
    return (
        to_csv(cells),
        to_markdown(cells, layout="main", **text),
        to_latex(cells, layout="main", label=label, names=names, **text),
        tests_csv(comparisons),
        tests_markdown(comparisons, **about_tests),
        tests_latex(comparisons, label=f"{label}-tests", names=names, **about_tests),
    )


def _explained(cell: Cell) -> Cell:
    if cell.reason != NOT_DEFINED:
        return cell
    few = f"no spikes are counted in the first {WARM_UP} steps" if cell.metric == "spikes" else "fewer than two steps"
    return replace(cell, reason=f"{SFT} trains without pairs" if cell.method == SFT else few)


def _describe(
    settings: Mapping[str, Any],
    samples: Samples,
    cells: Sequence[Cell],
    comparisons: Sequence[Comparison],
    withheld: Mapping[Block, str],
    differing: Sequence[str],
) -> dict[str, Any]:
    runs = [run for row in samples.runs.values() for run in row]
    caption = (
        f"{settings['caption']} {settings['samples']} samples at temperature 1 for each prompt of dev_select, and the"
        f" steps of training; {seeds_in_words(runs)}."
    )
    tests = max((comparison.tests for comparison in comparisons), default=0)
    if any(cell.mark for cell in cells):
        caption += f" ▲ ▼: above, below {in_text(settings['against'])}, Holm-adjusted p < .05 over {tests} differences."
    notes = [f"Hyperparameters: presets “{settings['presets']}”."]
    notes += [f"REHEARSAL on {block.in_text}: {reason}. Nothing is marked there." for block, reason in withheld.items()]
    documents = {run.dataset: run.estimates.metrics["distinct"].without.shape[1] for run in runs}
    listed = ", ".join(f"{in_text(dataset)} {count}" for dataset, count in documents.items())
    notes.append(f"Documents of dev_select, or groups of them where they are known: {listed}.")
    notes += too_little(comparisons)
    notes += training_notes(runs, cells, (*DIVERSITY, *TRAINED), differing)
    return {"caption": rehearsal(withheld, single_blocks(samples)) + caption, "notes": notes}
