"""Tables of a study: the keys of each kind of table, their defaults, and what they require of the study."""

from collections.abc import Collection, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from tabpo.errors import ConfigError
from tabpo.metrics.names import LABELLED, METRICS, RELATIONS
from tabpo.names import BASELINES, PREFERENCES, PROMPTED, SFT
from tabpo.study.datasets import complete_dataset
from tabpo.study.shape import Section, check_reference
from tabpo.study.study import Settings

TESTED = ("ner_strict", "triple", "rel", "reward_accuracy")
"""Metrics whose differences a table tests if its entry does not name any."""

CLAIMED = ("semantic_label", "relational_linking", "textual_grounding", "reward_accuracy")
"""Metrics that a table of claims is of where it does not say which."""


class Row(Section):
    """One row of one model, to which all rows of all models are compared."""

    model: str = Field(description="Name of a model of the table.")
    method: str = Field(description="Name of the model's row: a method, sft, prompted, or an imported row.")


class Tests(Section):
    """Which differences of a table are tested (docs/statistics.md); they are fixed before any run exists."""

    against: str | Row = Field(
        SFT,
        description=(
            "Row that the other rows are compared to: the name of a row, which compares each model with its own row, or"
            " one row of one model."
        ),
    )
    metrics: list[str] = Field(
        None,
        description=(
            "Metrics of the table whose differences are tested, together as one family of tests. If not given, the"
            " table's metrics among ner_strict, triple, rel and reward_accuracy. Other metrics have intervals but no"
            " marks of significance."
        ),
    )
    methods: list[str] = Field(
        None,
        min_length=1,
        description=(
            "Rows of the table whose differences are tested; other rows have intervals but no marks of significance. If"
            " not given, all rows."
        ),
    )


class Table(Section):
    """A table of the paper. The name of the entry is the name of the table's files."""

    caption: str = Field(
        min_length=1, description="Text of the caption; a sentence about the family of presets is added."
    )
    datasets: list[str] = Field(min_length=1, description="Names of data sets.")
    split: str = Field(
        "test",
        description=(
            "The test split that the table shows: test, or a name of other_tests of all of its data sets. Tables of"
            " other tests have no rows prompted and human, and no imported rows."
        ),
    )
    models: list[str] = Field(None, min_length=1, description="Names of models; if not given, all of the study.")
    methods: list[str] = Field(None, description="Names of methods; if not given, all of the study.")
    metrics: list[str] = Field(
        min_length=1,
        description=(
            "Names of metrics (docs/scores.md). rel@pure is rel, counted by another convention; valid is the share of"
            " readable answers."
        ),
    )
    tests: Tests = Field(None, description="Which differences are tested.")


class Analysis(Section):
    """The keys that all of these tables have."""

    kind: str = Field(description="Kind of the table.")
    caption: str = Field(min_length=1, description="Text of the caption; what is fixed and measured is added.")
    datasets: list[str] = Field(
        min_length=1, description="Names of data sets; a table of scores of the study must show each of them."
    )
    models: list[str] = Field(
        None, min_length=1, description="Names of models that tables of scores show. All of these by default."
    )


class Claims(Analysis):
    """A table of what papers claim of one method, each beside its published figure (docs/statistics.md)."""

    kind: Literal["claims"] = Field(description="Marks the entry as a table of claims.")
    method: str = Field(description="Name of the method of which the claims are made.")
    rivals: list[str] = Field(
        None,
        description=(
            "Names of methods that it is compared with, besides sft. All other methods of the study by default."
        ),
    )
    metrics: list[str] = Field(
        None,
        min_length=1,
        description=(
            "Names of metrics. At least one of the data sets must have each of them, and none may be in nats. By"
            " default those of semantic_label, relational_linking, textual_grounding and reward_accuracy that a data"
            " set has."
        ),
    )


class Mechanism(Analysis):
    """A table of what losses do to tokens of the answers, rare labels among them (docs/statistics.md)."""

    kind: Literal["mechanism"] = Field(description="Marks the entry as a table of mechanisms.")
    methods: list[str] = Field(
        None, min_length=1, description="Names of methods, a row each. All of the study by default."
    )
    method: str = Field(description="Name of the method that is meant to stop the erosion.")
    against: str = Field("dpo", description="Name of the method that may erode the tokens of labels.")


class Stability(Analysis):
    """A table of how different sampled answers are, and of how smoothly methods train (docs/statistics.md)."""

    kind: Literal["stability"] = Field(description="Marks the entry as a table of diversity and stability.")
    methods: list[str] = Field(
        None,
        min_length=1,
        description="Names of methods, a row each; the first row is sft. All of the study by default.",
    )
    against: str = Field("dpo", description="Name of the row that the other rows are compared to.")


class Noise(Analysis):
    """A table, with a figure, of how scores fall with label noise: methods by the share of flipped pairs."""

    kind: Literal["noise"] = Field(description="Marks the entry as a table of label noise.")
    methods: list[str] = Field(
        min_length=1, description="Names of methods that train on pairs without flips, a row each."
    )
    flip_rates: list[Annotated[float, Field(gt=0, le=0.5)]] = Field(
        min_length=1,
        description=(
            "Shares of flipped pairs in their order, a column each beside the scores without flips. The study trains"
            " each method once more for each of them, with all settings and pairs of the method."
        ),
    )
    metrics: list[str] = Field(
        None,
        min_length=1,
        description=(
            "Names of metrics. Each method's differences to its own score without flips are tested, all as one family."
            " All of the data sets must have them. By default those of ner_strict, triple, rel and reward_accuracy that"
            " they have."
        ),
    )


class Labels(Analysis):
    """A table of single labels: precision, recall, F1, gold items and the gain over SFT (docs/statistics.md)."""

    kind: Literal["labels"] = Field(description="Marks the entry as a table of labels.")
    methods: list[str] = Field(
        None,
        min_length=1,
        description="Names of methods; each label has a row for sft and for each of them. All of the study by default.",
    )
    metrics: list[str] = Field(
        None,
        min_length=1,
        description=(
            "Names of metrics that are counted by label. At least one of the data sets must have each of them. By"
            " default those of ner_strict, triple and rel that a data set has."
        ),
    )


class SideBySide(Analysis):
    """A table whose rows are methods and whose columns are the metrics of each data set, side by side."""

    kind: Literal["side_by_side"] = Field(description="Marks the entry as a table of data sets side by side.")
    methods: list[str] = Field(None, description="Names of methods; if not given, all of the study.")
    metrics: dict[str, list[str]] = Field(
        None,
        description=(
            "Names of metrics by the name of the data set. By default a data set has those of ner_strict, triple, rel"
            " and reward_accuracy that it can have."
        ),
    )
    tests: Tests = Field(None, description="Which differences are tested.")


class Sensitivity(Analysis):
    """A table, with a figure, of how scores depend on one setting: methods that differ in it alone are the rows."""

    kind: Literal["sensitivity"] = Field(description="Marks the entry as a table of sensitivity.")
    method: str = Field(
        description=(
            "Name of the method that has the default value. The other rows are found by their settings: the methods of"
            " the study that differ from this one in the setting alone."
        )
    )
    setting: str = Field(
        min_length=1,
        description=(
            "Name of a parameter of the method's loss, such as tau, or of a setting of its training, such as"
            " learning_rate or lora.r. Methods must write it out, in the study or in their presets."
        ),
    )
    metrics: list[str] = Field(
        None,
        min_length=1,
        description=(
            "Names of metrics, whose differences to the default are tested as one family. All of the data sets must"
            " have them. By default those of ner_strict, triple, rel and reward_accuracy that they have."
        ),
    )


@dataclass(frozen=True)
class Resolved:
    """The parts of a study that tables refer to.

    Attributes:
        config: The study's keys.
        answers: The format of each data set's answers, by which its metrics are named.
        without_relations: The data sets whose ontologies have no labels of relations.
        methods: All methods, with every key.
        pairings: All recipes of pairs, with every key.
        training: Complete training settings by (model, method).
    """

    config: Mapping[str, Any]
    answers: Mapping[str, str]
    without_relations: Collection[str]
    methods: Mapping[str, Settings]
    pairings: Mapping[str, Settings]
    training: Mapping[tuple[str, str], Settings]

    def metrics(self, dataset: str) -> list[str]:
        """Return the metrics that a data set can have."""
        without = RELATIONS if dataset in self.without_relations else ()
        return [metric for metric in METRICS[self.answers[dataset]] if metric.partition("@")[0] not in without]


def complete_tables(study: Resolved) -> tuple[dict[str, Settings], dict[str, Settings]]:
    """Check all tables, and return those of scores and those with a `kind`, by name and with every key.

    Raises:
        ConfigError: A table names something that the study does not have.
    """
    entries = study.config["tables"]
    tables = {name: _table(study, f"tables.{name}", entry) for name, entry in entries.items() if "kind" not in entry}
    kinds = {
        name: _analysis(study, f"tables.{name}", entry, tables) for name, entry in entries.items() if "kind" in entry
    }
    return tables, kinds


def _table(study: Resolved, where: str, given: Settings) -> Settings:
    config = study.config
    entry = {"split": "test", "models": list(config["models"]), "methods": list(config["methods"])} | given
    for axis in ("datasets", "models", "methods"):
        for value in entry[axis]:
            check_reference(f"{where}.{axis}", value, axis, config[axis])
    for dataset in entry["datasets"]:
        tests = ["test", *complete_dataset(config["datasets"][dataset])["other_tests"]]
        check_reference(f"{where}.split", entry["split"], f"{dataset}, as its tests,", tests)
        for metric in entry["metrics"]:
            _check_metric(study, f"{where}.metrics", metric, dataset)
    return entry | {"tests": _tests(study, where, entry, entry["metrics"])}


def _check_metric(study: Resolved, where: str, metric: str, dataset: str) -> None:
    check_reference(where, metric, dataset, METRICS[study.answers[dataset]])
    if metric not in study.metrics(dataset):
        ontology = study.config["datasets"][dataset]["ontology"]
        raise ConfigError(
            f"{where} names {metric}, but the ontology {ontology} of {dataset} has no relations;"
            f" accepted: metrics other than {', '.join(RELATIONS)}"
        )


def _tests(study: Resolved, where: str, entry: Settings, metrics: list[str]) -> Settings:
    rows = [SFT, *entry["methods"], *study.config["imported"]]
    tested = [metric for metric in TESTED if metric in metrics]
    tests = Tests.defaults() | {"metrics": tested, "methods": rows} | entry.get("tests", {})
    for metric in tests["metrics"]:
        check_reference(f"{where}.tests.metrics", metric, f"{where}.metrics", metrics)
    for method in tests["methods"]:
        check_reference(f"{where}.tests.methods", method, where, rows)
    against = tests["against"]
    if isinstance(against, str):
        check_reference(f"{where}.tests.against", against, where, (*rows, *BASELINES))
    else:
        check_reference(f"{where}.tests.against.model", against["model"], where, entry["models"])
        endpoint = "endpoint" in study.config["models"][against["model"]]
        check_reference(f"{where}.tests.against.method", against["method"], where, (PROMPTED,) if endpoint else rows)
    return tests


def _analysis(study: Resolved, where: str, given: Settings, tables: Mapping[str, Settings]) -> Settings:
    """Check an entry with a `kind`. Its data sets and models are those of tables of scores, which have all files."""
    shown = {
        axis: list(dict.fromkeys(value for table in tables.values() for value in table[axis]))
        for axis in ("datasets", "models")
    }
    entry = {"models": shown["models"]} | given
    for axis, accepted in shown.items():
        for value in entry[axis]:
            check_reference(f"{where}.{axis}", value, "all tables of scores together", accepted)
    complete = {
        "claims": _claims,
        "mechanism": _mechanism,
        "labels": _labels,
        "side_by_side": _side_by_side,
        "sensitivity": _sensitivity,
        "stability": _stability,
        "noise": _noise,
    }
    return complete[entry["kind"]](study, where, entry)


def _claims(study: Resolved, where: str, entry: Settings) -> Settings:
    check_reference(f"{where}.method", entry["method"], f"{where}.models", _trained(study, entry["models"]))
    others = [method for method in study.config["methods"] if method != entry["method"]]
    entry = {"rivals": others} | entry
    for rival in entry["rivals"]:
        check_reference(f"{where}.rivals", rival, "methods and imported", [*others, *study.config["imported"]])
    metrics = dict.fromkeys(metric for dataset in entry["datasets"] for metric in METRICS[study.answers[dataset]])
    accepted = [metric for metric in metrics if not metric.endswith("_margin")]
    entry = {"metrics": [metric for metric in CLAIMED if metric in accepted]} | entry
    for metric in entry["metrics"]:
        check_reference(f"{where}.metrics", metric, f"{where}.datasets", accepted)
    return entry


def _mechanism(study: Resolved, where: str, entry: Settings) -> Settings:
    entry = {"against": "dpo"} | _with_methods(study, where, entry)
    for key in ("method", "against"):
        check_reference(f"{where}.{key}", entry[key], f"{where}.methods", entry["methods"])
    return entry


def _stability(study: Resolved, where: str, entry: Settings) -> Settings:
    for dataset in entry["datasets"]:
        if study.answers[dataset] == PREFERENCES:
            raise ConfigError(
                f"{where}.datasets names {dataset}, whose answers have no records; accepted: annotated data sets"
            )
    entry = {"against": "dpo"} | _with_methods(study, where, entry)
    check_reference(f"{where}.against", entry["against"], f"{where}.methods and sft", [SFT, *entry["methods"]])
    return entry


def _labels(study: Resolved, where: str, entry: Settings) -> Settings:
    accepted = [
        metric
        for dataset in entry["datasets"]
        for metric in study.metrics(dataset)
        if metric in LABELLED[study.answers[dataset]]
    ]
    entry = {"metrics": [metric for metric in TESTED if metric in accepted]} | _with_methods(study, where, entry)
    if not accepted:
        raise ConfigError(f"{where}.datasets has no data set with labels; accepted: annotated data sets")
    for metric in entry["metrics"]:
        check_reference(f"{where}.metrics", metric, f"{where}.datasets", accepted)
    return entry


def _side_by_side(study: Resolved, where: str, entry: Settings) -> Settings:
    entry = _with_methods(study, where, entry)
    given = entry.get("metrics", {})
    for dataset, metrics in given.items():
        check_reference(f"{where}.metrics", dataset, f"{where}.datasets", entry["datasets"])
        for metric in metrics:
            _check_metric(study, f"{where}.metrics.{dataset}", metric, dataset)
    entry["metrics"] = {
        dataset: given.get(dataset, [metric for metric in TESTED if metric in study.metrics(dataset)])
        for dataset in entry["datasets"]
    }
    metrics = list(dict.fromkeys(metric for of_dataset in entry["metrics"].values() for metric in of_dataset))
    return entry | {"tests": _tests(study, where, entry, metrics)}


def _sensitivity(study: Resolved, where: str, entry: Settings) -> Settings:
    check_reference(f"{where}.method", entry["method"], f"{where}.models", _trained(study, entry["models"]))
    entry = _with_common_metrics(study, where, entry)
    return entry | {"values": _values(study, where, entry)}


def _with_common_metrics(study: Resolved, where: str, entry: Settings) -> Settings:
    """The entry with its metrics, which all of its data sets have."""
    common = [metric for metric in TESTED if all(metric in study.metrics(dataset) for dataset in entry["datasets"])]
    entry = {"metrics": common} | entry
    if not entry["metrics"]:
        raise ConfigError(f"{where}.metrics is not given, and its data sets share none of {', '.join(TESTED)}")
    for metric in entry["metrics"]:
        for dataset in entry["datasets"]:
            _check_metric(study, f"{where}.metrics", metric, dataset)
    return entry


def _noise(study: Resolved, where: str, entry: Settings) -> Settings:
    entry = _with_common_metrics(study, where, _with_methods(study, where, entry))
    for method in entry["methods"]:
        if study.pairings[study.methods[method]["pairing"]]["flip_rate"]:
            raise ConfigError(
                f"{where}.methods names {method}, whose pairs are flipped; accepted: methods without flips"
            )
        if "token_scores" in study.methods[method]:
            raise ConfigError(
                f"{where}.methods names {method}, which reads log-probs of other runs; accepted: methods without"
                " token_scores"
            )
    if sorted(set(entry["flip_rates"])) != entry["flip_rates"]:
        raise ConfigError(f"{where}.flip_rates is {entry['flip_rates']}; accepted: different shares in their order")
    return entry | {"rates": {method: noisy_rows(method, entry["flip_rates"]) for method in entry["methods"]}}


def noisy_rows(method: str, rates: Iterable[float]) -> dict[str, float]:
    """Return a method and its copies with label noise, each with its share of flips; no entry has such a name."""
    return {method: 0.0} | {f"{method}+flip{rate:g}": rate for rate in rates}


def with_noise(
    entries: Mapping[str, Settings], methods: Mapping[str, Settings], pairings: Mapping[str, Settings]
) -> tuple[dict[str, tuple[str, Settings]], dict[str, Settings]]:
    """The copies with label noise that tables of noise show, and their pairings.

    A copy has all settings of its method, and draws the same pairs, of which some are flipped.

    Args:
        entries: All tables of the study, as configured.
        methods: All methods of the study, with every key.
        pairings: All recipes of pairs, with every key.

    Returns:
        For each copy its method's name and its own settings; and its recipe of pairs by name.
    """
    copies, noisy_pairings = {}, {}
    for entry in entries.values():
        for method in entry["methods"] if entry.get("kind") == "noise" else ():
            for copy, rate in noisy_rows(method, entry["flip_rates"]).items():
                if rate and method in methods:
                    pairing = f"{methods[method]['pairing']}+flip{rate:g}"
                    noisy_pairings[pairing] = pairings[methods[method]["pairing"]] | {"flip_rate": rate}
                    copies[copy] = method, methods[method] | {"pairing": pairing}
    return copies, noisy_pairings


def _values(study: Resolved, where: str, entry: Settings) -> dict[str, Any]:
    """The value of the setting in the method and in those that differ in it alone: first numbers, then texts."""
    method, setting = entry["method"], entry["setting"]
    models = [model for model in entry["models"] if (model, method) in study.training]
    known = dict([*study.methods[method]["params"].items(), *_named(study.training[models[0], method])])
    written = [name for name, value in known.items() if value is not None]
    check_reference(f"{where}.setting", setting, f"the method {method}", written)
    values: dict[str, Any] = {}
    for model in models:
        default, rest = _apart(study, model, method, setting)
        for other in (name for name in study.config["methods"] if (model, name) in study.training):
            value, settings = _apart(study, model, other, setting)
            if settings != rest or value is None or (other != method and value == default):
                continue
            if values.setdefault(other, value) != value:
                raise ConfigError(f"{where}.models have different {setting} of {other}; accepted: one of these models")
    if len(values) == 1:
        loss = study.methods[method]["loss"]
        of_loss = [name for name in study.config["methods"] if study.methods[name]["loss"] == loss]
        raise ConfigError(
            f"{where}.setting: no method differs from {method} in {setting} alone; accepted: a study with methods that"
            f" do; of its loss it has: {', '.join(of_loss)}"
        )
    return dict(sorted(values.items(), key=lambda item: _in_order(item[1])))


def _in_order(value: Any) -> tuple[bool, float, str]:
    number = isinstance(value, int | float)
    return not number, value if number else 0, str(value)


def _named(training: Settings, prefix: str = "") -> list[tuple[str, Any]]:
    """The settings of training with their dotted names."""
    return [
        pair
        for name, value in training.items()
        for pair in (_named(value, f"{prefix}{name}.") if isinstance(value, Mapping) else [(prefix + name, value)])
    ]


def _apart(study: Resolved, model: str, method: str, setting: str) -> tuple[Any, Settings]:
    """The value of a setting of a method, None if it does not write it out, and all other settings of the method."""
    settings = deepcopy({**study.methods[method], "training": study.training[model, method]})
    in_loss = setting in settings["params"]
    *path, name = ["params", setting] if in_loss else ["training", *setting.split(".")]
    inside = settings
    for step in path:
        inside = inside.get(step) or {}
    return inside.pop(name, None), settings


def _with_methods(study: Resolved, where: str, entry: Settings) -> Settings:
    """The entry with its methods, by default all with which one of its models is trained."""
    trained = _trained(study, entry["models"])
    for method in entry.get("methods", ()):
        check_reference(f"{where}.methods", method, f"{where}.models", trained)
    return {"methods": trained} | entry


def _trained(study: Resolved, models: list[str]) -> list[str]:
    """The methods with which at least one of these models is trained, in the order of the study."""
    return [method for method in study.config["methods"] if any((model, method) in study.training for model in models)]
