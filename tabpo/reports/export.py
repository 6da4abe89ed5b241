"""What may leave a study of private data: tables, tests, macros and the F1 of labels, all of them rounded.

This is an allow-list: a table is read in its long form, and a column that is not named here does not leave; of the
files of counts only sums over groups do. A group is what `group_id` names, a patient or a thread; a document without
one is a group of its own. Nothing is shown that fewer than five groups have:

- A metric whose gold items they have is blank, and with it every mean over data sets that it is part of.
- Labels whose gold items they have stand together in the row "rare labels". Where all of these have fewer than five
  groups together, the next label joins them: the total less all other rows would tell their count.
- A mean over labels (`macro_label`) is blank if it has such a label in it: the other labels would tell its F1.
- Labels are shown in one metric only: counted in a second way they would tell by the difference what is folded.

F1 has one decimal and counts are rounded to five. An F1 of a few items tells their number even with one decimal, which
is why all of this goes by groups and does not rely on rounding.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import StringIO
from statistics import fmean

import pandas as pd

from tabpo.metrics.counts import Counts
from tabpo.metrics.scores import CONLL, HEADLINE, MACRO
from tabpo.names import HUMAN
from tabpo.records import ClusterCounts
from tabpo.reports.macros import render_macros

FEW = 5
"""Groups that something must have to be shown by itself; and what counts are rounded to."""

RARE = "rare labels"
"""The row of all labels that fewer than `FEW` groups have."""

BY_LABEL = ("ner_strict", "rel", "triple")
"""Metrics whose labels are shown: entities and relations have no label in common, and only medical answers triples."""

KEYS = ("dataset", "model", "method")
NAMES = (*KEYS, "against", "metric", "label")
DECIMALS = {"mean": 1, "sd": 1, "f1": 1, "difference": 1, "low": 1, "high": 1, "relative": 1, "p": 3, "p_holm": 3}
COUNTS = ("documents", "groups", "gold")
COLUMNS = (*NAMES, "seeds", *DECIMALS, *COUNTS)
"""Of tables, in the order in which they are written: the names of the study's own axes, and numbers."""

NOTE = (
    f"Percent (margins in nats) with one decimal, p with three; counts are rounded to {FEW}."
    f" A dash: not run, or gold items in fewer than {FEW} groups of documents."
)
"""Under each table."""

Row = tuple[str, str | None, str]
"""Data set, model (None for a baseline) and method."""

Groups = Mapping[tuple[str, str | None], set[str]]
"""By metric and label (None for all items), the groups that have gold items."""


def export_files(tables: Mapping[str, str], runs: Mapping[Row, Sequence[Sequence[ClusterCounts]]]) -> dict[str, str]:
    """The content of every file that may leave, by its path in the folder.

    Args:
        tables: Long form of each table of scores, or of tests (`x.tests`), as CSV by its name.
        runs: The counts of all rows of the tables, seed by seed; one for a row that has no seeds.
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
    """Which groups have gold items, by metric and label; as the headline counts them."""
    groups: dict[tuple[str, str | None], set[str]] = defaultdict(set)
    for row in counts:
        if row.convention == HEADLINE and row.gold:
            groups[row.metric, row.label].add(row.cluster)
    return groups


def shareable(table: pd.DataFrame, groups: Mapping[tuple[str, str], Groups]) -> pd.DataFrame:
    """The columns of `COLUMNS` that a table has, as texts: numbers rounded, and none of few.

    Args:
        table: One line a number or test, all texts.
        groups: By data set and method.
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
    told = kept[[name for name in numbers if name in DECIMALS]].ne("").any(axis=1)
    in_means = set(kept.loc[few & told & (kept["method"] != HUMAN), "metric"])
    few |= ~kept["dataset"].isin(datasets) & kept["metric"].isin(in_means)
    for name in numbers:
        kept[name] = kept[name].map(_rounding(name)).mask(few, "")
    return kept


def is_few(groups: Groups, metric: str) -> bool:
    """Whether too few groups have gold items of a metric, or, of a mean over labels, of one of them."""
    name, _, convention = metric.partition("@")
    if convention == MACRO:
        of_labels = [len(found) for (other, label), found in groups.items() if other == name and label is not None]
        return not of_labels or min(of_labels) < FEW
    return min(len(groups.get((part, None), ())) for part in (CONLL if name == "conll" else (name,))) < FEW


def fold(groups: Mapping[str, set[str]]) -> tuple[list[str], list[str]]:
    """Labels with a row of their own, and those in the row of all rare ones, both sorted.

    Labels that no group has are among the rare ones: a missing row does not tell them apart.

    Args:
        groups: By label, the groups that have gold items of it.
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
    """The F1 of each label, mean over seeds; a second annotator, who may have read fewer documents, has no rows."""
    rows = []
    for (dataset, model, method), seeds in runs.items():
        if method == HUMAN:
            continue
        found = gold_groups(seeds[0])
        for metric in BY_LABEL:
            sums = [_sums(counts, metric) for counts in seeds]
            labels = {label: found.get((metric, label), set()) for by_label in sums for label in by_label}
            own, rare = fold(labels)
            for name, members in [*((label, [label]) for label in own), (RARE, rare)]:
                clusters = set().union(*(labels[label] for label in members))
                if len(clusters) < FEW:
                    continue
                scores = [sum((one[label] for label in members if label in one), Counts(0, 0, 0)) for one in sums]
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
    """What a text of a column becomes; an empty one stays empty."""
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
    """A table as CSV in its long form, and as Markdown and LaTeX for people."""
    shown = shown.replace("", "–").fillna("–")
    markdown = shown.to_markdown(index=False, disable_numparse=True) if len(shown) else "None."
    styled = shown.style.hide(axis="index").format(escape="latex").format_index(escape="latex", axis=1)
    return {
        f"{name}.csv": _csv(long),
        f"{name}.md": f"{markdown}\n\n{NOTE}\n",
        f"{name}.tex": styled.to_latex(hrules=True, caption=NOTE, position="tbp"),
    }


def _macros(shown: Mapping[str, pd.DataFrame]) -> str:
    """Of the study's own tables, those that have tests, what is not blank."""
    tables = {}
    for name in shown:
        if f"{name}.tests" in shown and "/" not in name:  # tables of one metric repeat them
            cells, tests = (pd.read_csv(StringIO(_csv(shown[one]))) for one in (name, f"{name}.tests"))
            cells = cells.dropna(subset="mean").astype({"seeds": int})
            tables[name] = (cells, tests.dropna(subset="difference"))
    return render_macros(tables)


def _csv(table: pd.DataFrame) -> str:
    return table.to_csv(index=False, lineterminator="\n")
