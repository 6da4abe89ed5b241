"""Which code ran: commit, and a hash of each module."""

import ast
import subprocess
import sys
from pathlib import Path

import tabpo
from tabpo.artefacts import sha256_text


def describe_code() -> dict[str, object]:
    """Commit ("unknown" outside the project's own repository), whether files were changed since, and fingerprints."""
    project = Path(tabpo.__file__).parents[1]
    commit, dirty = "unknown", None
    if _git(project, "rev-parse", "--show-toplevel") == str(project.resolve()):
        commit = _git(project, "rev-parse", "HEAD") or "unknown"
        dirty = bool(_git(project, "status", "--porcelain"))
    return {"commit": commit, "dirty": dirty, "code": code_fingerprints()}


def code_fingerprints() -> dict[str, str]:
    """A hash of each `tabpo` module that this process has imported, by name, sorted; comments and docstrings left out.

    The hash is over the syntax tree as this Python writes it; another minor version of Python may write it otherwise.
    """
    modules = {name: module for name, module in sys.modules.items() if name.split(".")[0] == tabpo.__name__}
    return {name: fingerprint(Path(module.__file__).read_text()) for name, module in sorted(modules.items())}


def module_names() -> set[str]:
    """All modules of `tabpo`, imported or not."""
    package = Path(tabpo.__file__).parent
    files = (path.relative_to(package.parent).with_suffix("") for path in package.rglob("*.py"))
    return {".".join(file.parts).removesuffix(".__init__") for file in files}


def fingerprint(source: str) -> str:
    """Hash of a module's code without comments, docstrings and layout."""
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
    """What git says, "" where it is missing or refuses."""
    try:
        answer = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return answer.stdout.strip()
