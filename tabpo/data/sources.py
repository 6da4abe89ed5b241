"""The formats of data that a study may name, and what each of them allows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tabpo.config_shape import unknown_name
from tabpo.errors import ConfigError
from tabpo.names import PREFERENCES


@dataclass(frozen=True)
class Source:
    """What a format allows.

    Attributes:
        answers: Formats of its answers; the ontology's is one of them. Preferences have neither.
        units: What a prompt may ask about.
        origin: "published" files, which are fetched unless a folder has them; a "folder" of the user's; "generated".
        private: Whether its texts are private where the study does not say.
        context: Attributes of documents that prompts state, where the study does not say.
        endings: Of a split's file in a folder; an empty one is a folder in it.
    """

    answers: tuple[str, ...]
    units: tuple[str, ...]
    origin: str = "published"
    private: bool = False
    context: tuple[str, ...] = ()
    endings: tuple[str, ...] = (".json",)


SOURCES = {
    "scierc": Source(("entities",), ("sentence", "document")),
    "phee": Source(("results",), ("document",)),  # one sentence each
    "pvminer": Source(
        ("results",),
        ("document",),
        origin="folder",
        private=True,
        context=("TO_PAT_YN", "previous", "next"),
        endings=("", ".parquet", ".jsonl", ".csv"),
    ),
    "custom": Source(
        ("entities", "results"), ("sentence", "document"), origin="folder", private=True, endings=(".jsonl", "")
    ),
    PREFERENCES: Source((), (), origin="folder", private=True, endings=(".jsonl",)),
    "demo_abstracts": Source(("entities",), ("sentence",), origin="generated"),
    "demo_messages": Source(("results",), ("document",), origin="generated"),
}


def without_absent(config: Mapping[str, Any]) -> dict[str, Any]:
    """A study without the data sets whose `folder` is null, and without tables of these alone.

    Raises:
        ConfigError: No data set would be left, or no table.
    """
    absent = {name for name, entry in config["datasets"].items() if entry.get("folder", "") is None}
    datasets = {name: entry for name, entry in config["datasets"].items() if name not in absent}
    shown = {
        name: {**entry, "datasets": [dataset for dataset in entry["datasets"] if dataset not in absent]}
        for name, entry in config["tables"].items()
    }
    tables = {name: entry for name, entry in shown.items() if entry["datasets"]}
    if not datasets or not tables:
        raise ConfigError(
            f"datasets.{min(absent)}.folder is null, which leaves it out, and no {'table' if datasets else 'data set'}"
            " remains; accepted: the path of a folder"
        )
    return {**config, "datasets": datasets, "tables": tables}


def check_dataset(where: str, entry: Mapping[str, Any], ontologies: Mapping[str, str]) -> None:
    """Refuse an entry of `datasets` that its source does not allow.

    Args:
        where: `datasets.{name}`.
        entry: As configured, of the schema's shape.
        ontologies: Format of the answer by name or path.

    Raises:
        ConfigError: What was asked, and what is accepted.
    """
    name, source = entry["source"], SOURCES[entry["source"]]
    if name == PREFERENCES:
        return  # has no key but those of its schema
    if entry["unit"] not in source.units:
        raise ConfigError(f"{where}.unit is {entry['unit']}; the source {name} has: {', '.join(source.units)}")
    generated = source.origin == "generated"
    if generated != ("generate" in entry):
        need = "needs" if generated else "takes no"
        raise ConfigError(f"{where}: the source {name} {need} generate (sizes and seeds)")
    if generated and "folder" in entry:
        raise ConfigError(f"{where}: the source {name} is generated and takes no folder")
    if source.origin == "folder" and "folder" not in entry:
        raise ConfigError(f"{where}: the source {name} needs a folder with train, dev and test")
    if source.origin != "folder" and "dev_share" in entry:
        raise ConfigError(f"{where}: the source {name} has a dev split and takes no dev_share")
    if "second_annotator" in entry and name != "custom":
        raise ConfigError(f"{where}: the source {name} takes no second_annotator; accepted: the source custom")
    if entry.get("demonstrations") and entry["prompt"] == "bare":
        raise ConfigError(f"{where}.demonstrations is for prompts that instruct; this one has prompt: bare")
    ontology = entry["ontology"]
    if ontology not in ontologies:
        raise ConfigError(
            unknown_name(f"{where}.ontology", f"names {ontology}", ontology, ontologies, "config/ontologies has")
        )
    if ontologies[ontology] not in source.answers:
        raise ConfigError(
            f"{where}.ontology {ontology} has the answer format {ontologies[ontology]};"
            f" the source {name} has {', '.join(source.answers)}"
        )


def check_demonstrations(config: Mapping[str, Any]) -> None:
    """Refuse demonstrations beside folds: a fold's model must not have seen, as one, an answer that it is asked for.

    Raises:
        ConfigError: Names the dataset and the pairing.
    """
    shown = [name for name, entry in config["datasets"].items() if entry.get("demonstrations")]
    folds = [name for name, entry in config["pairings"].items() if entry.get("heldout") == "crossfit"]
    if shown and folds:
        raise ConfigError(
            f"datasets.{shown[0]}.demonstrations shows answers of all of train, and pairings.{folds[0]} holds out folds"
            " of it; accepted: another heldout, or no demonstrations"
        )


def complete_dataset(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry with what its source decides where the study does not."""
    source = SOURCES[entry["source"]]
    decided = {"private": source.private, "context": list(source.context), "dev_share": None, "demonstrations": 0}
    decided["second_annotator"] = {}
    return decided | entry
