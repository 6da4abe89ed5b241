"""A folder of the user's with a file or a folder for each split."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from tabpo.artefacts import files_below, sha256_file, sha256_text
from tabpo.errors import ConfigError
from tabpo.records import SPLITS


def find_splits(folder: Path, endings: Sequence[str]) -> dict[str, Path]:
    """The first of `{split}{ending}` that is there, for each split that has one; an empty ending is a folder."""
    found = {}
    for split in SPLITS:
        paths = [folder / f"{split}{ending}" for ending in endings]
        there = [path for path in paths if path.is_dir() or (path.suffix and path.exists())]
        if there:
            found[split] = there[0]
    return found


def check_folder(where: str, folder: Path, endings: Sequence[str], dev_share: float | None) -> None:
    """Refuse a folder without train, test and one origin of dev, or with two forms of one split.

    Args:
        where: The dataset, for the message.
        folder: Of the user's.
        endings: Of a split's file or folder.
        dev_share: Share of train that becomes dev; None where the folder must have one.

    Raises:
        ConfigError: What is missing or too many, and what is accepted.
    """
    accepted = ", ".join(ending or "a folder of that name" for ending in endings)
    found = find_splits(folder, endings)
    for split in SPLITS:
        forms = [ending for ending in endings if split in find_splits(folder, [ending])]
        if len(forms) > 1:
            raise ConfigError(
                f"{where}.folder: {folder} has {split} in {len(forms)} forms; accepted: one of {accepted}"
            )
        if split not in found and not (split == "dev" and dev_share):
            advice = "; or dev_share, the share of train that becomes dev" if split == "dev" else ""
            raise ConfigError(f"{where}.folder: {folder} has no {split}; accepted: {split} as {accepted}{advice}")
    if dev_share and "dev" in found:
        raise ConfigError(f"{where}: {found['dev']} and dev_share are both there; accepted: one of them")


def content_hash(paths: Iterable[Path]) -> str:
    """A hash over names and bytes of all files below those of the paths that are folders, linked ones too."""
    files = [file for path in paths if path.is_dir() for file in sorted(files_below(path)) if file.is_file()]
    return sha256_text("".join(f"{file} {sha256_file(file)}\n" for file in files))
