"""A resolved study: data sets, models, methods, training settings and tables with explicit defaults."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from tabpo.names import BASELINES, GIVEN, ON_POLICY, PREFERENCES, SFT
from tabpo.study.generation import unusual
from tabpo.tuning.trials import copied_method, is_trial, trial_name

Settings = dict[str, Any]
"""All that one job needs to know, and nothing else, because a job is repeated when its settings change."""


@dataclass(frozen=True)
class Study:
    """One YAML of `config/` with every default made explicit.

    Attributes:
        results: Folder of all files that the study writes.
        seeds: Seeds of the runs, in the order of the config.
        presets: Family of presets, for captions.
        strict_code: Whether a table of runs made by different code is refused.
        keep_models: Which weights are kept: "all", or those of "sft".
        logging: Where training jobs send their logged quantities. It does not change results, so it is not part of the
            settings of any job.
        generation: Engine and constraint for the answers of all trained models.
        datasets: Entries by name, with `private`, `context`, `dev_share` and `demonstrations` filled in.
        models: Entries by name, with `generation`, `reference_batch_size` and `reference_quantize` filled in; a model
            behind an endpoint has the keys of `PromptedModel`.
        resources: Classes of machines by name.
        pairings: Recipes of pairs by name, with every key.
        methods: Loss, params and pairing by name, without `sft`; and `token_scores` of a method that reads log-probs of
            other runs' models. Trials are methods too.
        beside: The methods that are no rows of tables of scores: those that are trained for the log-probs of their
            models alone, and copies with label noise.
        training: Complete training settings by (model, method), `sft` included; models behind an endpoint have none.
        tuning: The entry `tuning` with `methods` and `seeds` filled in and, under `points`, the points of all trials by
            method; None without it.
        tables: Entries of the tables of scores by name, with `models`, `methods` and `tests` filled in.
        imported: Rows from other systems by name: `model` or None, and `files` by data set and by seed or None.
        analyses: Entries of all other tables by name, which have a `kind`, with every key.
        memorisation: Data sets whose test sentences models are asked to complete.
        names: Names that LaTeX tables print for methods, data sets and models, where they differ from the usual ones.
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
    beside: tuple[str, ...]
    training: dict[tuple[str, str], Settings]
    tuning: Settings | None
    tables: dict[str, Settings]
    imported: dict[str, Settings]
    analyses: dict[str, Settings]
    names: dict[str, str]
    memorisation: tuple[str, ...]

    def machine(self, model: str) -> Settings:
        """Return the class of machines that the jobs of a model ask for."""
        return self.resources[self.models[model]["resources"]]

    def trials(self, methods: Collection[str]) -> list[str]:
        """Return the trials of these methods; none without `tuning`."""
        points = {} if self.tuning is None else self.tuning["points"]
        return [trial_name(name, number) for name in methods for number in range(len(points.get(name, ())))]

    def all_seeds(self) -> list[int]:
        """Return the seeds of the runs and of the trials."""
        return list(dict.fromkeys([*self.seeds, *([] if self.tuning is None else self.tuning["seeds"])]))

    def chosen_by(self, method: str) -> str | None:
        """Return the method whose trials choose a method's settings: itself, or the first with its loss, or none."""
        if self.tuning is None or is_trial(method):
            return None
        if copied_method(method) in (SFT, *self.tuning["methods"]):
            return copied_method(method)
        loss = self.methods[method]["loss"]
        return next((name for name in self.tuning["methods"] if self.methods[name]["loss"] == loss), None)

    def trained_models(self) -> list[str]:
        """Return the names of the models that the study trains."""
        return [name for name, entry in self.models.items() if "endpoint" not in entry]

    def prompted_models(self) -> list[str]:
        """Return the names of the models behind an endpoint."""
        return [name for name, entry in self.models.items() if "endpoint" in entry]

    def asked(self, model: str) -> list[str]:
        """Return the data sets that a model is asked about behind its endpoint; a trained model has none."""
        return self.models[model]["datasets"] if model in self.prompted_models() else []

    def probed(self, dataset: str) -> list[str]:
        """Return the models that are asked to complete test sentences: those with pretraining."""
        trained = [name for name in self.trained_models() if "scratch" not in self.models[name]]
        return [name for name in self.models if name in trained or dataset in self.asked(name)]

    def memorised(self) -> list[str]:
        """Return the data sets whose test sentences at least one model is asked to complete."""
        return [dataset for dataset in self.memorisation if self.probed(dataset)]

    def variants(self) -> list[str]:
        """Return the names of the ways to ask models behind endpoints, of all such models."""
        return sorted({name for model in self.prompted_models() for name in self.models[model]["variants"]})

    def drawn_pairings(self) -> list[str]:
        """Return the names of the pairings whose rejected answers are edits of gold answers."""
        return [name for name, entry in self.pairings.items() if entry["confusions"] not in (ON_POLICY, GIVEN)]

    def on_policy_pairings(self) -> list[str]:
        """Return the names of the pairings whose rejected answers are the SFT model's wrong answers."""
        return [name for name, entry in self.pairings.items() if entry["confusions"] == ON_POLICY]

    def given_pairings(self) -> list[str]:
        """Return the names of the pairings whose pairs are those of the data."""
        return [name for name, entry in self.pairings.items() if entry["confusions"] == GIVEN]

    def preference_datasets(self) -> list[str]:
        """Return the names of the datasets of preferences; these are all datasets of a study, or none."""
        return [name for name, entry in self.datasets.items() if entry["source"] == PREFERENCES]

    def annotated_datasets(self) -> list[str]:
        """Return the names of the datasets of annotated documents."""
        return [name for name, entry in self.datasets.items() if entry["source"] != PREFERENCES]

    def baselines(self) -> tuple[str, ...]:
        """Return the baseline rows of every table; preferences have none, because they have no mentions to look up."""
        return () if self.preference_datasets() else BASELINES

    def generated(self) -> str:
        """Return the captions' sentence about engine and constraint; "" for defaults, and in a study of preferences."""
        return "" if self.preference_datasets() else unusual(self.generation)

    def dequantised(self, models: Iterable[str]) -> str:
        """Return the captions' sentences about models whose weights were dequantised; "" if there are none."""
        stored = {name: stored_weights(self.models[name]) for name in models}
        return "".join(f" Weights of {name}: {weights}." for name, weights in stored.items() if weights)

    def tables_of_test(self) -> list[str]:
        """Return the tables of test. Only these are exported, since small groups are hidden by their counts in test."""
        return [name for name, entry in self.tables.items() if entry["split"] == "test"]

    def other_tests(self) -> list[str]:
        """Return the names of further test splits, of all datasets."""
        return sorted({name for entry in self.datasets.values() for name in entry["other_tests"]})

    def annotated_twice(self) -> list[str]:
        """Return the names of the datasets with a second annotation of some split."""
        return [name for name, entry in self.datasets.items() if entry["second_annotator"]]

    def new_texts(self) -> list[str]:
        """Return the names of new texts without annotations, of all datasets."""
        return sorted({name for entry in self.datasets.values() for name in entry["new_texts"]})

    def has_human(self, dataset: str) -> bool:
        """Whether test documents of a dataset have a second annotation."""
        return "test" in self.datasets[dataset]["second_annotator"]

    def private(self, datasets: Collection[str]) -> list[str]:
        """Return the private ones among the given datasets, in the order of the config."""
        return [name for name, entry in self.datasets.items() if entry["private"] and name in datasets]

    def of_kind(self, *kinds: str) -> list[str]:
        """Return the names of the tables of these kinds, such as "mechanism"."""
        return [name for name, entry in self.analyses.items() if entry["kind"] in kinds]

    def metrics(self) -> list[str]:
        """Return the metrics of all tables, each once, in the order of the config."""
        return list(dict.fromkeys(metric for table in self.tables.values() for metric in table["metrics"]))


def stored_weights(entry: Settings) -> str:
    """Say how many bits the weights in a model's GGUF file have, according to the file's name; "" for other models."""
    if "gguf" not in entry:
        return ""
    file = PurePath(entry["gguf"].get("path") or entry["gguf"]["file"]).name
    bits = re.search(r"[-._]I?Q(\d)", file, re.IGNORECASE)
    return f"dequantised from {file}" + (f", which holds {bits[1]}-bit weights" if bits else "")
