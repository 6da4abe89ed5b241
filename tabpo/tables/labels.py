"""Tables of single labels: precision, recall and F1 of each, with its gold items and its gain over SFT."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from tabpo.metrics.names import TOGETHER, LabelMetric, label_metric
from tabpo.names import SFT
from tabpo.tables.captions import (
    collapsed_runs,
    describe_tests,
    documents,
    models_left_out,
    not_asked,
    rehearsal,
    seeds_in_words,
    too_little,
)
from tabpo.tables.cells import NOT_AVAILABLE, Block, Cell, Samples, build_cells, of_dataset, pooled_block, single_blocks
from tabpo.tables.comparisons import Comparison, adjust_families, differences, marks_of, rehearsals
from tabpo.tables.meanings import PARTS, in_text, meanings, title
from tabpo.tables.significance import CLUSTERS_TO_MARK
from tabpo.tables.typeset import (
    csv_text,
    latex_cell,
    latex_table,
    long_form,
    markdown_cell,
    markdown_table,
    tests_csv,
    tests_latex,
    tests_markdown,
)

GAIN = "Gain over SFT"

FEW = 5
"""With gold items in fewer groups, a label has no gain: the interval would be as wide as the scale."""


@dataclass(frozen=True)
class Label:
    """A label of a data set that has gold items in test, or all of its rare labels together.

    Attributes:
        dataset: The data set.
        f1: The name of its F1, as a metric.
        gold: The number of its gold items.
        groups: The number of groups of documents that have one.
    """

    dataset: str
    f1: LabelMetric
    gold: int
    groups: int

    @property
    def tested(self) -> bool:
        """Whether its differences are tested. Gold decides it, and no score, so that it is fixed before any run."""
        return self.groups >= CLUSTERS_TO_MARK


def gold_labels(samples: Samples, metrics: Sequence[str]) -> list[Label]:
    """The labels with gold items, by data set and metric, and then by frequency, the most frequent first.

    All rare labels together follow the labels of their metric.
    """
    labels = []
    some = {run.dataset: run for of_row in samples.runs.values() for run in of_row}  # gold is the same in all runs
    for dataset in dict.fromkeys(dataset for dataset, _ in samples.seeds if dataset in some):
        estimates = some[dataset].estimates
        with_gold = [
            Label(dataset, label_metric(name), round(estimates.gold[name]), groups)
            for name, groups in estimates.gold_clusters.items()
        ]
        labels += sorted(with_gold, key=lambda label: (metrics.index(label.f1.metric), *_order(label)))
    return labels


def _order(label: Label) -> tuple[bool, int, str]:
    return TOGETHER in label.f1.label, -label.gold, label.f1.label


def label_contents(
    settings: Mapping[str, Any],
    samples: Samples,
    differing: Sequence[str],
    left_out: Mapping[str, Mapping[str, int]],
) -> tuple[str, ...]:
    """The contents of a table's files, in the order of `tabpo.tables.files.FILES`.

    A data set has the mean over its models, or one model if no mean can be made. The tested family is every difference
    to SFT of labels that have gold items in enough groups of documents.
    """
    labels, blocks = gold_labels(samples, settings["metrics"]), {}
    for label in labels:
        of_label = of_dataset(samples, label.dataset)
        mean = pooled_block(of_label, settings["rows"], label.f1.name)
        for part in PARTS:
            name = label.f1._replace(part=part).name
            blocks.setdefault(name, []).extend([mean] if mean else single_blocks(of_label))
    cells = build_cells(samples, blocks, settings["rows"])
    comparisons = _comparisons(samples, cells, labels)
    withheld = rehearsals(samples, single_blocks(samples), settings["generated"])
    marks = marks_of(comparisons, withheld)
    cells = [replace(cell, mark=marks.get((cell.block, cell.method, cell.metric), "")) for cell in cells]
    text = _describe(settings, samples, labels, cells, comparisons, withheld, differing, left_out)
    about_tests = describe_tests(settings | {"against": SFT}, comparisons)
    label, names = f"tab:{settings['name']}", settings["names"]
    markdown = pd.DataFrame(_rows(labels, cells, comparisons, "–", markdown_cell))
    latex = pd.DataFrame(_rows(labels, cells, comparisons, "--", latex_cell))
    return (
        _csv(labels, cells),
        markdown_table(markdown, **text),
        latex_table(latex, label=label, names=names, **text),
        tests_csv(comparisons),
        tests_markdown(comparisons, **about_tests),
        tests_latex(comparisons, label=f"{label}-tests", names=names, **about_tests),
    )


def _comparisons(samples: Samples, cells: Sequence[Cell], labels: Sequence[Label]) -> list[Comparison]:
    """The differences of F1 to SFT; the groups of documents that count for a mark are those with gold of the label."""
    by_name = {(label.dataset, label.f1.name): label for label in labels if label.groups >= FEW}
    of_f1 = [cell for cell in cells if (cell.block.dataset, cell.metric) in by_name]
    comparisons = []
    for comparison in differences(samples, of_f1, against=SFT, tested={name for _, name in by_name}):
        label = by_name[comparison.block.dataset, comparison.metric]
        family = comparison.family if label.tested else ""
        comparisons.append(replace(comparison, clusters=(label.groups,), family=family))
    return adjust_families(comparisons)


def _csv(labels: Sequence[Label], cells: Sequence[Cell]) -> str:
    """The cells in long form, ordered like the table, with the gold items of their labels and the groups with them."""
    by_label: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        name = label_metric(cell.metric)._replace(part="f1").name
        by_label.setdefault((cell.block.dataset, name), []).append(cell)
    lines = [(label, cell) for label in labels for cell in by_label[label.dataset, label.f1.name]]
    columns = {
        "label": [label.f1.label for label, _ in lines],
        "gold": [label.gold for label, _ in lines],
        "groups": [label.groups for label, _ in lines],
    }
    return csv_text(long_form([cell for _, cell in lines]).assign(**columns))


def _rows(
    labels: Sequence[Label],
    cells: Sequence[Cell],
    comparisons: Sequence[Comparison],
    dash: str,
    text: Callable[[Cell], str],
) -> Iterator[dict[str, str]]:
    """A row for each label, block and method; data set and model are left out if there is one of each."""
    by_key = {(cell.block, cell.method, cell.metric): cell for cell in cells}
    gains = {(test.block, test.method, test.metric): test for test in comparisons}
    one_block = len({cell.block for cell in cells}) == 1
    for label in labels:
        for block, method, metric in by_key:
            if (block.dataset, metric) != (label.dataset, label.f1.name):
                continue
            precision, recall = (
                replace(by_key[block, method, label.f1._replace(part=part).name], sd=None, reason="")
                for part in ("precision", "recall")
            )
            gain = gains.get((block, method, metric))
            yield {
                **({} if one_block else {"dataset": block.dataset, "model": block.model}),
                **{"label": title(metric), "method": method, "Gold": str(label.gold), "Groups": str(label.groups)},
                **{"Precision": text(precision), "Recall": text(recall), "F1": text(by_key[block, method, metric])},
                GAIN: dash if gain is None else _interval(gain),
            }


def _interval(comparison: Comparison) -> str:
    low, high = comparison.effect.interval
    return f"{comparison.effect.estimate:+z.1f} [{low:z.1f}, {high:z.1f}]"


def _describe(
    settings: Mapping[str, Any],
    samples: Samples,
    labels: Sequence[Label],
    cells: Sequence[Cell],
    comparisons: Sequence[Comparison],
    withheld: Mapping[Block, str],
    differing: Sequence[str],
    left_out: Mapping[str, Mapping[str, int]],
) -> dict[str, Any]:
    runs = [run for row in samples.runs.values() for run in row]
    blocks = list(dict.fromkeys(cell.block for cell in cells))
    caption = f"{settings['caption']} Single labels in percent, sets of items, {seeds_in_words(runs)}."
    if len(blocks) == 1:
        caption += f" Data set and model: {blocks[0].in_text}."
    if any(cell.mark for cell in cells):
        families = {comparison.family: comparison.tests for comparison in comparisons if comparison.family}
        tests = " and ".join(f"the {count} tested differences" for count in families.values())
        caption += f" ▲ ▼: F1 better, worse than {in_text(SFT)}, Holm-adjusted p < .05 over {tests}, seeds × documents."
    notes = [f"Hyperparameters: presets “{settings['presets']}”."]
    notes += [
        f"REHEARSAL on {block.in_text}: {reason}. Nothing is marked there, since these rows are no evidence about the"
        " methods."
        for block, reason in withheld.items()
    ]
    notes.append(
        "Gold: gold items of the label in test. Groups: groups of test documents that have one (patients, threads; or"
        " documents, if no groups are known). A row that never writes a label has a precision of 0. Gain: difference of"
        " F1 in points, with its 95 % interval over new seeds and new test documents."
    )
    if not all(label.tested for label in labels):
        notes.append(
            f"Labels with gold items in fewer than {CLUSTERS_TO_MARK} groups are rare and not tested one by one. A wide"
            " interval says that these documents cannot tell, not that nothing changed. With fewer than"
            f" {FEW} groups no gain is given."
        )
    notes += [
        f"{title(label.f1.name)} of {in_text(label.dataset)}, counted together:"
        f" {', '.join(label.f1.label.split(TOGETHER))}."
        for label in labels
        if TOGETHER in label.f1.label
    ]
    notes += documents(runs)
    notes += not_asked(left_out)
    notes += too_little(comparisons)
    if any(run.collapsed for run in runs):
        notes.append(f"†: the mean includes runs that collapsed during training: {collapsed_runs(runs)}.")
    notes.append(meanings(settings["metrics"]))
    notes += [
        f"– {reason}."
        for reason in sorted({cell.reason for cell in cells if cell.reason and not cell.block.pooled})
        if not reason.startswith(NOT_AVAILABLE)
    ]
    notes += models_left_out(cells)
    if differing:
        notes.append(f"Runs were made with different code in {', '.join(differing)}.")
    return {"caption": rehearsal(withheld, single_blocks(samples)) + caption, "notes": notes}
