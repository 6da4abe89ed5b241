"""Resolves a study: makes its defaults explicit, and checks conditions between several keys."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tabpo.errors import ConfigError
from tabpo.metrics.names import METRICS, VALIDITY
from tabpo.names import PREFERENCES, PROMPTED, SFT, WITHOUT_MODEL
from tabpo.study.datasets import check_dataset, check_demonstrations, complete_dataset, without_absent
from tabpo.study.endpoint import complete_prompted, without_models
from tabpo.study.generation import USUAL, check_generation
from tabpo.study.imported import complete_imported
from tabpo.study.keys import StudyKeys
from tabpo.study.methods import ExampleWeights, Tuning
from tabpo.study.pairings import DISAGREEMENT, check_choice, check_disagreement, complete_pairing
from tabpo.study.preferences import check_preferences, default_pairing
from tabpo.study.shape import check_reference, checked, unknown_name
from tabpo.study.study import Settings, Study
from tabpo.study.tables import Resolved, complete_tables, with_noise
from tabpo.study.training_layers import (
    complete_training,
    overlay,
    preset_family,
    quantize,
    stage_layers,
    with_trials,
)
from tabpo.tuning.trials import draw_trials

NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
"""Form of the names of datasets, models, methods, pairings and tables, which name folders and files of the results."""

RESERVED = {
    "datasets": (
        *("benchmarks", "checkpoints", "export", "figures", "logs", "looks", "partial", "report.html", "tables"),
    ),
    "models": (
        "card.json",
        "card.md",
        "second_annotator.json",
        DISAGREEMENT,
        *WITHOUT_MODEL,
        "documents",
        "memorisation",
        "other_tests",
        PREFERENCES,
        "prompts",
        "source",
    ),
    "methods": (
        "base",
        "confusions",
        *WITHOUT_MODEL,
        "memorisation",
        "pairs",
        PROMPTED,
        "reference",
        SFT,
        "token_scores",
        "tuning",
    ),
    "pairings": (),
    "tables": ("cost", "tuning"),
}
RESERVED["imported"] = (*RESERVED["models"], *RESERVED["methods"])
"""Names that an entry cannot have, since the results have a file or folder, or the tables a row, of that name."""


@dataclass(frozen=True)
class Known:
    """Files and names outside of a study's YAML to which it may refer.

    Attributes:
        presets: The presets of config/methods.yaml, by family and method.
        ontologies: Format of the answer of each ontology, by the name of a project's or the path of a user's ontology.
        without_relations: The ontologies among these that have no labels of relations.
        losses: Names of the losses.
        revisions: Commits of hub models by id, for entries without a revision.
        without_key: Models behind endpoints that the study leaves out, with the variables that would hold their keys.
    """

    presets: Mapping[str, Mapping[str, Any]]
    ontologies: Mapping[str, str]
    losses: Sequence[str]
    revisions: Mapping[str, str]
    without_relations: Collection[str] = ()
    without_key: Mapping[str, str] = field(default_factory=dict)


def resolve_study(config: Mapping[str, Any], known: Known) -> Study:
    """Check a study as loaded from YAML, and make every default explicit.

    Data sets whose `folder` is null, and models without a key, are left out.

    Raises:
        ConfigError: The study has a fault. The message describes the first fault: its place, what was asked, and what
            is accepted.
    """
    keys = checked(StudyKeys, config)
    config = without_absent(keys.model_dump(exclude_unset=True))
    _check_names(config)
    _check_entries(config, known)
    datasets = {name: complete_dataset(entry) for name, entry in config["datasets"].items()}
    private = [name for name, entry in datasets.items() if entry["private"]]
    _check_logging(keys.logging, private)
    answers = {dataset: _answer(config, dataset, known) for dataset in config["datasets"]}
    metrics = {dataset: METRICS[answer] for dataset, answer in answers.items()}
    prompted = {
        name: complete_prompted(name, entry, datasets, metrics)
        for name, entry in config["models"].items()
        if "endpoint" in entry
    }
    config = without_models(config, known.without_key)
    family = preset_family(known.presets, config["presets"])
    methods = {name: _method(config, name, known, family) for name in config["methods"]}
    scorers = _scorers(config, methods, known, family)
    all_methods = methods | scorers
    pairings = {name: complete_pairing(f"pairings.{name}", entry) for name, entry in config["pairings"].items()}
    training = {
        (model, method): complete_training(config, family, all_methods, model, method)
        for model, entry in config["models"].items()
        if "endpoint" not in entry
        for method in with_scorers(all_methods, (SFT, *entry.get("methods", methods)))
    }
    for (model, method), settings in training.items():
        if settings["keep"] == "dev_best":
            used = pairings if method == SFT else [all_methods[method]["pairing"]]
            heldouts = {name: pairings[name]["heldout"] for name in used}
            check_choice(f"models.{model} with {method}: keep dev_best", heldouts, "keep last")
    models = {name: prompted.get(name) or _model(config, name, known) for name in config["models"]}
    noise, noisy_pairings = with_noise(config["tables"], methods, pairings)
    copies = {copy: settings for copy, (_, settings) in noise.items()}
    all_methods, pairings = all_methods | copies, pairings | noisy_pairings
    training |= {
        (model, copy): training[model, method]
        for model in config["models"]
        for copy, (method, _) in noise.items()
        if (model, method) in training
    }
    imported = complete_imported(config)
    without_relations = [
        name for name, entry in config["datasets"].items() if entry.get("ontology") in known.without_relations
    ]
    tables, analyses = complete_tables(Resolved(config, answers, without_relations, all_methods, pairings, training))
    check_preferences(config, keys.generation.constraint, methods, training, tables)
    check_generation(keys.generation, [name for name, entry in models.items() if "endpoint" in entry])
    tuning = None
    if "tuning" in config:
        check_choice("tuning", {name: entry["heldout"] for name, entry in pairings.items()}, "no tuning")
        tuning = _tuning(config, Tuning.defaults() | config["tuning"], answers)
        all_methods, training = with_trials(tuning, all_methods, training)
    return Study(
        results=keys.results.rstrip("/"),
        seeds=tuple(keys.seeds),
        presets=keys.presets,
        strict_code=keys.strict_code,
        keep_models=keys.keep_models,
        logging=keys.logging,
        generation=keys.generation.model_dump(include=set(USUAL)),
        datasets=datasets,
        models=models,
        resources=dict(config["resources"]),
        pairings=pairings,
        methods=all_methods,
        beside=(*scorers, *copies),
        training=training,
        tuning=tuning,
        tables=tables,
        imported=imported,
        analyses=analyses,
        names=keys.names,
        memorisation=_memorisation(config["memorisation"], config),
    )


def _memorisation(names: Sequence[str], config: Mapping[str, Any]) -> tuple[str, ...]:
    """Check the data sets whose test sentences are completed; of preferences there are none."""
    annotated = [name for name, entry in config["datasets"].items() if entry["source"] != PREFERENCES]
    for name in names:
        check_reference("memorisation", name, "datasets with annotations", annotated)
    return tuple(dict.fromkeys(names))


def _check_names(config: Mapping[str, Any]) -> None:
    variants = {f"models.{name}.variants": entry.get("variants", ()) for name, entry in config["models"].items()}
    for axis, names in {**{axis: config[axis] for axis in RESERVED}, **variants}.items():
        for name in names:
            if not NAME.fullmatch(str(name)):
                raise ConfigError(
                    f"{axis}.{name} is no name; accepted: letters from a to z and digits,"
                    " after the first also '.', '_' and '-'"
                )
    for axis, reserved in RESERVED.items():
        for name in config[axis]:
            if name in reserved:
                raise ConfigError(f"{axis}.{name} is a reserved word; these are: {', '.join(reserved)}")
    for name in config["imported"]:
        for axis in ("models", "methods"):
            if name in config[axis]:
                raise ConfigError(f"imported.{name}: {axis} has an entry of this name too; accepted: another name")
    seeds = config["seeds"]
    repeated = [seed for number, seed in enumerate(seeds) if seed in seeds[:number]]
    if repeated:
        raise ConfigError(f"seeds has {repeated[0]} twice; each seed is one run")


def _check_entries(config: Mapping[str, Any], known: Known) -> None:
    """Check the entries of datasets, resources and models."""
    for name in config["datasets"]:
        check_dataset(f"datasets.{name}", config["datasets"][name], known.ontologies)
    check_demonstrations(config)
    check_disagreement(config)
    for name, machine in config["resources"].items():
        _check_machine(f"resources.{name}", machine)
    for name in config["models"]:
        _check_model(config, name)


def _check_machine(where: str, machine: Mapping[str, Any]) -> None:
    processes, nodes, gpus = machine["processes"], machine["nodes"], machine["gpus"]
    if gpus not in (0, processes):
        raise ConfigError(f"{where}: {processes} processes on {gpus} gpus; a process has one GPU of its own")
    if processes % nodes:
        raise ConfigError(f"{where}: {processes} processes cannot be shared equally by {nodes} nodes")


def _check_model(config: Mapping[str, Any], name: str) -> None:
    where, entry = f"models.{name}", config["models"][name]
    if "endpoint" in entry:
        return  # `complete_prompted` checks it
    given = [key for key in ("hub", "folder", "gguf", "scratch") if key in entry]
    if len(given) != 1:
        raise ConfigError(
            f"{where} has {' and '.join(given) or 'no source'}; exactly one of hub, folder, gguf, scratch, endpoint"
        )
    if "revision" in entry and "hub" not in entry:
        raise ConfigError(f"{where}.revision is for hub models; this one has {given[0]}")
    if set(entry.get("gguf", ["path"])) not in ({"path"}, {"package", "file", "sha256"}):
        raise ConfigError(
            f"{where}.gguf has {', '.join(sorted(entry['gguf']))}; accepted: path; or package, file, sha256"
        )
    check_reference(f"{where}.resources", entry["resources"], "resources", config["resources"])
    for method in entry.get("methods", []):
        check_reference(f"{where}.methods", method, "methods", config["methods"])
    if "scratch" in entry:
        _check_scratch(config, f"{where}.scratch", entry["scratch"])


def _check_scratch(config: Mapping[str, Any], where: str, scratch: Mapping[str, Any]) -> None:
    width, heads = scratch["hidden_size"], scratch["heads"]
    if width % (2 * heads):
        raise ConfigError(f"{where}: {heads} heads do not divide hidden_size {width} into even sizes")
    if scratch.get("copy_circuit") and (scratch["architecture"] != "qwen2" or scratch["layers"] < 2):
        raise ConfigError(f"{where}.copy_circuit needs architecture qwen2 (its biases) and two layers")
    for name, dataset in config["datasets"].items():
        longest = dataset["max_prompt_tokens"] + dataset["max_completion_tokens"]
        if longest > scratch["max_positions"]:
            raise ConfigError(
                f"{where}.max_positions is {scratch['max_positions']};"
                f" datasets.{name} allows prompts and answers of {longest} tokens together"
            )


def _model(config: Mapping[str, Any], name: str, known: Known) -> Settings:
    preference = overlay(stage_layers(config, name, "preference"))
    entry = {
        "generation": {"batch_size": config["generation"]["batch_size"]},
        "reference_batch_size": preference["micro_batch_size"],
        "reference_quantize": quantize(preference),
    }
    entry |= config["models"][name]
    if "hub" in entry:
        entry["revision"] = entry.get("revision") or known.revisions.get(entry["hub"])
    return entry


def _method(config: Mapping[str, Any], name: str, known: Known, family: Mapping[str, Settings]) -> Settings:
    where, entry = f"methods.{name}", config["methods"][name] or {}
    preset = family.get(name, {})
    loss = entry.get("loss", preset.get("loss"))
    if loss is None:
        fault = f"has no loss and is no preset of the family {config['presets']}"
        raise ConfigError(unknown_name(where, fault, name, family, "presets are"))
    check_reference(f"{where}.loss", loss, "tabpo/losses", known.losses)
    if preset.get("loss", loss) != loss:
        raise ConfigError(
            f"{where}.loss is {loss}, but the preset of that name has {preset['loss']}: rename the method"
        )
    pairing = entry.get("pairing", preset.get("pairing", default_pairing(config)))
    check_reference(f"{where}.pairing", pairing, "pairings", config["pairings"])
    params = {**preset.get("params", {}), **entry.get("params", {})}
    weights = entry.get("example_weights", preset.get("example_weights"))
    further = {} if weights is None else {"example_weights": ExampleWeights.defaults() | weights}
    further |= {key: entry[key] for key in ("extra_steps",) if key in entry}
    scores = entry.get("token_scores", preset.get("token_scores", family.get(loss, {}).get("token_scores")))
    if scores is not None:
        further["token_scores"] = scores
    return {"loss": loss, "params": params, "pairing": pairing, **further}


def with_scorers(methods: Mapping[str, Settings], names: Iterable[str]) -> list[str]:
    """Return methods with those whose models they read log-probs of, each once."""
    listed = list(names)
    scorers = [scorer for name in listed for scorer in methods.get(name, {}).get("token_scores", {}).values()]
    return list(dict.fromkeys([*listed, *scorers]))


def _scorers(
    config: Mapping[str, Any], methods: Mapping[str, Settings], known: Known, family: Mapping[str, Settings]
) -> dict[str, Settings]:
    """Methods that the study lacks and whose models others read log-probs of; they train on the pairs of the others."""
    scorers: dict[str, Settings] = {}
    for name, method in methods.items():
        for key, scorer in method.get("token_scores", {}).items():
            where = f"methods.{name}.token_scores.{key}"
            check_reference(where, scorer, "methods and presets", {**methods, **family})
            if scorer not in methods:
                alone = {**config, "methods": {scorer: {"pairing": method["pairing"]}}}
                entry = _method(alone, scorer, known, family)
                if scorers.setdefault(scorer, entry)["pairing"] != method["pairing"]:
                    raise ConfigError(
                        f"{where} names {scorer}, which the study lacks, for the pairing {method['pairing']}, and"
                        f" another method names it for {scorers[scorer]['pairing']}; accepted: entries for both"
                    )
            if "token_scores" in {**scorers, **methods}[scorer]:
                raise ConfigError(f"{where} names {scorer}, which has token_scores itself; accepted: other methods")
    return scorers


def _tuning(config: Mapping[str, Any], entry: Settings, answers: Mapping[str, str]) -> Settings:
    """Check the entry `tuning`, and draw the points of all trials; `answers` are the formats of the data sets."""
    where, trained = "tuning", [name for name, model in config["models"].items() if "endpoint" not in model]
    check_reference(f"{where}.model", entry["model"], "the trained models", trained)
    for dataset, answer in answers.items():
        if answer == PREFERENCES:
            raise ConfigError(
                f"{where}: datasets.{dataset} has preferences, whose scores compare a model with the SFT model, so that"
                " trials of SFT have none; accepted: studies of annotated data"
            )
        of_data = [metric for metric in METRICS[answer] if metric not in VALIDITY]
        check_reference(f"{where}.metric", entry["metric"], f"{dataset}, except for shares of answers,", of_data)
    methods = list(config["methods"]) if entry["methods"] is None else entry["methods"]
    of_model = config["models"][entry["model"]].get("methods", list(config["methods"]))
    for method in methods:
        check_reference(f"{where}.methods", method, f"models.{entry['model']}", of_model)
    for method in entry["params"]:
        check_reference(f"{where}.params", method, f"{where}.methods", methods)
    points = {
        method: draw_trials(
            method, entry["trials"], entry["learning_rate"], entry["steps"], entry["params"].get(method, {})
        )
        for method in (SFT, *methods)
    }
    return {**entry, "methods": methods, "points": points}


def _check_logging(logging: str, private: Sequence[str]) -> None:
    if private and logging == "wandb":
        raise ConfigError(
            f"logging is wandb, an online logger, and datasets.{private[0]} is private; accepted beside private data:"
            " none, tensorboard"
        )


def _answer(config: Mapping[str, Any], dataset: str, known: Known) -> str:
    """The format of a data set's answers, by which its metrics are named."""
    ontology = config["datasets"][dataset].get("ontology")
    return PREFERENCES if ontology is None else known.ontologies[ontology]
