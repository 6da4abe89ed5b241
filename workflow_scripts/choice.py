"""Choose among the trials of a method by their scores on dev_select, and write the choice as JSON."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.artefacts import write_json
from tabpo.errors import exit_on_error
from tabpo.names import run_folders
from tabpo.tables.cells import metric_value
from tabpo.tuning.choice import choose


def main(argv: list[str] | None = None) -> None:
    """Read scores and provenance of all trials; write what was chosen, from which trials, and what they cost."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: metric, points and runs of trials")
    parser.add_argument("--results", type=Path, required=True, help="results folder of the study")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)

    settings, values, flops = args.settings, [], []
    for trial in settings["runs"]:
        folders = [args.results / folder for _, folder in run_folders([trial])]
        scores = [json.loads((folder / f"scores/{settings['split']}.json").read_text()) for folder in folders]
        values.append([metric_value(score, settings["metric"]) for score in scores])
        flops += [json.loads((folder / "provenance.json").read_text())["flops"] for folder in folders]
    choice = choose(settings["points"], values)
    about = {key: settings[key] for key in ("method", "model", "metric", "split", "seeds")}
    write_json(args.output, {**about, "flops": None if None in flops else sum(flops), **choice})
    logging.info("trial %d of %d is chosen", choice["number"], len(values))


if __name__ == "__main__":
    exit_on_error(main)
