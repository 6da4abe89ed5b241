"""The `training` settings of a run: names, defaults and ranges; loads no torch, so that a Snakefile can read it."""

from collections.abc import Callable
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

from tabpo.errors import ConfigError

SCORER_VERSION = 4
"""Part of the key of reference files; raise it whenever scores of the same weights may change."""

OPTIMIZERS = ("adamw", "rmsprop")
SCHEDULES = ("linear", "cosine", "constant")
DEEPSPEED = ("zero0", "zero1", "zero2", "zero2_offload", "zero3", "zero3_offload")
"""Names of the files in config/deepspeed/."""

KEEP = ("last", "dev_best")
QUANTIZE = (None, "nf4")

LINEAR_LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""What LoRA adapts unless told otherwise: every linear layer of Qwen2 and Llama but the head."""


@dataclass(frozen=True)
class LoraSettings:
    """Low-rank adapters on the linear layers; the update of a weight is scaled by alpha / r.

    Attributes:
        r: Rank, >= 1.
        alpha: > 0.
        dropout: On the adapters' input, in [0, 1).
        target_modules: Names of the layers that get an adapter.
        merge: Add the adapters to the weights when training ends. Always true: all later stages read full weights.
        quantize: One of `QUANTIZE`: hold the weights below the adapters in four bits, on GPUs; None does not.
    """

    r: int
    alpha: float
    dropout: float = 0.0
    target_modules: list[str] = field(default_factory=lambda: list(LINEAR_LAYERS))
    merge: bool = True
    quantize: str | None = None


@dataclass(frozen=True)
class TrainingSettings:
    """How a run is optimised.

    Attributes:
        optimizer: One of `OPTIMIZERS`; both torch's own.
        learning_rate: At the end of warm-up, in (0, 1].
        baseline_learning_rate: Of the baseline head that TBPO-Q trains beside the policy, in (0, 1]: constant, without
            weight decay, by the run's own optimizer. The default is the authors', who take AdamW for the head.
        schedule: One of `SCHEDULES`: the course after warm-up.
        min_learning_rate_ratio: Where linear and cosine end, as a share of `learning_rate`, in [0, 1].
        warmup_steps: Steps of linear warm-up, >= 0; or
        warmup_ratio: the same as a share of all steps, in [0, 1]. Neither means none.
        steps: Optimiser steps, >= 1; or
        epochs: passes over the examples, > 0; the last step is filled from the next pass.
        batch_size: Examples or pairs of one optimiser step, over all processes and accumulated micro-batches, >= 1.
        micro_batch_size: Examples or pairs of one forward pass of one process, >= 1.
        weight_decay: Decoupled, on matrices only (not on biases and norms), >= 0; rmsprop has none.
        adam_beta1: Decay of the first moment, in [0, 1); rmsprop has none.
        adam_beta2: Decay of the second moment, in [0, 1); rmsprop's smoothing constant.
        max_grad_norm: Gradients are scaled down to this L2 norm, > 0; a baseline head's count with the policy's.
        gradient_checkpointing: Save memory by computing activations twice.
        lora: Adapters; None trains all weights.
        deepspeed: One of `DEEPSPEED`; None trains without DeepSpeed.
        checkpoint_steps: Steps between checkpoints, >= 1.
        watch_steps: Steps between two looks at answers to held-out prompts (`watch`), >= 1; SFT has none.
        watch_prompts: How many of them, >= 1.
        stop_collapsed: Whether training ends early where a look finds that the answers have collapsed
            (`watch.collapsed`), after the step that follows it.
        keep: One of `KEEP`: what becomes the model, the last step or the best look at dev_select; SFT looks at all of
            its gold answers after each pass over the examples, preference training as `watch_steps` says.
    """

    optimizer: str = "adamw"
    learning_rate: float = 1e-5
    baseline_learning_rate: float = 1e-3
    schedule: str = "linear"
    min_learning_rate_ratio: float = 0.0
    warmup_steps: int | None = None
    warmup_ratio: float | None = None
    steps: int | None = None
    epochs: float | None = None
    batch_size: int = 32
    micro_batch_size: int = 1
    weight_decay: float = 0.0
    adam_beta1: float = 0.9
    adam_beta2: float = 0.999
    max_grad_norm: float = 1.0
    gradient_checkpointing: bool = False
    lora: LoraSettings | None = None
    deepspeed: str | None = None
    checkpoint_steps: int = 100
    watch_steps: int = 100
    watch_prompts: int = 64
    stop_collapsed: bool = False
    keep: str = "last"


DEFAULTS: dict[str, Any] = {
    **{name: value for name, value in asdict(TrainingSettings()).items() if value is not None},
    "warmup_ratio": 0.0,
    "epochs": 1.0,
    "lora": None,
    "deepspeed": None,
}
"""The lowest layer of a study's settings: every name but those of the alternatives `warmup_steps` and `steps`."""


def training_settings(**values: Any) -> TrainingSettings:
    """Settings with every default explicit; None stands for a name that was not given.

    Raises:
        ConfigError: An unknown name, a value out of its range, both or neither of two alternatives; says what is
            accepted.
    """
    _check_names("training", values, TrainingSettings)
    given = {name: value for name, value in values.items() if value is not None}
    _check_ranges("training", given, _RANGES)
    amounts = [name for name in ("steps", "epochs") if name in given]
    if len(amounts) != 1:
        raise ConfigError(f"training: {' and '.join(amounts) or 'nothing'} given; exactly one of steps, epochs")
    if "warmup_steps" in given and "warmup_ratio" in given:
        raise ConfigError("training: both warmup_steps and warmup_ratio; one of them")
    if not given.keys() & {"warmup_steps", "warmup_ratio"}:
        given["warmup_steps"] = 0
    if given.get("optimizer") == "rmsprop" and given.get("weight_decay"):
        raise ConfigError(f"training.weight_decay is {given['weight_decay']}; accepted with rmsprop: 0, it has none")
    if "lora" in given:
        given["lora"] = lora = _lora_settings(given["lora"])
        if lora.quantize is not None and given.get("deepspeed", "").startswith("zero3"):
            raise ConfigError(
                f"training.lora.quantize is {lora.quantize}; accepted with deepspeed {given['deepspeed']}, which"
                " divides weights among processes: null"
            )
    return TrainingSettings(**given)


def _lora_settings(values: dict[str, Any]) -> LoraSettings:
    _check_names("training.lora", values, LoraSettings)
    _check_ranges("training.lora", values, _LORA_RANGES)
    return LoraSettings(**values)


def _check_names(where: str, values: dict[str, Any], settings: type) -> None:
    accepted = [one.name for one in fields(settings)]
    unknown = sorted(set(values) - set(accepted))
    if unknown:
        raise ConfigError(f"{where}: unknown setting {', '.join(unknown)}; it takes: {', '.join(accepted)}")
    required = [one.name for one in fields(settings) if one.default is MISSING and one.default_factory is MISSING]
    missing = [name for name in required if name not in values]
    if missing:
        raise ConfigError(f"{where}: {', '.join(missing)} must be given; it takes: {', '.join(accepted)}")


def _check_ranges(where: str, values: dict[str, Any], ranges: dict[str, tuple[Callable[[Any], bool], str]]) -> None:
    for name, value in values.items():
        accepts, accepted = ranges[name]
        if not accepts(value):
            raise ConfigError(f"{where}.{name} is {value!r}; accepted: {accepted}")


def _whole(least: int) -> tuple[Callable[[Any], bool], str]:
    return lambda value: type(value) is int and value >= least, f"a whole number >= {least}"


def _number(accepts: Callable[[float], bool], accepted: str) -> tuple[Callable[[Any], bool], str]:
    return lambda value: type(value) in (int, float) and accepts(value), f"a number {accepted}"


def _one_of(names: tuple[str, ...]) -> tuple[Callable[[Any], bool], str]:
    return lambda value: value in names, ", ".join(names)


_SWITCH = (lambda value: type(value) is bool, "true, false")
_SHARE = _number(lambda value: 0 <= value <= 1, "from 0 to 1")
_RATE = _number(lambda value: 0 < value <= 1, "above 0, up to 1")
_DECAY = _number(lambda value: 0 <= value < 1, "from 0 to below 1")
_POSITIVE = _number(lambda value: 0 < value < float("inf"), "> 0")

_RANGES = {
    "optimizer": _one_of(OPTIMIZERS),
    "learning_rate": _RATE,
    "baseline_learning_rate": _RATE,
    "schedule": _one_of(SCHEDULES),
    "min_learning_rate_ratio": _SHARE,
    "warmup_steps": _whole(0),
    "warmup_ratio": _SHARE,
    "steps": _whole(1),
    "epochs": _POSITIVE,
    "batch_size": _whole(1),
    "micro_batch_size": _whole(1),
    "weight_decay": _number(lambda value: 0 <= value < float("inf"), ">= 0"),
    "adam_beta1": _DECAY,
    "adam_beta2": _DECAY,
    "max_grad_norm": _POSITIVE,
    "gradient_checkpointing": _SWITCH,
    "lora": (lambda value: isinstance(value, dict), "null, or a mapping with r and alpha"),
    "deepspeed": _one_of(DEEPSPEED),
    "checkpoint_steps": _whole(1),
    "watch_steps": _whole(1),
    "watch_prompts": _whole(1),
    "stop_collapsed": _SWITCH,
    "keep": _one_of(KEEP),
}

_LORA_RANGES = {
    "r": _whole(1),
    "alpha": _POSITIVE,
    "dropout": _DECAY,
    "target_modules": (
        lambda value: isinstance(value, list) and value and all(isinstance(name, str) for name in value),
        "a list of names of layers",
    ),
    "merge": (lambda value: value is True, "true (adapters alone cannot be read by later stages)"),
    "quantize": (lambda value: value in QUANTIZE, "null, nf4"),
}
