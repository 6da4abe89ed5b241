"""Measure what a dry run of the paper's study costs, and of five times its runs, and count its scheduler jobs.

A dry run is a process of its own. CPU is its user and system time, memory its largest resident set. The time of a
fixed loop of Python beside it shows how fast the machine was at that time, which other programs may share.

    python -m benchmarks.plan > benchmarks/results/plan.jsonl
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
SEEDS = (5, 25)


def main() -> None:
    """Print one JSON line for each number of seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    args = parser.parse_args()
    for seeds in args.seeds:
        print(json.dumps({"code": "now", "seeds": seeds, **dry_run(seeds), "loop_s": loop()}), flush=True)


def dry_run(seeds: int) -> dict[str, float | int]:
    """Measure one dry run, and count its jobs."""
    command = ["snakemake", "--profile", "profiles/slurm", "--dry-run", "--nolock"]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as study, tempfile.TemporaryFile("w+") as printed:
        keys = yaml.safe_load((ROOT / "config/config.yaml").read_text()) | {"seeds": list(range(1, seeds + 1))}
        yaml.safe_dump(keys, study)
        study.flush()
        command += ["--configfile", study.name]
        process = subprocess.Popen(command, cwd=ROOT, stdout=printed, stderr=subprocess.STDOUT, env=environment)
        _, code, used = os.wait4(process.pid, 0)
        printed.seek(0)
        text = printed.read()
    if code:
        sys.exit(text[-2000:])
    return {
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "peak_mib": round(used.ru_maxrss / 1024),
        "output_mb": round(len(text.encode()) / 1e6, 1),
        "jobs": int(re.search(r"^total +(\d+)$", text, re.M)[1]),
        "scheduler_jobs": scheduler_jobs(text),
    }


def scheduler_jobs(printed: str) -> int:
    """Count the groups and the single jobs of a dry run that are submitted: those of local rules are not."""
    blocks = [
        block
        for path in [ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk")]
        for block in re.split(r"^(?=rule |use rule )", path.read_text(), flags=re.M)[1:]
    ]
    local = {re.match(r"rule (\w+)", block)[1] for block in blocks if "    localrule: True" in block}
    single = Counter(re.findall(r"^(?:local)?rule (\w+):$", printed, re.M))
    groups = len(re.findall(r"Group job \w+ \(jobs", printed))
    return groups + sum(number for rule, number in single.items() if rule not in local)


def loop() -> float:
    """Seconds of process time of ten million additions."""
    begun, total = time.process_time(), 0
    for number in range(10_000_000):
        total += number
    return round(time.process_time() - begun, 2)


if __name__ == "__main__":
    main()
