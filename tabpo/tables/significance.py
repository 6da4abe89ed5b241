"""The significance test of every table: would a difference between two methods recur with new seeds and documents?

Seeds and documents are crossed: the runs of each seed answer the same documents. The test is the analysis of variance
of multi-reader multi-case studies (Dorfman, Berbaum and Metz, Investigative Radiology 1992, with readers = seeds and
cases = documents) on jackknife pseudovalues. Its critical value is the root mean square of the t quantiles of both
variance components, weighted by their variances. The weighted mean of the quantiles (Cochran and Cox, Experimental
Designs, 1957) keeps the level .05, but with 3 seeds it does not keep the smaller levels of a family of tests: at
.05 / 24 it rejected a true null hypothesis up to 1.6 times too often.

The test uses no random numbers. docs/statistics.md explains it and gives its measured error rates and power.
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

SEEDS_TO_MARK = 3
CLUSTERS_TO_MARK = 20
"""A table needs at least this many seeds and clusters of documents to mark cells; with fewer it has intervals only."""

NO_VARIATION = 1e-9
"""A smaller standard error counts as 0: it comes from rounding only."""

SMALLEST_P = 1e-100
"""The smallest p that is reported, since t quantiles of smaller levels are not computed reliably."""

MOST_SEEDS = 1000
"""The largest number of seeds that `Effect.seeds_for` considers."""


@dataclass(frozen=True, eq=False)
class Estimates:
    """A statistic of S runs on n groups of documents.

    Attributes:
        whole: (S,), on all documents.
        without: (S, n), on all documents except those of one group.
    """

    whole: np.ndarray
    without: np.ndarray

    @property
    def pseudovalues(self) -> np.ndarray:
        """The jackknife pseudovalues, (S, n): n * whole - (n - 1) * without."""
        groups = self.without.shape[1]
        return groups * self.whole[:, None] - (groups - 1) * self.without

    def __sub__(self, other: "Estimates") -> "Estimates":
        """Subtract run by run; if one side has a single run, that run is paired with every run of the other side."""
        return Estimates(self.whole - other.whole, self.without - other.without)

    def gain(self, other: "Estimates") -> "Estimates | None":
        """The relative gain over `other` in percent, run by run; None if a statistic of `other` is 0."""
        if not (other.whole.all() and other.without.all()):
            return None
        return Estimates(100 * (self.whole / other.whole - 1), 100 * (self.without / other.without - 1))


def jackknife(sums: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray]) -> Estimates:
    """Compute a statistic of sums over groups, on all groups and without each group.

    Args:
        sums: (S, n, ...), the contribution of each of n groups in each of S runs.
        statistic: Maps sums over groups, (..., trailing axes of `sums`), to numbers (...).
    """
    total = sums.sum(axis=1)
    return Estimates(statistic(total), statistic(total[:, None] - sums))


def stack(runs: Sequence[Estimates]) -> Estimates:
    """Join the estimates of several runs, which are of one statistic on the same groups."""
    return Estimates(np.concatenate([run.whole for run in runs]), np.concatenate([run.without for run in runs]))


class Component(NamedTuple):
    """A variance component of an estimate, with its source ("seeds" or "documents") and its degrees of freedom."""

    source: str
    variance: float
    df: float


@dataclass(frozen=True)
class Effect:
    """An estimated difference and its uncertainty.

    Attributes:
        estimate: The mean difference over runs, in the unit of the table.
        components: The variance components of `estimate`. With one seed there is no component of seeds, because the
            variance over seeds cannot be estimated.
        seeds: The number of runs of each method on each model and data set.
        documents: The number of groups of documents in all data sets together.
    """

    estimate: float
    components: tuple[Component, ...] = field(repr=False)
    seeds: int
    documents: int

    @cached_property
    def se(self) -> float:
        """The standard error of `estimate`; 0.0 if all differences were equal."""
        error = sum(part.variance for part in self.components) ** 0.5
        return error if error > NO_VARIATION else 0.0

    def share_of(self, source: str) -> float:
        """The standard error that results from one source of variance alone."""
        return sum(part.variance for part in self.components if part.source == source) ** 0.5

    @cached_property
    def interval(self) -> tuple[float, float]:
        """The 95 % confidence interval; with one seed it covers new documents only, for these runs."""
        half = self._quantile(LEVEL / 2) * self.se
        return self.estimate - half, self.estimate + half

    @cached_property
    def p(self) -> float | None:
        """The two-sided p: the level at which the interval ends at 0; None if all differences were equal."""
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
        """The smallest true difference that a study of this size finds with 80 % power."""
        return (self._quantile(LEVEL / 2) + self._quantile(1 - POWER)) * self.se

    def of_documents(self) -> "Effect":
        """The effect with the variance of documents only, which remains however many seeds are run."""
        return replace(self, components=tuple(part for part in self.components if part.source == "documents"))

    def with_seeds(self, seeds: int) -> "Effect":
        """The effect that a study with another number of seeds would have; this one needs at least two seeds."""
        scale, degrees = self.seeds / seeds, (seeds - 1) / (self.seeds - 1)
        planned = tuple(
            Component(part.source, part.variance * scale, part.df * degrees) if part.source == "seeds" else part
            for part in self.components
        )
        return replace(self, components=planned, seeds=seeds)

    def seeds_for(self, points: float) -> int | None:
        """The fewest seeds that find a difference of `points` with 80 % power.

        None if `MOST_SEEDS` are too few, or if this effect is of one seed.
        """
        if self.seeds < 2 or self.with_seeds(MOST_SEEDS).detectable > points:
            return None
        low, high = 1, 2  # the smallest detectable difference never grows with more seeds
        while self.with_seeds(high).detectable > points:
            low, high = high, min(2 * high, MOST_SEEDS)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.with_seeds(middle).detectable <= points else (middle, high)
        return high

    def _quantile(self, tail: float) -> float:
        """The critical value for an upper tail probability; 0 if there is no variance.

        It is sqrt(sum_i v_i t_i^2 / sum_i v_i) over the components, with variance v_i and t quantile t_i.
        """
        if self.se == 0:
            return 0.0
        total = sum(part.variance for part in self.components)
        squares = (part.variance * float(stdtrit(part.df, tail)) ** 2 for part in self.components if part.variance)
        return (sum(squares) / total) ** 0.5


def effect(differences: Estimates) -> Effect:
    """The effect on one data set and model; a single run gives no component of seeds."""
    return pooled([[differences]])


def pooled(datasets: Sequence[Sequence[Estimates]]) -> Effect:
    """The mean over data sets of the mean over models.

    Data sets and models are fixed factors: the interval does not cover new ones. All data sets have equal weight.

    Args:
        datasets: For each data set the differences of each model, (S, n), where n is of the data set.

    Raises:
        ValueError: Two models of a data set have different numbers of seeds or groups.
    """
    effects = [_mean_over_models(models) for models in datasets]
    scale = 1 / len(effects) ** 2
    return Effect(
        estimate=float(np.mean([mean.estimate for mean in effects])),
        components=tuple(
            Component(part.source, part.variance * scale, part.df) for mean in effects for part in mean.components
        ),
        seeds=effects[0].seeds,
        documents=sum(mean.documents for mean in effects),
    )


def _mean_over_models(models: Sequence[Estimates]) -> Effect:
    values = np.stack([differences.pseudovalues for differences in models])  # (M, S, n)
    count, seeds, groups = values.shape
    of_seeds, of_groups = values.mean(axis=2), values.mean(axis=(0, 1))
    components = []
    noise = 0.0
    if seeds > 1:
        variances = of_seeds.var(axis=1, ddof=1) / seeds / count**2  # (M,), what each model adds to v_S
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
    """The effect of these runs on new documents: their mean, without a component of seeds."""
    mean = Estimates(differences.whole.mean(keepdims=True), differences.without.mean(axis=0, keepdims=True))
    return replace(effect(mean), seeds=len(differences.whole))


def holm(values: Sequence[float | None]) -> list[float | None]:
    """Adjust the p of a family (Holm, Scandinavian Journal of Statistics 1979); None counts as a test, and stays."""
    order = sorted((value, number) for number, value in enumerate(values) if value is not None)
    adjusted: list[float | None] = [None] * len(values)
    least = 0.0
    for rank, (value, number) in enumerate(order):
        least = max(least, min(1.0, (len(values) - rank) * value))
        adjusted[number] = least
    return adjusted


def all_above(effects: Sequence[Effect]) -> float:
    """The one-sided p of "all of these differences are above 0": the intersection-union test (Berger, 1982).

    It is the largest one-sided p, without correction, and 1 if a difference had no variance.
    """
    return max(1.0 if test.p is None else test.p / 2 if test.estimate > 0 else 1 - test.p / 2 for test in effects)
