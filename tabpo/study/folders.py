"""A user's data folder, which has a file or a folder for each split."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from tabpo.artefacts import files_below, sha256_file, sha256_text
from tabpo.errors import ConfigError
from tabpo.records import SPLITS


def find_splits(folder: Path, endings: Sequence[str]) -> dict[str, Path]:
    """Find the path of each split in a folder: the first existing `{split}{ending}`. Missing splits are left out.

    An empty ending stands for a folder with the split's name.
    """
    paths = {}
    for split in SPLITS:
        candidates = [folder / f"{split}{ending}" for ending in endings]
        existing = [path for path in candidates if path.is_dir() or (path.suffix and path.exists())]
        if existing:
            paths[split] = existing[0]
    return paths


def check_folder(where: str, folder: Path, endings: Sequence[str], dev_share: float | None) -> None:
    """Refuse a folder that lacks a split, has a split in two formats, or has dev although dev is taken from train.

    Args:
        where: Place of the dataset in the study, for the message.
        folder: The user's folder.
        endings: Accepted endings of the file of a split; "" stands for a folder.
        dev_share: Share of train that becomes dev; None if the folder must have dev.

    Raises:
        ConfigError: The message says what is missing or superfluous, and what is accepted.
    """
    accepted = ", ".join(ending or "a folder of that name" for ending in endings)
    paths = find_splits(folder, endings)
    for split in SPLITS:
        forms = [ending for ending in endings if split in find_splits(folder, [ending])]
        if len(forms) > 1:
            raise ConfigError(
                f"{where}.folder: {folder} has {split} in {len(forms)} forms; accepted: one of {accepted}"
            )
        if split not in paths and not (split == "dev" and dev_share):
            advice = "; or dev_share, the share of train that becomes dev" if split == "dev" else ""
            raise ConfigError(f"{where}.folder: {folder} has no {split}; accepted: {split} as {accepted}{advice}")
    if dev_share and "dev" in paths:
        raise ConfigError(f"{where}: {paths['dev']} and dev_share are both there; accepted: one of them")


def content_hash(paths: Iterable[Path]) -> str:
    """Hash names and contents of all files in those paths that are folders, linked files and folders included."""
    files = [file for path in paths if path.is_dir() for file in sorted(files_below(path)) if file.is_file()]
    return sha256_text("".join(f"{file} {sha256_file(file)}\n" for file in files))
