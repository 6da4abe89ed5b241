"""Propose the errors of rejected answers: the mix of kinds of error, and wrong values for each gold value.

Let c(g, w) be the count of gold value g predicted as w, n(g) the number of all cases of g, s the smoothing, e the
pooled error rate of the kind with add-one smoothing, (errors + 1) / (cases + 2), p(g, w) the expert weights and V the
number of valid wrong values. A wrong value gets the weight

    uniform     1 / V
    empirical   (c(g, w) + s e / V) / (n(g) + s)
    expert      p(g, w) + s / V

Empirical weights estimate P(w | g), so a value that is often confused is edited more often than one that never is.
`disagreement` uses the empirical formula with counts between two annotators.

The kinds of error are mixed in proportion to their error counts plus s (expert: the total weight of their patterns plus
s); uniform gives every kind the same share. `mixed` draws each edit from the expert patterns with a stated probability,
and from the counts otherwise. Adding the patterns to the counts as pseudo-counts would make their share depend on the
size of the held-out set.

The first version of arXiv 2603.00025 reports 40 % of its pairs from expert patterns; proportions for SciERC are not
published.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tabpo.answers.ontology import Ontology
from tabpo.confusions.ambiguities import Ambiguity
from tabpo.confusions.counts import EXACT, KEPT, NONE, OUTCOMES
from tabpo.errors import ConfigError, DataError
from tabpo.names import COREFERENCE, RELATION_KINDS, SPAN_KINDS
from tabpo.records import Confusion

MODES = ("expert", "empirical", "disagreement", "uniform")

Kinds = Sequence[str] | Mapping[str, float]
"""Kinds of error to draw: names, mixed in the proportions of the tables, or a mapping from name to share."""

CONSEQUENCE = "consequence"
"""Source of an Edit that another Edit entails: deleting a span also deletes its relations and mentions."""


@dataclass(frozen=True, slots=True)
class Target:
    """A wrong value, its weight, and its source: empirical, disagreement, expert or uniform."""

    wrong: str
    weight: float
    source: str


class Proposals:
    """One table of proposals, from a confusion table or from expert patterns.

    Attributes:
        mix: Share of each kind of error that the answers can hold.
        evidence: Numbers of errors and cases of each of these kinds in the confusion table.
    """

    def __init__(
        self,
        mode: str,
        smoothing: float,
        confusions: Sequence[Confusion],
        ambiguities: Sequence[Ambiguity],
        ontology: Ontology,
        *,
        links: bool = False,
    ) -> None:
        """Read the counts and patterns.

        Args:
            mode: One of `MODES`.
            smoothing: The value s of the module's formulas.
            confusions: Rows of the confusion table.
            ambiguities: Expert patterns.
            ontology: The ontology of both.
            links: Whether the answers state coreference.

        Raises:
            ConfigError: The mode does not exist, or the smoothing is negative.
            DataError: A confusion has values that the ontology does not have; names kind and values. Or there is
                nothing to draw from, because there is no counted error or no pattern and smoothing is 0.
        """
        if mode not in MODES:
            raise ConfigError(f"pairing: proposals from {mode!r}; accepted: {', '.join(MODES)}")
        if smoothing < 0:
            raise ConfigError(f"pairing: smoothing must be at least 0, got {smoothing}")
        _check_values(confusions, ontology)
        self._mode = mode
        self._smoothing = smoothing
        self._kinds = (*_kinds(ontology), COREFERENCE) if links else _kinds(ontology)
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
        """Return the wrong values for a gold value; empty if nothing proposes one.

        A value that two sources propose is listed once for each.

        Args:
            kind: A kind of error.
            gold: The value in the gold answer; "NONE" for a record that is to be invented.
            valid: The wrong values that the ontology allows in its place, without `gold` itself.
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
        return _targets(counts, 1 / total, self._mode) + _targets(uniform, prior, "uniform")

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
            what = "there is no expert pattern" if self._mode == "expert" else "the confusion table holds no error"
            raise DataError(f"pairing: {what} and smoothing is 0: nothing to draw from")
        return {kind: weight / total for kind, weight in weights.items()}


def proposal_tables(
    settings: Mapping[str, Any],
    confusions: Sequence[Confusion],
    ambiguities: Sequence[Ambiguity],
    ontology: Ontology,
    *,
    links: bool,
) -> list[tuple[float, Proposals]]:
    """Return the tables of a pairing, each with its share of the edits: two for `mixed`, else one.

    The expert table of `mixed` has no smoothing, so it proposes only what its patterns list. If there are no patterns,
    the empirical table gets the whole share.

    Args:
        settings: `confusions` (a mode or "mixed"), `smoothing` and `expert_share` of the pairing.
        confusions: Passed to `Proposals`.
        ambiguities: Passed to `Proposals`.
        ontology: Passed to `Proposals`.
        links: Passed to `Proposals`.

    Raises:
        ConfigError: As `Proposals` does.
        DataError: As `Proposals` does.
    """
    parts = [(1.0, settings["confusions"], settings["smoothing"])]
    if settings["confusions"] == "mixed":
        share = settings["expert_share"] if ambiguities else 0.0
        parts = [(share, "expert", 0.0), (1 - share, "empirical", settings["smoothing"])]
    return [
        (share, Proposals(mode, smoothing, confusions, ambiguities, ontology, links=links))
        for share, mode, smoothing in parts
        if share > 0
    ]


def wanted_kinds(tables: Sequence[tuple[float, Proposals]], kinds: Kinds | None) -> dict[str, float]:
    """Return the share of the edits that each kind of error should get.

    Args:
        tables: Each table with its share of the edits.
        kinds: The kinds to draw, some of which the answers may be unable to hold; None for all.

    Raises:
        DataError: The answers can hold none of the kinds, or no table proposes one.
    """
    mix: Counter[str] = Counter()
    for share, proposals in tables:
        mix.update({kind: share * part for kind, part in proposals.mix.items()})
    if kinds is None:
        return dict(mix)
    shares = kinds if isinstance(kinds, Mapping) else mix
    wanted = {kind: shares[kind] for kind in kinds if kind in mix}
    total = sum(wanted.values())
    if not total:
        raise DataError(
            f"pairing: nothing proposes an edit of kind {', '.join(kinds)} in these answers; they can hold:"
            f" {', '.join(mix)}"
        )
    return {kind: share / total for kind, share in wanted.items()}


def _targets(weights: dict[str, float], factor: float, source: str) -> list[Target]:
    return [Target(wrong, weight * factor, source) for wrong, weight in weights.items()]


def _kinds(ontology: Ontology) -> tuple[str, ...]:
    """Return the kinds of error that an answer in this annotation scheme can hold."""
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
        if row.gold not in known | {NONE} or row.predicted not in known | OUTCOMES:
            raise DataError(
                f"confusions: {row.kind} {row.gold!r} -> {row.predicted!r} is not of this ontology;"
                f" it has {', '.join(sorted(known))}"
            )
