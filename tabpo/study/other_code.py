"""Which finished runs of a study were made by other code than the present code, and how to make them again."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

from tabpo.code_version import changed_modules, loss_fingerprints
from tabpo.names import PROMPTED, run_folders
from tabpo.study.jobs import export_settings
from tabpo.study.study import Study

SHOWN = 3
"""How many modules a message names."""


def other_code(study: Study) -> tuple[int, dict[str, list[str]]]:
    """Compare the code of every finished run with the present code, by reading its `provenance.json`.

    The files of a run's loss do not count: a change of them repeats the run by itself.

    Returns:
        The number of finished runs, and for each run that was made by other code its folder below the results with the
        modules that differ.
    """
    finished, differing = 0, {}
    for run, folder in run_folders(export_settings(study)["runs"]):
        try:
            text = Path(study.results, folder, "provenance.json").read_text()
        except FileNotFoundError:  # the run is not finished, or it is a baseline
            continue
        finished += 1
        repeated = loss_fingerprints(study.methods[run["method"]]["loss"]) if run["method"] in study.methods else {}
        code = json.loads(text)["code"]
        if modules := changed_modules({name: code[name] for name in code.keys() - repeated.keys()}):
            differing[folder] = modules
    return finished, differing


def describe_other_code(study: Study, finished: int, differing: Mapping[str, list[str]], command: str) -> str:
    """Say how many runs were made by other code, in which modules, and which command makes those of a method again.

    Args:
        study: The study.
        finished: The number of finished runs.
        differing: From `other_code`; not empty.
        command: The call of Snakemake with its options, without targets.
    """
    modules = sorted(set().union(*differing.values()))
    names = ", ".join(modules[:SHOWN]) + (f" and {len(modules) - SHOWN} more" if len(modules) > SHOWN else "")
    methods = list(dict.fromkeys(folder.split("/")[2] for folder in differing))
    runs = methods[-1] if methods[-1] == PROMPTED else f"{methods[-1]}/seed*"
    pattern = f"{shlex.quote(study.results)}/*/*/{runs}/provenance.json"
    return (
        f"{len(differing)} of {finished} finished runs were made by other code (methods: {', '.join(methods)}; modules:"
        f" {names}).\nThey are kept. To make the runs of {methods[-1]} again:\n    {command} --forcerun {pattern}"
    )
