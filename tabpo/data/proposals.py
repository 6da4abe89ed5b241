"""What rejected answers should get wrong: the mix of kinds of error, and the wrong values for each gold value.

With c(g, w) the count of gold value g taken for w, n(g) all cases of g, s the smoothing, e the pooled error rate of
the kind (add-one: (errors + 1) / (cases + 2)) and p(g, w) expert weights, a wrong value gets the weight

    uniform     1 / number of valid wrong values
    empirical   (c(g, w) + s e / number of valid wrong values) / (n(g) + s)
    mixed       (c(g, w) + s e p(g, w) / sum of p(g, valid)) / (n(g) + s); as empirical where g has no pattern
    expert      p(g, w) + s / number of valid wrong values

so that empirical and mixed weights estimate P(w | g), and a value that is often confused is edited more often than
one that never is. The kinds are mixed by their error counts (expert: by their patterns' total weight) plus s each;
all alike for uniform. The mix of kinds for SciERC-like data after the counts of held-out errors plus one follows
what a prototype of this project did; TAB-PO's own proportions are not published for SciERC.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from tabpo.data.ambiguities import Ambiguity
from tabpo.data.confusions import EXACT, EXTENDED, KEPT, NONE, REVERSED, SHIFTED, SHORTENED, UNKNOWN
from tabpo.data.ontology import Ontology
from tabpo.errors import ConfigError, DataError
from tabpo.records import Confusion

MODES = ("expert", "empirical", "mixed", "uniform")

SHAPES = (SHORTENED, EXTENDED, SHIFTED)

SPAN_KINDS = ("label", "sublabel", "boundary", "missed", "spurious")

RELATION_KINDS = ("relation_label", "relation_direction", "relation_missed", "relation_spurious")


@dataclass(frozen=True, slots=True)
class Target:
    """A wrong value, its weight, and what proposed it: empirical, expert or uniform."""

    wrong: str
    weight: float
    source: str


class Proposals:
    """The proposal table of one pairing, from a confusion table and expert patterns.

    Attributes:
        mix: Share of each kind of error that the ontology has.
        evidence: Errors and cases of each of these kinds in the confusion table.
    """

    def __init__(
        self,
        mode: str,
        smoothing: float,
        confusions: Sequence[Confusion],
        ambiguities: Sequence[Ambiguity],
        ontology: Ontology,
    ) -> None:
        """Take over counts and patterns.

        Raises:
            ConfigError: A mode that does not exist, or a negative smoothing.
            DataError: A confusion between values that the ontology does not have; names kind and values.
        """
        if mode not in MODES:
            raise ConfigError(f"pairing: confusions is {mode!r}; accepted: {', '.join(MODES)}")
        if smoothing < 0:
            raise ConfigError(f"pairing: smoothing must be at least 0, got {smoothing}")
        _check_values(confusions, ontology)
        self._mode = mode
        self._smoothing = smoothing
        self._kinds = _kinds(ontology)
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._totals: Counter[tuple[str, str]] = Counter()
        for row in confusions:
            self._totals[row.kind, row.gold] += row.count
            if not _is_right(row):
                self._counts[row.kind, row.gold, row.predicted] += row.count
        self._patterns: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
        for pattern in ambiguities:
            self._patterns[pattern.kind, pattern.gold][pattern.predicted] = pattern.weight
        self._cache: dict[tuple[str, str, tuple[str, ...]], tuple[Target, ...]] = {}
        self.evidence = {kind: self._evidence(kind) for kind in self._kinds}
        self.mix = self._mix()

    def targets(self, kind: str, gold: str, valid: tuple[str, ...]) -> tuple[Target, ...]:
        """Wrong values for a gold value, one entry for each that has proposed it; none where nothing does.

        Args:
            kind: A kind of error.
            gold: The value in the gold answer; "NONE" for what is to be invented.
            valid: Wrong values that the ontology allows in its place, without `gold` itself.
        """
        key = (kind, gold, valid)
        if key not in self._cache:
            self._cache[key] = tuple(target for target in self._weigh(kind, gold, valid) if target.weight > 0)
        return self._cache[key]

    def _weigh(self, kind: str, gold: str, valid: tuple[str, ...]) -> list[Target]:
        uniform = dict.fromkeys(valid, 1 / max(1, len(valid)))
        patterns = {wrong: weight for wrong, weight in self._patterns[kind, gold].items() if wrong in uniform}
        smoothing = self._smoothing
        if self._mode == "uniform":
            return _targets(uniform, 1.0, "uniform")
        if self._mode == "expert":
            return _targets(patterns, 1.0, "expert") + _targets(uniform, smoothing, "uniform")
        total = self._totals[kind, gold] + smoothing
        if total == 0:
            return []
        counts = {wrong: float(self._counts[kind, gold, wrong]) for wrong in valid}
        errors, cases = self.evidence[kind]
        prior = smoothing * (errors + 1) / (cases + 2) / total
        observed = _targets(counts, 1 / total, "empirical")
        if self._mode == "mixed" and patterns:
            return observed + _targets(patterns, prior / sum(patterns.values()), "expert")
        return observed + _targets(uniform, prior, "uniform")

    def _evidence(self, kind: str) -> tuple[int, int]:
        errors = sum(count for (of, _, _), count in self._counts.items() if of == kind)
        return errors, sum(count for (of, _), count in self._totals.items() if of == kind)

    def _mix(self) -> dict[str, float]:
        if self._mode == "uniform":
            weights = dict.fromkeys(self._kinds, 1.0)
        elif self._mode == "expert":
            patterns = Counter()
            for (kind, _), weights_of in self._patterns.items():
                patterns[kind] += sum(weights_of.values())
            weights = {kind: patterns[kind] + self._smoothing for kind in self._kinds}
        else:
            weights = {kind: self.evidence[kind][0] + self._smoothing for kind in self._kinds}
        total = sum(weights.values())
        if total == 0:
            raise DataError("pairing: the confusion table holds no error and smoothing is 0: nothing to draw from")
        return {kind: weight / total for kind, weight in weights.items()}


def _targets(weights: dict[str, float], factor: float, source: str) -> list[Target]:
    return [Target(wrong, weight * factor, source) for wrong, weight in weights.items()]


def _kinds(ontology: Ontology) -> tuple[str, ...]:
    """Kinds of error that an answer in this scheme can hold."""
    has_choice = any(len(label.sublabels) > 1 for label in ontology.labels.values())
    span_kinds = tuple(kind for kind in SPAN_KINDS if kind != "sublabel" or has_choice)
    return span_kinds + RELATION_KINDS if ontology.relations else span_kinds


def _is_right(row: Confusion) -> bool:
    return row.predicted in (row.gold, EXACT, KEPT)


def _check_values(confusions: Sequence[Confusion], ontology: Ontology) -> None:
    sublabels = {sublabel for label in ontology.labels.values() for sublabel in label.sublabels}
    for row in confusions:
        if row.kind == "sublabel":
            known = sublabels
        else:
            known = set(ontology.relations if row.kind.startswith("relation") else ontology.labels)
        outcomes = {NONE, UNKNOWN, EXACT, *SHAPES, KEPT, REVERSED, "head", "tail"}
        if row.gold not in known | {NONE} or row.predicted not in known | outcomes:
            raise DataError(
                f"confusions: {row.kind} {row.gold!r} -> {row.predicted!r} is not of this ontology;"
                f" it has {', '.join(sorted(known))}"
            )
