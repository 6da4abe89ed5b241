"""Describe a file of pairs by counts and distributions, without any text of records."""

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from rapidfuzz.distance import Levenshtein

from tabpo.answers.units import Unit
from tabpo.names import COREFERENCE
from tabpo.pairs.proposals import CONSEQUENCE, Proposals
from tabpo.records import Edit, Pair, Prompt

OPERATOR_NAMES = {
    "missed": "delete",
    "spurious": "insert",
    "relation_missed": "delete",
    "relation_spurious": "insert",
}
"""Name of the operator in an `Edit`, for the kinds of error whose operator has another name than the kind."""


TOKEN_EDITS = (1, 2, 3, 5, 10, 20)
"""Upper ends of the bins of token edit distances."""


class Measure(NamedTuple):
    """The distance between the two answers of one pair.

    Attributes:
        kind: Kind of error of the pair's first edit.
        tokens: Edit distance in tokens.
        characters: Edit distance in characters.
        longest: Number of tokens of the longer answer.
    """

    kind: str
    tokens: int
    characters: int
    longest: int


@dataclass(slots=True)
class Tally:
    """What happened while pairs were drawn; it holds counts only, no text.

    Attributes:
        negatives: Number of pairs asked for per example.
        edits_wanted: Number of edits asked for per pair.
        wanted: Share of the edits that each kind of error should get; empty for a model's own answers.
        drawn: Number of edits in the pairs, by kind of error (by operator, for a model's own answers).
        inapplicable: Number of times that a kind was drawn which the answer does not allow; another kind was drawn
            instead.
        refusals: Number of draws that made no pair, by reason.
        without_pair: Number of examples without a pair, by the reason of their last refusal.
        fewer_edits: Number of pairs with fewer edits than asked for.
        repaired: Number of pairs of a model's own answers from which invalid items were left out.
        flipped: Number of pairs whose chosen and rejected answers were exchanged.
        measures: One `Measure` per pair.
        sources: Number of edits by what proposed them; edits that another edit entails are not counted.
    """

    negatives: int
    edits_wanted: int
    wanted: Mapping[str, float] = field(default_factory=dict)
    drawn: Counter[str] = field(default_factory=Counter)
    inapplicable: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    without_pair: Counter[str] = field(default_factory=Counter)
    fewer_edits: int = 0
    repaired: int = 0
    flipped: int = 0
    measures: list[Measure] = field(default_factory=list)
    sources: Counter[str] = field(default_factory=Counter)

    def add(self, pair: Pair, kinds: Sequence[str], longest: int) -> None:
        """Count one pair; `kinds` has the kind of each of its edits, `longest` the tokens of its longer answer."""
        self.drawn.update(kinds)
        self.sources.update(edit.source for edit in pair.edits if edit.source != CONSEQUENCE)
        self.fewer_edits += len(kinds) < self.edits_wanted
        self.flipped += pair.flipped
        characters = Levenshtein.distance(pair.chosen, pair.rejected)
        self.measures.append(Measure(kinds[0], pair.token_edit_distance, characters, longest))


def describe_drawn(
    tally: Tally,
    tables: Sequence[tuple[float, Proposals]],
    units: Sequence[Unit],
    prompts: Sequence[Prompt],
    pairs: Sequence[Pair],
) -> dict[str, Any]:
    """Describe pairs by counts and distances, without any text of records.

    Distances are Levenshtein distances between the two answers, on token ids (without the end-of-turn token) and on
    characters. Shares are relative to the number of tokens of the longer answer. The distributions of a kind cover the
    pairs whose first edit is of that kind.

    Args:
        tally: What was drawn.
        tables: The proposals that edits were drawn from, each with its share; empty for a model's own answers.
        units: The units for which pairs were drawn.
        prompts: The prompts of these units.
        pairs: The pairs that were drawn.
    """
    edits = tally.drawn.total()
    by_kind = {}
    for kind in tally.wanted or sorted(tally.drawn):
        by_kind[kind] = {"operator": OPERATOR_NAMES.get(kind, kind)}
        if tally.wanted:
            errors, cases = tables[0][1].evidence[kind]
            share = round(tally.wanted[kind], 6)
            by_kind[kind] |= {"errors_held_out": errors, "cases_held_out": cases, "wanted": share}
        by_kind[kind] |= {
            "got": round(tally.drawn[kind] / edits, 6),
            "edits": tally.drawn[kind],
            "inapplicable": tally.inapplicable[kind],
        } | sizes([measure for measure in tally.measures if measure.kind == kind])
    return {
        "examples": len(units),
        "examples_without_pair": dict(sorted(tally.without_pair.items())),
        "pairs_wanted": len(units) * tally.negatives,
        "pairs": len(tally.measures),
        "pairs_flipped": tally.flipped,
        "pairs_repaired": tally.repaired,
        "pairs_with_fewer_edits": tally.fewer_edits,
        "refusals": dict(sorted(tally.refusals.items())),
        "kinds": by_kind,
        "sources": {name: round(count / tally.sources.total(), 6) for name, count in sorted(tally.sources.items())},
        "labels": class_balance(units, prompts, pairs),
        "token_edits": token_edits(tally.measures),
    } | sizes(tally.measures)


def describe_given(tally: Tally) -> dict[str, Any]:
    """Count the pairs that the data provide, and describe the distances between their answers."""
    return {"pairs": len(tally.measures), "pairs_flipped": tally.flipped} | sizes(tally.measures)


def class_balance(units: Sequence[Unit], prompts: Sequence[Prompt], pairs: Sequence[Pair]) -> dict[str, dict[str, int]]:
    """Count, for each label of spans and relations, the gold records and the edits of such records.

    Links of coreference have no label; they are counted as "coreference".
    """
    answers = {prompt.prompt_id: prompt.answer for prompt in prompts}
    records = Counter(item.label for unit in units for item in (*unit.spans, *unit.relations))
    records[COREFERENCE] += sum(len(cluster) - 1 for unit in units for cluster in unit.clusters or ())
    edits = Counter(label for pair in pairs for label in edited_labels(pair, answers[pair.prompt_id]))
    return {label: {"records": records[label], "edits": edits[label]} for label in sorted(+(records | edits))}


def edited_labels(pair: Pair, gold: str) -> list[str]:
    """Return, for each edit of a pair, the label of the gold record that it changes or of the record it inserts."""
    return [_edited_label(edit, json.loads(gold)) for edit in pair.edits]


def _edited_label(edit: Edit, gold: dict[str, Any]) -> str:
    if edit.operator == COREFERENCE:
        return COREFERENCE
    if edit.operator == "insert":
        record = json.loads(edit.wrong)
    else:
        name, position = edit.field.split("/")[:2]
        record = gold[name][int(position)]
    return record["Code"] if "Code" in record else record["label"]


def sizes(measures: Sequence[Measure]) -> dict[str, Any]:
    """Describe the distributions of the distances between two answers and of the share of tokens that differ."""
    return {
        "token_edit_distance": _spread([measure.tokens for measure in measures]),
        "character_edit_distance": _spread([measure.characters for measure in measures]),
        "share_of_differing_tokens": _spread([measure.tokens / measure.longest for measure in measures]),
    }


def token_edits(measures: Sequence[Measure]) -> dict[str, int]:
    """Count the pairs in each bin of token edit distance."""
    bins = Counter(bisect_left(TOKEN_EDITS, measure.tokens) for measure in measures)
    names = [str(TOKEN_EDITS[0])]
    names += [f"{low + 1}-{high}" if low + 1 < high else str(high) for low, high in pairwise(TOKEN_EDITS)]
    return {name: bins[number] for number, name in enumerate([*names, f"over {TOKEN_EDITS[-1]}"])}


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    """Return the mean and quantiles of some values, or None if there are no values."""
    if not values:
        return None
    ordered = sorted(values)
    quantiles = {f"p{share}": ordered[share * (len(ordered) - 1) // 100] for share in (0, 50, 90, 100)}
    return {name: round(float(value), 6) for name, value in ({"mean": sum(ordered) / len(ordered)} | quantiles).items()}
