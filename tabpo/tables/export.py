"""Make the files that may leave a study of private data: tables, tests, macros and the F1 of labels, all rounded.

The export is an allow-list. A table is read in its long form, and only the columns named here are exported. Of the
files of counts only sums over groups are exported. A group is what `group_id` names, such as a patient or a thread; a
document without `group_id` is a group by itself. Nothing is shown that rests on fewer than five groups:

- A metric is blank if fewer than five groups have its gold items. Every mean over data sets that includes it is blank.
- Labels are combined in the row "rare labels" if fewer than five groups have their gold items. If all rare labels
  together have fewer than five groups, the next label joins them; else their count could be computed from the total.
- A mean over labels (`macro_label`) is blank if it includes such a label, whose F1 could be computed from the others.
- Each item's label is shown in one metric only. With a second one, differences could reveal combined labels.

F1 has one decimal and counts are rounded to five. Rounding alone would not protect, since the F1 of a few items reveals
their number even with one decimal. Therefore the rules above depend on groups.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import StringIO
from statistics import fmean

import pandas as pd

from tabpo.metrics.counts import Counts
from tabpo.metrics.names import HEADLINE, MACRO, MEANS
from tabpo.names import HUMAN
from tabpo.records import ClusterCounts
from tabpo.tables.macros import render_macros

FEW = 5
"""The fewest groups that a number may rest on to be shown; counts are rounded to multiples of it."""

RARE = "rare labels"
"""The name of the row that combines all rare labels."""

BY_LABEL = ("ner_strict", "rel", "triple")
"""The metrics whose labels are shown. Entities and relations share no label; data sets with triples have neither."""

KEYS = ("dataset", "model", "method")
NAMES = (*KEYS, "against", "metric", "label")
DECIMALS = {"mean": 1, "sd": 1, "f1": 1, "difference": 1, "low": 1, "high": 1, "relative": 1, "p": 3, "p_holm": 3}
COUNTS = ("documents", "groups", "gold")
COLUMNS = (*NAMES, "seeds", *DECIMALS, *COUNTS)
"""The columns of tables that may leave, in the order in which they are written: names from the study, and numbers."""

NOTE = (
    f"Percent (margins in nats) with one decimal, p with three; counts are rounded to {FEW}."
    f" A dash: not run, or gold items in fewer than {FEW} groups of documents."
)
"""The note below each table."""

Row = tuple[str, str | None, str]
"""A data set, a model (None for a baseline) and a method."""

Groups = Mapping[tuple[str, str | None], set[str]]
"""For each metric and label (None for all labels), the groups that have gold items."""


def export_files(tables: Mapping[str, str], runs: Mapping[Row, Sequence[Sequence[ClusterCounts]]]) -> dict[str, str]:
    """The content of every file that may leave, by its path in the export folder.

    Args:
        tables: The CSV text, in long form, of each table of scores (`x`) and of tests (`x.tests`), by name.
        runs: For each row of the tables the counts of each seed; a row without seeds has one element.
    """
    groups = {(dataset, method): gold_groups(counts[0]) for (dataset, _, method), counts in runs.items()}
    frames = {name: pd.read_csv(StringIO(text), dtype=str, keep_default_na=False) for name, text in tables.items()}
    shown = {name: shareable(frame, groups) for name, frame in frames.items()}
    labels = pd.DataFrame(label_rows(runs), columns=[name for name in COLUMNS if name in _LABEL_COLUMNS])
    files = {"macros.tex": _macros(shown)}
    for name, frame in shown.items():
        files |= _three(f"tables/{name}", _wide(frame) if "mean" in frame else frame, frame)
    return files | _three("labels", labels, labels)


def gold_groups(counts: Iterable[ClusterCounts]) -> Groups:
    """The groups that have gold items, by metric and label, counted with the headline convention."""
    groups: dict[tuple[str, str | None], set[str]] = defaultdict(set)
    for row in counts:
        if row.convention == HEADLINE and row.gold:
            groups[row.metric, row.label].add(row.cluster)
    return groups


def shareable(table: pd.DataFrame, groups: Mapping[tuple[str, str], Groups]) -> pd.DataFrame:
    """The part of a table that may leave: its columns in `COLUMNS`, rounded, and blank where groups are too few.

    Args:
        table: One line for each number or test; all values are texts.
        groups: The groups that have gold items, by data set and method.
    """
    datasets = {dataset for dataset, _ in groups}
    kept = table[[name for name in COLUMNS if name in table]].copy()
    numbers = [name for name in kept if name not in NAMES]
    few = pd.Series(
        [
            row.dataset in datasets and is_few(groups.get((row.dataset, row.method), {}), row.metric)
            for row in kept.itertuples()
        ],
        index=kept.index,
        dtype=bool,
    )
    filled = kept[[name for name in numbers if name in DECIMALS]].ne("").any(axis=1)
    in_means = set(kept.loc[few & filled & (kept["method"] != HUMAN), "metric"])
    few |= ~kept["dataset"].isin(datasets) & kept["metric"].isin(in_means)
    for name in numbers:
        kept[name] = kept[name].map(_rounding(name)).mask(few, "")
    return kept


def is_few(groups: Groups, metric: str) -> bool:
    """Whether too few groups have gold items of a metric; for a mean over labels, of any of its labels."""
    name, _, convention = metric.partition("@")
    if convention == MACRO:
        of_labels = [len(members) for (other, label), members in groups.items() if other == name and label is not None]
        return not of_labels or min(of_labels) < FEW
    counted = [len(groups.get((member, None), ())) for member in MEANS.get(name, (name,))]
    return min(filter(None, counted), default=0) < FEW


def fold(groups: Mapping[str, set[str]]) -> tuple[list[str], list[str]]:
    """Divide labels into those that get a row each and the rare ones, which share a row; both lists are sorted.

    Labels without gold items are among the rare ones, so that a missing row does not reveal them.

    Args:
        groups: For each label, the groups that have gold items of it.
    """
    by_size = sorted(groups, key=lambda label: (len(groups[label]), label))
    rare = [label for label in by_size if len(groups[label]) < FEW]
    together = set().union(*(groups[label] for label in rare))
    for label in by_size[len(rare) :]:
        if not 0 < len(together) < FEW:
            break
        rare.append(label)
        together |= groups[label]
    return sorted(set(groups) - set(rare)), sorted(rare)


_LABEL_COLUMNS = (*KEYS, "metric", "label", "seeds", "f1", "groups", "gold")


def label_rows(runs: Mapping[Row, Sequence[Sequence[ClusterCounts]]]) -> list[dict[str, str]]:
    """The mean F1 of each label over seeds. A second annotator, who may have read fewer documents, has no rows."""
    rows = []
    for (dataset, model, method), seeds in runs.items():
        if method == HUMAN:
            continue
        groups = gold_groups(seeds[0])
        for metric in BY_LABEL:
            sums = [_sums(counts, metric) for counts in seeds]
            labels = {label: groups.get((metric, label), set()) for by_label in sums for label in by_label}
            single, rare = fold(labels)
            for name, members in [*((label, [label]) for label in single), (RARE, rare)]:
                clusters = set().union(*(labels[label] for label in members))
                if len(clusters) < FEW:
                    continue
                scores = [
                    sum((by_label[label] for label in members if label in by_label), Counts(0, 0, 0))
                    for by_label in sums
                ]
                values = {
                    **{"dataset": dataset, "model": model or "", "method": method, "metric": metric, "label": name},
                    "seeds": str(len(seeds)),
                    "f1": 100 * fmean(score.f1 for score in scores),
                    **{"groups": len(clusters), "gold": scores[0].gold},
                }
                rows.append({name: _rounding(name)(str(value)) for name, value in values.items()})
    return rows


def _sums(counts: Iterable[ClusterCounts], metric: str) -> dict[str, Counts]:
    sums: dict[str, Counts] = defaultdict(lambda: Counts(0, 0, 0))
    for row in counts:
        if row.metric == metric and row.convention == HEADLINE and row.label is not None:
            sums[row.label] += Counts(round(row.right), round(row.predicted), round(row.gold))
    return sums


def _rounding(column: str) -> Callable[[str], str]:
    """The function that rounds the texts of a column; an empty text stays empty."""
    if column in COUNTS:
        return lambda text: text and str(FEW * round(float(text) / FEW))
    if column in DECIMALS:
        return lambda text: text and f"{float(text):z.{DECIMALS[column]}f}"
    return str


def _wide(frame: pd.DataFrame) -> pd.DataFrame:
    """A row for each method, a column for each metric."""
    texts = frame["mean"] + frame["sd"].map(lambda sd: sd and f" ± {sd}")
    by_metric = frame.assign(text=texts).set_index([*KEYS, "metric"])["text"]
    return by_metric.unstack("metric", sort=False).reset_index().rename_axis(columns=None)


def _three(name: str, shown: pd.DataFrame, long: pd.DataFrame) -> dict[str, str]:
    """The three files of a table: CSV in long form, Markdown and LaTeX for people."""
    shown = shown.replace("", "–").fillna("–")
    markdown = shown.to_markdown(index=False, disable_numparse=True) if len(shown) else "None."
    styled = shown.style.hide(axis="index").format(escape="latex").format_index(escape="latex", axis=1)
    return {
        f"{name}.csv": _csv(long),
        f"{name}.md": f"{markdown}\n\n{NOTE}\n",
        f"{name}.tex": styled.to_latex(hrules=True, caption=NOTE, position="tbp"),
    }


def _macros(shown: Mapping[str, pd.DataFrame]) -> str:
    """The macros of all numbers that are not blank, from the tables that have tests."""
    tables = {}
    for name in shown:
        if f"{name}.tests" in shown and "/" not in name:  # tables of one metric repeat these numbers
            cells, tests = (pd.read_csv(StringIO(_csv(shown[part]))) for part in (name, f"{name}.tests"))
            cells = cells.dropna(subset="mean").astype({"seeds": int})
            tables[name] = (cells, tests.dropna(subset="difference"))
    return render_macros(tables)


def _csv(table: pd.DataFrame) -> str:
    return table.to_csv(index=False, lineterminator="\n")
