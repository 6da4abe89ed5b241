"""Where a run came from: code, inputs, packages, device, and what it cost. The one artefact that may name them."""

import ast
import platform
import resource
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

import tabpo
from tabpo.artefacts import sha256_file, sha256_text
from tabpo.training.models import tokenizer_sha256

PACKAGES = ("torch", "transformers", "tokenizers", "accelerate", "peft", "deepspeed", "safetensors", "numpy", "pyarrow")


def code_fingerprints() -> dict[str, str]:
    """A hash of each `tabpo` module that this process has imported, by name, sorted; comments and docstrings left out.

    The hash is over the syntax tree as this Python writes it; another minor version of Python may write it otherwise.
    """
    modules = {name: module for name, module in sys.modules.items() if name.split(".")[0] == tabpo.__name__}
    return {name: fingerprint(Path(module.__file__).read_text()) for name, module in sorted(modules.items())}


def fingerprint(source: str) -> str:
    """Hash of a module's code without comments, docstrings and layout."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(body := getattr(node, "body", None), list):
            node.body = [statement for statement in body if not _is_text(statement)]
    return sha256_text(ast.unparse(tree))


def input_hashes(inputs: dict[str, Path]) -> dict[str, str]:
    """A hash of each input: a file's bytes; for a model's folder the manifest with its weights' hash, and tokenizer."""
    return {name: _model_sha256(path) if path.is_dir() else sha256_file(path) for name, path in inputs.items()}


def describe_code() -> dict[str, object]:
    """Commit ("unknown" outside the project's own repository), whether files were changed since, and fingerprints."""
    project = Path(tabpo.__file__).parents[1]
    commit, dirty = "unknown", None
    if _git(project, "rev-parse", "--show-toplevel") == str(project.resolve()):
        commit = _git(project, "rev-parse", "HEAD") or "unknown"
        dirty = bool(_git(project, "status", "--porcelain"))
    return {"commit": commit, "dirty": dirty, "code": code_fingerprints()}


def describe_machine(device: torch.device) -> dict[str, object]:
    """Versions of Python and the packages, the device's name, and the peak memory of this process in MB."""
    on_gpu = device.type == "cuda"
    return {
        "python": platform.python_version(),
        "packages": _versions(),
        "device": torch.cuda.get_device_name(device) if on_gpu else _cpu_name(),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "peak_gpu_memory_mb": torch.cuda.max_memory_allocated(device) // 2**20 if on_gpu else None,
    }


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _model_sha256(folder: Path) -> str:
    return sha256_text(sha256_file(folder / "manifest.json") + tokenizer_sha256(folder))


def _git(folder: Path, *arguments: str) -> str:
    """What git says, "" where it is missing or refuses."""
    try:
        answer = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return answer.stdout.strip()


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _cpu_name() -> str:
    table = Path("/proc/cpuinfo")  # Linux alone
    lines = table.read_text().splitlines() if table.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
