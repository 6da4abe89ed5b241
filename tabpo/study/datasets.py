"""The data formats that a study may use, the keys of a data set, and what each format allows."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from tabpo.errors import ConfigError
from tabpo.names import PREFERENCES
from tabpo.records import PROMPT_SPLITS
from tabpo.study.folders import check_folder, find_splits
from tabpo.study.shape import File, Section, Seed, YamlFile, pattern, unknown_name


@dataclass(frozen=True)
class Source:
    """The properties of a data format.

    Attributes:
        answers: Accepted formats of the answer, which the ontology decides; empty for preferences.
        units: What a prompt may ask about; empty for preferences.
        origin: "published" files, which are fetched unless the study names a folder; a "folder" of the user; or
            "generated" by the project.
        private: Whether its texts are private if the study does not say.
        context: Attributes of documents that prompts state if the study does not say.
        endings: Accepted endings of the file of a split in the user's folder; "" means a folder named like the split.
        shared_texts: What happens to texts that two splits have, if the study does not say.
        second: Whether a second annotator's annotations are published, in a file for all splits.
        other_tests: Names of further published test splits.
        public_since: The year in which texts and annotations were published; None for data of users and generators.
    """

    answers: tuple[str, ...]
    units: tuple[str, ...]
    origin: str = "published"
    private: bool = False
    context: tuple[str, ...] = ()
    endings: tuple[str, ...] = (".json",)
    shared_texts: str = "refuse"
    second: bool = False
    other_tests: tuple[str, ...] = ()
    public_since: int | None = None


PUBLISHED = "published"
"""In the place of a second annotator's file, this word names the published file."""

TAKEN = (*PROMPT_SPLITS, "dev", "second")
"""Names of files of splits, which no further test split can have."""

SOURCES = {
    "scierc": Source(("entities",), ("sentence", "document"), public_since=2018),
    # Each document of phee is one sentence; relations of biored join whole concepts.
    "phee": Source(("results",), ("document",), second=True, public_since=2022),
    "scier": Source(("entities",), ("sentence", "document"), other_tests=("test_ood",), public_since=2024),
    "biored": Source(("entities",), ("document",), endings=(".pubtator",), public_since=2022),
    "conll04": Source(("entities",), ("sentence",), shared_texts="leave_out", public_since=2004),
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
    "label_studio": Source(("entities",), ("sentence", "document"), origin="folder", private=True),
    "doccano": Source(("entities",), ("sentence", "document"), origin="folder", private=True, endings=(".jsonl",)),
    "inception": Source(("entities",), ("sentence", "document"), origin="folder", private=True, endings=("",)),
    "dygie": Source(
        ("entities",), ("sentence", "document"), origin="folder", private=True, endings=(".jsonl", ".json")
    ),
    PREFERENCES: Source((), (), origin="folder", private=True, endings=(".jsonl", ".json", ".parquet", "")),
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
    """The keys that data sets of all kinds have."""

    source: str
    folder: File | None
    dev_share: float = Field(
        None, gt=0, lt=1, description="Share of the groups of train that become dev, if the folder has no dev."
    )
    private: bool = Field(
        None,
        description=(
            "Whether the texts are private. Pages, tables and figures of private data say INSIDE ONLY at their top, no"
            " message, log or page contains a text, and settings that would send one to another machine are refused."
            " If not given, true for the sources"
            f" {', '.join(name for name, source in SOURCES.items() if source.private)}, and false for others."
        ),
    )
    max_prompt_tokens: int = Field(
        ge=1, description="Largest number of tokens in a prompt; a longer prompt stops the job with an error."
    )
    max_completion_tokens: int = Field(
        ge=1,
        description=(
            "Largest number of tokens in an answer, the end-of-turn token included. Generation stops at this number; a"
            " longer answer in the data stops the job with an error."
        ),
    )


class Preferences(_AnyDataset):
    """A data set of prompts with a chosen and a rejected answer of your own; it has no annotations and no labels."""

    source: Literal[PREFERENCES] = Field(description="Format of the files.")
    folder: File | None = Field(
        description=(
            "A folder of your own with train, dev and test, each as .jsonl, .json, .parquet or a datasets folder. null"
            " leaves the data set out of the study and of its tables."
        )
    )
    columns: dict[
        Literal[
            "prompt",
            "chosen",
            "rejected",
            "system",
            "id",
            "group_id",
            "pair_weight",
            "chosen_weights",
            "rejected_weights",
        ],
        str | None,
    ] = Field(
        None,
        description=(
            "For files with other columns: the file's name of the column for a key; null for one that is not read. Keys"
            " that are not given have their own names. Other columns are then passed over and counted on the card;"
            " without this setting they are refused."
        ),
    )
    faulty_rows: Literal["refuse", "leave_out"] = Field(
        "refuse",
        description=(
            "What happens to a row that is no pair, for instance with two equal answers: the first stops the study, or"
            " all are left out and counted on the card by kind."
        ),
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
            " phee, scier, conll04); .pubtator (biored); .jsonl or a brat folder (custom); .parquet, .jsonl, .csv or a"
            " datasets folder (pvminer); exports of label_studio (.json), doccano (.jsonl) and inception (a folder);"
            " .jsonl (dygie). null leaves the data set out of the study and of its tables. If not given, the published"
            " files are fetched."
        ),
        json_schema_extra=lambda node: node.pop("default"),  # leaving the key out does not mean null
    )
    second_annotator: dict[Literal["train", "dev", "test"], File] = Field(
        {},
        description=(
            "For each split, a file or folder in the format of the source with a second annotator's annotations of some"
            " or all of its documents; the word published fetches PHEE's. Generated sets take none. Annotations of"
            " train and dev are used by pairings with confusions: disagreement; annotations of test add the row human"
            " to tables."
        ),
    )
    other_tests: dict[Annotated[str, pattern("[a-z0-9][a-z0-9._-]*", "a name")], File] = Field(
        {},
        description=(
            "Further test splits, such as one out of domain, by name: files or folders in the format of the source."
            " Tables show them with split. Published files of scier have test_ood, which needs no entry."
        ),
    )
    new_texts: dict[Annotated[str, pattern("[a-z0-9][a-z0-9._-]*", "a name")], File] = Field(
        {},
        description=(
            "New texts without annotations, by name: a folder of .txt files, or a .jsonl file. A trained model"
            " annotates them on demand: results/.../{dataset}/{model}/{method}/seed{seed}/annotated/{name}."
        ),
    )
    shared_texts: Literal["refuse", "leave_out"] = Field(
        None,
        description=(
            "What happens if two splits have a text of eight words or more: the study stops, or the text is left out of"
            " the earlier of the two splits (train, dev, test) and counted on the card. If not given, leave_out for the"
            " source conll04, whose published splits share texts, and refuse for others."
        ),
    )
    unit: Literal["sentence", "document"] = Field(description="What one prompt asks about.")
    prompt: Literal["bare", "instruct"] = Field(
        description=(
            "Form of the prompts: bare is the text alone, for small models from scratch; instruct is instructions,"
            " ontology, rules and the text."
        )
    )
    context: list[str] = Field(
        None,
        description=(
            "Names of attributes of documents that a prompt states before the text. If not given, TO_PAT_YN, previous"
            " and next for the source pvminer, and none for others."
        ),
    )
    demonstrations: int = Field(
        0,
        ge=0,
        le=32,
        description=(
            "Number of training texts with their answers that an instruct prompt shows before its text. They are the"
            " most similar texts of other groups."
        ),
    )
    ontology: File = Field(
        description="Name of a file in config/ontologies/, or the path of one of your own, which ends in .yaml."
    )
    ambiguities: YamlFile = Field(
        None,
        description=(
            "Path of a file of expert patterns. If not given, the file with the ontology's name in config/ambiguities/;"
            " an ontology of your own then has no expert patterns."
        ),
    )
    generate: Generate = Field(
        None, description="Sizes and seeds of a generated corpus. Generators need this key; other sources refuse it."
    )


def without_absent(config: Mapping[str, Any]) -> dict[str, Any]:
    """Remove the data sets whose `folder` is null, also from models, and the tables that have no other data sets.

    Raises:
        ConfigError: No data set or no table would be left.
    """
    absent = {name for name, entry in config["datasets"].items() if entry.get("folder", "") is None}
    datasets = {name: entry for name, entry in config["datasets"].items() if name not in absent}
    shown = {name: _without(entry, absent) for name, entry in config["tables"].items()}
    tables = {name: entry for name, entry in shown.items() if entry["datasets"]}
    if not datasets or not tables:
        raise ConfigError(
            f"datasets.{min(absent)}.folder is null, which leaves it out, and no {'table' if datasets else 'data set'}"
            " remains; accepted: the path of a folder"
        )
    imported = {
        name: {**entry, "files": {key: file for key, file in entry["files"].items() if key not in absent}}
        for name, entry in config.get("imported", {}).items()
    }
    models = {
        name: {**entry, "datasets": [key for key in entry["datasets"] if key not in absent]}
        if "datasets" in entry
        else entry
        for name, entry in config["models"].items()
    }
    memorisation = [name for name in config.get("memorisation", ()) if name not in absent]
    of_datasets = {"datasets": datasets, "models": models, "tables": tables, "imported": imported}
    return {**config, **of_datasets, "memorisation": memorisation}


def _without(table: Mapping[str, Any], absent: Collection[str]) -> dict[str, Any]:
    """An entry of `tables` without these data sets; a table of data sets side by side has metrics for each."""
    kept = {**table, "datasets": [name for name in table["datasets"] if name not in absent]}
    if isinstance(kept.get("metrics"), Mapping):
        kept["metrics"] = {name: metrics for name, metrics in kept["metrics"].items() if name not in absent}
    return kept


def check_dataset(where: str, entry: Mapping[str, Any], ontologies: Mapping[str, str]) -> None:
    """Refuse an entry of `datasets` with keys or values that its source does not allow.

    Args:
        where: Place of the entry for messages: `datasets.{name}`.
        entry: The entry as configured; the schema has been checked.
        ontologies: Format of the answer of each ontology, by name or path.

    Raises:
        ConfigError: The message says what was asked, and what is accepted.
    """
    name, source = entry["source"], SOURCES[entry["source"]]
    if name == PREFERENCES:
        return  # its schema checks all of its keys
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
    if "second_annotator" in entry and generated:
        raise ConfigError(f"{where}: the source {name} is generated and takes no second_annotator")
    for split, path in entry.get("second_annotator", {}).items():
        if path == PUBLISHED and not source.second:
            published = ", ".join(name for name, other in SOURCES.items() if other.second)
            raise ConfigError(
                f"{where}.second_annotator.{split} is {PUBLISHED}; the source {name} has no published second annotation"
                f" (those that have: {published}); accepted: the path of a file or folder"
            )
    taken = [test for test in entry.get("other_tests", ()) if test in TAKEN]
    if taken:
        raise ConfigError(f"{where}.other_tests has {taken[0]}; accepted: names other than {', '.join(TAKEN)}")
    if generated and "other_tests" in entry:
        raise ConfigError(f"{where}: the source {name} is generated and takes no other_tests")
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
    """Refuse demonstrations together with cross-fitting.

    Confusions of a fold are counted on the answers of a model that must not know the fold's gold answers; but prompts
    of other folds could show them as demonstrations.

    Raises:
        ConfigError: The message names the dataset and the pairing.
    """
    shown = [name for name, entry in config["datasets"].items() if entry.get("demonstrations")]
    folds = [name for name, entry in config["pairings"].items() if entry.get("heldout") == "crossfit"]
    if shown and folds:
        raise ConfigError(
            f"datasets.{shown[0]}.demonstrations shows answers of all of train, and pairings.{folds[0]} holds out folds"
            " of it; accepted: another heldout, or no demonstrations"
        )


def second_files(entry: Mapping[str, Any], fetched: str) -> dict[str, str]:
    """Return the second annotator's file or folder of each split that has one.

    Args:
        entry: The entry with every key, from `complete_dataset`.
        fetched: The folder of the fetched files.
    """
    given = entry["second_annotator"]
    return {split: f"{fetched}/second.json" if path == PUBLISHED else path for split, path in given.items()}


def sources_of(where: str, entry: Mapping[str, Any], fetched: Path, local: str) -> dict[str, Path]:
    """Find the file or folder of each split of a data set, without Snakemake; generated texts have none.

    Args:
        where: Place of the entry for messages: `datasets.{name}`.
        entry: The entry with every key, from `complete_dataset`.
        fetched: The folder that the rule `fetch` writes.
        local: The value of TABPO_DATA, where published files are looked for if none are fetched; "" if it is not set.

    Raises:
        ConfigError: A split is missing. The message says what is accepted.
    """
    source = SOURCES[entry["source"]]
    if source.origin == "generated":
        return {}
    if source.origin == "folder" or entry["folder"]:
        folder = Path(entry["folder"])
        check_folder(where, folder, source.endings, entry["dev_share"])
        return find_splits(folder, source.endings)
    folder = fetched if fetched.is_dir() or not local else Path(local, entry["source"])
    if not folder.is_dir():
        raise ConfigError(
            f"{where}: {folder} is no folder; run snakemake {fetched}/train.json first, or set TABPO_DATA"
        )
    return find_splits(folder, source.endings)


def complete_dataset(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry with every key; keys that the study does not give have the defaults of the source."""
    source = SOURCES[entry["source"]]
    defaults = Dataset.defaults() | (Preferences.defaults() if entry["source"] == PREFERENCES else {})
    published = {} if entry.get("folder") else dict.fromkeys(source.other_tests)
    of_source = {"private": source.private, "context": list(source.context), "shared_texts": source.shared_texts}
    return defaults | of_source | entry | {"other_tests": published | entry.get("other_tests", {})}
