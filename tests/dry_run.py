"""The jobs of a dry run, for tests that run their programs in one process."""

import re
import shlex


def jobs_in_order(printed: str) -> list[tuple[str, list[str]]]:
    """Program and arguments of every job that a dry run printed, each after the jobs whose outputs it reads.

    Snakemake prints the jobs of a group by name.
    """
    commands = re.findall(r"python -m workflow_scripts\.(?:launch |on_gpus \d+ )?(\w+) (.*) 2>> ", printed)
    waiting = [(program, shlex.split(arguments)) for program, arguments in commands]
    ordered = []
    while waiting:
        missing = {path for _, flags in waiting for path in outputs(flags)}
        ready = next(job for job in waiting if not missing & (set(job[1]) - set(outputs(job[1]))))
        waiting.remove(ready)
        ordered.append(ready)
    return ordered


def outputs(arguments: list[str]) -> list[str]:
    """The paths that follow `--output...`, one or several."""
    flag, paths = "", []
    for word in arguments:
        if word.startswith("--"):
            flag = word
        elif flag.startswith("--output"):
            paths.append(word)
    return paths
