"""The losses in short, from what their files say of themselves."""

import textwrap
from dataclasses import MISSING, fields
from importlib import import_module

WIDTH = 100


def describe_loss(name: str) -> str:
    """Call with defaults, the source, and what it reads besides log-probs, each beginning a line.

    Args:
        name: One of `loss_names()`.
    """
    module = import_module(f"tabpo.losses.{name}")
    parameters = ", ".join(
        field.name if field.default is MISSING else f"{field.name}={field.default}" for field in fields(module.Loss)
    )
    call = textwrap.fill(f"{name}({parameters})", WIDTH, subsequent_indent=" " * len(f"{name}("))
    lines = [call, f"    {module.__doc__}"]
    if module.Loss.needs:
        lines.append(f"    Needs: {', '.join(sorted(module.Loss.needs))}.")
    return "\n".join(lines)
