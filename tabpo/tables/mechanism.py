"""What losses do to the tokens of answers, from the logs of training: do they erode the tokens of rare labels?"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

import numpy as np

from tabpo.artefacts import sha256_text
from tabpo.names import SFT
from tabpo.records import TrainingStep
from tabpo.tables.captions import describe_tests, rehearsal, seeds_in_words, too_little, training_notes
from tabpo.tables.cells import NO_GOLD, Block, Cell, Run, Samples, arrange, build_cells, pooled_block, single_blocks
from tabpo.tables.comparisons import Comparison, adjust_families, differences, marks_of, over_seeds_alone, rests_on
from tabpo.tables.estimates import RunEstimates
from tabpo.tables.meanings import in_text
from tabpo.tables.significance import Estimates, jackknife
from tabpo.tables.typeset import printed_p, tests_csv, tests_latex, tests_markdown, to_csv, to_latex, to_markdown

TRAINED = ("gradient_edited", "chosen_drift", "rejected_drift", "pair_margin")
"""Quantities of training pairs. A step logs no documents, so they are tested over seeds alone."""

RARE, UNSURE = "rare_drift", "unsure_drift"
HELD_OUT = (RARE, "label_drift", UNSURE)
"""Quantities of held-out gold tokens."""

LAST = 10
"""Drift and margin are means over the last of this many equal parts of the steps."""

LABELS = ("label", "sublabel")
"""Fields of the tokens that write a label."""

_Row = Mapping[str, Any]


def mechanism_run(run: Mapping[str, Any], steps: Sequence[TrainingStep], watch: Mapping[str, Any]) -> Run:
    """The quantities of one run.

    Args:
        run: Its dataset, model, method and seed.
        steps: Its `training.parquet`.
        watch: Its `watch.json`; that of preferences has no drift of gold tokens.
    """
    values = _trained(steps)
    rows = watch.get("by_document", [])
    documents = sorted({row["document"] for row in rows})
    estimates = {name: Estimates(np.array([value]), np.full((1, 2), value)) for name, value in values.items()}
    gold: dict[str, float] = dict.fromkeys(values, 1)
    for name in HELD_OUT if rows else ():
        sums = np.zeros((1, len(documents), 2))
        for row in rows:
            if _is_of(name, row):
                sums[0, documents.index(row["document"])] += (row["tokens"] * row["drift"], row["tokens"])
        estimates[name] = jackknife(sums, _mean)
        gold[name] = float(sums[..., 1].sum())
        values[name] = float(estimates[name].whole[0])
    clusters = sha256_text("\n".join(documents))
    collapsed = any(row.get("collapsed") for row in watch["health"])
    return Run(**run, scores=values, estimates=RunEstimates(clusters, estimates, gold), collapsed=collapsed)


def _trained(steps: Sequence[TrainingStep]) -> dict[str, float]:
    last = steps[-math.ceil(len(steps) / LAST) :]
    chosen, rejected = (fmean(getattr(step, name) for step in last) for name in ("chosen_drift", "rejected_drift"))
    shares = [step.share_edited for step in steps if step.share_edited is not None]  # None where the loss has no slope
    share = {"gradient_edited": 100 * fmean(shares)} if shares else {}
    return share | {"chosen_drift": chosen, "rejected_drift": rejected, "pair_margin": chosen - rejected}


def _is_of(name: str, row: _Row) -> bool:
    """Whether a row of `by_document` counts for a quantity."""
    return row["unsure"] if name == UNSURE else row["field"] in LABELS and row["rare"] == (name == RARE)


def _mean(sums: np.ndarray) -> np.ndarray:
    """The drift of a token, from the sum of drifts and the number of tokens, (..., 2); 0/0 is 0."""
    drift, tokens = sums[..., 0], sums[..., 1]
    return np.divide(drift, tokens, out=np.zeros_like(drift), where=tokens > 0)


def mechanism_contents(
    settings: Mapping[str, Any],
    samples: Samples,
    differing: Sequence[str],
    _left_out: Mapping[str, Mapping[str, int]],
) -> tuple[str, ...]:
    """The contents of a table's files, in the order of `tabpo.tables.files.FILES`.

    The settings have `rehearsals`: for blocks that say nothing about the methods, the reason by the block's name.
    """
    runs = [run for row in samples.runs.values() for run in row]
    samples = replace(arrange([*runs, *_without_drift(runs)]), missing=samples.missing)
    methods = settings["rows"]
    single = single_blocks(samples)
    rows = [SFT, *methods]
    blocks = {
        name: single + ([mean] if (mean := pooled_block(samples, rows, name)) else []) for name in (*TRAINED, *HELD_OUT)
    }
    cells = [_explained(cell) for cell in build_cells(samples, blocks, methods)]
    comparisons = _comparisons(samples, cells, settings["method"], settings["against"])
    reasons = settings["rehearsals"]
    withheld = {block: reasons[block.name] for block in single if block.name in reasons}
    marks = marks_of([comparison for comparison in comparisons if comparison.against == SFT], withheld)
    cells = [replace(cell, mark=marks.get((cell.block, cell.method, cell.metric), "")) for cell in cells]
    text = _describe(settings, runs, single, cells, comparisons, withheld, differing)
    about_tests = describe_tests(settings, comparisons)
    about_tests["caption"] = (
        f"{settings['caption']} Differences to {in_text(SFT)} and to {in_text(settings['against'])}."
    )
    about_tests["notes"].append(f"Groups 0: over seeds alone, since the steps of training log no documents. {_UNITS}")
    label, names = f"tab:{settings['name']}", settings["names"]
    return (
        to_csv(cells),
        to_markdown(cells, layout="main", **text),
        to_latex(cells, layout="main", label=label, names=names, **text),
        tests_csv(comparisons),
        tests_markdown(comparisons, **about_tests),
        tests_latex(comparisons, label=f"{label}-tests", names=names, **about_tests),
    )


_UNITS = "Differences of the gradient's share are in points, all others in nats."


def _without_drift(runs: Sequence[Run]) -> list[Run]:
    """The row SFT, from which nothing has drifted: a run beside those of each seed."""
    still = {}
    for run in runs:
        zero = {
            name: Estimates(0 * run.estimates.metrics[name].whole, 0 * run.estimates.metrics[name].without)
            for name in HELD_OUT
            if name in run.estimates.metrics
        }
        estimates = replace(run.estimates, metrics=zero)
        still[run.dataset, run.model, run.seed] = replace(
            run, method=SFT, scores=dict.fromkeys(zero, 0.0), estimates=estimates, collapsed=False
        )
    return list(still.values())


def _explained(cell: Cell) -> Cell:
    return replace(cell, reason="no such tokens in the held-out answers") if cell.reason == NO_GOLD else cell


def _comparisons(samples: Samples, cells: Sequence[Cell], method: str, against: str) -> list[Comparison]:
    """Each row's drift of gold tokens against SFT, which has none, and every quantity against the row `against`.

    The tested family is the drift of rare labels and of unsure tokens against SFT, and the drift of rare labels of
    `method` against `against`.
    """
    held_out = [cell for cell in cells if cell.metric in HELD_OUT]
    mine = [cell for cell in cells if cell.method == method]
    others = [cell for cell in cells if cell.method != method]
    comparisons = [
        *differences(samples, held_out, against=SFT, tested=(RARE, UNSURE)),
        *differences(samples, mine, against=against, tested=(RARE,)),
        *differences(samples, others, against=against, tested=()),
    ]
    several = [comparison for comparison in comparisons if comparison.metric in HELD_OUT or comparison.effect.seeds > 1]
    return adjust_families(
        [comparison if comparison.metric in HELD_OUT else over_seeds_alone(comparison) for comparison in several]
    )


def _describe(
    settings: Mapping[str, Any],
    runs: Sequence[Run],
    single: Sequence[Block],
    cells: Sequence[Cell],
    comparisons: Sequence[Comparison],
    withheld: Mapping[Block, str],
    differing: Sequence[str],
) -> dict[str, Any]:
    tests = max((comparison.tests for comparison in comparisons), default=0)
    caption = f"{settings['caption']} Training pairs and held-out gold tokens, {seeds_in_words(runs)}."
    if any(cell.mark for cell in cells):
        caption += f" ▲ ▼: above, below the drift 0 of {in_text(SFT)}, Holm-adjusted p < .05 over {tests} differences."
    notes = [f"Hyperparameters: presets “{settings['presets']}”."]
    notes += [f"REHEARSAL on {block.in_text}: {reason}. Nothing is marked there." for block, reason in withheld.items()]
    pooled = list(dict.fromkeys(cell.block for cell in cells if cell.block.pooled and cell.metric == RARE))
    for block in pooled or single:
        notes += _answers(settings, block, comparisons, tested=not rests_on(block, withheld))
    documents = {run.dataset: run.estimates.metrics[RARE].without.shape[1] for run in runs if RARE in run.scores}
    if documents:
        listed = ", ".join(f"{in_text(dataset)} {count}" for dataset, count in documents.items())
        notes.append(f"Held-out documents, or groups of them where they are known: {listed}.")
    notes += too_little(comparisons)
    notes += training_notes(runs, cells, (*TRAINED, *HELD_OUT), differing)
    return {"caption": rehearsal(withheld, single) + caption, "notes": notes}


def _answers(
    settings: Mapping[str, Any], block: Block, comparisons: Sequence[Comparison], *, tested: bool
) -> list[str]:
    """Whether `against` erodes the tokens of rare labels in a block, and whether `method` stops that."""
    method, against = settings["method"], settings["against"]
    by_rows = {
        (comparison.method, comparison.against): comparison
        for comparison in comparisons
        if (comparison.block, comparison.metric) == (block, RARE)
    }
    eroding, ours, apart = (by_rows.get(rows) for rows in ((against, SFT), (method, SFT), (method, against)))
    if not (eroding and ours and apart):
        return []
    first = f"Does {in_text(against)} erode the tokens of rare labels on {block.in_text}?"
    second = f"Does {in_text(method)} stop it?"
    if not tested or any(comparison.p_holm is None for comparison in (eroding, ours, apart)):
        return [f"{first} This cannot be told here: {_shown(eroding)}; {in_text(method)} {_shown(ours)}."]
    if eroding.mark != "worse":
        seen = "No, they gain" if eroding.mark == "better" else "Not that this study can see"
        finds = f" It would find {eroding.effect.detectable:.2f} in 80 % of such studies." if not eroding.mark else ""
        return [f"{first} {seen}: {_shown(eroding)}.{finds} {second} There is nothing to stop."]
    answer = {"": "Not that this study can see", "worse": "No, it erodes them more"}.get(apart.mark)
    if answer is None:
        answer = "In part" if ours.mark == "worse" else "Yes, as far as this study can see"
    return [
        f"{first} Yes: {_shown(eroding)}. {second} {answer}: its drift is {_shown(ours)}, and against"
        f" {in_text(against)} {_shown(apart)}."
    ]


def _shown(comparison: Comparison) -> str:
    low, high = comparison.effect.interval
    p = "" if comparison.p_holm is None else f", p (Holm) {printed_p(comparison.p_holm)}"
    return f"{comparison.effect.estimate:+z.2f} [{low:z.2f}, {high:z.2f}] nats a token{p}"
