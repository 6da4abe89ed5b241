"""The `training` settings of a run: names, defaults and ranges. It imports no torch: a Snakefile can read it."""

from typing import Any, Literal

from pydantic import Field

from tabpo.errors import ConfigError
from tabpo.study.shape import Section, checked

SCORER_VERSION = 4
"""Version of the scoring code, which is part of the key of reference files. Raise it when log-probs may change."""

ALTERNATIVES = (("steps", "epochs"), ("warmup_steps", "warmup_ratio"))
"""Pairs of keys that exclude each other; if neither is given, the second key has its default."""


class LoraSettings(Section):
    """Low-rank adapters (LoRA) on linear layers."""

    r: int = Field(ge=1, le=1024, description="Rank of the adapters.")
    alpha: float = Field(gt=0, description="Scale of the adapters: the update of a weight is multiplied by alpha / r.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout on the adapters' input.")
    target_modules: list[str] = Field(
        ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
        min_length=1,
        description=(
            "Names of the linear layers that get an adapter. The default has all linear layers of Qwen2 and Llama"
            " except the head."
        ),
    )
    merge: bool = Field(
        True,
        description=(
            "Whether the model of a run is written with its adapters merged into the weights; false writes the adapters"
            " alone, which are merged whenever the model is read. This changes no result, only the disk that a run"
            " takes. Always true for SFT, since the adapters of losses lie on top of its model."
        ),
    )
    quantize: Literal[None, "nf4"] = Field(
        None,
        description=(
            "nf4 holds the frozen weights in four bits (QLoRA), in the policy and in the reference; null does not. nf4"
            " needs GPUs and the package bitsandbytes, and excludes ZeRO-3. The merged weights are in full precision."
        ),
    )


class TrainingSettings(Section):
    """How a run is trained; models and methods may change the study's settings for SFT and preference training."""

    optimizer: Literal["adamw", "rmsprop"] = Field("adamw", description="The optimiser, in torch's implementation.")
    learning_rate: float = Field(1e-5, gt=0, le=1, description="Peak learning rate, reached at the end of the warm-up.")
    baseline_learning_rate: float = Field(
        1e-3,
        gt=0,
        le=1,
        description=(
            "Constant learning rate of the baseline head that the loss tbpo_q trains together with the policy. The head"
            " has the run's optimiser without weight decay. Not accepted for SFT."
        ),
    )
    schedule: Literal["linear", "cosine", "constant"] = Field(
        "linear", description="Schedule of the learning rate after the warm-up."
    )
    min_learning_rate_ratio: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Learning rate at the end of a linear or cosine schedule, as a share of the peak.",
    )
    warmup_steps: int = Field(None, ge=0, description="Number of linear warm-up steps, instead of warmup_ratio.")
    warmup_ratio: float = Field(0.0, ge=0, le=1, description="Number of linear warm-up steps, as a share of all steps.")
    steps: int = Field(None, ge=1, description="Number of optimiser steps, instead of epochs.")
    epochs: float = Field(
        1.0,
        gt=0,
        description="Number of passes over the examples; if the last batch is not full, the next pass fills it.",
    )
    batch_size: int = Field(
        32,
        ge=1,
        description=(
            "Number of examples or pairs in one optimiser step, over all processes and accumulated micro-batches. It is"
            " a multiple of processes x micro_batch_size, or at most the number of processes; if it is smaller, the"
            " last processes get no examples."
        ),
    )
    micro_batch_size: int = Field(
        1,
        ge=1,
        description=(
            "Largest number of examples or pairs in one forward pass of one process. It is reduced to a process's share"
            " of the batch if that is smaller."
        ),
    )
    batch_order: int = Field(
        0,
        ge=0,
        description=(
            "Number that selects one of the orders of batches drawn from the run's seed. Two methods that differ in"
            " this key only show how much results depend on the order."
        ),
    )
    weight_decay: float = Field(
        0.0,
        ge=0,
        description="Decoupled weight decay of matrices, but not of biases and norms; it must be 0 with rmsprop.",
    )
    adam_beta1: float = Field(0.9, ge=0, lt=1, description="Decay of the first moment; rmsprop does not use it.")
    adam_beta2: float = Field(
        0.999, ge=0, lt=1, description="Decay of the second moment; with rmsprop its smoothing constant."
    )
    max_grad_norm: float = Field(
        1.0,
        gt=0,
        description=(
            "Largest L2 norm of all gradients together, those of a baseline head included; larger ones are scaled down."
        ),
    )
    gradient_checkpointing: bool = Field(
        False, description="Whether activations are computed a second time in the backward pass, which saves memory."
    )
    lora: LoraSettings | None = Field(None, description="Low-rank adapters; null trains all weights.")
    deepspeed: Literal[None, "zero0", "zero1", "zero2", "zero2_offload", "zero3", "zero3_offload"] = Field(
        None,
        description="Name of a file of config/deepspeed/ without its ending; null trains without DeepSpeed.",
    )
    checkpoint_steps: int = Field(100, ge=1, description="Number of steps between two checkpoints.")
    watch_steps: int = Field(
        100,
        ge=1,
        description="Number of steps between two evaluations on held-out prompts in training. Not accepted for SFT.",
    )
    watch_prompts: int = Field(
        64, ge=1, description="Number of held-out prompts in an evaluation in training. Not accepted for SFT."
    )
    stop_collapsed: bool = Field(
        False,
        description=(
            "Whether training ends one step after an evaluation with fewer than half of the readable answers of the"
            " first evaluation, or with at least half of all answers empty. The scores of such a run still count. Not"
            " accepted for SFT."
        ),
    )
    keep: Literal["last", "dev_best"] = Field(
        "last",
        description=(
            "Which weights are kept as the run's model: last keeps those after the last step, dev_best those of the"
            " best evaluation on dev_select. SFT is evaluated after each pass over the examples, by the log-prob of"
            " gold answers. Preference training is evaluated every watch_steps steps, by the F1 of greedy answers; in a"
            " study of preferences by the share of pairs that are ranked correctly."
        ),
    )


DEFAULTS = TrainingSettings().model_dump(exclude={"steps", "warmup_steps"})
"""The lowest layer of a study's training settings: every setting except `steps` and `warmup_steps`."""


def training_settings(**values: Any) -> TrainingSettings:
    """Check training settings and make every default explicit; a value None counts as not given.

    Raises:
        ConfigError: A name is unknown, a value is out of its range, or two values exclude each other. The message says
            what is accepted.
    """
    given, replaced = {name: value for name, value in values.items() if value is not None}, {}
    for first, second in ALTERNATIVES:
        if first in given and second in given:
            raise ConfigError(f"training has both {first} and {second}; exactly one of them")
        if first in given:
            replaced[second] = None
    settings = checked(TrainingSettings, given, "training").model_copy(update=replaced)
    if settings.optimizer == "rmsprop" and settings.weight_decay:
        raise ConfigError(f"training.weight_decay is {settings.weight_decay}; accepted with rmsprop: 0")
    if settings.lora and settings.lora.quantize and (settings.deepspeed or "").startswith("zero3"):
        raise ConfigError(
            f"training.lora.quantize is {settings.lora.quantize}; accepted with deepspeed {settings.deepspeed}, which"
            " divides weights among processes: null"
        )
    return settings
