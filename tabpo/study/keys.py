"""Every key of a study's YAML: the study itself, and those of its sections that have no module of their own."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, WithJsonSchema

from tabpo.names import PREFERENCES, SFT
from tabpo.study.datasets import Dataset, Preferences
from tabpo.study.generation import Generation
from tabpo.study.models import PromptedModel, Stages, TrainedModel
from tabpo.study.pairings import Pairing
from tabpo.study.shape import File, Section, Seed
from tabpo.study.training import TrainingSettings


class Machine(Section):
    """A class of machines, as a scheduler hands them out."""

    processes: int = Field(ge=1, le=1024, description="Processes of one training job; on GPUs one for each GPU.")
    nodes: int = Field(ge=1, le=128, description="Machines of one training job; other jobs take one.")
    gpus: int = Field(ge=0, le=1024, description="GPUs of one job; 0 for a CPU.")
    threads: int = Field(
        ge=1, le=256, description="CPU threads of each process; their number may change the last bits."
    )
    mem_mb: int = Field(ge=500, description="Memory of one job on each of its nodes, in MB.")
    runtime: int = Field(ge=1, description="Minutes after which a scheduler may end the job.")


class Method(Section):
    """A loss with its parameters, training and pairing."""

    loss: str = Field(
        None, description="Name of a file of tabpo/losses/; needed where no preset has the method's name."
    )
    params: dict[
        str, Annotated[bool | int | float | str, WithJsonSchema({"type": ["boolean", "number", "string"]})]
    ] = Field(
        {},
        description="Hyperparameters of the loss (docs/methods.md); those not given have the preset's or the loss's own"
        " defaults.",
    )
    training: TrainingSettings = Field(None, description="Training settings of this method, which win over all others.")
    pairing: str = Field(
        None, description="Name of a pairing; where not given, mixed, or given in a study of preferences."
    )


class Row(Section):
    """One row of a table: of this model, whatever the model beside it."""

    model: str = Field(description="Name of a model of the table.")
    method: str = Field(description="Name of its row: a method, or prompted.")


class Tests(Section):
    """Which differences of a table are tested, named before there are runs (docs/statistics.md)."""

    against: str | Row = Field(SFT, description="Row of the table that differences are taken to, or that of one model.")
    metrics: list[str] = Field(
        None,
        description=(
            "Metrics of the table whose differences are one family; where not given, those of ner_strict, triple, rel"
            " and reward_accuracy that it has. The others have intervals and no marks."
        ),
    )


class Table(Section):
    """A table of the paper; its name is the file's."""

    caption: str = Field(min_length=1, description="Printed as it stands; the family of presets is added.")
    datasets: list[str] = Field(min_length=1, description="Names of data sets.")
    models: list[str] = Field(None, min_length=1, description="Names of models; all of the study where not given.")
    methods: list[str] = Field(None, description="Names of methods; all of the study where not given.")
    metrics: list[str] = Field(
        min_length=1,
        description=(
            "Names of metrics (docs/scores.md); rel@pure is rel under another convention, and valid the share of"
            " readable answers."
        ),
    )
    tests: Tests = Field(None, description="Which differences are tested.")


def _either(usual: type[Section], other: type[Section], is_other: Callable[[dict], bool]) -> Any:
    """One of two sections, as the keys of an entry say; in places of errors it is named by its class."""

    def kind(entry: Any) -> str:
        if isinstance(entry, Section):
            return type(entry).__name__
        return (other if isinstance(entry, dict) and is_other(entry) else usual).__name__

    tagged = Annotated[usual, Tag(usual.__name__)] | Annotated[other, Tag(other.__name__)]
    return Annotated[tagged, Discriminator(kind)]


AnyDataset = _either(Dataset, Preferences, lambda entry: entry.get("source") == PREFERENCES)
AnyModel = _either(TrainedModel, PromptedModel, lambda entry: "endpoint" in entry)


class StudyKeys(Section):
    """One YAML in config/ is one study. Every key is listed here, and a key that is not here is refused."""

    results: File = Field(
        description="Folder under which everything of the study is written; no other study may use it."
    )
    seeds: list[Seed] = Field(
        min_length=1,
        description="Seeds of the runs; they drive order, dropout and sampling, not the weights of a scratch model.",
    )
    presets: Literal["matched", "published"] = Field(
        description=(
            "Family of presets in config/methods.yaml: matched gives all methods one recipe, published each method its"
            " own."
        )
    )
    logging: Literal["none", "tensorboard", "wandb"] = Field(
        "none",
        description=(
            "Where training jobs send what they log, beside the artefacts: nowhere, to TensorBoard files under the"
            " results' logs/events, or to Weights & Biases, which is refused beside private data. It changes no result."
        ),
    )
    keep_models: Literal["all", "sft"] = Field(
        "all",
        description=(
            "Whose weights stay once they have answered: those of all runs, or of SFT alone, which the others start"
            " from. sft saves most of the disk, but a run then trains anew to answer anew."
        ),
    )
    strict_code: bool = Field(
        False, description="Refuse a table whose runs were made by different code, instead of marking its cells."
    )
    datasets: dict[str, AnyDataset] = Field(
        min_length=1, description="Data sets by name; the name is a folder of the results."
    )
    models: dict[str, AnyModel] = Field(
        min_length=1,
        description="Models by name; scratch, hub, folder, gguf or endpoint says where a model comes from.",
    )
    resources: dict[str, Machine] = Field(
        min_length=1, description="Classes of machines by name; a model names the class that its jobs ask for."
    )
    training: Stages = Field(description="Training settings of all models and methods.")
    generation: Generation = Field(description="How answers are generated.")
    pairings: dict[str, Pairing] = Field(
        min_length=1, description="Recipes of preference pairs by name; a method names the one that it trains on."
    )
    methods: dict[str, Method | None] = Field(
        description=(
            "Rows of the tables by name, in their order; sft is always there and always first. An empty entry takes the"
            " preset of its name in config/methods.yaml."
        )
    )
    names: dict[str, str] = Field(
        {}, description="How LaTeX prints methods, data sets and models; others have the project's own names or theirs."
    )
    tables: dict[str, Table] = Field(min_length=1, description="Tables by name; the name is the file's.")
