"""All keys of a study's YAML, and the sections of it that are not defined in another module."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Union

from pydantic import BeforeValidator, Discriminator, Field, Tag

from tabpo.names import PREFERENCES
from tabpo.study.datasets import Dataset, Preferences
from tabpo.study.endpoint import PromptedModel
from tabpo.study.generation import Generation
from tabpo.study.imported import Imported
from tabpo.study.methods import Method, Tuning
from tabpo.study.models import Stages, TrainedModel
from tabpo.study.pairings import Pairing
from tabpo.study.shape import File, Section, Seed
from tabpo.study.tables import Claims, Labels, Mechanism, Noise, Sensitivity, SideBySide, Stability, Table


class Machine(Section):
    """A class of machines: the resources that a job asks the scheduler for."""

    processes: int = Field(
        ge=1, le=1024, description="Number of processes of one training job; with GPUs one process for each GPU."
    )
    nodes: int = Field(ge=1, le=128, description="Number of machines of one training job; other jobs use one machine.")
    gpus: int = Field(ge=0, le=1024, description="Number of GPUs of one job; 0 for a CPU.")
    threads: int = Field(
        ge=1,
        le=256,
        description="Number of CPU threads of each process; it may change the last bits of results.",
    )
    mem_mb: int = Field(ge=500, description="Memory of one job on each of its machines, in MB.")
    runtime: int = Field(ge=1, description="Minutes after which a scheduler may end the job.")


def _union(usual: type[Section], others: Mapping[str, type[Section]], kind: Callable[[dict], str | None]) -> Any:
    """A union of sections: `kind` names the section in `others` that checks an entry; the usual one if it has no kind.

    In the locations of pydantic's errors, the name of the section's class is one more step.
    """

    def checked(entry: Any) -> Any:
        if isinstance(entry, dict) and (name := kind(entry)) is not None and name not in others:
            raise ValueError(f"has the kind {name}; accepted: {', '.join(others)}, or no kind")
        return entry

    def section(entry: Any) -> str:
        if isinstance(entry, Section):
            return type(entry).__name__
        name = kind(entry) if isinstance(entry, dict) else None
        return (usual if name is None else others[name]).__name__

    tagged = [Annotated[section, Tag(section.__name__)] for section in (usual, *others.values())]
    return Annotated[Union[*tagged], Discriminator(section), BeforeValidator(checked)]


AnyDataset = _union(
    Dataset, {PREFERENCES: Preferences}, lambda entry: PREFERENCES if entry.get("source") == PREFERENCES else None
)
AnyModel = _union(TrainedModel, {"endpoint": PromptedModel}, lambda entry: "endpoint" if "endpoint" in entry else None)
AnyTable = _union(
    Table,
    {
        "claims": Claims,
        "mechanism": Mechanism,
        "labels": Labels,
        "side_by_side": SideBySide,
        "sensitivity": Sensitivity,
        "stability": Stability,
        "noise": Noise,
    },
    lambda entry: entry.get("kind"),
)


class StudyKeys(Section):
    """One YAML in config/ is one study. Every key is listed here, and other keys are refused."""

    results: File = Field(description="Folder for all files that the study writes; no other study may use it.")
    seeds: list[Seed] = Field(
        min_length=1,
        description=(
            "Seeds of the runs. They determine order, dropout and sampling, but not the initial weights of a scratch"
            " model."
        ),
    )
    presets: Literal["matched", "published"] = Field(
        description=(
            "Family of presets in config/methods.yaml: matched trains all methods with one recipe, published trains"
            " each method with its own recipe."
        )
    )
    logging: Literal["none", "tensorboard", "wandb"] = Field(
        "none",
        description=(
            "Where training jobs also send their logged quantities: nowhere, to TensorBoard files under logs/events of"
            " the results, or to Weights & Biases, which is refused in a study with private data. It does not change"
            " results."
        ),
    )
    keep_models: Literal["all", "sft"] = Field(
        "all",
        description=(
            "Which weights are kept after all answers are generated: those of all runs, or only those of the SFT"
            " models, from which other runs start. sft saves most of the disk space, but to generate new answers a run"
            " then has to train again."
        ),
    )
    strict_code: bool = Field(
        False, description="Whether a table of runs made by different code is refused; otherwise its cells are marked."
    )
    datasets: dict[str, AnyDataset] = Field(
        min_length=1, description="Data sets by name; the name is also that of a folder in the results."
    )
    models: dict[str, AnyModel] = Field(
        min_length=1,
        description="Models by name; scratch, hub, folder, gguf or endpoint says where a model comes from.",
    )
    resources: dict[str, Machine] = Field(
        min_length=1, description="Classes of machines by name; each model names the class that its jobs ask for."
    )
    training: Stages = Field(description="Training settings of all models and methods.")
    generation: Generation = Field(description="How answers are generated.")
    pairings: dict[str, Pairing] = Field(
        min_length=1, description="Recipes of preference pairs by name; each method names the recipe it trains on."
    )
    methods: dict[str, Method | None] = Field(
        description=(
            "Methods by name, in the order of the tables' rows. The row sft always exists and is the first. An empty"
            " entry stands for the preset of its name in config/methods.yaml."
        )
    )
    tuning: Tuning = Field(
        None, description="Search for the settings of methods on dev_select. If not given, settings are as stated."
    )
    imported: dict[str, Imported] = Field(
        {}, description="Rows of the tables from answers of other systems, by the name of the row."
    )
    memorisation: list[str] = Field(
        [],
        description=(
            "Names of data sets. Models with pretraining are asked to complete their test sentences, and a page says"
            " how many of these each model knows verbatim (docs/statistics.md)."
        ),
    )
    names: dict[str, str] = Field(
        {},
        description=(
            "Names that LaTeX tables print for methods, data sets and models. Others are printed with the project's"
            " names, or else as they are in the study."
        ),
    )
    tables: dict[str, AnyTable] = Field(
        min_length=1, description="Tables by name; the name is also that of the table's files."
    )
