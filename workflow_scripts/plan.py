"""Say what a study would cost before it runs: jobs, hours, memory, disk, missing weights, and why jobs would run."""

import argparse
import subprocess
import sys
from pathlib import Path

from tabpo.artefacts import read_yaml
from tabpo.errors import exit_on_error
from tabpo.models.hub import is_fetched
from tabpo.tables.plan import (
    BYTES_A_WEIGHT,
    describe_disk,
    measured_memory,
    plan_page,
    read_dry_run,
    read_measured,
    weights_of,
)


def main(argv: list[str] | None = None) -> None:
    """Call Snakemake for a dry run of the study; print the plan as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="YAML of the study")
    parser.add_argument("--lock", type=Path, default=Path("config/models.lock.yaml"), help="commits by model id")
    args = parser.parse_args(argv)

    command = ["--dry-run", "--printshellcmds", "--nolock", "--cores", "all", "--configfile", str(args.config)]
    dry_run = subprocess.run([sys.executable, "-m", "snakemake", *command], capture_output=True, text=True)
    printed = f"{dry_run.stdout}\n{dry_run.stderr}"
    if dry_run.returncode:
        sys.exit(printed.strip().split("\n")[-1])
    study, jobs = read_yaml(args.config, "study"), read_dry_run(printed)
    results = Path(study["results"])
    lock = read_yaml(args.lock, "lock file") if args.lock.exists() else {}

    sizes, missing = {}, []
    for name, entry in study["models"].items():
        stored = [path.stat().st_size for path in results.glob(f"*/{name}/sft/seed*/model/model*.safetensors")]
        origin = entry.get("hub") or entry.get("folder") or str(entry.get("gguf", ""))
        sizes[name] = max(stored, default=0) // BYTES_A_WEIGHT or weights_of(origin)
        if (hub := entry.get("hub")) and not is_fetched(hub, entry.get("revision") or lock.get(hub)):
            missing.append(
                f"{hub} is not on this machine. `make fetch CONFIG={args.config}` downloads it; if"
                f" https://huggingface.co/{hub} asks for a licence, accept it there and set HF_TOKEN first."
            )
    lines = printed.split("\n")
    start = next((number for number, line in enumerate(lines) if "were made by other code" in line), None)
    other_code = "" if start is None else "\n".join(lines[start : start + 3])
    disk = describe_disk(jobs, results, sizes, study.get("keep_models", "all"))
    print(plan_page(jobs, read_measured(results), measured_memory(results), disk, missing, other_code))


if __name__ == "__main__":
    exit_on_error(main)
