"""Whether two methods differ, over new seeds and new documents: the test of every table.

Seeds and documents are crossed: the runs of each seed answer the same documents. This is the analysis of variance of
multi-reader multi-case studies (Dorfman, Berbaum and Metz, Investigative Radiology 1992, with readers = seeds and
cases = documents) on jackknife pseudovalues. Its critical value is the root mean square of the t quantiles of both
components, weighted by their variances. Their plain mean (Cochran and Cox, Experimental Designs, 1957) holds its level
at .05, but with 3 seeds not at the levels of a family: at .05 / 24 it rejected a true null up to 1.6 times too often.
Nothing is drawn at random. docs/statistics.md says what it means and what was measured.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import stdtrit

LEVEL = 0.05
POWER = 0.8
NO_VARIATION = 1e-9
"""A standard error below this is that of equal numbers, up to rounding."""

SMALLEST_P = 1e-100
"""Quantiles of t for a smaller level are not computed reliably; a smaller p is printed as this one."""

MOST_SEEDS = 1000
"""Plans do not go beyond."""


@dataclass(frozen=True, eq=False)
class Estimates:
    """A statistic of S runs on n groups of documents.

    Attributes:
        whole: (S,), on all documents.
        without: (S, n), on all documents but those of one group.
    """

    whole: np.ndarray
    without: np.ndarray

    @property
    def pseudovalues(self) -> np.ndarray:
        """(S, n), n whole - (n - 1) without."""
        groups = self.without.shape[1]
        return groups * self.whole[:, None] - (groups - 1) * self.without

    def __sub__(self, other: "Estimates") -> "Estimates":
        """Run by run; a single run stands beside every run of the other side."""
        return Estimates(self.whole - other.whole, self.without - other.without)

    def gain(self, other: "Estimates") -> "Estimates | None":
        """The relative gain in percent, run by run; None where the other side is 0 somewhere."""
        if not (other.whole.all() and other.without.all()):
            return None
        return Estimates(100 * (self.whole / other.whole - 1), 100 * (self.without / other.without - 1))


def jackknife(sums: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray]) -> Estimates:
    """A statistic of sums over groups, whole and without each group.

    Args:
        sums: (S, n, ...), what each of n groups adds in each of S runs.
        statistic: From sums (..., same trailing axes) to numbers (...).
    """
    total = sums.sum(axis=1)
    return Estimates(statistic(total), statistic(total[:, None] - sums))


def stack(runs: Sequence[Estimates]) -> Estimates:
    """The same statistic of several runs on the same groups, in one."""
    return Estimates(np.concatenate([run.whole for run in runs]), np.concatenate([run.without for run in runs]))


class Component(NamedTuple):
    """A part of the variance of an estimate: of `seeds` or of `documents`, and its degrees of freedom."""

    source: str
    variance: float
    df: float


@dataclass(frozen=True)
class Effect:
    """An estimated difference and how well it is known.

    Attributes:
        estimate: Mean over runs of what the table prints.
        components: Of its variance; none of seeds where there was one seed, whose variance nobody knows.
        seeds: Runs of each method on each model and data set.
        documents: Groups of documents, of all data sets together.
    """

    estimate: float
    components: tuple[Component, ...] = field(repr=False)
    seeds: int
    documents: int

    @cached_property
    def se(self) -> float:
        """Standard error; 0.0 where nothing varied."""
        error = sum(part.variance for part in self.components) ** 0.5
        return error if error > NO_VARIATION else 0.0

    def share_of(self, source: str) -> float:
        """The standard error that one source alone would give."""
        return sum(part.variance for part in self.components if part.source == source) ** 0.5

    @cached_property
    def interval(self) -> tuple[float, float]:
        """At 95 %; of these runs, over new documents, where there was one seed."""
        half = self._quantile(LEVEL / 2) * self.se
        return self.estimate - half, self.estimate + half

    @cached_property
    def p(self) -> float | None:
        """Two-sided: the level at which the interval ends at 0; None where nothing varied."""
        if self.se == 0:
            return None
        ratio = abs(self.estimate) / self.se
        if ratio == 0:
            return 1.0
        if ratio >= self._quantile(SMALLEST_P / 2):
            return SMALLEST_P
        root = brentq(lambda log: self._quantile(np.exp(log) / 2) - ratio, np.log(SMALLEST_P), 0.0, xtol=1e-13)
        return float(np.exp(root))

    @property
    def detectable(self) -> float:
        """The smallest true difference that a study like this one finds with 80 % power."""
        return (self._quantile(LEVEL / 2) + self._quantile(1 - POWER)) * self.se

    def of_documents(self) -> "Effect":
        """What remains with any number of seeds: the variance of documents alone."""
        return replace(self, components=tuple(part for part in self.components if part.source == "documents"))

    def with_seeds(self, seeds: int) -> "Effect":
        """What a study of so many seeds would know; needs at least two in this one."""
        scale, degrees = self.seeds / seeds, (seeds - 1) / (self.seeds - 1)
        planned = tuple(
            Component(part.source, part.variance * scale, part.df * degrees) if part.source == "seeds" else part
            for part in self.components
        )
        return replace(self, components=planned, seeds=seeds)

    def seeds_for(self, points: float) -> int | None:
        """The fewest seeds with which such a difference is found with 80 % power; None for none, or for one seed."""
        if self.seeds < 2 or self.with_seeds(MOST_SEEDS).detectable > points:
            return None
        low, high = 1, 2  # more seeds never detect less
        while self.with_seeds(high).detectable > points:
            low, high = high, min(2 * high, MOST_SEEDS)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.with_seeds(middle).detectable <= points else (middle, high)
        return high

    def _quantile(self, tail: float) -> float:
        """The t quantile with so much above it: root mean square over components, by variance; 0 without variance."""
        if self.se == 0:
            return 0.0
        total = sum(part.variance for part in self.components)
        squares = (part.variance * float(stdtrit(part.df, tail)) ** 2 for part in self.components if part.variance)
        return (sum(squares) / total) ** 0.5


def effect(differences: Estimates) -> Effect:
    """Of one data set and model; a single run has no component of seeds."""
    return pooled([[differences]])


def pooled(datasets: Sequence[Sequence[Estimates]]) -> Effect:
    """The mean over data sets of the mean over models; both are fixed, and data sets weigh the same.

    Args:
        datasets: For each data set the differences of each model, (S, n) with the data set's n.

    Raises:
        ValueError: Models of one data set differ in seeds or groups.
    """
    effects = [_mean_over_models(models) for models in datasets]
    scale = 1 / len(effects) ** 2
    return Effect(
        estimate=float(np.mean([one.estimate for one in effects])),
        components=tuple(
            Component(part.source, part.variance * scale, part.df) for one in effects for part in one.components
        ),
        seeds=effects[0].seeds,
        documents=sum(one.documents for one in effects),
    )


def _mean_over_models(models: Sequence[Estimates]) -> Effect:
    values = np.stack([differences.pseudovalues for differences in models])  # (M, S, n)
    count, seeds, groups = values.shape
    of_seeds, of_groups = values.mean(axis=2), values.mean(axis=(0, 1))
    components = []
    noise = 0.0
    if seeds > 1:
        variances = of_seeds.var(axis=1, ddof=1) / seeds / count**2  # (M,), v_S of each model in the mean
        spread = float(variances.sum())
        df = spread**2 / float((variances**2).sum() / (seeds - 1)) if spread else seeds - 1
        components.append(Component("seeds", spread, df))
        rest = values - of_seeds[:, :, None] - values.mean(axis=1)[:, None] + values.mean(axis=(1, 2))[:, None, None]
        noise = float((rest**2).sum()) / (count * (seeds - 1) * (groups - 1))
    between = count * seeds * float(of_groups.var(ddof=1))
    components.append(Component("documents", max(between - noise, 0.0) / (count * seeds * groups), groups - 1))
    whole = np.concatenate([differences.whole for differences in models])
    return Effect(float(whole.mean()), tuple(components), seeds, groups)


def over_documents(differences: Estimates) -> Effect:
    """The mean of these runs over new documents: no component of seeds."""
    mean = Estimates(differences.whole.mean(keepdims=True), differences.without.mean(axis=0, keepdims=True))
    return replace(effect(mean), seeds=len(differences.whole))


def holm(values: Sequence[float | None]) -> list[float | None]:
    """Adjusted p of a family (Holm, Scandinavian Journal of Statistics 1979); None counts, and stays None."""
    order = sorted((value, number) for number, value in enumerate(values) if value is not None)
    adjusted: list[float | None] = [None] * len(values)
    least = 0.0
    for rank, (value, number) in enumerate(order):
        least = max(least, min(1.0, (len(values) - rank) * value))
        adjusted[number] = least
    return adjusted


def all_above(effects: Sequence[Effect]) -> float:
    """One-sided p of "every one of these differences is above 0": the intersection-union test (Berger, 1982).

    The largest one-sided p, without correction; 1 where one of them did not vary.
    """
    return max(1.0 if one.p is None else one.p / 2 if one.estimate > 0 else 1 - one.p / 2 for one in effects)
