"""Write the data card of a data set as a Markdown page."""

from collections.abc import Sequence
from typing import Any

from tabpo.privacy import NOTICE

_HISTOGRAMS = ("labels", "sublabels", "relation_labels")


def render_card(title: str, card: dict[str, Any]) -> str:
    """Make the page: tables of counts and lengths, of each kind of label, and of what two splits have in common.

    Args:
        title: The page's heading.
        card: The card from `build_card` or `preference_card`, with the key `private` added.
    """
    splits = card["splits"]
    first = next(iter(splits.values()))
    counts = [name for name, value in first.items() if not isinstance(value, dict)]
    lengths = [name for name, value in first.items() if isinstance(value, dict) and name not in _HISTOGRAMS]
    rows = [[_words(name), *(splits[split][name] for split in splits)] for name in counts]
    for name in lengths:
        rows += [
            [f"{_words(name)}, {kind}", *(splits[split][name][kind] for split in splits)] for kind in ("mean", "max")
        ]
    notice = [NOTICE] if card["private"] else []
    parts = [*notice, f"# {title}", f"Groups (`group_id`): {card['group_id']}."]
    if card["private"] and "possible_names" in card:
        parts.append(f"**{possible_names_warning(card['possible_names'])}**")
    parts.append(_table(["", *splits], rows))
    for name in ("labels", "relation_labels"):
        labels = [[label, *(splits[split][name][label] for split in splits)] for label in first.get(name, ())]
        parts += [f"## {_words(name)}", _table(["", *splits], labels)] if labels else []
    sublabels = [
        [label, sublabel, *(splits[split]["sublabels"][label][sublabel] for split in splits)]
        for label, counted in first.get("sublabels", {}).items()
        for sublabel in counted
    ]
    parts += ["## Sublabels", _table(["", "", *splits], sublabels)] if sublabels else []
    variants = [
        [split, variant, count] for split, spellings in card["variants"].items() for variant, count in spellings.items()
    ]
    parts += ["## Spellings put right", _table(["", "", "spans"], variants)] if variants else []
    noticed = [
        [split, what, count] for split, counts in card.get("noticed", {}).items() for what, count in counts.items()
    ]
    parts += ["## Noticed in the files", _table(["", "", "count"], noticed)] if noticed else []
    shared = [[pair.replace("-", " and "), *overlap.values()] for pair, overlap in card["leaks"].items()]
    heads = [_words(name) for name in next(iter(card["leaks"].values()))]
    parts += ["## In common between splits", _table(["", *heads], shared)]
    return "\n\n".join(parts) + "\n"


def possible_names_warning(kinds: Sequence[str]) -> str:
    """Return the sentences about ids that may be names of people; `kinds` is `possible_names` of a card."""
    ids = " and ".join(f"{kind}s" for kind in kinds)
    return (
        f"The ids of {ids} may be names of people. Ids are the names of files and folders, or the keys id and group_id."
        " Files and pages of the results repeat them; logs, messages and export/ do not. Use numbers in their place if"
        " the results are read by people who must not know the names."
    )


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table; columns of texts are aligned left, columns of numbers right."""
    left = [isinstance(cell, str) for cell in rows[0]]
    lines = [heads, [":---" if text else "---:" for text in left], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
