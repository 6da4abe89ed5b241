"""Identification of the code that ran: the commit, and a hash of each module."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

import tabpo
from tabpo.artefacts import sha256_text

LOSSES = "tabpo.losses"


def describe_code() -> dict[str, object]:
    """Describe the running code.

    Returns:
        `commit`, which is "unknown" outside of the project's own repository; `dirty`, whether files differ from that
        commit, or None if it is unknown; and `code`, the result of `code_fingerprints`.
    """
    project = Path(tabpo.__file__).parents[1]
    commit, dirty = "unknown", None
    if _git(project, "rev-parse", "--show-toplevel") == str(project.resolve()):
        commit = _git(project, "rev-parse", "HEAD") or "unknown"
        dirty = bool(_git(project, "status", "--porcelain"))
    return {"commit": commit, "dirty": dirty, "code": code_fingerprints()}


def code_fingerprints() -> dict[str, str]:
    """Return the fingerprint of each `tabpo` module that this process has imported, sorted by module name."""
    modules = {name: module for name, module in sys.modules.items() if name.split(".")[0] == tabpo.__name__}
    return {name: fingerprint(Path(module.__file__).read_text()) for name, module in sorted(modules.items())}


def module_names() -> set[str]:
    """Return the names of all modules of `tabpo`, whether they are imported or not."""
    package = Path(tabpo.__file__).parent
    files = (path.relative_to(package.parent).with_suffix("") for path in package.rglob("*.py"))
    return {".".join(file.parts).removesuffix(".__init__") for file in files}


def fingerprint(source: str) -> str:
    """Hash a module's code without comments, docstrings and layout.

    The hash is taken over the syntax tree as `ast.unparse` writes it, so another minor version of Python may give
    another hash.
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(body := getattr(node, "body", None), list):
            node.body = [statement for statement in body if not _is_text(statement)]
    return sha256_text(ast.unparse(tree))


@cache
def loss_fingerprints(loss: str) -> dict[str, str]:
    """Return the fingerprint of each module that defines a loss, by module name; nothing is imported.

    These are the loss's own file and every file of `losses/` that it imports, directly or through another one.

    Args:
        loss: The name of a file in `losses/`.
    """
    waiting, fingerprints = [f"{LOSSES}.{loss}"], {}
    while waiting:
        module = waiting.pop()
        source = _module_file(module).read_text()
        fingerprints[module] = fingerprint(source)
        waiting += sorted(set(_imported_losses(source)) - fingerprints.keys())
    return dict(sorted(fingerprints.items()))


def _imported_losses(source: str) -> Iterator[str]:
    """Yield the modules of `losses/` that a file of `losses/` imports."""
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = resolve_name("." * node.level + (node.module or ""), LOSSES)
            names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        yield from (name for name in names if name.startswith(f"{LOSSES}.") and _module_file(name).exists())


def changed_modules(code: Mapping[str, str]) -> list[str]:
    """Return the modules whose fingerprint is another one now, or that no longer exist, sorted by name.

    Args:
        code: The fingerprints of a run, as `code_fingerprints` returned them.
    """
    return sorted(module for module, ran in code.items() if _present_fingerprint(module) != ran)


@cache
def _present_fingerprint(module: str) -> str | None:
    file = _module_file(module)
    return fingerprint(file.read_text()) if file.exists() else None


def _module_file(module: str) -> Path:
    """Return the path that the file of a module has, if the module exists."""
    path = Path(tabpo.__file__).parents[1].joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _git(folder: Path, *arguments: str) -> str:
    """Return the output of a git command, or "" if git is not installed or fails."""
    try:
        answer = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return answer.stdout.strip()
