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
ADVICE = "run again, or set TABPO_DATA to an absolute path that holds {name}/ with {files}"


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """One published file.

    Attributes:
        url: Address of the file, or of the archive that contains it.
        sha256: Hash of the file itself, not of the archive; with 40 digits, Git's hash of it.
        member: Path of the file in the archive; None if the address is that of the file itself.
        local: Path of the file in the folder of its source under TABPO_DATA; "" means its split with the ending .json.
        instead: Another form of the file, which is taken from such a folder if it lacks this one.
    """

    url: str
    sha256: str
    member: str | None = None
    local: str = ""
    instead: "PublishedFile | None" = None


_SCIERC = "https://nlp.cs.washington.edu/sciIE/data/sciERC_processed.tar.gz"
_PHEE = (
    "https://raw.githubusercontent.com/ZhaoyueSun/phee-with-chatgpt/a90c680b08464e731635eb2d2f2c49be6ad5e3e5"
    "/data/datasets/phee2/source"
)
_PHEE_1 = "https://raw.githubusercontent.com/ZhaoyueSun/PHEE/41489b08675d0b63a1eb7cd4f2d1946952833eb1"

_SCIER = "https://raw.githubusercontent.com/edzq/SciER/db347813de379eb200e0813bbfee350d67e7c701/SciER"
_BIORED = (
    "https://raw.githubusercontent.com/yookontian/RE_on_BioRED/2b9a518e9ce72003beb3a2e755169d425ecdeaf5/data/BioRED"
)
_CONLL04 = "https://raw.githubusercontent.com/YoumiMa/TablERT-CNN/055333c2b0dfff48fbab8fa73367cc0766c89862/data/datasets/conll04"


def _in_folder(root: str, path: str, sha256: str, instead: PublishedFile | None = None) -> PublishedFile:
    """Describe a file that has one path at its address and under TABPO_DATA."""
    return PublishedFile(f"{root}/{path}", sha256, local=path, instead=instead)


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
        "second": PublishedFile(
            f"{_PHEE_1}/evaluate/iaa_data/duplicate2.json",
            "f58ee54a55d77a835bb609df818ec196cfa208fec34a340234f8249b84ebdda7",
            local="iaa/duplicate2.json",
        ),
    },
    "scier": {
        "train": _in_folder(
            _SCIER,
            "PLM/train.jsonl",
            "25ffd646d8b3d85abcad5c6f48eb8478694eccac",
            _in_folder(_SCIER, "LLM/train.jsonl", "b31c78f33cc307e6826411a99f3e59fc9d0e3ec212d4ab89ef394745596643ad"),
        ),
        "dev": _in_folder(_SCIER, "PLM/dev.jsonl", "37b805e6441c14300f9eeeef34569de09fdf57ee41ac78cde6cd3373efcf6848"),
        "test": _in_folder(
            _SCIER, "PLM/test.jsonl", "45214a5d2df8aa5fe38f3a4af75499f5db628519fc1e48347309e2a048f8e022"
        ),
        "test_ood": _in_folder(
            _SCIER, "PLM/test_ood.jsonl", "e5a2ee68a932b9c1177fa9222c8e99817ef474f5071be0d64726c2529f80629b"
        ),
    },
    "biored": {
        "train": _in_folder(
            _BIORED, "Train.PubTator", "472cf3a38aa1732c08918e561a86a28d331b80ecddc7f77b3de02cc705181b81"
        ),
        "dev": _in_folder(_BIORED, "Dev.PubTator", "504f8c8be806606d519b6c360f3164ff89dbfa5610f603bafe662ab2605bca76"),
        "test": _in_folder(
            _BIORED, "Test.PubTator", "91d478f1e67d310f49d7797e3ea731c97ac1d8f6275245fde5b9dd12c4551c16"
        ),
    },
    "conll04": {
        "train": _in_folder(
            _CONLL04, "conll04_train.json", "5f9e9d97c954a21da8929618cf9f1e2b408ff5f1a9936425e5785cbd3c54a380"
        ),
        "dev": _in_folder(
            _CONLL04, "conll04_dev.json", "f35e81e68da81914286f37f9d66230e6be79f5ff82466438135a2c1873b4f660"
        ),
        "test": _in_folder(
            _CONLL04, "conll04_test.json", "6e5788026281f1678ab0d0dda64a304241574b5e7b806b57fe3e796a1acf95b9"
        ),
    },
}
"""The published files by source, then by split."""


def fetch(name: str, outputs: Mapping[str, Path], local: str) -> None:
    """Write the files of a source, after checking each against its published hash.

    Args:
        name: A key of SOURCES.
        outputs: The path to write for each split; splits that are left out are not fetched.
        local: The value of TABPO_DATA. Files are copied from its folder `name`; if it is empty, they are downloaded.

    Raises:
        ConfigError: `local` is not an absolute path.
        DataError: A file is missing or has a different hash, or an address cannot be read. The message says what the
            user can do.
    """
    files = {split: SOURCES[name][split] for split in outputs}
    advice = ADVICE.format(name=name, files=_names(files))
    if local:
        _copy(name, files, outputs, local)
        return
    for url in dict.fromkeys(file.url for file in files.values()):
        content = _download(url, advice)
        for split, file in files.items():
            if file.url == url:
                _write_checked(_member(content, file), file, outputs[split], url)


def _copy(name: str, files: Mapping[str, PublishedFile], outputs: Mapping[str, Path], local: str) -> None:
    if not Path(local).is_absolute():
        raise ConfigError(f"TABPO_DATA is {local}; accepted: an absolute path")
    for split, file in files.items():
        path = Path(local, name, file.local or f"{split}.json")
        if file.instead and not path.exists():
            file = file.instead
            path = Path(local, name, file.local)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataError(
                f"{path}: cannot be read ({error.strerror}); TABPO_DATA must hold {name}/ with {_names(files)} as"
                " published, or be unset so that they are downloaded"
            ) from error
        _write_checked(content, file, outputs[split], str(path))
        logging.info("%s: copied", path)


def _names(files: Mapping[str, PublishedFile]) -> str:
    *first, last = [file.local or f"{split}.json" for split, file in files.items()]
    return f"{', '.join(first)} and {last}" if first else last


def _write_checked(content: bytes, file: PublishedFile, output: Path, origin: str) -> None:
    of_git = len(file.sha256) == 40
    digest = (hashlib.sha1(b"blob %d\0" % len(content) + content) if of_git else hashlib.sha256(content)).hexdigest()
    if digest != file.sha256:
        part = f", {file.member}" if file.member and origin == file.url else ""
        kind = "Git's hash" if of_git else "sha256"
        raise DataError(f"{origin}{part}: {kind} is {digest}; accepted: {file.sha256}, the published file unchanged")
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
