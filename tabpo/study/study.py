"""A resolved study: data sets, models, methods, training settings and tables, every default explicit."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from tabpo.names import BASELINES, GIVEN, ON_POLICY, PREFERENCES
from tabpo.study.generation import unusual

Settings = dict[str, Any]
"""What one job needs to know, all of it and nothing else: a job is done again when its settings change."""


@dataclass(frozen=True)
class Study:
    """One YAML of `config/` with every default made explicit.

    Attributes:
        results: Folder of everything that the study writes.
        seeds: Seeds of the runs, in the order of the config.
        presets: Family of presets, for captions.
        strict_code: Whether a table refuses runs of different code.
        keep_models: Whose weights stay: all, or sft.
        logging: Where training jobs tell what they log; part of no job's settings, since it changes no result.
        generation: Engine and constraint of all answers of trained models.
        datasets: Entries by name, with `private`, `context`, `dev_share` and `demonstrations` filled in.
        models: Entries by name, with `methods`, `generation`, `reference_batch_size` and `reference_quantize` filled
            in; or `endpoint` alone.
        resources: Classes by name.
        pairings: Recipes by name.
        methods: loss, params and pairing by name, without `sft`.
        training: Complete settings by (model, method), `sft` included; none of models behind an endpoint.
        tables: Entries by name, with `models`, `methods` and `tests` filled in.
        names: How LaTeX prints methods, data sets and models that are not to be printed as usual.
    """

    results: str
    seeds: tuple[int, ...]
    presets: str
    strict_code: bool
    keep_models: str
    logging: str
    generation: Settings
    datasets: dict[str, Settings]
    models: dict[str, Settings]
    resources: dict[str, Settings]
    pairings: dict[str, Settings]
    methods: dict[str, Settings]
    training: dict[tuple[str, str], Settings]
    tables: dict[str, Settings]
    names: dict[str, str]

    def machine(self, model: str) -> Settings:
        """The resource class that the jobs of a model ask for."""
        return self.resources[self.models[model]["resources"]]

    def trained_models(self) -> list[str]:
        """Models whose weights are here."""
        return [name for name, entry in self.models.items() if "endpoint" not in entry]

    def prompted_models(self) -> list[str]:
        """Models behind an endpoint."""
        return [name for name, entry in self.models.items() if "endpoint" in entry]

    def drawn_pairings(self) -> list[str]:
        """Pairings whose rejected answers are edits of gold ones."""
        return [name for name, entry in self.pairings.items() if entry["confusions"] not in (ON_POLICY, GIVEN)]

    def on_policy_pairings(self) -> list[str]:
        """Pairings whose rejected answers are the SFT model's own."""
        return [name for name, entry in self.pairings.items() if entry["confusions"] == ON_POLICY]

    def given_pairings(self) -> list[str]:
        """Pairings whose answers are those of the data."""
        return [name for name, entry in self.pairings.items() if entry["confusions"] == GIVEN]

    def preference_datasets(self) -> list[str]:
        """Datasets of preferences; a study has such ones alone, or none."""
        return [name for name, entry in self.datasets.items() if entry["source"] == PREFERENCES]

    def annotated_datasets(self) -> list[str]:
        """The others."""
        return [name for name, entry in self.datasets.items() if entry["source"] != PREFERENCES]

    def baselines(self) -> tuple[str, ...]:
        """Rows of every table without model and seed; preferences have no mentions to look up."""
        return () if self.preference_datasets() else BASELINES

    def generated(self) -> str:
        """What captions say of the answers of trained models; tables of preferences show none."""
        return "" if self.preference_datasets() else unusual(self.generation)

    def dequantised(self, models: Iterable[str]) -> str:
        """What captions say of models whose weights were stored in fewer bits; nothing where there is none."""
        stored = {name: stored_weights(self.models[name]) for name in models}
        return "".join(f" Weights of {name}: {weights}." for name, weights in stored.items() if weights)

    def has_human(self, dataset: str) -> bool:
        """Whether a second annotator has annotated test documents."""
        return "test" in self.datasets[dataset]["second_annotator"]

    def private(self, datasets: Collection[str]) -> list[str]:
        """Those of these datasets that are private, in the order of the config."""
        return [name for name, entry in self.datasets.items() if entry["private"] and name in datasets]

    def metrics(self) -> list[str]:
        """Metrics of all tables, each once, in the order of the config."""
        return list(dict.fromkeys(metric for table in self.tables.values() for metric in table["metrics"]))


def stored_weights(entry: Settings) -> str:
    """How the weights of a model were stored that comes from a GGUF file, by the file's name; "" for other models."""
    if "gguf" not in entry:
        return ""
    file = PurePath(entry["gguf"].get("path") or entry["gguf"]["file"]).name
    bits = re.search(r"[-._]I?Q(\d)", file, re.IGNORECASE)
    return f"dequantised from {file}" + (f", which holds {bits[1]}-bit weights" if bits else "")
