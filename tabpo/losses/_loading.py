"""Loading of a loss class by name from its file, which a user may have added, and its description for listings."""

import textwrap
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from importlib import import_module
from inspect import signature

from tabpo.errors import ConfigError
from tabpo.losses._interface import Side

LISTING_WIDTH = 100


def loss_class(name: str) -> type:
    """The class `Loss` of `tabpo/losses/{name}.py`.

    Raises:
        ConfigError: The file cannot be imported, or does not define a loss; the message names the file.
    """
    file = f"tabpo/losses/{name}.py"
    try:
        module = import_module(f"tabpo.losses.{name}")
    except Exception as error:  # a user's file may raise anything
        reason = " ".join(str(error).split())
        raise ConfigError(
            f"{file} cannot be imported ({type(error).__name__}: {reason}); accepted: a file like dpo.py"
        ) from error
    loss = getattr(module, "Loss", None)
    if not is_dataclass(loss) or not isinstance(getattr(loss, "needs", None), frozenset):
        raise ConfigError(f"{file} has no dataclass Loss with a frozenset needs; dpo.py beside it has")
    optional = [field.name for field in fields(Side) if field.default is None]
    unknown = sorted(loss.needs - set(optional))
    if unknown:
        raise ConfigError(f"{name}: needs {', '.join(unknown)}; a loss may need: {', '.join(optional)}")
    if not _takes_two_sides(loss):
        raise ConfigError(f"{file}: Loss cannot be called with two sides; accepted: __call__(self, chosen, rejected)")
    return loss


def describe_loss(name: str) -> str:
    """The call with defaults, the source, and the needs besides log-probs, each starting on a new line.

    Args:
        name: One of `loss_names()`.

    Raises:
        ConfigError: From `loss_class`.
    """
    loss, source = loss_class(name), import_module(f"tabpo.losses.{name}").__doc__
    parameters = ", ".join(
        field.name if field.default is MISSING else f"{field.name}={field.default}" for field in fields(loss)
    )
    call = textwrap.fill(f"{name}({parameters})", LISTING_WIDTH, subsequent_indent=" " * len(f"{name}("))
    lines = [call, f"    {source}"]
    if loss.needs:
        lines.append(f"    Needs: {', '.join(sorted(loss.needs))}.")
    return "\n".join(lines)


def _takes_two_sides(loss: type) -> bool:
    if not issubclass(loss, Callable):
        return False
    try:
        signature(loss.__call__).bind("self", "chosen", "rejected")
    except TypeError:
        return False
    return True
