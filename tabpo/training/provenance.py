"""Provenance of a run: its inputs, packages and device. Only this artefact may name the machine."""

import platform
import resource
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from tabpo.artefacts import sha256_file, sha256_text
from tabpo.models.loading import tokenizer_sha256

PACKAGES = ("torch", "transformers", "tokenizers", "accelerate", "peft", "deepspeed", "safetensors", "numpy", "pyarrow")


def input_hashes(inputs: dict[str, Path]) -> dict[str, str]:
    """A hash of each input: of a file's bytes, or of a model folder's manifest and tokenizer.

    The manifest contains the hash of the weights.
    """
    return {name: _model_sha256(path) if path.is_dir() else sha256_file(path) for name, path in inputs.items()}


def describe_machine(device: torch.device) -> dict[str, object]:
    """Versions of Python and packages, the name of the device, and the peak memory of this process in MB."""
    on_gpu = device.type == "cuda"
    return {
        "python": platform.python_version(),
        "packages": _versions(),
        "device": torch.cuda.get_device_name(device) if on_gpu else _cpu_name(),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "peak_gpu_memory_mb": torch.cuda.max_memory_allocated(device) // 2**20 if on_gpu else None,
    }


def _model_sha256(folder: Path) -> str:
    return sha256_text(sha256_file(folder / "manifest.json") + tokenizer_sha256(folder))


def _versions() -> dict[str, str]:
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _cpu_name() -> str:
    table = Path("/proc/cpuinfo")  # exists only on Linux
    lines = table.read_text().splitlines() if table.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
