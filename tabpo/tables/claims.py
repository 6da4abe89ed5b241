"""What papers claim of one method, computed from a study: gain over SFT, comparisons won, gain over prompted models.

Each claim stands beside the figure that arXiv 2603.00025 publishes for TAB-PO.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tabpo.names import PROMPTED, SFT, run_folder
from tabpo.tables.captions import collapsed_runs, describe_tests, not_asked, rehearsal, too_little
from tabpo.tables.cells import Block, Cell, Samples, build_cells, pooled_block, single_blocks
from tabpo.tables.comparisons import Comparison, adjust_families, differences, rehearsals
from tabpo.tables.meanings import in_text, meanings, printed_metric, printed_name, quantity, title
from tabpo.tables.prompted import prompted_notes, public_notes
from tabpo.tables.significance import Effect, Estimates, all_above, pooled
from tabpo.tables.typeset import (
    escape,
    latex_table,
    markdown_table,
    printed_p,
    tests_csv,
    tests_latex,
    tests_markdown,
)

GAIN, WINS = "gain", "wins"

ALL = "all"
"""What stands for the metric where a claim is of all metrics together."""

RIVALS, PROMPTED_MODELS = "every rival", "prompted models"
"""What a claim is against, where that is not one row."""

PUBLISHED = {SFT: "11.59 %", RIVALS: "100 %", PROMPTED_MODELS: "14.71 %"}
"""Of TAB-PO, by what it is against (arXiv 2603.00025, abstract)."""

ABSENT = "not in this study"

COUNTS = (
    *("data_sets", "models", "seeds", "documents"),
    *("comparisons", "wins", "ties", "losses", "significant_wins", "significant_losses"),
)
COLUMNS = (
    *("claim", "against", "metric", "data_sets", "models", "seeds", "documents", "difference", "low", "high"),
    *("relative", "relative_low", "relative_high", "p", "comparisons", "wins", "ties", "losses"),
    *("significant_wins", "significant_losses", "published", "reason", "runs"),
)
"""Of the CSV. `difference` of wins is the smallest one, and `p` that of the intersection-union test; `runs` has the
folders of all runs that are compared, with blanks between."""

Row = dict[str, Any]
"""One line of the table, by those of `COLUMNS` that are not blank."""

Others = Sequence[tuple[str | None, str]]
"""Rows whose mean a method is compared with, as (model, method); None for the model that the method has itself."""


def claim_contents(
    settings: Mapping[str, Any],
    samples: Samples,
    differing: Sequence[str],
    left_out: Mapping[str, Mapping[str, int]],
) -> tuple[str, ...]:
    """The contents of a table's files, in the order of `tabpo.tables.files.FILES`.

    The tests are the differences of the method to each rival, which are one family.
    """
    method, rivals, metrics = settings["method"], settings["rivals"], settings["metrics"]
    single = single_blocks(samples)
    cells = build_cells(samples, dict.fromkeys(metrics, single), [method, *rivals])
    method_cells = [cell for cell in cells if cell.method == method]
    comparisons = adjust_families(
        [
            comparison
            for rival in rivals
            for comparison in differences(samples, method_cells, against=rival, tested=metrics)
        ]
    )
    withheld = rehearsals(samples, single, settings["generated"])
    rows = claim_rows(method, metrics, samples, cells, comparisons, withheld)
    text = _describe(settings, samples, comparisons, withheld, differing, left_out)
    tests = describe_tests(settings | {"against": RIVALS}, comparisons)
    tests["caption"] = f"{settings['caption']} Differences of {in_text(method)} to each rival."
    label, names = f"tab:{settings['name']}", settings["names"]
    plain = pd.DataFrame([_texts(row, "–", title, {}) for row in rows])
    printed = pd.DataFrame([_texts(row, "--", printed_metric, names) for row in rows])
    texts = [column for column in printed if column != "claim"]
    printed = printed.assign(**{column: printed[column].map(escape) for column in texts})
    printed = printed.rename(columns={column: column.capitalize() for column in texts if column != "p"})
    return (
        _csv(rows),
        markdown_table(plain, **text),
        latex_table(printed, **text, label=label, names=names),
        tests_csv(comparisons),
        tests_markdown(comparisons, **tests),
        tests_latex(comparisons, **tests, label=f"{label}-tests", names=names),
    )


def _csv(rows: Sequence[Row]) -> str:
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(COUNTS, "Int64"))
    return frame.to_csv(index=False, float_format="%.6f", lineterminator="\n")


def claim_rows(
    method: str,
    metrics: Sequence[str],
    samples: Samples,
    cells: Sequence[Cell],
    comparisons: Sequence[Comparison],
    withheld: Collection[Block],
) -> list[Row]:
    """Every claim by metric, and of all metrics together where there are several.

    Args:
        method: Of which it is claimed.
        metrics: One for each family of metrics.
        samples: All runs of the table.
        cells: Of the method and its rivals, without means over models or data sets.
        comparisons: Of the method to each rival.
        withheld: Blocks where no difference is called significant.
    """
    groups = [(metric,) for metric in metrics] + ([tuple(metrics)] if len(metrics) > 1 else [])
    models = list(dict.fromkeys(model for _, model, row in samples.runs if row == PROMPTED))
    prompted: dict[str, Others] = {f"{PROMPTED} of {model}": [(model, PROMPTED)] for model in models}
    prompted[PROMPTED_MODELS] = [(model, PROMPTED) for model in models]
    rows = [_gain(method, group, samples, SFT, [(None, SFT)]) for group in groups]
    rows += [_wins(group, samples, cells, comparisons, withheld) for group in groups]
    if models:
        rows += [_gain(method, group, samples, name, rows_of) for name, rows_of in prompted.items() for group in groups]
    else:
        rows.append({"claim": GAIN, "against": PROMPTED_MODELS, "metric": _metric(groups[-1]), "reason": ABSENT})
    for row in rows:
        if row["metric"] == _metric(groups[-1]) and row["against"] in PUBLISHED:
            row["published"] = PUBLISHED[row["against"]]
    return rows


def _metric(metrics: Sequence[str]) -> str:
    return metrics[0] if len(metrics) == 1 else ALL


def _gain(method: str, metrics: Sequence[str], samples: Samples, against: str, others: Others) -> Row:
    """The mean over metrics of a data set, over models, and over data sets; a row without seeds has one run."""
    row = {"claim": GAIN, "against": against, "metric": _metric(metrics)}
    datasets = _members(method, metrics, samples, others)
    if not datasets:  # no gold items of these metrics
        return row | {"reason": ABSENT}
    points, gains = [], []
    for models, defined in datasets:
        pairs = [
            [
                (samples.estimates(*member, method, metric), _baseline(samples, member, metric, others))
                for metric in defined
            ]
            for member in models
        ]
        points.append([_mean([ours - theirs for ours, theirs in pair]) for pair in pairs])
        gains += [ours.gain(theirs) for pair in pairs for ours, theirs in pair]
    effect = pooled(points)
    row |= {"data_sets": len(datasets), "models": len({model for models, _ in datasets for _, model in models})}
    row |= {"seeds": effect.seeds, "documents": effect.documents, "difference": effect.estimate}
    row |= dict(zip(("low", "high"), effect.interval, strict=True)) | {"p": effect.p if effect.seeds > 1 else None}
    row["runs"] = _folders(
        samples,
        [
            (dataset, other or model, name)
            for models, _ in datasets
            for dataset, model in models
            for other, name in ((None, method), *others)
        ],
    )
    if all(gain is not None for gain in gains):
        left = iter(gains)
        relative = pooled([[_mean([next(left) for _ in defined]) for _ in models] for models, defined in datasets])
        row |= {"relative": relative.estimate}
        row |= dict(zip(("relative_low", "relative_high"), relative.interval, strict=True))
    return row


def _folders(samples: Samples, rows: Iterable[tuple[str, str, str]]) -> str:
    runs = [run for row in rows for run in samples.of(*row)]
    return " ".join(dict.fromkeys(run_folder(run.dataset, run.model, run.method, run.seed) for run in runs))


def _members(
    method: str, metrics: Sequence[str], samples: Samples, others: Others
) -> list[tuple[tuple[tuple[str, str], ...], list[str]]]:
    """Of each data set the models, as (dataset, model), that have SFT and the method, and the metrics that it has.

    A data set without one of the other rows is left out: an endpoint need not be asked about every data set.
    """
    by_dataset: dict[str, tuple[tuple[tuple[str, str], ...], list[str]]] = {}
    for metric in metrics:
        complete = [
            block
            for block in single_blocks(samples)
            if not any(
                samples.reason(block.dataset, other or block.model, row, metric)
                for other, row in ((None, SFT), (None, method), *others)
            )
        ]
        whole = {block.dataset for block in complete}
        mean = pooled_block(samples, (SFT, method), metric)
        for models in (mean or complete[0]).members if complete else ():
            if models[0][0] in whole:
                by_dataset.setdefault(models[0][0], (models, []))[1].append(metric)
    return list(by_dataset.values())


def _baseline(samples: Samples, member: tuple[str, str], metric: str, others: Others) -> Estimates:
    dataset, model = member
    return _mean([samples.estimates(dataset, other or model, row, metric) for other, row in others])


def _mean(estimates: Sequence[Estimates]) -> Estimates:
    return Estimates(
        np.mean([item.whole for item in estimates], axis=0), np.mean([item.without for item in estimates], axis=0)
    )


def _wins(
    metrics: Sequence[str],
    samples: Samples,
    cells: Sequence[Cell],
    comparisons: Sequence[Comparison],
    withheld: Collection[Block],
) -> Row:
    """Comparisons over model x data set x metric x rival; a tie is equal as printed, with one decimal."""
    row = {"claim": WINS, "against": RIVALS, "metric": _metric(metrics)}
    counted = [comparison for comparison in comparisons if comparison.metric in metrics]
    if not counted:
        return row | {"reason": ABSENT}
    printed = {(cell.block, cell.method, cell.metric): round(cell.mean, 1) for cell in cells if cell.mean is not None}
    signs = [
        np.sign(
            printed[comparison.block, comparison.method, comparison.metric]
            - printed[comparison.block, comparison.against, comparison.metric]
        )
        for comparison in counted
    ]
    marks = [comparison.mark for comparison in counted if comparison.block not in withheld]
    effects: list[Effect] = [comparison.effect for comparison in counted]
    return row | {
        "data_sets": len({comparison.block.dataset for comparison in counted}),
        "models": len({comparison.block.model for comparison in counted}),
        "seeds": min(effect.seeds for effect in effects),
        "difference": min(effect.estimate for effect in effects),
        "p": all_above(effects) if all(effect.seeds > 1 for effect in effects) else None,
        "comparisons": len(counted),
        **{name: signs.count(sign) for name, sign in (("wins", 1), ("ties", 0), ("losses", -1))},
        "significant_wins": marks.count("better"),
        "significant_losses": marks.count("worse"),
        "runs": _folders(
            samples,
            [
                (comparison.block.dataset, comparison.block.model, name)
                for comparison in counted
                for name in (comparison.method, comparison.against)
            ],
        ),
    }


def _texts(row: Row, dash: str, heading: Callable[[str], str], names: Mapping[str, str]) -> dict[str, str]:
    """A line for people; that of wins has its smallest difference."""
    metric = "all metrics" if row["metric"] == ALL else heading(row["metric"])
    claim = "Gain over" if row["claim"] == GAIN else "Better than"
    texts = {"claim": f"{claim} {printed_name(row['against'], names)}", "metric": metric}
    columns = ("difference", "relative, %", "p", "wins / ties / losses", "significant")
    texts |= dict.fromkeys(columns, dash) | {"published": row.get("published", dash)}
    if "reason" in row:
        return texts | {"difference": row["reason"]}
    if row["claim"] == WINS:
        share = f"{100 * row['wins'] / row['comparisons']:.0f} %"
        texts["difference"] = f"smallest {row['difference']:+z.1f}"
        texts["wins / ties / losses"] = f"{row['wins']} / {row['ties']} / {row['losses']} ({share})"
        texts["significant"] = f"{row['significant_wins']} / {row['significant_losses']}"
    else:
        texts["difference"] = _interval(row, "difference", "low", "high")
    if "relative" in row:
        texts["relative, %"] = _interval(row, "relative", "relative_low", "relative_high")
    return texts | {"p": dash if row["p"] is None else printed_p(row["p"])}


def _interval(row: Row, estimate: str, low: str, high: str) -> str:
    return f"{row[estimate]:+z.1f} [{row[low]:z.1f}, {row[high]:z.1f}]"


def _describe(
    settings: Mapping[str, Any],
    samples: Samples,
    comparisons: Sequence[Comparison],
    withheld: Mapping[Block, str],
    differing: Sequence[str],
    left_out: Mapping[str, Mapping[str, int]],
) -> dict[str, Any]:
    """Caption, which names what is fixed, and notes."""
    method, metrics = settings["method"], settings["metrics"]
    runs = [run for block_runs in samples.runs.values() for run in block_runs]
    trained = [(dataset, model) for dataset, model in samples.seeds if samples.seeds[dataset, model]]
    blocks = [Block(*member, ((member,),)) for member in trained]
    datasets, models = (list(dict.fromkeys(axis)) for axis in zip(*trained, strict=True))
    caption = rehearsal(withheld, blocks) + (
        f"{settings['caption']} {in_text(method)}: {quantity(metrics)}, with 95 % intervals over new seeds and new test"
        f" documents. Fixed: data sets {in_text(*datasets)}; models {in_text(*models)}, their weights before SFT; the"
        " split of the data."
    )
    notes = [f"Hyperparameters: presets “{settings['presets']}”."]
    notes += [
        f"REHEARSAL on {block.in_text}: {reason}. No difference is called significant there, and the figures say"
        " nothing about the methods."
        for block, reason in withheld.items()
    ]
    notes += [
        "Gain: mean over models, then over data sets, which weigh the same; of all metrics the mean over those of a"
        " data set. Relative: in percent of the other row, seed by seed; – where that has an F1 of 0. p: unadjusted.",
        f"Better than {RIVALS}: means compared as printed, over model × data set × metric × rival"
        f" ({in_text(*settings['rivals'])}). Significant: wins / losses with Holm-adjusted p < .05 over the"
        f" {len(comparisons)} comparisons. p: that all differences are above 0, the largest one-sided p"
        " (intersection-union test).",
    ]
    notes += _not_run(settings, samples, trained)
    notes += not_asked(left_out)
    notes += too_little(comparisons)
    if any(run.collapsed for run in runs):
        notes.append(f"The means include runs that collapsed during training: {collapsed_runs(runs)}.")
    if any(run.method == PROMPTED for run in runs):
        notes.append(
            f"{in_text(PROMPTED)}: a model behind an endpoint, which was not trained. Its one run is compared with"
            " every seed and model of the same data set. The server may answer differently in another run."
        )
    notes += prompted_notes(runs)
    notes += public_notes(settings["public"])
    notes.append(
        "Published: of TAB-PO by arXiv 2603.00025, which does not say whether its gains are in points or relative; its"
        " first version has about 4 %, relative, over SFT. Not all of its models, data and metrics are this table's."
    )
    notes.append(meanings(metrics))
    if differing:
        notes.append(f"Runs were made with different code in {', '.join(differing)}.")
    return {"caption": caption, "notes": notes}


def _not_run(settings: Mapping[str, Any], samples: Samples, trained: Sequence[tuple[str, str]]) -> list[str]:
    """Models that the method, and comparisons that a rival, is missing from."""
    missing: dict[str, list[str]] = {}
    for dataset, model in trained:
        for row in (settings["method"], *settings["rivals"]):
            if not samples.of(dataset, model, row):
                missing.setdefault(model, []).append(row)
    return [f"Not run for {in_text(model)}: {in_text(*dict.fromkeys(rows))}." for model, rows in missing.items()]
