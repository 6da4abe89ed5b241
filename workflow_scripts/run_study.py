"""Run a long study seed by seed, one data set after the other, and keep the small files of each finished run."""

import argparse
import json
import logging
import subprocess
import sys
from pathlib import Path

import pandas as pd
import yaml

from tabpo.artefacts import read_yaml, write_json, write_whole
from tabpo.errors import exit_on_error
from tabpo.study.keys import StudyKeys
from tabpo.study.shape import checked
from tabpo.tables.kept_runs import jobs_at_once, keep_runs, runs_by_seed, shortened


def main(argv: list[str] | None = None) -> None:
    """Measure once whether two jobs at a time are faster; then call Snakemake for the runs of each seed."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="YAML of the study")
    parser.add_argument("--output", type=Path, required=True, help="folder that keeps the small files of runs")
    parser.add_argument("--split", default="test", help="split whose answers are scored (default: test)")
    args = parser.parse_args(argv)
    config = read_yaml(args.config, "study")
    results = Path(checked(StudyKeys, config).results)
    snakemake = [sys.executable, "-m", "snakemake", "--rerun-incomplete", "--keep-going", "--cores"]

    measured = results / "jobs.json"  # measured on this machine
    if not measured.exists():
        short = Path(f"{results}_measured")
        write_whole(short / "study.yaml", yaml.safe_dump(shortened(config, str(short))))
        folder = f"{next(runs for runs in runs_by_seed(config))[0].rsplit('/', 1)[0]}"
        seconds = {}
        for jobs, seeds in ((1, (1,)), (2, (2, 3))):
            files = [str(short / folder / f"seed{seed}/timing.parquet") for seed in seeds]
            command = [*snakemake, str(jobs), "--configfile", str(short / "study.yaml"), "--", *files]
            subprocess.run(command, check=True)
            seconds[jobs] = [value for file in files for value in pd.read_parquet(file)["seconds"][1:]]
        jobs = jobs_at_once(seconds[1], seconds[2])
        for file in (measured, args.output / "jobs.json"):
            write_json(file, {"jobs": jobs, "seconds_alone": seconds[1], "seconds_of_two": seconds[2]})
    jobs = json.loads(measured.read_text())["jobs"]

    for runs in runs_by_seed(config):
        targets = [str(results / run / f"scores/{args.split}.json") for run in runs]
        done = subprocess.run([*snakemake, str(jobs), "--configfile", str(args.config), "--", *targets])
        kept = keep_runs(results, args.output)
        logging.info("%d runs are kept in %s", len(kept), args.output)
        if done.returncode:
            sys.exit(
                f"not all of {runs[0].split('/')[0]}, {runs[0].rsplit('/', 1)[1]} could be run; call again to continue"
            )


if __name__ == "__main__":
    exit_on_error(main)
