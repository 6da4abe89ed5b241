"""The losses in short, from what their files say of themselves."""

import textwrap
from dataclasses import MISSING, fields
from importlib import import_module

from tabpo.losses._loading import loss_class

WIDTH = 100


def describe_loss(name: str) -> str:
    """Call with defaults, the source, and what it reads besides log-probs, each beginning a line.

    Args:
        name: One of `loss_names()`.

    Raises:
        ConfigError: From `loss_class`.
    """
    loss, source = loss_class(name), import_module(f"tabpo.losses.{name}").__doc__
    parameters = ", ".join(
        field.name if field.default is MISSING else f"{field.name}={field.default}" for field in fields(loss)
    )
    call = textwrap.fill(f"{name}({parameters})", WIDTH, subsequent_indent=" " * len(f"{name}("))
    lines = [call, f"    {source}"]
    if loss.needs:
        lines.append(f"    Needs: {', '.join(sorted(loss.needs))}.")
    return "\n".join(lines)
