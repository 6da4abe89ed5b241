"""From layers of training settings to those of one run: defaults, the study, a preset, the model, the method."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tabpo.errors import ConfigError
from tabpo.names import SFT
from tabpo.study.study import Settings
from tabpo.study.training import ALTERNATIVES, DEFAULTS

Layer = tuple[str, Mapping[str, Any]]
"""Where settings stand, for messages, and what they are."""

_OF_LOSSES = ("watch_steps", "watch_prompts", "stop_collapsed", "baseline_learning_rate")
"""Settings that SFT has no use for: it writes no answers while it trains, and has no baseline."""


def preset_family(presets: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, Any]:
    """Presets by name: those of a family, and matched's, without a recipe, where no paper has them."""
    return {**presets["matched"], **presets[name]}


def stage_layers(config: Mapping[str, Any], model: str, stage: str) -> list[Layer]:
    """The defaults, the study's settings of a stage (sft, preference), the model's."""
    return [
        ("the defaults", DEFAULTS),
        (f"training.{stage}", config["training"].get(stage, {})),
        (f"models.{model}.training.{stage}", config["models"][model].get("training", {}).get(stage, {})),
    ]


def overlay(layers: Iterable[Layer]) -> Settings:
    """Later layers win, key by key; one that gives `steps` takes `epochs` away, and the same for the warm-up."""
    merged: Settings = {}
    for where, layer in layers:
        for alternatives in ALTERNATIVES:
            given = [key for key in alternatives if key in layer]
            if len(given) > 1:
                raise ConfigError(f"{where} has both {' and '.join(given)}; exactly one of them")
            if given:
                merged = {key: value for key, value in merged.items() if key not in alternatives}
        merged |= layer
    return merged


def quantize(training: Settings) -> str | None:
    """What training settings say of the weights below the adapters."""
    return (training["lora"] or {}).get("quantize")


def complete_training(
    config: Mapping[str, Any],
    family: Mapping[str, Any],
    methods: Mapping[str, Settings],
    model: str,
    method: str,
) -> Settings:
    """The settings of one run, complete; refused where they leave something open or do not fit the machine.

    A method whose name is no preset with a recipe has the recipe of its loss's preset, so that an ablation is trained
    as what it changes. Of a batch smaller than the number of processes the last of them have no share.

    Args:
        config: The study as configured.
        family: From `preset_family`.
        methods: With their loss.
        model: Name of one that is trained.
        method: A name, or sft.

    Raises:
        ConfigError: What was asked, where, and what is accepted.
    """
    stage = SFT if method == SFT else "preference"
    layers = shared = stage_layers(config, model, stage)
    if method == SFT:
        _check_sft(layers[1:])
    else:
        preset = next((name for name in (method, methods[method]["loss"]) if "training" in family.get(name, {})), None)
        recipe = [] if preset is None else [(f"presets {config['presets']}: {preset}", family[preset]["training"])]
        own = (f"methods.{method}.training", (config["methods"][method] or {}).get("training", {}))
        layers = [*shared[:-1], *recipe, shared[-1], own]
        _check_quantize(model, layers, shared)
    training = overlay(layers)
    batch, processes = training["batch_size"], config["resources"][config["models"][model]["resources"]]["processes"]
    training["micro_batch_size"] = micro_batch = min(training["micro_batch_size"], max(1, batch // processes))
    if batch > processes and batch % (processes * micro_batch):
        raise ConfigError(
            f"models.{model} with {method}: batch_size {batch} is no multiple of {processes * micro_batch}, which is"
            f" {processes} processes x micro_batch_size {micro_batch}; accepted: a multiple, or at most {processes}"
        )
    return training


def _check_sft(layers: Iterable[Layer]) -> None:
    for where, layer in layers:
        unused = [key for key in _OF_LOSSES if key in layer]
        if unused:
            raise ConfigError(f"{where}.{unused[0]} has no effect: it is of losses; accepted under preference")


def _check_quantize(model: str, layers: Sequence[Layer], shared: Sequence[Layer]) -> None:
    """Refuse a method whose policy would start from other weights than the reference that was scored."""
    own, reference = quantize(overlay(layers)), quantize(overlay(shared))
    if own != reference:
        where, other = (next(where for where, layer in reversed(of) if "lora" in layer) for of in (layers, shared))
        raise ConfigError(
            f"{where}: lora has quantize {own or 'null'}, but {other}.lora {reference or 'null'}, by which the"
            f" reference is held that all methods of models.{model} share; accepted: the same in both, as with lora"
            f" under models.{model}.training.preference, which holds for every preset"
        )
