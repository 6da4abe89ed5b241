"""Published files with their addresses and hashes; each is copied from a local folder or downloaded."""

import hashlib
import io
import logging
import tarfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException, IncompleteRead
from pathlib import Path, PurePosixPath

from tabpo.artefacts import write_whole
from tabpo.errors import ConfigError, DataError

TIMEOUT_S = 60
ADVICE = "run again, or set TABPO_DATA to an absolute path that holds {name}/ with train.json, dev.json and test.json"


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """One published file.

    Attributes:
        url: Address of the file, or of the archive that contains it.
        sha256: Hash of the file itself, not of the archive.
        member: Path of the file in the archive; None if the address is that of the file itself.
    """

    url: str
    sha256: str
    member: str | None = None


_SCIERC = "https://nlp.cs.washington.edu/sciIE/data/sciERC_processed.tar.gz"
_PHEE = (
    "https://raw.githubusercontent.com/ZhaoyueSun/phee-with-chatgpt/a90c680b08464e731635eb2d2f2c49be6ad5e3e5"
    "/data/datasets/phee2/source"
)

SOURCES: dict[str, dict[str, PublishedFile]] = {
    "scierc": {
        "train": PublishedFile(
            _SCIERC,
            "04970819bd215fce8c60b3a64fccca15388b49eab2010bdc5f6d322b463568c3",
            "processed_data/json/train.json",
        ),
        "dev": PublishedFile(
            _SCIERC,
            "61f21b224129e580a654b036ee6fffeeb1a0311f1009a38ea931c13612db040e",
            "processed_data/json/dev.json",
        ),
        "test": PublishedFile(
            _SCIERC,
            "7424da64e6214a90e39b09e47a74b3ded57dde86b4a7f848b3625d2c8ecdfbe1",
            "processed_data/json/test.json",
        ),
    },
    "phee": {
        "train": PublishedFile(
            f"{_PHEE}/train.json", "381210851bfc8ac7e34eeba1e134bb4b9be595f29806eb687c42b7623f536ace"
        ),
        "dev": PublishedFile(f"{_PHEE}/dev.json", "3fef1a8efe87bf144c6eca2ede1e5ade5c6d77444477924483d22f955385375f"),
        "test": PublishedFile(f"{_PHEE}/test.json", "230bca8c6164d40c54b5e7b7eb9f7eb560da94b27229d940cbc516f157aba4e8"),
    },
}
"""The published files by source, then by split."""


def fetch(name: str, outputs: Mapping[str, Path], local: str) -> None:
    """Write the files of a source, after checking each against its published hash.

    Args:
        name: A key of SOURCES.
        outputs: The path to write for each split.
        local: The value of TABPO_DATA. Files are copied from its folder `name`; if it is empty, they are downloaded.

    Raises:
        ConfigError: `local` is not an absolute path.
        DataError: A file is missing or has a different hash, or an address cannot be read. The message says what the
            user can do.
    """
    files = SOURCES[name]
    if local:
        _copy(name, files, outputs, local)
        return
    for url in dict.fromkeys(file.url for file in files.values()):
        content = _download(url, ADVICE.format(name=name))
        for split, file in files.items():
            if file.url == url:
                _write_checked(_member(content, file), file, outputs[split], url)


def _copy(name: str, files: Mapping[str, PublishedFile], outputs: Mapping[str, Path], local: str) -> None:
    if not Path(local).is_absolute():
        raise ConfigError(f"TABPO_DATA is {local}; accepted: an absolute path")
    for split, file in files.items():
        path = Path(local, name, f"{split}.json")
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataError(
                f"{path}: cannot be read ({error.strerror}); TABPO_DATA must hold {name}/ with train.json, dev.json and"
                " test.json as published, or be unset so that they are downloaded"
            ) from error
        _write_checked(content, file, outputs[split], str(path))
        logging.info("%s: copied", path)


def _write_checked(content: bytes, file: PublishedFile, output: Path, origin: str) -> None:
    digest = hashlib.sha256(content).hexdigest()
    if digest != file.sha256:
        part = f", {file.member}" if file.member and origin == file.url else ""
        raise DataError(f"{origin}{part}: sha256 is {digest}; accepted: {file.sha256}, the published file unchanged")
    write_whole(output, content)


def _member(content: bytes, file: PublishedFile) -> bytes:
    """Return the file's bytes: the whole download, or one member of the downloaded archive."""
    if file.member is None:
        return content
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for entry in archive:
                if entry.isfile() and PurePosixPath(entry.name) == PurePosixPath(file.member):
                    return archive.extractfile(entry).read()
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DataError(
            f"{file.url}: is no archive that can be read ({error}); run again to download it once more"
        ) from error
    raise DataError(f"{file.url}: the archive lacks {file.member}; accepted: the published archive")


def _download(url: str, advice: str) -> bytes:
    """Download a file into memory; the largest published file has a few megabytes."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            content = answer.read()
    except urllib.error.HTTPError as error:
        raise DataError(f"{url}: the server answered {error.code} {error.reason}; {advice}") from error
    except IncompleteRead as error:
        whole = len(error.partial) + error.expected
        raise DataError(f"{url}: the connection ended after {len(error.partial)} of {whole} bytes; {advice}") from error
    except (OSError, HTTPException) as error:
        raise DataError(f"{url}: cannot be downloaded ({getattr(error, 'reason', error)}); {advice}") from error
    logging.info("%s: downloaded, %d bytes", url, len(content))
    return content
