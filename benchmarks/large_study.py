"""Measure the time and the memory of all tables, tests and figures of a study of some 5,000 runs.

The runs are copies of the runs of a finished study, under more names of models and more seeds, so that every file has
its real size. Snakemake then makes the tables and figures that read the runs' files; it may call no other rule. Left
out are the figures of gradients, which run the models, those of changes, which read answers, and the report. CPU
seconds are those of Snakemake and all its jobs; memory is that of the largest process.

    make demo && python -m benchmarks.large_study > benchmarks/results/large_study.jsonl
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from tabpo.artefacts import read_yaml

RULES = ("table", "per_metric_table", "macros", "cost", "score_figure", "training_figure", "erosion_figure")
LARGE = shutil.ignore_patterns("model", "completions", "predictions", "gold")
"""Folders of a run that no table and no figure here reads."""


def main() -> None:
    """Copy runs, make their tables and figures, and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("config/demo.yaml"), help="a finished study with one model")
    parser.add_argument("--models", type=int, default=14, help="models of the large study")
    parser.add_argument("--seeds", type=int, default=30, help="seeds of the large study")
    parser.add_argument("--cores", type=int, default=2, help="jobs that run at the same time")
    args = parser.parse_args()

    config = read_yaml(args.config, "study")
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder, "results")
        runs = copy_runs(config, results, args.models, args.seeds)
        study = Path(folder, "study.yaml")
        study.write_text(yaml.safe_dump(enlarged(config, str(results), args.models, args.seeds)))
        models = [f"model{number}" for number in range(1, args.models + 1)]
        places = [f"{dataset}/{model}" for dataset in config["datasets"] for model in models]
        figures = [f"figures/{kind}/{place}.svg" for kind in ("training", "erosion") for place in places]
        figures += [f"figures/scores/{name}.svg" for name, table in config["tables"].items() if "kind" not in table]
        metrics = {metric for table in config["tables"].values() for metric in table.get("metrics", ())}
        tables = ["macros.tex", "cost.md", *(f"per_metric/{metric}.md" for metric in sorted(metrics))]
        targets = [str(results / file) for file in (*figures, *(f"tables/{name}" for name in tables))]
        print(json.dumps({"runs": runs, **measured(study, targets, args.cores)}))


def enlarged(config: dict[str, Any], results: str, models: int, seeds: int) -> dict[str, Any]:
    """Return the study with copies of its model, more seeds and its own results folder."""
    (model,) = config["models"].values()
    names = {f"model{number}": model for number in range(1, models + 1)}
    return config | {"results": results, "models": names, "seeds": list(range(1, seeds + 1))}


def copy_runs(config: dict[str, Any], results: Path, models: int, seeds: int) -> int:
    """Copy the small files of every run, once for each model and seed; return the number of copies."""
    made, ((name, _),) = Path(config["results"]), config["models"].items()
    for dataset in config["datasets"]:
        shutil.copytree(made / dataset, results / dataset, ignore=shutil.ignore_patterns(name))
    runs = list(product(config["datasets"], range(1, models + 1), ("sft", *config["methods"]), range(1, seeds + 1)))
    for dataset, model, row, seed in runs:
        like = config["seeds"][seed % len(config["seeds"])]
        target = results / dataset / f"model{model}" / row / f"seed{seed}"
        shutil.copytree(made / dataset / name / row / f"seed{like}", target, ignore=LARGE)
    return len(runs)


def measured(study: Path, targets: list[str], cores: int) -> dict[str, Any]:
    """Make the files; return seconds and memory."""
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--nolock", "--configfile", str(study)]
    command += ["--quiet", "all", "--rerun-triggers", "mtime", "--allowed-rules", *RULES]
    started = time.perf_counter()
    subprocess.run([*command, "--", *targets], check=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "cores": cores,
        "wall_s": round(time.perf_counter() - started, 1),
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "largest_process_mb": round(used.ru_maxrss / 1024),
    }


if __name__ == "__main__":
    main()
