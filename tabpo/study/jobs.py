"""The settings of each job of a study, which rules pass to programs."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from tabpo.data.memorisation import MAX_TOKENS
from tabpo.names import DICTIONARY, GIVEN, HUMAN, PREFERENCES, PROMPTED, SFT, run_folders
from tabpo.privacy import INSIDE_ONLY
from tabpo.study.datasets import SOURCES, second_files
from tabpo.study.generation import SAMPLES
from tabpo.study.pairings import DISAGREEMENT
from tabpo.study.study import Settings, Study, stored_weights
from tabpo.tuning.trials import copied_method, is_trial

DEV_SELECT = "dev_select"
"""The split on which trials are chosen."""

PARTIAL = "PARTIAL, since jobs failed. "
"""How the caption of a table begins that is made after a call in which jobs failed."""


def document_settings(study: Study, dataset: str) -> Settings:
    """Settings of the rules `documents` and `preferences`."""
    entry = study.datasets[dataset]
    further = ("columns", "faulty_rows") if entry["source"] == PREFERENCES else ("shared_texts",)
    keys = ("source", "private", "dev_share", *further)
    return {"generate": entry.get("generate"), **{key: entry[key] for key in keys}}


def prompt_settings(study: Study, dataset: str) -> Settings:
    """Settings of the rule `prompts`."""
    return {key: study.datasets[dataset][key] for key in ("unit", "prompt", "context", "demonstrations")}


def other_test_settings(study: Study, dataset: str) -> Settings:
    """Settings of the rule `other_test`."""
    return {**document_settings(study, dataset), "style": prompt_settings(study, dataset)}


def base_settings(study: Study, dataset: str, model: str) -> Settings:
    """Settings of the rule `base`."""
    entry = study.models[model]
    source = {key: entry[key] for key in ("hub", "revision", "folder", "gguf", "scratch") if key in entry}
    return {"source": source, "prompt": study.datasets[dataset].get("prompt"), "limits": _limits(study, dataset)}


def sft_settings(study: Study, dataset: str, model: str, seed: str) -> Settings:
    """Settings of the rule `sft`."""
    return run_settings(study, dataset, model, SFT, seed)


def run_settings(study: Study, dataset: str, model: str, method: str, seed: str) -> Settings:
    """Settings of the rule `train`."""
    machine, stored = study.machine(model), stored_weights(study.models[model])
    return {
        "dataset": dataset,
        "model": model,
        **({"weights": stored} if stored else {}),
        "method": {"name": method, **study.methods.get(method, {})},
        "seed": int(seed),
        "training": study.training[model, method],
        "numerics": _numerics(study, model),
        "limits": _limits(study, dataset),
        "resources": {key: machine[key] for key in ("processes", "nodes", "gpus")},
        **_choice_and_match(study, dataset, model, method),
    }


def _choice_and_match(study: Study, dataset: str, model: str, method: str) -> Settings:
    """The choice among trials that a run takes, and what the steps of a run with `extra_steps` are calculated from."""
    further = _choice(study, dataset, method)
    if "extra_steps" in study.methods.get(method, {}):
        further["match"] = [
            {
                "method": {"name": name, **{key: study.methods[name][key] for key in ("loss", "params")}},
                "pairing": study.methods[name]["pairing"],
                "training": study.training[model, name],
                "needed": _scorers_of(study, name),
                **_choice(study, dataset, name),
            }
            for name in matched_methods(study, model)
        ]
    return further


def _choice(study: Study, dataset: str, method: str) -> Settings:
    file = choice_file(study, dataset, method)
    return {} if file is None else {"choice": f"{study.results}/{file}"}


def matched_methods(study: Study, model: str) -> list[str]:
    """Return the methods whose compute is compared: those trained with a model, but no trial and no copy."""
    return [name for name in study.methods if (model, name) in study.training and copied_method(name) == name]


def choice_file(study: Study, dataset: str, method: str) -> str | None:
    """Return the file of the choice among trials that a method's runs take, under the study's results."""
    chosen_by = study.chosen_by(method)
    return None if chosen_by is None else f"{dataset}/{study.tuning['model']}/tuning/{chosen_by}.json"


def choice_files(study: Study, dataset: str, model: str, method: str) -> list[str]:
    """Return the choices that the settings of a run name, under the study's results."""
    compared = matched_methods(study, model) if "extra_steps" in study.methods.get(method, {}) else []
    files = [choice_file(study, dataset, name) for name in (method, *compared)]
    return list(dict.fromkeys(file for file in files if file is not None))


def matched_pairings(study: Study, model: str, method: str) -> list[str]:
    """Return the pairings from whose files the steps of a run with `extra_steps` are calculated; others have none."""
    if "extra_steps" not in study.methods.get(method, {}):
        return []
    return list(dict.fromkeys(study.methods[name]["pairing"] for name in matched_methods(study, model)))


def trial_settings(study: Study, dataset: str, method: str) -> Settings:
    """Settings of the rule `choice`: the trials of a method, as runs."""
    tuning = study.tuning
    trials = [
        {"dataset": dataset, "model": tuning["model"], "method": trial, "seeds": tuning["seeds"]}
        for trial in study.trials([method])
    ]
    return {
        "method": method,
        **{key: tuning[key] for key in ("model", "metric", "seeds")},
        "points": tuning["points"][method],
        "runs": trials,
        "split": DEV_SELECT,
    }


def tuning_settings(study: Study) -> Settings:
    """Settings of the table of tuning: a row for each data set and method with trials."""
    choices = [
        {"dataset": dataset, "method": method, "file": choice_file(study, dataset, method)}
        for dataset in study.datasets
        for method in (SFT, *study.tuning["methods"])
    ]
    return {"choices": choices, "private": study.private(study.datasets), "names": study.names}


def generation_settings(study: Study, dataset: str, model: str) -> Settings:
    """Settings of the rule `predict`."""
    size, unit = study.models[model]["generation"]["batch_size"], study.datasets[dataset].get("unit")
    of_the_job = {"batch_size": size, "unit": unit, "limits": _limits(study, dataset)}
    return {"numerics": _numerics(study, model), **study.generation, **of_the_job}


def sample_settings(study: Study, dataset: str, model: str, seed: str) -> Settings:
    """Settings of the rule `sample`; transformers generates the samples, whatever engine generates the answers."""
    generation = generation_settings(study, dataset, model) | {"engine": "transformers"}
    return {**generation, "samples": SAMPLES, "seed": int(seed)}


def annotate_settings(study: Study, dataset: str, model: str, method: str) -> Settings:
    """Settings of the rule `annotate`."""
    return {
        "generation": generation_settings(study, dataset, model),
        "style": prompt_settings(study, dataset),
        "private": study.datasets[dataset]["private"],
        "name": f"{model} {method}",
    }


def ask_settings(study: Study, dataset: str, model: str) -> Settings:
    """Settings of the rule `ask`; the program asks in one of the variants."""
    entry, limits = study.models[model], _limits(study, dataset)
    return {
        "model": model,
        "endpoint": entry["endpoint"],
        "max_completion_tokens": limits["max_completion_tokens"],
        "unit": study.datasets[dataset]["unit"],
        "variants": {
            name: variant | {"demonstrations": _demonstrations(study, dataset, variant)}
            for name, variant in entry["variants"].items()
        },
    }


def variant_settings(study: Study, dataset: str, model: str, variant: str) -> Settings:
    """Settings of the rule `ask_variant`."""
    settings = ask_settings(study, dataset, model)
    return settings | {"variants": {variant: settings["variants"][variant]}}


def choice_settings(study: Study, model: str) -> Settings:
    """Settings of the rule `choose_variant`."""
    entry = study.models[model]
    return {"metric": entry["select_by"], "variants": list(entry["variants"])}


def _demonstrations(study: Study, dataset: str, variant: Settings) -> int:
    own = study.datasets[dataset]["demonstrations"]
    return own if variant["demonstrations"] is None else variant["demonstrations"]


def variant_prompts(study: Study, dataset: str, model: str, variant: str) -> str:
    """Return the folder of a variant's prompts, relative to the results."""
    shots = _demonstrations(study, dataset, study.models[model]["variants"][variant])
    usual = shots == study.datasets[dataset]["demonstrations"]
    return f"{dataset}/prompts" if usual else f"{dataset}/prompts/shots{shots}"


def completion_settings(study: Study, dataset: str, model: str) -> Settings:
    """Settings of the rule `complete`, which answers by transformers."""
    caps = {"max_prompt_tokens": 4096, "max_completion_tokens": MAX_TOKENS}
    return generation_settings(study, dataset, model) | {"constraint": "none", "limits": caps}


def asked_completion_settings(study: Study, dataset: str, model: str) -> Settings:
    """Settings of the rule `ask_completions`."""
    variants = {"completion": {"demonstrations": 0, "constraint": "none"}}
    return ask_settings(study, dataset, model) | {"max_completion_tokens": MAX_TOKENS, "variants": variants}


def memorisation_settings(study: Study, dataset: str) -> Settings:
    """Settings of the rule `memorisation`."""
    return {"dataset": dataset, "models": study.probed(dataset), "private": study.private([dataset])}


def shot_settings(study: Study, dataset: str, shots: str) -> Settings:
    """Settings of the rule `prompts_with_shots`."""
    return prompt_settings(study, dataset) | {"demonstrations": int(shots)}


def reference_settings(study: Study, dataset: str, model: str) -> Settings:
    """Settings of the rule `reference`; pairs are scored in batches of training's micro-batch size."""
    entry = study.models[model]
    scoring = {"batch_size": entry["reference_batch_size"], "quantize": entry["reference_quantize"]}
    return {"numerics": _numerics(study, model), "limits": _limits(study, dataset), **scoring}


def held_out_logp_settings(study: Study, dataset: str, model: str) -> Settings:
    """Settings of the rule `held_out_logps`: it reads models in full precision, even if QLoRA trained them."""
    return {**reference_settings(study, dataset, model), "quantize": None}


def pairing_settings(study: Study, dataset: str, pairing: str, seed: str) -> Settings:
    """Settings of the rules `pairs`, `on_policy`, `given_pairs` and `audit`."""
    limits, private = _limits(study, dataset), study.datasets[dataset]["private"]
    return {"name": pairing, **study.pairings[pairing], "seed": int(seed), "limits": limits, "private": private}


def held_out_pair_settings(study: Study, dataset: str) -> Settings:
    """Settings of the rule `held_out_pairs`: it takes the pairs from the data and flips none."""
    limits, private = _limits(study, dataset), study.datasets[dataset]["private"]
    return {"name": GIVEN, "flip_rate": 0.0, "seed": 0, "limits": limits, "private": private}


def title(study: Study, dataset: str, text: str) -> str:
    """Return the title of a figure, with INSIDE ONLY before it if the data set is private."""
    return f"{INSIDE_ONLY}: {text}" if study.datasets[dataset]["private"] else text


def table_title(study: Study, table: str) -> str:
    """Return the title of the figure of a table, with INSIDE ONLY before it if one of its data sets is private."""
    private = study.private(study.tables[table]["datasets"])
    return f"{INSIDE_ONLY}: {table}" if private else table


def figure_settings(study: Study) -> Settings:
    """Settings of the rules `confusion_figures`; there is one rule for each held-out part that gives confusions."""
    return {"seeds": list(study.seeds)}


def second_settings(study: Study, dataset: str) -> Settings:
    """Settings of the rules `disagreement` and `human`."""
    entry = study.datasets[dataset]
    return {**{key: entry[key] for key in ("source", "private")}, "all_splits": SOURCES[entry["source"]].second}


def second_card_settings(study: Study, dataset: str) -> Settings:
    """Settings of the rule `second_card`."""
    files = second_files(study.datasets[dataset], f"{study.results}/{dataset}/source")
    return {**second_settings(study, dataset), "files": files}


def confusions_folder(heldout: str) -> str:
    """Return the folder of the confusion tables from one held-out part, relative to the model's folder."""
    return {"dev_confusion": "confusions"}.get(heldout, f"confusions/{heldout}")


def audits(study: Study) -> list[str]:
    """Return the files that describe the training data of runs: pages about pairs, and confusions of all seeds.

    Paths are relative to the study's results.
    """
    files = {}
    for run in trained_runs(study):
        folder, pairing = f"{run['dataset']}/{run['model']}", study.methods[run["method"]]["pairing"]
        files |= dict.fromkeys(f"{folder}/pairs/{pairing}/seed{seed}.md" for seed in run["seeds"])
        heldout = study.pairings[pairing]["heldout"]
        if heldout == DISAGREEMENT:
            files[f"figures/confusions/{run['dataset']}/disagreement.svg"] = None
        elif heldout is not None:
            files[f"{folder}/{confusions_folder(heldout)}/stability.json"] = None
    return list(files)


def table_settings(study: Study, table: str) -> Settings:
    """Settings of one configured table."""
    if table in study.analyses:
        entry = study.analyses[table]
        analysis = {
            "claims": _claim_settings,
            "mechanism": _mechanism_settings,
            "labels": _label_settings,
            "side_by_side": _side_by_side_settings,
            "sensitivity": _sensitivity_settings,
            "stability": _stability_settings,
            "noise": _noise_settings,
        }
        return {"name": table, "layout": entry["kind"], **analysis[entry["kind"]](study, entry)}
    entry = study.tables[table]
    return {"name": table, "layout": "main", **_tests(entry), **_comparison(study, entry, entry["caption"])}


def _tests(entry: Settings) -> Settings:
    tests = entry["tests"]
    return {"against": tests["against"], "tested": tests["metrics"], "tested_rows": tests["methods"]}


def _claim_settings(study: Study, claims: Settings) -> Settings:
    entry = claims | {"split": "test", "methods": [claims["method"], *claims["rivals"]]}
    rivals = [SFT, *claims["rivals"]]
    return {"method": claims["method"], "rivals": rivals, **_comparison(study, entry, claims["caption"])}


def _mechanism_settings(study: Study, entry: Settings) -> Settings:
    """The settings of a table of mechanisms, which reads the logs of training.

    Of test it reads whether SFT is above the dictionary, from the scores of the runs `scored`.
    """
    entry = entry | {"split": "test", "metrics": []}
    runs = list(_runs(study, entry))
    return {
        **{key: entry[key] for key in ("method", "against")},
        **_comparison(study, entry, entry["caption"]),
        "runs": [run for run in runs if run["method"] in study.methods],
        "scored": [run for run in runs if run["method"] in (SFT, DICTIONARY)],
        "rows": entry["methods"],
    }


def _label_settings(study: Study, entry: Settings) -> Settings:
    """The settings of a table of labels: of baselines it reads the dictionary, with which SFT is compared."""
    return _of_rows(_comparison(study, entry | {"split": "test"}, entry["caption"]), [SFT, *entry["methods"]])


def _side_by_side_settings(study: Study, entry: Settings) -> Settings:
    metrics = list(dict.fromkeys(metric for of_dataset in entry["metrics"].values() for metric in of_dataset))
    shown = entry | {"split": "test", "metrics": metrics}
    return {"by_dataset": entry["metrics"], **_tests(entry), **_comparison(study, shown, entry["caption"])}


def _sensitivity_settings(study: Study, entry: Settings) -> Settings:
    """The settings of a table of sensitivity: SFT, then a row for each value."""
    method, setting, values = entry["method"], entry["setting"], entry["values"]
    caption = f"{entry['caption']} Values of {setting}; all else is as in `{method}`, which has the default."
    shown = entry | {"split": "test", "methods": list(values)}
    tests = {"against": method, "tested": entry["metrics"], "tested_rows": [row for row in values if row != method]}
    settings = _of_rows(_comparison(study, shown, caption), [SFT, *values])
    return {"setting": setting, "values": values, **tests, **settings}


def _noise_settings(study: Study, entry: Settings) -> Settings:
    """The settings of a table of noise: SFT, then each method with the rows that differ from it in flips alone."""
    rows = [row for rates in entry["rates"].values() for row in rates]
    shown = entry | {"split": "test", "methods": rows}
    return {"rates": entry["rates"], **_of_rows(_comparison(study, shown, entry["caption"]), [SFT, *rows])}


def _of_rows(settings: Settings, rows: list[str]) -> Settings:
    """The settings of a table that shows these rows alone."""
    runs = [run for run in settings["runs"] if run["method"] in (*rows, DICTIONARY)]
    return settings | {"runs": runs, "rows": rows, "imported": []}


def scored_settings(study: Study, table: str) -> Settings:
    """The runs whose scores decide whether a table of mechanisms is a rehearsal."""
    settings = table_settings(study, table)
    return {"split": settings["split"], "runs": settings["scored"]}


def _stability_settings(study: Study, entry: Settings) -> Settings:
    """The settings of a table of stability, which reads samples of dev_select and the logs of training."""
    entry = entry | {"split": "test", "metrics": []}  # its runs do not depend on the split
    runs = [run for run in _runs(study, entry) if run["method"] in (SFT, *study.methods)]
    return {
        **_comparison(study, entry, entry["caption"]),
        "against": entry["against"],
        "samples": SAMPLES,
        "runs": runs,
        "rows": entry["methods"],
    }


def metric_settings(study: Study, metric: str) -> Settings:
    """Settings of the table of one metric, with all methods and the datasets and models of tables with this metric.

    Differences are not tested in it; a study tests differences in its configured tables only.
    """
    tables = [entry for entry in study.tables.values() if metric in entry["metrics"]]
    entry = {
        "split": "test",
        "datasets": list(dict.fromkeys(dataset for table in tables for dataset in table["datasets"])),
        "models": list(dict.fromkeys(model for table in tables for model in table["models"])),
        "methods": [name for name in study.methods if name not in study.beside and not is_trial(name)],
        "metrics": [metric],
    }
    caption = f"{metric}: methods by dataset and model."
    tests = {"against": SFT, "tested": [], "tested_rows": []}
    return {"name": f"metric-{metric}", "layout": "per_metric", **tests, **_comparison(study, entry, caption)}


def metric_sources(study: Study, metric: str) -> tuple[list[str], list[str]]:
    """Return from what the table of one metric is made: tables of test, and folders of runs that these do not show.

    The table reads the scores of all its runs. They are there as soon as the tables are, which read most of them too.
    """
    tables = [name for name in study.tables_of_test() if metric in study.tables[name]["metrics"]]
    shown = {folder for name in tables for _, folder in run_folders(table_settings(study, name)["runs"])}
    folders = [folder for _, folder in run_folders(metric_settings(study, metric)["runs"])]
    return tables, [folder for folder in folders if folder not in shown]


def _comparison(study: Study, entry: Settings, caption: str) -> Settings:
    """Return the settings that configured tables and tables of one metric have in common."""
    of_test, split = (entry["datasets"], "") if entry["split"] == "test" else ([], f" Split: {entry['split']}.")
    return {
        "caption": caption + split + study.dequantised(entry["models"]) + study.generated(),
        "presets": study.presets,
        "split": entry["split"],
        "runs": list(_runs(study, entry)),
        "metrics": entry["metrics"],
        "rows": _rows(study, entry),
        "generated": [name for name in entry["datasets"] if _is_generated(study, name)],
        "imported": _imported(study, entry),
        "public": _public(study, entry),
        "by_sentence": [name for name in of_test if study.datasets[name].get("unit") == "sentence"],
        "strict_code": study.strict_code,
        "names": study.names,
        "private": study.private(entry["datasets"]),
    }


def _is_generated(study: Study, dataset: str) -> bool:
    return SOURCES[study.datasets[dataset]["source"]].origin == "generated"


def _public(study: Study, entry: Settings) -> dict[str, int]:
    """Return the published data sets of a table, with their years, if one of its models was pretrained."""
    pretrained = any("scratch" not in study.models[model] for model in entry["models"])
    years = {name: SOURCES[study.datasets[name]["source"]].public_since for name in entry["datasets"]}
    private = study.private(entry["datasets"])
    return {name: year for name, year in years.items() if pretrained and year is not None and name not in private}


def cost_settings(study: Study) -> Settings:
    """Settings of the table of costs: every run that was trained with a loss, and which other runs it needs."""
    shown = trained_runs(study)
    scored = [run | {"method": name} for run in shown for name in _scorers_of(study, run["method"])]
    runs = {(run["dataset"], run["model"], run["method"]): run for run in [*shown, *scored]}
    names = [name for name in study.methods if not is_trial(name)]
    needed = {name: _scorers_of(study, name) for name in names if _scorers_of(study, name)}
    private = study.private({run["dataset"] for run in shown})
    about = {"caption": "Cost of training.", "private": private, "names": study.names}
    return {**about, "runs": list(runs.values()), "needed": needed}


def _scorers_of(study: Study, method: str) -> list[str]:
    """Return the methods whose models a method reads log-probs of, by the name of these log-probs."""
    return [scorer for _, scorer in sorted(study.methods[method].get("token_scores", {}).items())]


def token_score_files(study: Study, dataset: str, model: str, method: str, seed: str) -> list[str]:
    """Return the files of log-probs that a run reads, under the study's results, by the name of these log-probs."""
    folder = f"{dataset}/{model}/token_scores/{study.methods[method]['pairing']}"
    return [f"{folder}/{scorer}/seed{seed}.parquet" for scorer in _scorers_of(study, method)]


def macro_settings(study: Study) -> Settings:
    """Settings of the rule `macros`."""
    other = [name for name in study.tables if name not in study.tables_of_test()]
    return {"private": study.private(study.datasets), "other_tests": other}


def export_settings(study: Study) -> Settings:
    """Settings of the rule `export`: the runs of all tables."""
    return {"runs": _table_runs(study)}


def _table_runs(study: Study) -> list[Settings]:
    """Return the runs of all tables, each once."""
    runs = [run for metric in study.metrics() for run in metric_settings(study, metric)["runs"]]
    return list({(run["dataset"], run["model"], run["method"]): run for run in runs}.values())


def trained_runs(study: Study) -> list[Settings]:
    """Return the runs of all tables that were trained with a loss."""
    return [run for run in _table_runs(study) if run["method"] in study.methods]


def _rows(study: Study, entry: Settings) -> list[str]:
    """Return the rows of a table.

    A table has the imported rows of its data sets and models, the row `prompted` if one of its models is behind an
    endpoint and is asked about one of its data sets, and `human` if test documents of one of its data sets have a
    second annotation.
    """
    if entry["split"] != "test":
        return [SFT, *entry["methods"], *study.baselines()]
    human = [HUMAN] if any(map(study.has_human, entry["datasets"])) else []
    prompted = [PROMPTED] if any(run["method"] == PROMPTED for run in _runs(study, entry)) else []
    return [SFT, *entry["methods"], *_imported(study, entry), *prompted, *study.baselines(), *human]


def _imported(study: Study, entry: Settings) -> list[str]:
    """Return the imported rows that a table shows."""
    if entry["split"] != "test":
        return []
    runs = [run for dataset in entry["datasets"] for run in _imported_runs(study, dataset, entry["models"])]
    return [name for name in study.imported if any(run["method"] == name for run in runs)]


def _imported_runs(study: Study, dataset: str, models: Collection[str]) -> list[Settings]:
    """Return the imported runs on one data set that are beside all models, or beside one of these."""
    return [
        {"dataset": dataset, "model": entry["model"], "method": name, "seeds": list(entry["files"][dataset])}
        for name, entry in study.imported.items()
        if dataset in entry["files"] and (entry["model"] is None or entry["model"] in models)
    ]


def imported_files(study: Study) -> dict[str, str]:
    """Return the user's file of each imported run, by the folder of the run under the study's results."""
    runs = [run for dataset in study.datasets for run in _imported_runs(study, dataset, study.models)]
    return {
        folder: study.imported[run["method"]]["files"][run["dataset"]][run["seed"]] for run, folder in run_folders(runs)
    }


def _runs(study: Study, entry: Settings) -> Iterator[Settings]:
    """Yield the runs of a table.

    A baseline has one run per dataset, without model and seed. A model behind an endpoint has one run without a seed
    for each data set that it is asked about.
    A model has no run for a method that it is not trained with.
    """
    for dataset in entry["datasets"]:
        of_test = entry["split"] == "test"
        for baseline in (*study.baselines(), *([HUMAN] if of_test and study.has_human(dataset) else [])):
            yield {"dataset": dataset, "model": None, "method": baseline, "seeds": [None]}
        if of_test:
            yield from _imported_runs(study, dataset, entry["models"])
        for model in entry["models"]:
            if of_test and dataset in study.asked(model):
                yield {"dataset": dataset, "model": model, "method": PROMPTED, "seeds": [None]}
            for method in (SFT, *entry["methods"]):
                if (model, method) in study.training:
                    yield {"dataset": dataset, "model": model, "method": method, "seeds": study.seeds}


def _numerics(study: Study, model: str) -> Settings:
    entry = study.models[model]
    threads = study.machine(model)["threads"]
    return {"precision": entry["precision"], "attention": entry["attention"], "threads": threads}


def _limits(study: Study, dataset: str) -> Settings:
    return {key: study.datasets[dataset][key] for key in ("max_prompt_tokens", "max_completion_tokens")}


def run_figure_settings(study: Study, dataset: str, model: str) -> Settings:
    """Settings of the rules `training_figure` and `erosion_figure`."""
    return {"runs": [run for run in trained_runs(study) if (run["dataset"], run["model"]) == (dataset, model)]}


def sensitivity_figure_settings(study: Study, dataset: str, model: str, table: str) -> Settings:
    """Settings of the rule `sensitivity_figure`: a table's rows with values of a setting, on one data set and model.

    In a table of sensitivity there is one line, that of the method with the default value; in a table of noise there is
    a line for each method.
    """
    entry = study.analyses[table]
    lines = entry["rates"] if entry["kind"] == "noise" else {entry["method"]: entry["values"]}
    rows = [row for values in lines.values() for row in values]
    shown = entry | {"split": "test", "datasets": [dataset], "models": [model], "methods": rows}
    runs = [run for run in _runs(study, shown) if run["model"] == model and run["method"] in (SFT, *rows)]
    trained = {run["method"] for run in runs}
    lines = {
        method: {row: value for row, value in values.items() if row in trained}
        for method, values in lines.items()
        if method in trained
    }
    return {"runs": runs, "lines": lines, "setting": entry.get("setting", "flip_rate"), "metrics": entry["metrics"]}


def sensitivity_figures(study: Study) -> list[str]:
    """Return the figures of sensitivity, relative to the study's results, for each data set and model of a table."""
    return [
        f"figures/sensitivity/{dataset}/{model}/{table}.svg"
        for table in study.of_kind("sensitivity", "noise")
        for dataset in study.analyses[table]["datasets"]
        for model in study.analyses[table]["models"]
        if sensitivity_figure_settings(study, dataset, model, table)["lines"]
    ]


def gradient_settings(study: Study, dataset: str, model: str) -> Settings:
    """Settings of the rule `gradient_figure`: the pairing of the first method, and the methods with this pairing."""
    runs = run_figure_settings(study, dataset, model)["runs"]
    pairing = study.methods[runs[0]["method"]]["pairing"]
    methods = {run["method"]: study.methods[run["method"]] for run in runs}
    return {
        "pairing": pairing,
        "methods": {
            name: {key: entry[key] for key in ("loss", "params")}
            for name, entry in methods.items()
            if entry["pairing"] == pairing
        },
        "limits": _limits(study, dataset),
    }


def change_settings(study: Study, dataset: str, model: str) -> Settings:
    """Settings of the rule `change_figure`: the method whose confusions are drawn beside those of SFT.

    It is the method that tables of claims or mechanisms are about or, if the model is not trained with it, the last
    one that the model is trained with.
    """
    methods = [run["method"] for run in run_figure_settings(study, dataset, model)["runs"]]
    named = [entry["method"] for entry in study.analyses.values() if entry["kind"] in ("claims", "mechanism")]
    return {"method": next((name for name in named if name in methods), methods[-1])}


def score_figures(study: Study) -> dict[str, str]:
    """Return the figure of each table of scores by the table's name, relative to the study's results."""
    return {name: f"figures/scores/{name}.svg" for name in study.tables}


def run_figures(study: Study) -> list[str]:
    """Return the figures of runs, relative to the study's results.

    Preferences have no gold tokens that could erode, no labels and no edits. The figure of gradients shows a pair, so
    that private data have none.
    """
    drawn = list(dict.fromkeys((run["dataset"], run["model"]) for run in trained_runs(study)))
    annotated = study.annotated_datasets()
    return [
        *(f"figures/training/{dataset}/{model}.svg" for dataset, model in drawn),
        *(
            f"figures/{kind}/{dataset}/{model}.svg"
            for kind in ("changes", "erosion")
            for dataset, model in drawn
            if dataset in annotated
        ),
        *(
            f"figures/gradients/{dataset}/{model}.svg"
            for dataset, model in drawn
            if dataset in annotated and not study.datasets[dataset]["private"]
        ),
        *sensitivity_figures(study),
    ]


def partial_table(settings: Settings, missing: Mapping[str, str], usable: Callable[[str], bool]) -> Settings:
    """Return a table's settings without the runs that have no result; `missing` then lists these with their reasons.

    Args:
        settings: From `table_settings` or `metric_settings`.
        missing: Why a run has no result, by the folder of the run: "failed: out of memory".
        usable: Whether a file, named by its path under the results, exists and belongs to the present settings.
    """
    absent = [run | {"reason": missing[folder]} for run, folder in run_folders(settings["runs"]) if folder in missing]
    partial = settings | {
        "caption": PARTIAL + settings["caption"],
        "runs": _kept_runs(settings["runs"], lambda folder: folder not in missing),
        "missing": absent,
        "by_sentence": [name for name in settings["by_sentence"] if usable(f"{name}/card.json")],
    }
    if "scored" in settings:
        files = [f"scores/{settings['split']}{ending}" for ending in (".json", ".counts.parquet")]
        kept = _kept_runs(settings["scored"], lambda folder: all(usable(f"{folder}/{file}") for file in files))
        partial["scored"] = kept
    return partial


def partial_cost(settings: Settings, usable: Callable[[str], bool]) -> Settings:
    """Return the settings of the table of costs with only those rows whose runs, and those they need, all exist.

    Args:
        settings: From `cost_settings`.
        usable: As in `partial_table`.
    """
    whole = {
        (run["dataset"], run["model"], run["method"])
        for run in settings["runs"]
        if all(usable(f"{folder}/provenance.json") for _, folder in run_folders([run]))
    }
    runs = [
        run
        for run in settings["runs"]
        if {(run["dataset"], run["model"], name) for name in _needed(settings, run["method"])} <= whole
    ]
    return settings | {"caption": PARTIAL + settings["caption"], "runs": runs}


def _needed(costs: Settings, method: str) -> list[str]:
    return [method, *costs["needed"].get(method, ())]


def partial_report(settings: Settings, usable: Callable[[str], bool], *, costs: bool) -> Settings:
    """Return the report's settings without runs, pages and figures that do not exist, and no table of tuning.

    Args:
        settings: From `report_settings`.
        usable: As in `partial_table`.
        costs: Whether there is a table of costs.
    """
    files = ("selection.json", "provenance.json")
    return settings | {
        "runs": _kept_runs(settings["runs"], lambda folder: all(usable(f"{folder}/{file}") for file in files)),
        "exhibits": [exhibit for exhibit in settings["exhibits"] if all(map(usable, exhibit["files"]))],
        "score_figures": {table: figure for table, figure in settings["score_figures"].items() if usable(figure)},
        "costs": costs,
        "tuning": False,
    }


def _kept_runs(runs: Iterable[Settings], kept: Callable[[str], bool]) -> list[Settings]:
    """Return these runs with only those seeds whose folder is kept."""
    seeds = [run | {"seeds": [single["seed"] for single, folder in run_folders([run]) if kept(folder)]} for run in runs]
    return [run for run in seeds if run["seeds"]]
