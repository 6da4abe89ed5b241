"""Settings that a study of preferences cannot have: its data contains the pairs, and its answers have no fields."""

from collections.abc import Mapping
from typing import Any

from tabpo.errors import ConfigError
from tabpo.names import BASELINES, GIVEN, PREFERENCES
from tabpo.study.generation import USUAL
from tabpo.study.study import Settings

FIELD_PARAMS = {"label_weight": 1.0, "sublabel_weight": 1.0, "span_weight": 1.0, "gate_fields": "all"}
"""Parameters of losses that depend on the fields of a JSON answer, with the value that removes this dependence."""


def preference_datasets(config: Mapping[str, Any]) -> list[str]:
    """Return the names of the datasets of preferences."""
    return [name for name, entry in config["datasets"].items() if entry["source"] == PREFERENCES]


def default_pairing(config: Mapping[str, Any]) -> str:
    """Return the pairing of a method that names none."""
    return GIVEN if preference_datasets(config) else "mixed"


def check_preferences(
    config: Mapping[str, Any],
    constraint: str,
    methods: Mapping[str, Settings],
    training: Mapping[tuple[str, str], Settings],
    tables: Mapping[str, Settings],
) -> None:
    """Refuse settings that do not work with preferences, and the pairing `given` in a study without preferences.

    Args:
        config: The study as configured.
        constraint: The constraint on generated answers.
        methods: Methods by name, with their parameters and pairing.
        training: Complete training settings by model and method.
        tables: Tables by name, with their tests.

    Raises:
        ConfigError: The message says what was asked, where, and what is accepted.
    """
    kinds = {name: entry["confusions"] for name, entry in config["pairings"].items()}
    preferences = preference_datasets(config)
    if not preferences:
        given = [name for name, kind in kinds.items() if kind == GIVEN]
        if given:
            raise ConfigError(
                f"pairings.{given[0]}: confusions {GIVEN} is for datasets of the source {PREFERENCES} alone"
            )
        return
    where = f"datasets.{preferences[0]} has preferences"
    others = [name for name in config["datasets"] if name not in preferences]
    if others:
        raise ConfigError(f"{where}, datasets.{others[0]} has annotations; accepted: a study for each")
    for name, kind in kinds.items():
        if kind != GIVEN:
            raise ConfigError(
                f"pairings.{name}.confusions is {kind}, but {where}, which are pairs already; accepted: {GIVEN}"
            )
    for name, entry in config["models"].items():
        if "endpoint" in entry:
            raise ConfigError(
                f"models.{name}.endpoint gives no log-probs of answers, and {where}; accepted: other models"
            )
    if constraint != USUAL["constraint"]:
        raise ConfigError(
            f"generation.constraint is {constraint}, but {where}, whose answers have no labels; accepted:"
            f" {USUAL['constraint']}"
        )
    _check_methods(where, methods, training)
    for name, table in tables.items():
        if (against := table["tests"]["against"]) in BASELINES:
            raise ConfigError(f"tables.{name}.tests.against is {against}, but {where}; accepted: sft, or a method")


def _check_methods(where: str, methods: Mapping[str, Settings], training: Mapping[tuple[str, str], Settings]) -> None:
    for name, method in methods.items():
        if "example_weights" in method:
            raise ConfigError(
                f"methods.{name}.example_weights are by labels, but {where}; accepted: weights in its files"
            )
        for key, value in FIELD_PARAMS.items():
            if method["params"].get(key, value) != value:
                raise ConfigError(
                    f"methods.{name}.params.{key} is {method['params'][key]}, but {where}, whose answers have no labels"
                    f" and spans; accepted: {value}"
                )
    for (model, method), settings in training.items():
        if settings["stop_collapsed"]:
            raise ConfigError(
                f"models.{model} with {method}: stop_collapsed is true, but {where}, whose evaluation generates no"
                " answers that could collapse; accepted: false"
            )
