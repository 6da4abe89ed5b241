"""The record of all settings whose answers to test were ever scored: how often test was looked at."""

from collections import Counter
from pathlib import Path


def record_look(look: Path) -> None:
    """Keep an empty file for one setting, whose name has a hash of it; nothing removes the file.

    Each setting has a file of its own, since jobs on several machines may record at the same time.

    Args:
        look: The path of the file, `{dataset}/{model}/{method}/{hash}` in the folder of a study's record.
    """
    look.parent.mkdir(parents=True, exist_ok=True)
    look.touch()


def count_looks(folder: Path) -> dict[str, int]:
    """Return how many distinct settings were ever scored on the test split of each data set, sorted by data set.

    Args:
        folder: The folder of a study's record; it need not exist.
    """
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return dict(sorted(Counter(file.parts[0] for file in files).items()))
