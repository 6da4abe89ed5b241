"""Jobs of Snakemake for Grid Engine and PBS: the options of qsub, submission with back-off, and the end of a job."""

import json
import logging
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

PROPERTIES = "# properties = "
"""Start of the line of a job script in which Snakemake describes the job."""

PAUSES_S = (5, 10, 20, 40, 60, 60, 60)
"""Seconds between the attempts to submit a job while the scheduler's server does not answer."""

SILENT = re.compile(
    r"commlib error|unable to (send|contact)|cannot connect|connection refused|time[d ]*out|no contact", re.IGNORECASE
)
"""Words of a failed command by which the server does not answer; all other failures are about the request."""

FORGOTTEN_AFTER_S = 60.0
"""A job without an end that the server does not name for this time counts as failed."""


@dataclass(frozen=True)
class Job:
    """What a job asks for.

    Attributes:
        name: Of its rule or group.
        threads: CPU threads.
        mem_mb: Memory of the whole job.
        minutes: Time after which the scheduler ends it.
        gpus: GPUs of the whole job.
        site: Resources of the user's second profile, all text: options of qsub, and the site's names of resources.
    """

    name: str
    threads: int
    mem_mb: int
    minutes: int
    gpus: int
    site: dict[str, str]

    @property
    def warning_s(self) -> int:
        """Seconds after which it is warned: a tenth of its time before the end, at most ten minutes."""
        return 60 * self.minutes - min(6 * self.minutes, 600)

    @property
    def time(self) -> str:
        """Its time as hours, minutes and seconds."""
        return f"{self.minutes // 60}:{self.minutes % 60:02d}:00"


def read_job(script: Path) -> Job:
    """Read what the job of a job script of Snakemake asks for."""
    lines = script.read_text().split("\n")
    properties = json.loads(next(line for line in lines if line.startswith(PROPERTIES)).removeprefix(PROPERTIES))
    asked = properties["resources"]
    return Job(
        name=properties["rule"] if properties["type"] == "single" else properties["groupid"],
        threads=properties["threads"],
        mem_mb=asked["mem_mb"],
        minutes=asked["runtime"],
        gpus=asked.get("gpu", 0),
        site={name: value for name, value in asked.items() if isinstance(value, str)},
    )


def grid_engine_options(job: Job, logs: Path) -> list[str]:
    """Options of qsub for Grid Engine.

    Memory is asked for by slot, as Grid Engine counts it, and GPUs by job. The site's own options come last.

    Args:
        job: The job. Of its site's resources, `sge_memory` (default mem_free) and `sge_gpu` (gpu) name complexes,
            `sge_pe` (smp) the parallel environment, and `qsub` has further options.
        logs: Folder for what jobs print.
    """
    site = {"sge_memory": "mem_free", "sge_gpu": "gpu", "sge_pe": "smp", "qsub": ""} | job.site
    limits = [f"h_rt={job.time}", f"{site['sge_memory']}={-(-job.mem_mb // job.threads)}M"]
    if job.gpus:
        limits.append(f"{site['sge_gpu']}={job.gpus}")
    slots = ["-pe", site["sge_pe"], str(job.threads)] if job.threads > 1 else []
    printed = ["-j", "y", "-o", f"{logs}/$JOB_ID.log"]
    common = ["-terse", "-V", "-cwd", "-S", "/bin/bash", "-r", "y", "-N", job.name, *printed]
    return [*common, *slots, "-l", ",".join(limits), *shlex.split(site["qsub"])]


def pbs_options(job: Job, logs: Path) -> list[str]:
    """Options of qsub for PBS Professional and OpenPBS; arguments as for `grid_engine_options`.

    A job is not put back into the queue by PBS (`-r n`): Snakemake submits it again.
    """
    chunk = f"select=1:ncpus={job.threads}:mem={job.mem_mb}mb" + (f":ngpus={job.gpus}" if job.gpus else "")
    common = ["-V", "-r", "n", "-N", job.name[:15], "-j", "oe", "-o", f"{logs}/"]
    return [*common, "-l", chunk, "-l", f"walltime={job.time}", *shlex.split(job.site.get("qsub", ""))]


def submit(
    job: Job, options: Callable[[Job, Path], Sequence[str]], script: Path, pauses: Iterable[float] = PAUSES_S
) -> str:
    """Submit a job script and return the job's id; tries again while the server does not answer.

    The script gets `TABPO_WARNING_S`, after which it warns the job, `TABPO_ENDED`, the folder in which it writes how
    the job ended, and `TABPO_PATH`, this process's PATH, which a login shell would replace.

    Args:
        job: What the script's job asks for.
        options: Makes the options of qsub.
        script: Job script of Snakemake.
        pauses: Seconds between attempts.

    Raises:
        SystemExit: With the words of qsub, if the request is refused or the last attempt fails.
    """
    ended = _ended()
    ended.mkdir(parents=True, exist_ok=True)
    settings = {"TABPO_WARNING_S": str(job.warning_s), "TABPO_ENDED": str(ended), "TABPO_PATH": os.environ["PATH"]}
    waiting = iter(pauses)
    while True:
        asked = subprocess.run(
            ["qsub", *options(job, ended), str(script)], env=os.environ | settings, capture_output=True, text=True
        )
        if not asked.returncode:
            return asked.stdout.strip().split("\n")[-1]
        pause = next(waiting, None)
        if pause is None or not SILENT.search(asked.stderr):
            sys.exit(f"qsub: {asked.stderr.strip()}")
        logging.warning("The scheduler does not answer; trying again in %s s: %s", pause, asked.stderr.strip())
        time.sleep(pause)


def grid_engine_state(job: str) -> bool | None:
    """Whether Grid Engine still has a job to run; None if its server does not answer.

    A job in an error state (Eqw), which Grid Engine never starts by itself, is deleted and counts as ended.
    """
    listed = subprocess.run(["qstat"], capture_output=True, text=True)
    if listed.returncode:
        return None
    states = {line.split()[0]: line.split()[4] for line in listed.stdout.split("\n")[2:] if line}
    if "E" in states.get(job, ""):
        subprocess.run(["qdel", job], capture_output=True)
        return False
    return job in states


def pbs_state(job: str) -> bool | None:
    """Whether PBS still has a job to run; None if its server does not answer."""
    listed = subprocess.run(["qstat", job], capture_output=True, text=True)
    if listed.returncode and not re.search(r"has finished|Unknown Job", listed.stderr, re.IGNORECASE):
        return None
    return not listed.returncode


def status(job: str, state: Callable[[str], bool | None]) -> str:
    """The state of a job in the words that cluster-generic accepts: running, success or failed.

    The file that the job's script writes at its end decides. Without it the scheduler is asked. A job that it does not
    name fails after `FORGOTTEN_AFTER_S`, since on a shared file system the file may become visible late.
    """
    end, missed = _ended() / f"{job}.code", _ended() / f"{job}.missed"
    if not end.exists():
        named = state(job)
        if named:
            missed.unlink(missing_ok=True)
        if named is not False:
            return "running"
        if not missed.exists():
            missed.touch()
        if not end.exists():
            return "failed" if time.time() - missed.stat().st_mtime > FORGOTTEN_AFTER_S else "running"
    return "success" if end.read_text().strip() == "0" else "failed"


def _ended() -> Path:
    return Path(".snakemake/qsub").absolute()
