"""Compare two finished studies: their data, settings, versions and cells, as Markdown."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tabpo.artefacts import read_yaml, sha256_file
from tabpo.errors import DataError
from tabpo.privacy import INSIDE_ONLY, marked
from tabpo.records import PROMPT_SPLITS

CELL = ["table", "dataset", "model", "method", "metric"]
"""The columns that identify a cell."""

ABSENT = "–"

Row = tuple[str, str, str]
"""A row of tables: data set, model and method."""


@dataclass(frozen=True, eq=False)
class FinishedStudy:
    """What the results folder of a study says about it.

    Attributes:
        folder: The folder, as the user names it.
        prompts: The hash of each split's prompts, by data set and split.
        private: The private data sets.
        settings: Of each row the settings of its first seed as (key, value) pairs, nested keys joined by dots.
        seeds: Of each row the seeds of its runs, sorted.
        versions: The values of packages, Python, device and commit that the runs recorded, by their names.
        code: The fingerprints that the runs recorded, by module.
        cells: A frame with the columns of `CELL`, `mean` and `reason`.
    """

    folder: str
    prompts: dict[tuple[str, str], str]
    private: list[str]
    settings: dict[Row, dict[str, Any]]
    seeds: dict[Row, list[int]]
    versions: dict[str, set[str]]
    code: dict[str, set[str]]
    cells: pd.DataFrame


def read_finished(folder: Path) -> FinishedStudy:
    """Read a results folder.

    Raises:
        DataError: The folder has no tables of cells.
    """
    tables = {path.stem: pd.read_csv(path, dtype={"reason": str}) for path in sorted(folder.glob("tables/*.csv"))}
    frames = [frame.assign(table=name) for name, frame in tables.items() if set(CELL[1:]) <= set(frame.columns)]
    frames = [frame for frame in frames if "sd" in frame.columns]  # tables of tests have no deviation of one cell
    if not frames:
        raise DataError(f"{folder}: has no tables/*.csv with cells; accepted: the results folder of a finished study")
    cards = {path.parent.name: path.read_text() for path in sorted(folder.glob("*/card.md"))}
    settings, seeds, versions, code = {}, {}, {}, {}
    for path in sorted(folder.glob("*/*/*/seed*/run.yaml"), key=lambda path: (path.parts[:-2], _seed(path))):
        row = path.parts[-5:-2]
        seeds.setdefault(row, []).append(_seed(path))
        run = read_yaml(path, "settings of a run")
        settings.setdefault(row, flat_settings({key: value for key, value in run.items() if key != "seed"}))
        made = path.with_name("provenance.json")
        if made.exists():
            _note_versions(json.loads(made.read_text()), versions, code)
    return FinishedStudy(
        folder=str(folder),
        prompts={
            (dataset, split): sha256_file(file)
            for dataset in cards
            for split in PROMPT_SPLITS
            if (file := folder / dataset / f"prompts/{split}.parquet").exists()
        },
        private=[name for name, card in cards.items() if card.startswith(INSIDE_ONLY)],
        settings=settings,
        seeds=seeds,
        versions=versions,
        code=code,
        cells=pd.concat(frames)[[*CELL, "mean", "reason"]],
    )


def _seed(run: Path) -> int:
    return int(run.parent.name.removeprefix("seed"))


def flat_settings(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return settings inside settings with their path as name, such as `lora.rank`."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        flat |= flat_settings(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat


def _note_versions(made: Mapping[str, Any], versions: dict[str, set[str]], code: dict[str, set[str]]) -> None:
    named = {**made.get("packages", {}), **{key: made[key] for key in ("python", "device", "commit") if key in made}}
    for name, value in named.items():
        versions.setdefault(name, set()).add(str(value))
    for module, fingerprint in made["code"].items():
        code.setdefault(module, set()).add(fingerprint)


def compare_studies(first: FinishedStudy, second: FinishedStudy) -> str:
    """Return the comparison as a Markdown page; A is the first study, B the second one."""
    parts = [
        f"# {first.folder} (A) and {second.folder} (B)",
        *("## Cells", _cells(first.cells, second.cells)),
        *("## Settings", _settings(first, second)),
        *("## Versions", _versions(first, second)),
        *("## Data", _data(first, second)),
    ]
    return marked("\n\n".join(parts) + "\n", [*first.private, *second.private])


def _cells(first: pd.DataFrame, second: pd.DataFrame) -> str:
    """Cells that differ by 0.05 or more or are in one study only, the largest differences first."""
    both = first.merge(second, how="outer", on=CELL, suffixes=("_a", "_b"), indicator=True, sort=False)
    both["difference"] = both["mean_b"] - both["mean_a"]
    equal = (both["_merge"] == "both") & (
        (both["difference"].abs() < 0.05) | both[["mean_a", "mean_b"]].isna().all(axis=1)
    )
    different = both[~equal].copy()
    different["size"] = different["difference"].abs()
    different = different.sort_values("size", ascending=False, na_position="last", kind="stable")
    frame = different[CELL].fillna(ABSENT)
    for name, side, only in (("A", "a", "right_only"), ("B", "b", "left_only")):
        values = zip(different[f"mean_{side}"], different[f"reason_{side}"], different["_merge"], strict=True)
        frame[name] = [_value(mean, reason, where == only) for mean, reason, where in values]
    frame["B - A"] = [ABSENT if pd.isna(value) else f"{value:+.1f}" for value in different["difference"]]
    summary = f"{int(equal.sum())} cells are equal to one decimal, {len(different)} are not. "
    summary += "Differences between studies are not tested: other data, seeds or settings may cause them."
    return summary if different.empty else f"{summary}\n\n{_table(frame)}"


def _value(mean: float, reason: str, absent: bool) -> str:
    if absent:
        return "not there"
    return (reason if isinstance(reason, str) else ABSENT) if pd.isna(mean) else f"{mean:.1f}"


def _settings(first: FinishedStudy, second: FinishedStudy) -> str:
    """Settings that differ between rows of the same name; rows with the same difference share a line."""
    changes: dict[tuple[str, str, str], list[str]] = {}
    for row in first.settings.keys() & second.settings.keys():
        ours, theirs = first.settings[row] | {"seeds": first.seeds[row]}, second.settings[row]
        theirs = theirs | {"seeds": second.seeds[row]}
        for key in ours.keys() | theirs.keys():
            values = tuple(json.dumps(side[key]) if key in side else ABSENT for side in (ours, theirs))
            if values[0] != values[1]:
                changes.setdefault((key, *values), []).append(" / ".join(row))
    lines = [
        {"setting": key, "A": old, "B": new, "rows": _several(rows, "rows")}
        for (key, old, new), rows in sorted(changes.items())
    ]
    lines += _only(first.settings, second.settings, "A") + _only(second.settings, first.settings, "B")
    return _table(pd.DataFrame(lines)) if lines else "All rows have the same settings and seeds."


def _only(these: Iterable[Row], others: Iterable[Row], where: str) -> list[dict[str, str]]:
    rows = sorted(set(these) - set(others))
    sides = {"A": "not there", "B": "not there"} | {where: "there"}
    return [{"setting": "the row itself", **sides, "rows": " / ".join(row)} for row in rows]


def _several(names: list[str], what: str) -> str:
    return ", ".join(sorted(names)) if len(names) <= 3 else f"{len(names)} {what}"


def _versions(first: FinishedStudy, second: FinishedStudy) -> str:
    """Versions that differ, and the modules whose code differs."""
    sides = (first, second)
    lines = [
        {"what": name, "A": values[0], "B": values[1]}
        for name in sorted(first.versions.keys() | second.versions.keys())
        if (values := [", ".join(sorted(side.versions.get(name, {ABSENT}))) for side in sides])[0] != values[1]
    ]
    shared = first.code.keys() & second.code.keys()
    modules = sorted(name for name in shared if first.code[name] != second.code[name])
    alone = sorted(first.code.keys() ^ second.code.keys())
    code = f"Code differs in {', '.join(modules)}." if modules else "Modules that both studies used have the same code."
    code += f" Only one study used {', '.join(alone)}." if alone else ""
    return f"{_table(pd.DataFrame(lines))}\n\n{code}" if lines else f"Packages and machine are the same. {code}"


def _data(first: FinishedStudy, second: FinishedStudy) -> str:
    """For each split of each data set whether both studies have the same prompts and gold answers."""
    lines = {}
    for dataset, split in sorted(first.prompts.keys() | second.prompts.keys()):
        hashes = [side.prompts.get((dataset, split)) for side in (first, second)]
        only = "only in B" if hashes[0] is None else "only in A" if hashes[1] is None else ""
        state = only or ("same" if hashes[0] == hashes[1] else "differs")
        lines.setdefault(dataset, dict.fromkeys(PROMPT_SPLITS, ABSENT))[split] = state
    return _table(pd.DataFrame([{"data set": dataset, **states} for dataset, states in lines.items()]))


def _table(frame: pd.DataFrame) -> str:
    return frame.to_markdown(index=False, disable_numparse=True)
