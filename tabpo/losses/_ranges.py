"""Ranges of hyperparameters: checked when a loss is built, refused with what is accepted."""

import math

from tabpo.errors import ConfigError


def require_positive(loss: str, **values: object) -> None:
    """Refuse all but finite numbers above zero."""
    for name, value in values.items():
        _require(_is_number(value) and value > 0, loss, name, value, "a number above 0")


def require_not_negative(loss: str, **values: object) -> None:
    """Refuse all but finite numbers from zero."""
    for name, value in values.items():
        _require(_is_number(value) and value >= 0, loss, name, value, "a number from 0")


def require_probability(loss: str, **values: object) -> None:
    """Refuse all but numbers above 0 and up to 1."""
    for name, value in values.items():
        _require(_is_number(value) and 0 < value <= 1, loss, name, value, "a number above 0, up to 1")


def require_threshold(loss: str, **values: object) -> None:
    """Refuse all but numbers above 0 and up to 1, and "mean"."""
    for name, value in values.items():
        fulfilled = value == "mean" or (_is_number(value) and 0 < value <= 1)
        _require(fulfilled, loss, name, value, "a number above 0, up to 1, or mean")


def require_share(loss: str, **values: object) -> None:
    """Refuse all but numbers from 0 to 1."""
    for name, value in values.items():
        _require(_is_number(value) and 0 <= value <= 1, loss, name, value, "a number from 0 to 1")


def require_flip_rate(loss: str, *, half: bool, **values: object) -> None:
    """Refuse all but shares of flipped pairs: numbers from 0 and below 0.5, or up to 0.5 where `half`."""
    for name, value in values.items():
        fulfilled = _is_number(value) and 0 <= value <= 0.5 and (half or value < 0.5)
        _require(fulfilled, loss, name, value, "a number from 0 to 0.5" if half else "a number from 0, below 0.5")


def require_choice(loss: str, accepted: tuple[object, ...], **values: object) -> None:
    """Refuse all but the listed values, types included."""
    for name, value in values.items():
        listed = any(type(value) is type(choice) and value == choice for choice in accepted)
        _require(listed, loss, name, value, "one of " + ", ".join(str(choice) for choice in accepted))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _require(fulfilled: bool, loss: str, name: str, value: object, accepted: str) -> None:
    if not fulfilled:
        # YAML takes 1e-1 for text.
        found = f"the text {value!r}" if isinstance(value, str) else repr(value)
        raise ConfigError(f"{loss}: {name} must be {accepted}, got {found}")
