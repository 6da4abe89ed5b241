"""The settings of tables and of the report of a study in which jobs have failed: they name only what exists."""

from collections.abc import Callable, Mapping

from tabpo.study.jobs import run_folders
from tabpo.study.study import Settings

CAPTION = "PARTIAL, since jobs failed. "


def partial_table(settings: Settings, missing: Mapping[str, str], usable: Callable[[str], bool]) -> Settings:
    """Return a table's settings without the runs that have no result; `missing` then lists these with their reasons.

    Args:
        settings: From `table_settings` or `metric_settings`.
        missing: Why a run has no result, by the folder of the run: "failed: out of memory".
        usable: Whether a file, named by its path under the results, exists and belongs to the present settings.
    """
    absent = [run | {"reason": missing[folder]} for run, folder in run_folders(settings["runs"]) if folder in missing]
    return settings | {
        "caption": CAPTION + settings["caption"],
        "runs": _runs(settings, lambda folder: folder not in missing),
        "missing": absent,
        "by_sentence": [name for name in settings["by_sentence"] if usable(f"{name}/card.json")],
    }


def partial_report(settings: Settings, usable: Callable[[str], bool]) -> Settings:
    """Return the report's settings without runs, pages and figures that do not exist; it has no table of costs.

    Args:
        settings: From `report_settings`.
        usable: As in `partial_table`.
    """
    files = ("selection.json", "provenance.json")
    return settings | {
        "runs": _runs(settings, lambda folder: all(usable(f"{folder}/{file}") for file in files)),
        "exhibits": [exhibit for exhibit in settings["exhibits"] if all(map(usable, exhibit["files"]))],
        "costs": False,
    }


def _runs(settings: Settings, kept: Callable[[str], bool]) -> list[Settings]:
    """Return the runs of a table or report with only those seeds whose folder is kept."""
    seeds = [
        run | {"seeds": [single["seed"] for single, folder in run_folders([run]) if kept(folder)]}
        for run in settings["runs"]
    ]
    return [run for run in seeds if run["seeds"]]
