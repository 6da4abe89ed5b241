"""Write the audit of a file of pairs as a Markdown page for people."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import pandas as pd
from rapidfuzz.distance import Postfix, Prefix

from tabpo.privacy import NOTICE
from tabpo.records import Pair

EXAMPLES = 2
"""How many pairs are shown of each operator."""

BEGINNING = 200
"""How many characters are shown of each answer in preference data."""

AROUND = 40
"""How many characters are shown before and after the difference between two answers that an edit made different."""


def pair_page(title: str, audit: Mapping[str, Mapping[str, Any]], pairs: Sequence[Pair]) -> str:
    """Make the page: the tables of an audit, and examples of pairs.

    Args:
        title: The page's heading.
        audit: Three reports. `drawn` says how the pairs were drawn, or for preference data how much the two answers
            differ. `proof` says where the pairs come from and which checks they passed. `reference` says how the
            reference model ranks them.
        pairs: The pairs from which examples are shown, unless the data are private.
    """
    drawn, proof = audit["drawn"], audit["proof"]
    wholes = {"token_edit_distance": "Tokens", "character_edit_distance": "Characters"}
    wholes["share_of_differing_tokens"] = "Share of tokens"
    sizes = [{"difference": name} | (drawn[key] or {}) for key, name in wholes.items()]
    counts = ("examples", "pairs_wanted", "pairs", "pairs_flipped", "pairs_repaired", "pairs_with_fewer_edits")
    given, private = "kinds" not in drawn, drawn["pairing"]["private"]  # preference data bring their pairs
    parts = [
        *([NOTICE] if private else []),
        f"# {title}",
        "Shares lie between 0 and 1. Margins are in nats. Distances are Levenshtein distances.",
        "## Recipe",
        _table(_items(drawn["pairing"], "setting")),
        "## Where pairs and confusions come from",
        "The following was checked before any training on these pairs. No prompt and no document is in two splits. No"
        " pair is made from dev or test. The right answer of each pair, which is the rejected one of a flipped pair, is"
        " the gold answer."
        + ("" if given else " Both answers have the same format, labels of the ontology, and spans from the text."),
        _table([{"what": what} | dict(counts) for what, counts in proof["splits"].items()]),
        _table([{"what": what} | dict(proof[what]) for what in ("confusions", "choices", "pairs", "answers")]),
        "## Pairs" if given else "## What was drawn",
        _table([{key: drawn[key] for key in counts if key in drawn}]),
        _table(sizes),
        *(() if given else _drawn_parts(drawn)),
        *_reference_parts(audit["reference"]),
    ]
    if not private:
        parts += ["## Examples", *_examples(pairs)]
    return "\n\n".join(parts) + "\n"


def _drawn_parts(drawn: Mapping[str, Any]) -> list[str]:
    refusals = _rows(
        {"a draw was refused": drawn["refusals"], "an example has no pair": drawn["examples_without_pair"]}
    )
    return [
        _table([{"kind": kind} | _flat(report) for kind, report in drawn["kinds"].items()]),
        "Pairs by the number of tokens that differ:",
        _table([drawn["token_edits"]]),
        "Sources of the edits:",
        _table(_items(drawn["sources"], "source")),
        "Refusals:",
        _table(refusals),
        "## Class balance",
        _table([{"label": label} | counts for label, counts in drawn["labels"].items()]),
    ]


def _reference_parts(reference: Mapping[str, Any]) -> list[str]:
    return [
        "## The reference before training",
        "A pair is ranked right if the reference model gives the gold answer the higher probability. The gate is the"
        " share of chosen tokens with a probability below tau.",
        _table(_reference_rows(reference)),
        "The same gates on the gold answers of dev_select, which has no pairs. The row of a label counts the answers"
        " that contain it:",
        _table(_held_out_rows(reference)),
        "Numbers of pairs by the margin of the gold answer:",
        _table(_histogram_rows(reference)),
    ]


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "None."
    shown = [{name: "" if value is None else _escaped(value) for name, value in row.items()} for row in rows]
    return pd.DataFrame(shown).fillna("").to_markdown(index=False, disable_numparse=True)


def _escaped(value: Any) -> str:
    text = f"{value:.3g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def _items(mapping: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    return [{name: key, "value": value} for key, value in mapping.items()]


def _rows(reports: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    return [
        {"what": what, "reason": reason, "count": count}
        for what, counts in reports.items()
        for reason, count in counts.items()
    ]


def _flat(kind: Mapping[str, Any]) -> dict[str, Any]:
    """The report of a kind as one row; of each distribution the row has the mean."""
    flat = {}
    for key, value in kind.items():
        if key.endswith(("_distance", "_tokens")):
            value = value and value["mean"]
        flat[key.replace("_", " ")] = value
    return flat


def _groups(reference: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    yield "all", reference["all"]
    yield from reference["operators"].items()
    yield from reference["labels"].items()


def _reference_rows(reference: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"operator or label": name}
        | {key.replace("_", " "): group[key] for key in ("pairs", "ranked_right", "mean_margin")}
        | {f"gate {tau}": rate for tau, rate in zip(reference["taus"], group["gate_rates"], strict=True)}
        for name, group in _groups(reference)
    ]


def _held_out_rows(reference: Mapping[str, Any]) -> list[dict[str, Any]]:
    held_out = reference["held_out"]
    return [
        {"label": name, "answers": group["answers"]}
        | {f"gate {tau}": rate for tau, rate in zip(reference["taus"], group["gate_rates"], strict=True)}
        for name, group in {"all": held_out["all"], **held_out["labels"]}.items()
    ]


def _histogram_rows(reference: Mapping[str, Any]) -> list[dict[str, Any]]:
    edges = reference["edges"]
    bins = [f"to {edge:g}" for edge in edges] + [f"over {edges[-1]:g}"]
    return [
        {"operator or label": name} | dict(zip(bins, group["histogram"], strict=True))
        for name, group in _groups(reference)
        if group["histogram"] is not None
    ]


def _examples(pairs: Sequence[Pair]) -> list[str]:
    """The first pairs of each operator, sorted by the SHA-256 of their ids; for preference data, how answers begin."""
    by_operator: dict[str, list[Pair]] = {}
    pairs = sorted(pairs, key=lambda pair: sha256(pair.pair_id.encode()).digest())
    if not pairs[0].edits:
        sides = ("chosen", "rejected")
        begun = [
            {"pair": pair.pair_id, **{side: getattr(pair, side)[:BEGINNING] for side in sides}}
            for pair in pairs[:EXAMPLES]
        ]
        return [_table(begun)]
    for pair in pairs:
        by_operator.setdefault(pair.edits[0].operator, []).append(pair)
    shown = [pair for operator in sorted(by_operator) for pair in by_operator[operator][:EXAMPLES]]
    edits = [
        {"pair": pair.pair_id, **{key: getattr(edit, key) for key in ("operator", "field", "gold", "wrong", "source")}}
        for pair in shown
        for edit in pair.edits
    ]
    excerpts = [line for pair in shown for line in _excerpt(pair)]
    return [_table(edits), "The answers where they differ:", "\n".join(f"    {line}".rstrip() for line in excerpts)]


def _excerpt(pair: Pair) -> list[str]:
    """Both answers from `AROUND` characters before their first difference to as many after their last one."""
    start = Prefix.similarity(pair.chosen, pair.rejected)
    same_end = Postfix.similarity(pair.chosen[start:], pair.rejected[start:])
    first = max(0, start - AROUND)
    lines = [f"{pair.pair_id}, {', '.join(edit.operator for edit in pair.edits)}"]
    for name, answer in (("chosen", pair.chosen), ("rejected", pair.rejected)):
        last = len(answer) - same_end + AROUND
        cut = ("…" if first else "") + answer[first:last] + ("…" if last < len(answer) else "")
        lines.append(f"{name:<9} {cut}")
    return [*lines, ""]
