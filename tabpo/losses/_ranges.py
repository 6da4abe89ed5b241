"""Accepted values of hyperparameters: the annotation of a field states them, and `build_loss` checks them.

beta: Positive = 0.1
tau: Probability | Literal["mean"] = 0.9
aggregate: Literal["sum", "mean"] = "sum"
weighted_barrier: bool = False
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from types import UnionType
from typing import Annotated, Literal, Union, get_args, get_origin, get_type_hints

from tabpo.errors import ConfigError


@dataclass(frozen=True)
class Range:
    """A range of finite numbers.

    Attributes:
        accepted: The range in words.
        contains: Whether a finite number lies in it.
    """

    accepted: str
    contains: Callable[[float], bool]


Positive = Annotated[float, Range("a number above 0", lambda number: number > 0)]
NotNegative = Annotated[float, Range("a number from 0", lambda number: number >= 0)]
Probability = Annotated[float, Range("a number above 0, up to 1", lambda number: 0 < number <= 1)]
Share = Annotated[float, Range("a number from 0 to 1", lambda number: 0 <= number <= 1)]
FlipRate = Annotated[float, Range("a number from 0 to 0.5", lambda number: 0 <= number <= 0.5)]

_PLAIN = {
    float: Range("a number", lambda number: True),
    int: Range("a whole number", lambda number: isinstance(number, int)),
}
_ANNOTATIONS = "Positive, NotNegative, Probability, Share, FlipRate, float, int, bool, Literal or a union of these"


def accepted_values(name: str, loss: type) -> dict[str, str]:
    """The accepted values of each hyperparameter, in words.

    Raises:
        ConfigError: The annotation of a field states no range.
    """
    return {field: _in_words(*alternatives) for field, alternatives in _alternatives(name, loss).items()}


def check_ranges(name: str, loss: object) -> None:
    """Refuse a loss with a hyperparameter outside its range.

    A bool does not count as a number, nor does a text that spells a number: YAML reads 1e-1 as text.

    Raises:
        ConfigError: The message names the hyperparameter, the accepted values and the given value.
    """
    for field, (ranges, choices) in _alternatives(name, type(loss)).items():
        value = getattr(loss, field)
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        listed = any(type(value) is type(choice) and value == choice for choice in choices)
        if not (listed or (number and any(accepted.contains(value) for accepted in ranges))):
            given = f"the text {value!r}" if isinstance(value, str) else repr(value)
            raise ConfigError(f"{name}: {field} must be {_in_words(ranges, choices)}, got {given}")


def _alternatives(name: str, loss: type) -> dict[str, tuple[list[Range], list[object]]]:
    """Ranges and single values that each field's annotation allows."""
    annotations = get_type_hints(loss, include_extras=True)
    allowed = {}
    for field in fields(loss):
        annotation = annotations[field.name]
        union = get_origin(annotation) in (Union, UnionType)
        ranges, choices = allowed[field.name] = [], []
        for part in get_args(annotation) if union else (annotation,):
            if part is bool:
                choices += [True, False]
            elif get_origin(part) is Literal:
                choices += get_args(part)
            elif part in _PLAIN:
                ranges.append(_PLAIN[part])
            elif isinstance(part_range := getattr(part, "__metadata__", (None,))[0], Range):
                ranges.append(part_range)
            else:
                raise ConfigError(f"{name}: {field.name} is annotated with {part}; accepted: {_ANNOTATIONS}")
    return allowed


def _in_words(ranges: list[Range], choices: list[object]) -> str:
    if not ranges:
        return "one of " + ", ".join(map(str, choices))
    return ", or ".join([*(numbers.accepted for numbers in ranges), *map(str, choices)])
