"""The `training` settings of a run: names, defaults and ranges; loads no torch, so that a Snakefile can read it."""

from typing import Any, Literal

from pydantic import Field

from tabpo.errors import ConfigError
from tabpo.study.shape import Section, checked

SCORER_VERSION = 4
"""Part of the key of reference files; raise it whenever scores of the same weights may change."""

ALTERNATIVES = (("steps", "epochs"), ("warmup_steps", "warmup_ratio"))
"""Pairs of keys of which one is given; where neither is, the second has its default."""


class LoraSettings(Section):
    """Low-rank adapters on the linear layers; the update of a weight is scaled by alpha / r."""

    r: int = Field(ge=1, le=1024, description="Rank of the adapters.")
    alpha: float = Field(gt=0, description="The update of a weight is scaled by alpha / r.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout on the adapters' input.")
    target_modules: list[str] = Field(
        ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
        min_length=1,
        description=(
            "Names of the linear layers that get an adapter. The default is every linear layer of Qwen2 and Llama but"
            " the head."
        ),
    )
    merge: Literal[True] = Field(
        True,
        description="Add the adapters to the weights when training ends: later stages read nothing but full weights.",
    )
    quantize: Literal[None, "nf4"] = Field(
        None,
        description=(
            "Hold the weights below the adapters in four bits (QLoRA), the reference's too; null does not. This needs"
            " GPUs and the package bitsandbytes, and not ZeRO-3. What is merged and later read is in full precision."
        ),
    )


class TrainingSettings(Section):
    """How a run is optimised; one set for SFT and one for preference training, which a model or a method may change."""

    optimizer: Literal["adamw", "rmsprop"] = Field("adamw", description="The optimiser; both are torch's own.")
    learning_rate: float = Field(1e-5, gt=0, le=1, description="Peak learning rate, reached at the end of the warm-up.")
    baseline_learning_rate: float = Field(
        1e-3,
        gt=0,
        le=1,
        description=(
            "Constant learning rate, without weight decay, of the baseline head that tbpo_q trains beside the policy by"
            " the run's own optimiser. Not accepted for SFT."
        ),
    )
    schedule: Literal["linear", "cosine", "constant"] = Field(
        "linear", description="Course of the learning rate after the warm-up."
    )
    min_learning_rate_ratio: float = Field(
        0.0, ge=0, le=1, description="Where linear and cosine schedules end, as a share of the peak."
    )
    warmup_steps: int = Field(None, ge=0, description="Steps of linear warm-up, instead of warmup_ratio.")
    warmup_ratio: float = Field(0.0, ge=0, le=1, description="Linear warm-up as a share of all steps.")
    steps: int = Field(None, ge=1, description="Optimiser steps, instead of epochs.")
    epochs: float = Field(
        1.0, gt=0, description="Passes over the examples; the last step is filled from the next pass."
    )
    batch_size: int = Field(
        32,
        ge=1,
        description=(
            "Examples or pairs of one optimiser step, over all processes and accumulated micro-batches. It is a"
            " multiple of processes x micro_batch_size, or smaller than the number of processes, of which the last"
            " ones then have no share."
        ),
    )
    micro_batch_size: int = Field(
        1,
        ge=1,
        description=(
            "Largest number of examples or pairs in one forward pass of one process; a process's share of the batch"
            " caps it."
        ),
    )
    batch_order: int = Field(
        0,
        ge=0,
        description=(
            "Number of the order of batches, all drawn from the run's seed: a row that differs from another one in this"
            " alone shows how much of a difference is the order's."
        ),
    )
    weight_decay: float = Field(
        0.0, ge=0, description="Decoupled weight decay on matrices, not on biases and norms; rmsprop has none."
    )
    adam_beta1: float = Field(0.9, ge=0, lt=1, description="Decay of the first moment; rmsprop has none.")
    adam_beta2: float = Field(
        0.999, ge=0, lt=1, description="Decay of the second moment; the smoothing constant of rmsprop."
    )
    max_grad_norm: float = Field(
        1.0,
        gt=0,
        description="Gradients are scaled down to this L2 norm; a baseline head's count with the policy's.",
    )
    gradient_checkpointing: bool = Field(False, description="Save memory by computing activations twice.")
    lora: LoraSettings | None = Field(None, description="Low-rank adapters; null trains all weights.")
    deepspeed: Literal[None, "zero0", "zero1", "zero2", "zero2_offload", "zero3", "zero3_offload"] = Field(
        None, description="A file of config/deepspeed/ without its ending; null trains without DeepSpeed."
    )
    checkpoint_steps: int = Field(100, ge=1, description="Steps between two checkpoints.")
    watch_steps: int = Field(
        100,
        ge=1,
        description="Steps between two evaluations on held-out prompts while training. Not accepted for SFT.",
    )
    watch_prompts: int = Field(
        64, ge=1, description="Number of held-out prompts that are evaluated while training. Not accepted for SFT."
    )
    stop_collapsed: bool = Field(
        False,
        description=(
            "End training early, after the next step, where an evaluation finds fewer than half as many readable"
            " answers as at the start, or at least half of all answers empty. The run counts all the same. Not accepted"
            " for SFT."
        ),
    )
    keep: Literal["last", "dev_best"] = Field(
        "last",
        description=(
            "What becomes the model: the weights after the last step, or those of the best evaluation on dev_select."
            " SFT is evaluated after each pass over the examples, by the log-prob of gold answers; preference training"
            " every watch_steps steps, by the F1 of greedy answers, or by the share of pairs that are ranked right"
            " where the data are preferences."
        ),
    )


DEFAULTS = TrainingSettings().model_dump(exclude={"steps", "warmup_steps"})
"""The lowest layer of a study's settings: every name but those that are given instead of another."""


def training_settings(**values: Any) -> TrainingSettings:
    """Settings with every default explicit; None stands for a name that was not given.

    Raises:
        ConfigError: An unknown name, a value out of its range, both of two alternatives, or values that exclude each
            other; says what is accepted.
    """
    given, replaced = {name: value for name, value in values.items() if value is not None}, {}
    for first, second in ALTERNATIVES:
        if first in given and second in given:
            raise ConfigError(f"training has both {first} and {second}; exactly one of them")
        if first in given:
            replaced[second] = None
    settings = checked(TrainingSettings, given, "training").model_copy(update=replaced)
    if settings.optimizer == "rmsprop" and settings.weight_decay:
        raise ConfigError(f"training.weight_decay is {settings.weight_decay}; accepted with rmsprop: 0, it has none")
    if settings.lora and settings.lora.quantize and (settings.deepspeed or "").startswith("zero3"):
        raise ConfigError(
            f"training.lora.quantize is {settings.lora.quantize}; accepted with deepspeed {settings.deepspeed}, which"
            " divides weights among processes: null"
        )
    return settings
