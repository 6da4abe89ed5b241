"""Write the files of a private study that may be shared: rounded tables, tests, macros and scores of labels."""

import argparse
import json
import logging
from pathlib import Path

from tabpo.artefacts import whole_directory, write_whole
from tabpo.errors import exit_on_error
from tabpo.names import run_folders
from tabpo.records import ClusterCounts, read_records
from tabpo.tables.export import export_files


def main(argv: list[str] | None = None) -> None:
    """Read the tables and the counts of each group of documents; write the folder."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON: the runs of all tables")
    parser.add_argument("--results", type=Path, required=True, help="results folder of the study")
    parser.add_argument("--tables", type=Path, nargs="+", required=True, help="CSV of tables and of their tests")
    parser.add_argument("--output", type=Path, required=True, help="folder")
    args = parser.parse_args(argv)

    folder = args.results / "tables"
    tables = {str(path.relative_to(folder).with_suffix("")): path.read_text() for path in args.tables}
    runs: dict[tuple, list[list[ClusterCounts]]] = {}
    for run, name in run_folders(args.settings["runs"]):
        counts = read_records(args.results / name / "scores/test.counts.parquet", ClusterCounts)
        runs.setdefault((run["dataset"], run["model"], run["method"]), []).append(counts)
    files = export_files(tables, runs)
    with whole_directory(args.output) as partial:
        for name, content in files.items():
            write_whole(partial / name, content)
    logging.info("%d files: %s", len(files), args.output)


if __name__ == "__main__":
    exit_on_error(main)
