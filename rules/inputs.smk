"""Define the functions that rules call for their inputs and parameters."""

import functools
import json
import os
import shlex
from pathlib import Path

from tabpo.artefacts import sha256_text
from tabpo.code_version import loss_fingerprints
from tabpo.names import PROMPTED, SFT, WITHOUT_MODEL, run_folders
from tabpo.records import SPLITS
from tabpo.study import jobs as job
from tabpo.study.datasets import SOURCES, second_files
from tabpo.study.folders import content_hash, find_splits
from tabpo.study.pairings import DISAGREEMENT


def settings(function, *axes):
    """Return a parameter function: the settings of a job as JSON, with the same text for equal settings."""
    return lambda wildcards: json.dumps(function(STUDY, *(wildcards[axis] for axis in axes)), sort_keys=True)


document_settings = settings(job.document_settings, "dataset")
prompt_settings = settings(job.prompt_settings, "dataset")
other_test_settings = settings(job.other_test_settings, "dataset")
base_settings = settings(job.base_settings, "dataset", "model")
sft_settings = settings(job.sft_settings, "dataset", "model", "seed")
run_settings = settings(job.run_settings, "dataset", "model", "method", "seed")
generation_settings = settings(job.generation_settings, "dataset", "model")
sample_settings = settings(job.sample_settings, "dataset", "model", "seed")
annotate_settings = settings(job.annotate_settings, "dataset", "model", "method")
ask_settings = settings(job.ask_settings, "dataset", "model")
variant_settings = settings(job.variant_settings, "dataset", "model", "variant")
choice_settings = settings(job.choice_settings, "model")
completion_settings = settings(job.completion_settings, "dataset", "model")
asked_completion_settings = settings(job.asked_completion_settings, "dataset", "model")
memorisation_settings = settings(job.memorisation_settings, "dataset")
shot_settings = settings(job.shot_settings, "dataset", "shots")
reference_settings = settings(job.reference_settings, "dataset", "model")
held_out_logp_settings = settings(job.held_out_logp_settings, "dataset", "model")
pairing_settings = settings(job.pairing_settings, "dataset", "pairing", "seed")
held_out_pair_settings = settings(job.held_out_pair_settings, "dataset")
figure_settings = settings(job.figure_settings)
gradient_settings = settings(job.gradient_settings, "dataset", "model")
change_settings = settings(job.change_settings, "dataset", "model")
run_figure_settings = settings(job.run_figure_settings, "dataset", "model")
sensitivity_figure_settings = settings(job.sensitivity_figure_settings, "dataset", "model", "table")
second_card_settings = settings(job.second_card_settings, "dataset")
second_settings = settings(job.second_settings, "dataset")
table_settings = settings(job.table_settings, "table")
metric_settings = settings(job.metric_settings, "metric")
cost_settings = settings(job.cost_settings)
trial_settings = settings(job.trial_settings, "dataset", "method")
tuning_settings = settings(job.tuning_settings)
macro_settings = settings(job.macro_settings)
export_settings = settings(job.export_settings)


def loss_code(wildcards):
    """Return the fingerprints of the code of a method's loss, so that a change of this code repeats its runs."""
    return json.dumps(loss_fingerprints(STUDY.methods[wildcards.method]["loss"]))


def look(dataset, model, method, *settings):
    """Return the file, in a list, that records these settings as scored on test."""
    text = json.dumps(settings, sort_keys=True)
    return [results(f"looks/{dataset}/{model}/{method}/{sha256_text(text)[:16]}")]


def run_look(wildcards):
    """Return the look at a test split that the scores of a run are; train and dev have none. All seeds are one look."""
    dataset, model, method = wildcards.dataset, wildcards.model, wildcards.method
    if wildcards.split not in ("test", *STUDY.other_tests()):
        return []
    of_run = job.run_settings(STUDY, dataset, model, method, wildcards.seed) | {"seed": None, "resources": None}
    code = loss_fingerprints(STUDY.methods[method]["loss"]) if method in STUDY.methods else {}
    place = dataset if wildcards.split == "test" else f"{dataset}+{wildcards.split}"
    return look(place, model, method, of_run, code, job.generation_settings(STUDY, dataset, model))


def prompted_look(wildcards):
    settings = job.ask_settings(STUDY, wildcards.dataset, wildcards.model)
    return look(wildcards.dataset, wildcards.model, PROMPTED, settings)


def imported_look(wildcards):
    dataset, *row = [part for part in Path(wildcards.imported).parts if not part.startswith("seed")]
    return look(dataset, row[0] if len(row) > 1 else "", row[-1])


def variant_prompts(wildcards):
    """Return the prompts of dev_select in a variant of the prompts."""
    return results(f"{job.variant_prompts(STUDY, **wildcards)}/dev_select.parquet")


def prompts_of_variants(wildcards):
    """List the test prompts in each variant, of which one is asked."""
    variants = STUDY.models[wildcards.model]["variants"]
    return [results(f"{job.variant_prompts(STUDY, **wildcards, variant=name)}/test.parquet") for name in variants]


def chosen_variant(wildcards):
    """Return the choice among the variants; a single one needs none."""
    chosen = results(f"{wildcards.dataset}/{wildcards.model}/prompted/selection.json")
    return chosen if len(STUDY.models[wildcards.model]["variants"]) > 1 else []


def scores_of_variants(wildcards):
    """List the scores of each variant on dev_select."""
    folder = results(f"{wildcards.dataset}/{wildcards.model}/prompted/variants")
    return [f"{folder}/{name}/scores/dev_select.json" for name in STUDY.models[wildcards.model]["variants"]]


def completions_of_models(wildcards):
    """List the completions of test sentences by each model with pretraining."""
    folder = results(wildcards.dataset)
    return [f"{folder}/{model}/memorisation/completions.parquet" for model in STUDY.probed(wildcards.dataset)]


def titled(text):
    """Return a parameter function: the title of a figure."""
    return lambda wildcards: job.title(STUDY, wildcards.dataset, text.format(**wildcards))


def table_title(wildcards):
    return job.table_title(STUDY, wildcards.table)


def changed_predictions(wildcards):
    """List the answers on test of the method, all seeds, whose confusions are drawn beside those of SFT."""
    method = job.change_settings(STUDY, wildcards.dataset, wildcards.model)["method"]
    folder = f"{wildcards.dataset}/{wildcards.model}/{method}"
    return [results(f"{folder}/seed{seed}/predictions/test.parquet") for seed in STUDY.seeds]


def dataset_source(wildcards):
    return STUDY.datasets[wildcards.dataset]["source"]


def dataset_splits(wildcards):
    """List the paths of train, dev (if there is one) and test, in this order; generated data sets have no paths."""
    entry = STUDY.datasets[wildcards.dataset]
    source = SOURCES[entry["source"]]
    if source.origin == "folder":
        return list(map(str, find_splits(Path(entry["folder"]), source.endings).values()))
    if source.origin == "generated":
        return []
    folder = entry["folder"] or results(f"{wildcards.dataset}/source")
    return [f"{folder}/{split}{source.endings[0]}" for split in SPLITS]


def second_paths(*splits):
    """Return an input or parameter function: the second annotator's files or folders for these splits."""

    def paths(wildcards):
        files = second_files(STUDY.datasets[wildcards.dataset], results(f"{wildcards.dataset}/source"))
        return list(dict.fromkeys(path for split, path in files.items() if split in splits))

    return paths


def new_texts(wildcards):
    return [STUDY.datasets[wildcards.dataset]["new_texts"][wildcards.texts]]


second_of_train_and_dev, second_of_test = second_paths("train", "dev"), second_paths("test")
second_of_all = second_paths(*SPLITS)


def folder_content(paths):
    """Return a parameter function: a hash of the files' content. It keeps file names, perhaps patients', out of logs."""
    return lambda wildcards: content_hash(map(Path, paths(wildcards)))


def ontology_file(name):
    """Return the path of an ontology: the project's ontologies have a name, the user's a path."""
    return Path(name) if name.endswith(".yaml") else PROJECT / f"config/ontologies/{name}.yaml"


def dataset_ontology(wildcards):
    """Return the ontology file of a data set; data sets of preferences have none."""
    entry = STUDY.datasets[wildcards.dataset]
    return ontology_file(entry["ontology"]) if "ontology" in entry else []


def dataset_ambiguities(wildcards):
    entry = STUDY.datasets[wildcards.dataset]
    of_ontology = "none" if entry["ontology"].endswith(".yaml") else entry["ontology"]
    return entry["ambiguities"] or PROJECT / f"config/ambiguities/{of_ontology}.yaml"


def split_documents(wildcards):
    """Return the documents of a split of prompts; both halves of dev have those of dev."""
    split = "dev" if wildcards.split.startswith("dev_") else wildcards.split
    return results(f"{wildcards.dataset}/documents/{split}.parquet")


def other_test(wildcards):
    """Return the file or folder of a further test split: the user's, or the published one."""
    given = STUDY.datasets[wildcards.dataset]["other_tests"][wildcards.other]
    return given or results(f"{wildcards.dataset}/source/{wildcards.other}.json")


def held_out_prompts(wildcards):
    """List the prompts of dev and test. `ancient`: new ones are measured again only if the model is made again."""
    preferences = wildcards.dataset in STUDY.preference_datasets()
    splits = [split for split in PROMPT_SPLITS if split != "train" and not (preferences and split == "dev_confusion")]
    return [ancient(results(f"{wildcards.dataset}/prompts/{split}.parquet")) for split in splits]


def measured_preferences(wildcards):
    """List the preferences whose rejected answers are measured; annotated data sets have none."""
    splits = ("train", "dev_select", "test") if wildcards.dataset in STUDY.preference_datasets() else ()
    return [ancient(results(f"{wildcards.dataset}/preferences/{split}.parquet")) for split in splits]


def model_files(wildcards):
    """List the files of a model from the user's folder or GGUF file; other models have none."""
    entry = STUDY.models[wildcards.model]
    if "folder" in entry:
        return sorted(path for path in Path(entry["folder"]).iterdir() if path.is_file())
    return [entry["gguf"]["path"]] if "path" in entry.get("gguf", ()) else []


def pairs_group(wildcards):
    """Return the group of a job that draws pairs; only those of the first pairing share a job with the SFT's answers.

    The jobs of a group that need not wait for each other run at the same time, for which the group asks the scheduler
    for the sum of their cores and memory. A study may have a dozen pairings.
    """
    return "answers" if wildcards.pairing == next(iter(STUDY.pairings)) else None


def confusions_of_pairing(ending):
    """Return an input function: a file of the pairing's confusion table; on-policy pairings have none."""

    def path(wildcards):
        heldout = STUDY.pairings[wildcards.pairing]["heldout"]
        if heldout is None:
            return []
        if heldout == DISAGREEMENT:
            return results(f"{wildcards.dataset}/disagreement/confusions{ending}")
        folder = job.confusions_folder(heldout)
        return results(f"{{dataset}}/{{model}}/{folder}/seed{{seed}}{ending}".format(**wildcards))

    return path


pairing_confusions = confusions_of_pairing(".parquet")
pairing_confusion_ids = confusions_of_pairing(".ids.txt")


def model_below(wildcards):
    """Return the SFT model that a run's adapters are merged into when they are read; other runs have none."""
    lora = STUDY.training[wildcards.model, wildcards.method]["lora"]
    below = results(f"{wildcards.dataset}/{wildcards.model}/sft/seed{wildcards.seed}/model")
    return below if lora and not lora.get("merge", True) else []


def of_pairing(path):
    """Return an input function: a file of the pairing that the method trains on."""
    return lambda wildcards: results(path).format(pairing=STUDY.methods[wildcards.method]["pairing"], **wildcards)


run_pairs = of_pairing("{dataset}/{model}/pairs/{pairing}/seed{seed}.parquet")
run_audit = of_pairing("{dataset}/{model}/pairs/{pairing}/seed{seed}.audit.json")


def run_choices(wildcards):
    """List the choices among trials that the settings of a run name; studies without tuning have none."""
    method = wildcards.get("method", SFT)
    return list(map(results, job.choice_files(STUDY, wildcards.dataset, wildcards.model, method)))


def tuning_choices(wildcards):
    return [results(choice["file"]) for choice in job.tuning_settings(STUDY)["choices"]]


def matched_pairs(wildcards):
    """List the files of pairs from which the steps of a run with `extra_steps` are calculated; others have none."""
    pairings = job.matched_pairings(STUDY, wildcards.model, wildcards.method)
    return expand(results("{dataset}/{model}/pairs/{pairing}/seed{seed}.parquet"), pairing=pairings, **wildcards)


def run_token_scores(wildcards):
    """List the log-probs of other runs' models that a run reads; most losses read none."""
    return list(map(results, job.token_score_files(STUDY, **wildcards)))


run_reference = of_pairing("{dataset}/{model}/reference/{pairing}/seed{seed}.parquet")


def of_first_pairing(path):
    """Return an input function: a file of the first seed and of the pairing whose losses' gradients are drawn."""

    def file(wildcards):
        pairing = job.gradient_settings(STUDY, wildcards.dataset, wildcards.model)["pairing"]
        return results(path).format(pairing=pairing, seed=STUDY.seeds[0], **wildcards)

    return file


def study_folder(wildcards):
    return STUDY.results


def study_commands(wildcards):
    """Return, as JSON, how the reader of the report calls Snakemake on this study; no absolute path is in it."""
    files = [os.path.relpath(path) for path in workflow.overwrite_configfiles]
    changed = [f"{key}={value}" for key, value in workflow.config_settings.config.items()]
    arguments = [*(["--configfile", *files] if files else []), *(["--config", *changed] if changed else [])]
    folder = shlex.quote(os.path.relpath(STUDY.results))
    if os.path.isabs(STUDY.results):  # Snakemake knows the files of such a study by their absolute paths only
        folder = f"$(realpath -ms {folder})"
    return json.dumps({"results": folder, "arguments": arguments})


def run_files(settings, path, *axes):
    """Return an input function: one file of each run that these settings list."""

    def files(wildcards):
        shown = settings(STUDY, *(wildcards[axis] for axis in axes))
        folders = run_folders(shown["runs"])
        return [
            results(f"{folder}/{path}".replace("{split}", shown.get("split", "")))
            for run, folder in folders
            if path != PROVENANCE or run["method"] not in WITHOUT_MODEL
        ]

    return files


def table_cards(settings, axis):
    """An input function: the cards of a table's data sets whose prompts are about sentences."""
    return lambda wildcards: [
        results(f"{dataset}/card.json") for dataset in settings(STUDY, wildcards[axis])["by_sentence"]
    ]


SCORES, COUNTS = "scores/{split}.json", "scores/{split}.counts.parquet"
SAMPLE_COUNTS = "samples/dev_select.counts.parquet"
PROVENANCE = "provenance.json"  # rows without a model have none
# Programs of tables and of the report read several files of each run. One of those that the same job makes is enough as
# an input: Snakemake plans a study by going through all inputs, and its tables have most of them.
table_scores = run_files(job.table_settings, SCORES, "table")
cards_of_table = table_cards(job.table_settings, "table")
cards_of_metric = table_cards(job.metric_settings, "metric")
mechanism_steps = run_files(job.table_settings, "training.parquet", "table")
mechanism_scores = run_files(job.scored_settings, SCORES, "table")
stability_counts = run_files(job.table_settings, SAMPLE_COUNTS, "table")
figure_steps = run_files(job.run_figure_settings, "training.parquet", "dataset", "model")
figure_watch = run_files(job.run_figure_settings, "watch.json", "dataset", "model")
sensitivity_counts = run_files(
    job.sensitivity_figure_settings, "scores/test.counts.parquet", "dataset", "model", "table"
)
export_counts = run_files(job.export_settings, "scores/test.counts.parquet")
cost_provenance = run_files(job.cost_settings, PROVENANCE)
trial_scores = run_files(job.trial_settings, SCORES, "dataset", "method")
trial_provenance = run_files(job.trial_settings, PROVENANCE, "dataset", "method")


@functools.cache
def metric_sources(metric):
    return job.metric_sources(STUDY, metric)


def metric_tables(wildcards):
    return [results(f"tables/{table}.csv") for table in metric_sources(wildcards.metric)[0]]


def metric_scores(wildcards):
    return [results(f"{folder}/scores/test.json") for folder in metric_sources(wildcards.metric)[1]]


def annotated(path):
    """Return an input function: a file that only annotated data sets have."""
    return lambda wildcards: [] if wildcards.dataset in STUDY.preference_datasets() else results(path)


def preferred(path):
    """Return an input function: a file that only data sets of preferences have."""
    return lambda wildcards: results(path) if wildcards.dataset in STUDY.preference_datasets() else []


def imported_dataset(path):
    """Return an input function: a file of the data set of an imported run."""
    return lambda wildcards: results(path.format(dataset=wildcards.imported.split("/")[0]))


def imported_answers(wildcards):
    return IMPORTED[wildcards.imported]


def imported_ontology(wildcards):
    return ontology_file(STUDY.datasets[Path(wildcards.imported).parts[0]]["ontology"])
