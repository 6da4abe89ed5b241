"""Rows of the tables from files with the answers of other systems, which the study neither trains nor asks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from tabpo.errors import ConfigError
from tabpo.names import PREFERENCES
from tabpo.study.shape import File, Section, Seed, unknown_name

ENDINGS = (".jsonl", ".csv", ".parquet")
"""Accepted endings of a file of answers."""


class Imported(Section):
    """A row of the tables from the answers of another system, which are scored and tested as those of all rows."""

    model: str = Field(
        None,
        description=(
            "Name of the model to which the system is compared, if it starts from this model. If not given, the row"
            " stands beside every model, like dictionary."
        ),
    )
    files: dict[str, File | dict[Seed, File]] = Field(
        min_length=1,
        description=(
            "For each data set, a file with an answer to each test prompt for every seed of the study, as seed: file;"
            " or one file of a system without seeds, whose differences are then not tested. docs/configuration.md has"
            " the format."
        ),
    )


Imports = Mapping[str, Mapping[str, Any]]
"""Entries of `imported` by name, complete: `model` (None if not given), and `files` by data set and seed or None."""


def complete_imported(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the entries of `imported` with every key and with the files of each data set by seed.

    The seed of a system without seeds is None.

    Raises:
        ConfigError: The message names the entry, and says what is accepted.
    """
    return {name: _complete(f"imported.{name}", entry, config) for name, entry in config["imported"].items()}


def _complete(where: str, entry: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    model = entry.get("model")
    trained = [name for name, other in config["models"].items() if "endpoint" not in other]
    if model is not None and model not in trained:
        raise ConfigError(unknown_name(f"{where}.model", f"names {model}", model, trained, "the study trains"))
    files = {dataset: _by_seed(f"{where}.files", dataset, given, config) for dataset, given in entry["files"].items()}
    if len({None in by_seed for by_seed in files.values()}) > 1:
        raise ConfigError(
            f"{where}.files has one file for a data set, and files by seed for another; accepted: the same for all"
        )
    return {"model": model, "files": files}


def _by_seed(where: str, dataset: str, given: str | dict[int, str], config: Mapping[str, Any]) -> dict[int | None, str]:
    datasets, seeds = config["datasets"], config["seeds"]
    if dataset not in datasets:
        raise ConfigError(unknown_name(where, f"names {dataset}", dataset, datasets, "datasets has"))
    if datasets[dataset]["source"] == PREFERENCES:
        raise ConfigError(
            f"{where} names {dataset}, whose rows are scored by their log-probs of given answers; accepted: data sets"
            " of annotated documents"
        )
    if isinstance(given, str):
        return {None: given}
    if set(given) != set(seeds):
        raise ConfigError(
            f"{where}.{dataset} has files for seeds {', '.join(map(str, given))}; accepted: a file for each of the"
            f" study's seeds {', '.join(map(str, seeds))}, or one file of a system without seeds"
        )
    return {seed: given[seed] for seed in seeds}


def check_files(imported: Imports) -> None:
    """Refuse files that do not exist or have another ending.

    Raises:
        ConfigError: The message names the entry and the file.
    """
    for name, entry in imported.items():
        for dataset, by_seed in entry["files"].items():
            for seed, path in by_seed.items():
                where = f"imported.{name}.files.{dataset}" + ("" if seed is None else f".{seed}")
                if Path(path).suffix not in ENDINGS or not Path(path).is_file():
                    raise ConfigError(
                        f"{where}: {path} is no file of answers; accepted: a file that ends in {', '.join(ENDINGS)}"
                    )
