"""Read and check the study while this file is parsed; define the values that wildcards may take."""

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from snakemake.settings.types import DeploymentMethod

from tabpo.answers.ontology import read_ontology
from tabpo.artefacts import read_yaml, write_whole
from tabpo.errors import ConfigError
from tabpo.names import SFT
from tabpo.processes.gpus import VLLM_PYTHON
from tabpo.records import PROMPT_SPLITS
from tabpo.study import jobs as job
from tabpo.study.datasets import PUBLISHED, SOURCES, without_absent
from tabpo.study.endpoint import models_without_key
from tabpo.study.folders import check_folder
from tabpo.study.imported import check_files
from tabpo.study.keys import StudyKeys
from tabpo.study.other_code import describe_other_code, other_code
from tabpo.study.resolve import Known, resolve_study
from tabpo.study.shape import checked
from tabpo.study.training import SCORER_VERSION
from tabpo.training.loggers import check_logger
from tabpo.tuning.trials import is_trial

PROJECT = Path(os.path.relpath(workflow.basedir))  # relative, so that a moved checkout re-runs nothing


def known_ontologies():
    """Read each ontology: the project's ontologies by name, the user's by path."""
    datasets = without_absent(checked(StudyKeys, config).model_dump(exclude_unset=True))["datasets"]
    of_user = {entry["ontology"] for entry in datasets.values() if entry.get("ontology", "").endswith(".yaml")}
    paths = {path.stem: path for path in sorted(PROJECT.glob("config/ontologies/*.yaml"))}
    paths |= {path: Path(path) for path in of_user}
    return {name: read_ontology(path) for name, path in paths.items()}


def check_folders(study):
    """Refuse the user's folders and files that do not exist, and folders that lack a split."""
    for name, entry in study.models.items():
        if "folder" in entry and not Path(entry["folder"]).is_dir():
            raise ConfigError(f"models.{name}.folder: {entry['folder']} is no folder")
        if "path" in entry.get("gguf", ()) and not Path(entry["gguf"]["path"]).is_file():
            raise ConfigError(f"models.{name}.gguf.path: {entry['gguf']['path']} is no file")
    for name, entry in study.datasets.items():
        source = SOURCES[entry["source"]]
        if source.origin == "folder":
            check_folder(f"datasets.{name}", Path(entry["folder"]), source.endings, entry["dev_share"])
        for texts, path in entry["new_texts"].items():
            if not Path(path).exists():
                raise ConfigError(f"datasets.{name}.new_texts.{texts}: {path} is neither a file nor a folder")
        for split, path in entry["second_annotator"].items():
            if path != PUBLISHED and not Path(path).exists():
                raise ConfigError(f"datasets.{name}.second_annotator.{split}: {path} is neither a file nor a folder")


def check_engine(study):
    """Refuse the engine vllm where neither its environment nor `--sdm conda` provides it."""
    by_conda = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
    if study.generation["engine"] == "vllm" and not by_conda and not Path(PROJECT, VLLM_PYTHON).exists():
        raise ConfigError(
            "generation.engine is vllm, and there is no environment for it: `make setup-vllm` makes .venv-vllm, and"
            " `--sdm conda` takes envs/vllm.yaml; or set engine: transformers"
        )


def without_key():
    """Return the models that the study leaves out, since their keys are not in the environment."""
    keys = checked(StudyKeys, config)
    return models_without_key(keys.model_dump(exclude_unset=True)["models"], os.environ, Path(keys.results))


def load_study():
    """Return the checked study. Jobs on a cluster call this too, so only the main process loads torch."""
    ontologies = known_ontologies()
    lock = PROJECT / "config/models.lock.yaml"
    study = resolve_study(
        config,
        Known(
            presets=read_yaml(PROJECT / "config/methods.yaml", "file of presets"),
            ontologies={name: ontology.answer for name, ontology in ontologies.items()},
            without_relations=[name for name, ontology in ontologies.items() if not ontology.relations],
            losses=sorted(path.stem for path in PROJECT.glob("tabpo/losses/[!_]*.py")),
            revisions=read_yaml(lock, "lock file") if lock.exists() else {},
            without_key=without_key(),
        ),
    )
    check_folders(study)
    check_files(study.imported)
    if workflow.is_main_process:
        check_logger(study.logging)
        check_engine(study)
        check_losses(study)
    return study


def check_losses(study):
    """Refuse hyperparameters that a loss does not take. A subprocess loads torch; its answer is cached."""
    losses = [
        {"where": f"tuning.params.{name.split('+')[0]}" if is_trial(name) else f"methods.{name}.params", **entry}
        for name, entry in study.methods.items()
    ]
    question = json.dumps(losses, sort_keys=True)
    code = b"".join(path.read_bytes() for path in sorted(PROJECT.glob("tabpo/losses/*.py")))
    answer = Path(".cache/losses", hashlib.sha256(question.encode() + code).hexdigest())
    if not answer.exists():
        check = subprocess.run(
            [sys.executable, "-m", "workflow_scripts.check"],
            input=question,
            env=os.environ | {"PYTHONPATH": workflow.basedir},
            capture_output=True,
            text=True,
        )
        if check.returncode:
            raise ConfigError(check.stderr.strip().split("\n")[-1].removeprefix("ConfigError: "))
        write_whole(answer, check.stdout)


def call_again():
    """Return the call of Snakemake that is running, without its targets and without the options of a dry run."""
    words = sys.argv[1 : sys.argv.index("--")] if "--" in sys.argv else sys.argv[1:]
    return shlex.join(["snakemake", *(word for word in words if word not in ("-n", "--dry-run", "--dryrun"))])


try:
    STUDY = load_study()
except ConfigError as error:
    sys.exit(f"ConfigError: {error}")

METHODS = [name for name in STUDY.methods if not is_trial(name)]
TUNED = [SFT, *STUDY.tuning["methods"]] if STUDY.tuning else []
TRIALS = STUDY.trials(TUNED)
IMPORTED = job.imported_files(STUDY)

if workflow.is_main_process:
    for name in sorted(set(config["datasets"]) - set(STUDY.datasets)):
        print(f"datasets.{name}.folder is null: the data set is left out, in tables too.", file=sys.stderr)
    for name, variable in without_key().items():
        print(f"models.{name}: {variable} is not set: the model is left out, in tables too.", file=sys.stderr)
    finished, differing = other_code(STUDY)
    if differing:
        print(describe_other_code(STUDY, finished, differing, call_again()), file=sys.stderr)


def results(path):
    return f"{STUDY.results}/{path}"


def either(names):
    """Return a wildcard constraint that matches exactly these names, or nothing if there are no names."""
    return "|".join(re.escape(str(name)) for name in names) or "(?!)"


ON_DEV_SELECT = rf"(?!/seed\d+/(?:completions|predictions|scores|logps)/(?!{job.DEV_SELECT}\.)|/seed\d+/annotated/)"
"""What follows the name of a trial in a path: trials answer the prompts of dev_select, and never those of test."""

STUDY_TABLES = [f"tables/{table}" for table in [*STUDY.tables, *STUDY.analyses]]
STUDY_METRICS = [f"tables/per_metric/{metric}" for metric in STUDY.metrics()]
STUDY_COSTS = ["tables/cost"] if job.cost_settings(STUDY)["runs"] else []
STUDY_TUNING = ["tables/tuning"] if STUDY.tuning else []
WITHOUT_TESTS = [*STUDY_COSTS, *STUDY_TUNING]
STUDY_TABLE_FILES = [
    results(f"{table}.{kind}{ending}")
    for table in [*STUDY_TABLES, *STUDY_METRICS, *WITHOUT_TESTS]
    for kind in ([""] if table in WITHOUT_TESTS else ["", "tests."])
    for ending in ("csv", "md", "tex")
]
STUDY_FILES = [
    results("report.html"),
    results("tables/macros.tex"),
    *STUDY_TABLE_FILES,
    *(results(f"{dataset}/card.json") for dataset in STUDY.datasets),
    *(results(f"{dataset}/second_annotator.json") for dataset in STUDY.annotated_twice()),
    *map(results, job.audits(STUDY)),
    *map(results, job.run_figures(STUDY)),
    *(results(f"{dataset}/memorisation/counts.csv") for dataset in STUDY.memorised()),
    *map(results, job.score_figures(STUDY).values()),
    *([results("export")] if STUDY.private(STUDY.datasets) else []),
]


def made_tables():
    """List the tables that exist, for the message at the end of a run."""
    made = [f"{table}.md" for table in [*STUDY_TABLES, *WITHOUT_TESTS]]
    return filter(os.path.exists, map(results, [*made, "tables/per_metric"]))


onsuccess:
    if any(done.rule.name == "report" for done in workflow.dag.jobs):
        shutil.rmtree(results("partial"), ignore_errors=True)  # tables of an earlier call, in which jobs had failed
    print("Tables:", *made_tables(), file=sys.stderr)
    print("Report:", *filter(os.path.exists, [results("report.html")]), file=sys.stderr)


wildcard_constraints:
    dataset=either(STUDY.datasets),
    model=either(STUDY.trained_models()),
    method=rf"{either([SFT, *METHODS])}|(?:{either(TRIALS)}){ON_DEV_SELECT}",
    pairing=either(STUDY.pairings),
    seed=either(STUDY.all_seeds()),
    split=either([*PROMPT_SPLITS, *STUDY.other_tests()]),
    other=either(STUDY.other_tests()),
    variant=either(STUDY.variants()),
    table=either(set([*STUDY.tables, *STUDY.analyses]) - set(STUDY.of_kind("mechanism", "stability"))),
    metric=either(STUDY.metrics()),
    imported=either(IMPORTED),
