"""What may be shown of private data: no text, and no count that points at a few people."""

from typing import Any

SMALL = 5
"""Counts below this, and above zero, are withheld."""


def withhold(value: Any) -> Any:
    """A value with None for each count from 1 to 4, however deep in dicts and lists; other numbers stay."""
    if isinstance(value, dict):
        return {key: withhold(item) for key, item in value.items()}
    if isinstance(value, list):
        return [withhold(item) for item in value]
    return None if type(value) is int and 0 < value < SMALL else value


def withhold_histogram(counts: dict[str, int]) -> dict[str, int | None]:
    """The same of counts whose sum is known: where one alone is withheld, the next smallest is too."""
    shown = withhold(counts)
    hidden = [name for name, count in shown.items() if count is None]
    others = sorted((count, name) for name, count in shown.items() if count)
    if len(hidden) == 1 and others:
        shown[others[0][1]] = None
    return shown
