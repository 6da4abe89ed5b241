"""Combines layers of training settings into those of one run: defaults, study, preset, model, method."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tabpo.errors import ConfigError
from tabpo.names import SFT
from tabpo.study.study import Settings
from tabpo.study.training import ALTERNATIVES, DEFAULTS
from tabpo.tuning.trials import scaled_training, trial_name

Layer = tuple[str, Mapping[str, Any]]
"""The place of settings in the study, for messages, and the settings."""

_OF_LOSSES = ("watch_steps", "watch_prompts", "stop_collapsed", "baseline_learning_rate")
"""Settings that SFT does not use, because it generates no answers in training and has no baseline head."""


def preset_family(presets: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, Any]:
    """Return the presets of a family by name; methods that it lacks have those of `matched`, which have no recipe."""
    return {**presets["matched"], **presets[name]}


def stage_layers(config: Mapping[str, Any], model: str, stage: str) -> list[Layer]:
    """Return three layers of settings for a stage (sft, preference): the defaults, the study's and the model's."""
    return [
        ("the defaults", DEFAULTS),
        (f"training.{stage}", config["training"].get(stage, {})),
        (f"models.{model}.training.{stage}", config["models"][model].get("training", {}).get(stage, {})),
    ]


def overlay(layers: Iterable[Layer]) -> Settings:
    """Combine layers of settings; later layers override earlier ones key by key.

    A layer with `steps` also removes `epochs` of earlier layers, and the reverse; `warmup_steps` and `warmup_ratio` do
    the same.

    Raises:
        ConfigError: One layer has two keys that exclude each other.
    """
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
    """Return the number format of the frozen weights below the adapters; None for full precision."""
    return (training["lora"] or {}).get("quantize")


def complete_training(
    config: Mapping[str, Any],
    family: Mapping[str, Any],
    methods: Mapping[str, Settings],
    model: str,
    method: str,
) -> Settings:
    """Return the complete training settings of one run.

    A method without a preset of its name that has a recipe gets the recipe of its loss's preset, so that an ablation is
    trained like the method that it changes. If a batch is smaller than the number of processes, the last processes get
    no examples.

    Args:
        config: The study as configured.
        family: The presets from `preset_family`.
        methods: Methods by name, with their loss.
        model: Name of a model that is trained.
        method: Name of a method, or "sft".

    Raises:
        ConfigError: Settings exclude each other or do not fit the machine. The message says what was asked, where, and
            what is accepted.
    """
    stage = SFT if method == SFT else "preference"
    layers = shared = stage_layers(config, model, stage)
    if method == SFT:
        _check_sft(layers[1:])
    else:
        preset = next((name for name in (method, methods[method]["loss"]) if "training" in family.get(name, {})), None)
        recipe = [] if preset is None else [(f"presets {config['presets']}: {preset}", family[preset]["training"])]
        of_method = (f"methods.{method}.training", (config["methods"].get(method) or {}).get("training", {}))
        layers = [*shared[:-1], *recipe, shared[-1], of_method]
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
            raise ConfigError(f"{where}.{unused[0]} has no effect in SFT; accepted under preference")
        if not (layer.get("lora") or {}).get("merge", True):
            raise ConfigError(
                f"{where}.lora.merge is false; accepted in SFT: true, since adapters of losses lie on top of its model"
            )


def _check_quantize(model: str, layers: Sequence[Layer], shared: Sequence[Layer]) -> None:
    """Refuse a method whose policy would hold its weights in another number format than the scored reference."""
    policy, reference = quantize(overlay(layers)), quantize(overlay(shared))
    if policy != reference:
        where, other = (next(where for where, layer in reversed(of) if "lora" in layer) for of in (layers, shared))
        raise ConfigError(
            f"{where}: lora has quantize {policy or 'null'}, but {other}.lora has {reference or 'null'}, with which the"
            f" reference of all methods of models.{model} is scored; accepted: one value for both, for example in lora"
            f" under models.{model}.training.preference, which overrides every preset"
        )


def with_trials(
    tuning: Settings, methods: Mapping[str, Settings], training: Mapping[tuple[str, str], Settings]
) -> tuple[dict[str, Settings], dict[tuple[str, str], Settings]]:
    """Return methods and training settings with those of all trials; a trial has no `extra_steps`.

    Args:
        tuning: With the `points` of each method.
        methods: Methods by name, without `sft`.
        training: Complete settings by model and method.
    """
    methods, training, model = dict(methods), dict(training), tuning["model"]
    for method, points in tuning["points"].items():
        for number, point in enumerate(points):
            name = trial_name(method, number)
            training[model, name] = scaled_training(training[model, method], point)
            if method != SFT:
                entry = {key: value for key, value in methods[method].items() if key != "extra_steps"}
                methods[name] = {**entry, "params": {**entry["params"], **point["params"]}}
    return methods, training
