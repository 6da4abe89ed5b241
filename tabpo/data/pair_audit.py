"""What a file of pairs is made of: counts and spreads, no text of records."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tabpo.data.proposals import Proposals
from tabpo.records import Edit

OPERATOR_NAMES = {
    "missed": "delete",
    "spurious": "insert",
    "relation_missed": "delete",
    "relation_spurious": "insert",
}
"""What an Edit calls the operator that makes an error of a kind, where the two names differ."""


@dataclass(slots=True)
class Tally:
    """What happened while pairs were drawn; counts only, no text.

    Attributes:
        edits_wanted: Edits asked for in each pair.
        drawn: Edits in the pairs, by kind of error.
        inapplicable: Draws of a kind that the answer at hand does not allow, the mix then renormalised.
        refusals: Draws that made no pair, by reason.
        without_pair: Examples that allowed none, by the reason of their last refusal.
        fewer_edits: Pairs with fewer edits than asked for.
        distances: (kind of the first edit, token edit distance, tokens of the longer answer) of each pair.
        sources: Edits by what proposed them.
    """

    edits_wanted: int
    drawn: Counter[str] = field(default_factory=Counter)
    inapplicable: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    without_pair: Counter[str] = field(default_factory=Counter)
    fewer_edits: int = 0
    distances: list[tuple[str, int, int]] = field(default_factory=list)
    sources: Counter[str] = field(default_factory=Counter)

    def add(self, edits: Sequence[Edit], kinds: Sequence[str], distance: int, longest: int) -> None:
        """Count one pair."""
        self.drawn.update(kinds)
        self.sources.update(edit.source for edit in edits)
        self.fewer_edits += len(kinds) < self.edits_wanted
        self.distances.append((kinds[0], distance, longest))


def audit(tally: Tally, proposals: Proposals, examples: int, negatives: int) -> dict[str, object]:
    """What the pairs are, without any text of records.

    Distances are Levenshtein's on token ids, without the end-of-turn token; shares are of the longer answer.

    Args:
        tally: What was drawn.
        proposals: What was to be drawn.
        examples: Units that pairs were asked of.
        negatives: Pairs wanted of each.
    """
    edits = tally.drawn.total()
    distances = [distance for _, distance, _ in tally.distances]
    shares = [distance / longest for _, distance, longest in tally.distances]
    by_kind = {
        kind: {
            "operator": OPERATOR_NAMES.get(kind, kind),
            "errors_held_out": proposals.evidence[kind][0],
            "cases_held_out": proposals.evidence[kind][1],
            "wanted": round(wanted, 6),
            "got": round(tally.drawn[kind] / edits, 6),
            "edits": tally.drawn[kind],
            "inapplicable": tally.inapplicable[kind],
            "token_edit_distance": _spread([distance for first, distance, _ in tally.distances if first == kind]),
        }
        for kind, wanted in proposals.mix.items()
    }
    return {
        "examples": examples,
        "examples_without_pair": dict(sorted(tally.without_pair.items())),
        "pairs_wanted": examples * negatives,
        "pairs": len(tally.distances),
        "pairs_with_fewer_edits": tally.fewer_edits,
        "refusals": dict(sorted(tally.refusals.items())),
        "kinds": by_kind,
        "sources": {name: round(count / tally.sources.total(), 6) for name, count in sorted(tally.sources.items())},
        "token_edit_distance": _spread(distances),
        "share_of_differing_tokens": _spread(shares),
    }


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    """Mean and quantiles; None where there is nothing to describe."""
    if not values:
        return None
    ordered = sorted(values)
    quantiles = {f"p{share}": ordered[share * (len(ordered) - 1) // 100] for share in (0, 50, 90, 100)}
    return {name: round(value, 6) for name, value in ({"mean": sum(ordered) / len(ordered)} | quantiles).items()}
