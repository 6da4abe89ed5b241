"""Identification of the code that ran: the commit, and a hash of each module."""

import ast
import subprocess
import sys
from pathlib import Path

import tabpo
from tabpo.artefacts import sha256_text


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
