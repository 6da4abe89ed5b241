"""The formats of data that a study may name, and what each of them allows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from tabpo.errors import ConfigError
from tabpo.names import PREFERENCES
from tabpo.study.shape import File, Section, Seed, unknown_name


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


class SplitSeeds(Section):
    """A seed for each split of a generated corpus, so that one can grow without changing the others."""

    train: Seed = Field(description="Seed of train.")
    dev: Seed = Field(description="Seed of dev.")
    test: Seed = Field(description="Seed of test.")


class Generate(Section):
    """Sizes and seeds of a generated corpus."""

    train: int = Field(ge=1, le=1_000_000, description="Documents of train.")
    dev: int = Field(ge=1, le=1_000_000, description="Documents of dev.")
    test: int = Field(ge=1, le=1_000_000, description="Documents of test.")
    seeds: SplitSeeds = Field(description="Seeds of the generator.")


class _AnyDataset(Section):
    """What data sets of all kinds have."""

    source: str
    folder: File | None
    dev_share: float = Field(
        None, gt=0, lt=1, description="Share of train's groups that become dev, where the folder has no dev."
    )
    private: bool = Field(
        None,
        description=(
            "The texts are private: pages, tables and figures say INSIDE ONLY at their top, no message, log or page"
            " holds a text, and what would send one to another machine is refused. Where not given, true for the"
            f" sources {', '.join(name for name, source in SOURCES.items() if source.private)}, and false for others."
        ),
    )
    max_prompt_tokens: int = Field(
        ge=1, description="Largest number of tokens in a prompt; a longer one stops the job that meets it."
    )
    max_completion_tokens: int = Field(
        ge=1,
        description=(
            "Largest number of tokens in an answer, the end-of-turn token included; a longer one stops the job that"
            " meets it. Generation ends there too."
        ),
    )


class Preferences(_AnyDataset):
    """A data set of prompts with a chosen and a rejected answer of your own; it has no annotations and no labels."""

    source: Literal[PREFERENCES] = Field(description="Format of the files.")
    folder: File | None = Field(
        description=(
            "A folder of your own with train.jsonl, dev.jsonl and test.jsonl. null leaves the data set out of the study"
            " and of its tables."
        )
    )


class Dataset(_AnyDataset):
    """A data set of annotated documents."""

    source: Literal[tuple(SOURCES)] = Field(
        description="Format of the files (docs/own_data.md has custom and preferences), or a generator of the project."
    )
    folder: File | None = Field(
        None,
        description=(
            "A folder of your own with train, dev and test in the format of the source: .json as published (scierc,"
            " phee); .jsonl or a brat folder (custom); .parquet, .jsonl, .csv or a datasets folder (pvminer). null"
            " leaves the data set out of the study and of its tables. Where not given, published files are fetched."
        ),
        json_schema_extra=lambda node: node.pop("default"),  # null is not what leaving it out means
    )
    second_annotator: dict[Literal["train", "dev", "test"], File] = Field(
        {},
        description=(
            "By split the annotations of a second annotator, as .jsonl or a brat folder, of any number of its documents"
            " (custom). Those of train and dev may give confusions (confusions: disagreement), those of test the row"
            " human."
        ),
    )
    unit: Literal["sentence", "document"] = Field(description="What one prompt asks about.")
    prompt: Literal["bare", "instruct"] = Field(
        description="The text alone (for small models from scratch), or instructions, ontology, rules and the text."
    )
    context: list[str] = Field(
        None,
        description=(
            "Attributes of documents that a prompt states before the text. Where not given, those of pvminer's format,"
            " and none for other sources."
        ),
    )
    demonstrations: int = Field(
        0,
        ge=0,
        le=32,
        description=(
            "Number of texts of train, with their answers, that an instruct prompt shows before its own: the most"
            " similar ones of other groups."
        ),
    )
    ontology: File = Field(
        description="Name of a file in config/ontologies/, or the path of one of your own, which ends in .yaml."
    )
    ambiguities: str = Field(
        None,
        pattern="^[A-Za-z0-9/._-]+[.]yaml$",
        description=(
            "Path of a file of expert patterns. Where not given, the file of the ontology's name in"
            " config/ambiguities/; an ontology of your own then has none."
        ),
    )
    generate: Generate = Field(
        None, description="Sizes and seeds of a generated corpus; only for generators, which need it."
    )


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
    return Dataset.defaults() | {"private": source.private, "context": list(source.context)} | entry
