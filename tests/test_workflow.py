"""Which jobs a change makes Snakemake repeat: dry runs over a study whose jobs were done by a stand-in for python."""

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = ("Snakefile", "rules", "profiles", "config", "envs", "tabpo", "workflow_scripts")
SNAKEMAKE = (sys.executable, "-m", "snakemake", "--cores", "2")

# Like every program of the workflow, the stand-in leaves its outputs behind.
STAND_IN = """#!/bin/sh
if [ -n "$STOP_AT" ] && echo "$*" | grep -q -e "$STOP_AT"; then exit 1; fi
while [ $# -gt 1 ]; do
    case "$1" in
        --output*) output=yes ;;
        --*) output= ;;
    esac
    shift
    case "$output $1" in
        "yes --"*) ;;
        "yes "*/base|"yes "*/model) mkdir -p "$1" ;;
        "yes "*/provenance.json) mkdir -p "$(dirname "$1")"; echo '{"code": {}}' > "$1" ;;
        "yes "*) mkdir -p "$(dirname "$1")"; echo "$1" > "$1" ;;
    esac
done
"""

LIMITS = {"max_prompt_tokens": 128, "max_completion_tokens": 200}
SCIERC = {"source": "scierc", "unit": "sentence", "prompt": "bare", "ontology": "scierc"}


def small_study() -> dict:
    """Two datasets, one of them in a user's folder, and two methods, each with its pairing."""
    study = yaml.safe_load((ROOT / "config/demo.yaml").read_text())
    study["results"] = "results/small"
    study["datasets"] = {"own": SCIERC | LIMITS | {"folder": "own"}, "phee": SCIERC | LIMITS}
    study["datasets"]["phee"] |= {"source": "phee", "unit": "document", "ontology": "phee"}
    study["pairings"]["other"] = {"confusions": "uniform", "heldout": "dev_confusion"}
    study["pairings"]["other"] |= {"negatives": 1, "edits": 1, "smoothing": 1.0}
    study["methods"] = {"dpo": {"params": {"beta": 0.1}}, "tab_po": {"pairing": "other"}}
    study["tables"] = {
        "first": {"caption": "One.", "datasets": ["own"], "metrics": ["rel"]},
        "second": {"caption": "Two.", "datasets": ["phee"], "metrics": ["code"]},
    }
    return study


def snakemake(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    env = os.environ | {"PATH": f"{folder.parent}/bin:{os.environ['PATH']}"} | environment
    return subprocess.run([*SNAKEMAKE, *arguments], cwd=folder, env=env, capture_output=True, text=True)


def run(folder: Path, study: dict, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    return snakemake(folder, "--configfile", "study.yaml", *arguments, **environment)


def jobs(dry_run: subprocess.CompletedProcess) -> set[str]:
    """The jobs of a dry run as `rule value value ...`, with the values of the wildcards in the order of the path."""
    assert dry_run.returncode == 0, dry_run.stdout + dry_run.stderr
    planned = set()
    for block in re.split(r"\n(?= *(?:local)?rule \w+:\n)", dry_run.stdout + dry_run.stderr)[1:]:
        rule = re.match(r" *(?:local)?rule (\w+):", block)[1]  # the jobs of a group are indented
        wildcards = re.search(r"^ +wildcards: (.*)$", block, re.M)
        values = [pair.split("=")[1] for pair in wildcards[1].split(", ")] if wildcards else []
        planned.add(" ".join([rule, *values]))
    return planned - {"all"}


def again(folder: Path, study: dict, **environment: str) -> set[str]:
    return jobs(run(folder, study, "--dry-run", **environment))


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Path:
    """A copy of the project in which the small study is finished."""
    top = tmp_path_factory.mktemp("workflow")
    folder = top / "Dr O'Neil's tést"
    folder.mkdir()
    for name in PROJECT:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, folder / name)
    stand_in = top / "bin" / "python"
    stand_in.parent.mkdir()
    stand_in.write_text(STAND_IN)
    stand_in.chmod(stand_in.stat().st_mode | stat.S_IXUSR)
    (folder / "own").mkdir()
    for split in ("train", "dev", "test"):
        (folder / "own" / f"{split}.json").write_text(split)
    first = run(folder, small_study())
    assert first.returncode == 0, first.stdout + first.stderr
    printed = first.stdout + first.stderr
    assert (
        "Tables: results/small/tables/first.md results/small/tables/second.md results/small/tables/cost.md" in printed
    )
    assert "Report: results/small/report.html" in printed
    return folder


@pytest.fixture
def study() -> dict:
    return small_study()


LOGGED = {
    dataset: {"cost", f"training_figure {dataset} tiny", f"erosion_figure {dataset} tiny"}
    for dataset in ("own", "phee")
}
GRADIENTS = {f"gradient_figure {dataset} tiny" for dataset in ("own", "phee")}
"""The figures of the losses that train on the pairs of the first method, dpo."""

TABLES = {
    "own": {"table first", "score_figure first", "per_metric_table rel", "macros", "report"} | LOGGED["own"],
    "phee": {"table second", "score_figure second", "per_metric_table code", "macros", "report"} | LOGGED["phee"],
}


def run_jobs(dataset: str, method: str, seed: int = 1) -> set[str]:
    """The three jobs of a run."""
    where = f"{dataset} tiny {method} {seed}"
    return {f"train {where}", f"predict {where} test", f"score {where} test"}


def seed_jobs(dataset: str, seed: int = 1) -> set[str]:
    """All jobs of one seed: SFT, confusions, pairs, references, runs."""
    where = f"{dataset} tiny"
    expected = {f"sft {where} {seed}", f"confusions {where} {seed}", f"gold {where} {seed}"}
    for split in ("test", "dev_confusion"):
        expected |= {f"predict {dataset} tiny sft {seed} {split}", f"score {dataset} tiny sft {seed} {split}"}
    for pairing in ("mixed", "other"):
        expected |= {f"{rule} {where} {pairing} {seed}" for rule in ("pairs", "reference", "audit")}
    expected.add(f"change_figure {where}")
    return expected | run_jobs(dataset, "dpo", seed) | run_jobs(dataset, "tab_po", seed)


def dataset_jobs(dataset: str) -> set[str]:
    shared = {f"documents {dataset}", f"prompts {dataset}", f"dictionary {dataset}", f"base {dataset} tiny"}
    figures = {f"confusion_figures {dataset} tiny", f"gradient_figure {dataset} tiny"}
    return shared | seed_jobs(dataset) | TABLES[dataset] | figures


def test_nothing_to_be_done(done, study):
    assert again(done, study) == set()


def test_one_methods_beta(done, study):
    study["methods"]["dpo"]["params"]["beta"] = 0.2
    expected = run_jobs("own", "dpo") | run_jobs("phee", "dpo") | TABLES["own"] | TABLES["phee"]
    assert again(done, study) == expected | GRADIENTS


def test_a_run_with_adapters_answers_with_the_sft_model_below_them(done, study):
    for merge, below in ((True, set()), (False, {"results/small/own/tiny/sft/seed1/model"})):
        study["training"]["preference"]["lora"] = {"r": 2, "alpha": 4, "merge": merge}
        completions = "results/small/own/tiny/dpo/seed1/completions/test.parquet"
        planned = run(done, study, "--dry-run", "--", completions).stdout
        (given,) = re.findall(r"rule predict:\n +input: (.*)\n", planned)
        assert {path for path in given.split(", ") if path.endswith("/model")} == below | {
            "results/small/own/tiny/dpo/seed1/model"
        }


def test_vllm_answers_in_an_environment_of_its_own(done, study):
    study["generation"]["engine"] = "vllm"
    refused = run(done, study, "--dry-run")
    assert refused.returncode != 0 and "`make setup-vllm` makes .venv-vllm, and `--sdm conda`" in refused.stderr
    python = done / ".venv-vllm/bin/python"
    python.parent.mkdir(parents=True)
    python.touch()
    planned = run(done, study, "--dry-run", "--printshellcmds")
    shutil.rmtree(done / ".venv-vllm")
    assert {job.split()[0] for job in jobs(planned)} >= {"predict", "score"}
    assert "on_gpus 0 predict_by_vllm --settings" in planned.stdout and "on_gpus 0 predict " not in planned.stdout


def test_a_new_seed(done, study):
    study["seeds"] = [1, 2]
    figures = {f"confusion_figures {dataset} tiny" for dataset in ("own", "phee")}
    assert again(done, study) == seed_jobs("own", 2) | seed_jobs("phee", 2) | TABLES["own"] | TABLES["phee"] | figures


def test_a_new_method_trains_on_the_pairs_that_are_there(done, study):
    study["methods"]["rpo"] = {}
    expected = run_jobs("own", "rpo") | run_jobs("phee", "rpo") | TABLES["own"] | TABLES["phee"]
    assert again(done, study) == expected | GRADIENTS


def test_one_documents_content(done, study):
    path = done / "own" / "train.json"
    before = path.stat()
    path.write_text("other")
    try:
        assert again(done, study) == dataset_jobs("own")
    finally:
        path.write_text("train")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_tables_caption(done, study):
    study["tables"]["second"]["caption"] = "Another."
    # the table of its metric is made after the study's tables with this metric
    figure = "score_figure second"
    assert again(done, study) == {"table second", figure, "per_metric_table code", "macros", "report"}


def pairing_jobs(dataset: str, source: str = "pairs") -> set[str]:
    """The jobs that use the pairing `other`, on which tab_po trains."""
    where = f"{dataset} tiny other 1"
    made = {f"{rule} {where}" for rule in (source, "reference", "audit")}
    return made | run_jobs(dataset, "tab_po") | {f"change_figure {dataset} tiny"}


def test_a_pairings_recipe_reaches_its_methods_only(done, study):
    study["pairings"]["other"]["edits"] = 2
    expected = TABLES["own"] | TABLES["phee"] | pairing_jobs("own") | pairing_jobs("phee")
    assert again(done, study) == expected


def test_confusions_of_all_of_dev(done, study):
    study["pairings"]["other"]["heldout"] = "dev"
    expected = TABLES["own"] | TABLES["phee"]
    for dataset in ("own", "phee"):
        answers = {f"{rule} {dataset} tiny sft 1 dev_select" for rule in ("predict", "score")}
        counted = {f"confusions_dev {dataset} tiny 1", f"confusion_figures_dev {dataset} tiny"}
        expected |= answers | counted | pairing_jobs(dataset)
    assert again(done, study) == expected


def test_confusions_of_train_by_models_that_did_not_see_it(done, study):
    study["pairings"]["other"]["heldout"] = "crossfit"
    expected = TABLES["own"] | TABLES["phee"]
    for dataset in ("own", "phee"):
        rules = ("sft_fold", "predict_fold", "score_fold")
        folds = {f"{rule} {dataset} tiny 1 {fold}" for rule in rules for fold in range(1, 6)}
        counted = {f"confusions_crossfit {dataset} tiny 1", f"confusion_figures_crossfit {dataset} tiny"}
        expected |= folds | {f"folds {dataset}"} | counted | pairing_jobs(dataset)
    dry_run = run(done, study, "--dry-run", "--printshellcmds")
    assert jobs(dry_run) == expected
    asked = re.findall(r"on_gpus 0 predict .*?/(\S+)/model --prompts (\S+)", dry_run.stdout + dry_run.stderr)
    assert ("sft/seed1/fold3", "results/small/own/prompts/fold3/held_out.parquet") in [
        (model.split("tiny/")[-1], prompts) for model, prompts in asked
    ]


def test_the_models_own_answers(done, study):
    study["pairings"]["other"] = {"confusions": "on_policy"}
    expected = TABLES["own"] | TABLES["phee"]
    for dataset in ("own", "phee"):
        answers = {f"{rule} {dataset} tiny sft 1 train" for rule in ("predict", "score")}
        expected |= answers | pairing_jobs(dataset, "on_policy")
    assert again(done, study) == expected


def test_what_two_annotators_differ_in_and_how_far_they_agree(done, study):
    custom = {"source": "custom", "folder": "people", "second_annotator": {"dev": "people/b.jsonl", "test": "people/b"}}
    study["datasets"] = {"own": study["datasets"]["own"] | custom}
    study["pairings"]["other"] = {"confusions": "disagreement", "negatives": 1, "edits": 1, "smoothing": 1.0}
    del study["tables"]["second"]
    (done / "people/b").mkdir(parents=True)
    refused = run(done, study, "--dry-run", "--quiet", "all")
    message = "ConfigError: datasets.own.folder: people has no train; accepted: train as .jsonl"
    assert message in refused.stdout + refused.stderr
    for name in ("train", "dev", "test"):
        (done / f"people/{name}.jsonl").write_text(name)
    refused = run(done, study, "--dry-run", "--quiet", "all")
    message = "ConfigError: datasets.own.second_annotator.dev: people/b.jsonl is neither a file nor a folder"
    assert message in refused.stdout + refused.stderr
    (done / "people/b.jsonl").write_text("b")
    dry_run = run(done, study, "--dry-run", "--printshellcmds")
    assert {"disagreement own", "human own", "pairs own tiny other 1"} <= jobs(dry_run)
    output = dry_run.stdout + dry_run.stderr
    assert (
        "--second people/b.jsonl" in output and "--second people/b --prompts results/small/own/prompts/test" in output
    )
    assert "--confusions results/small/own/disagreement/confusions.parquet" in output


def test_a_table_of_another_test_split_scores_the_runs_that_are_there(done, study):
    (done / "own/far.json").write_text("far")
    study["datasets"]["own"]["other_tests"] = {"far": "own/far.json"}
    study["tables"]["elsewhere"] = {"caption": "Far.", "datasets": ["own"], "metrics": ["rel"], "split": "far"}
    runs = [f"own tiny {method} 1 far" for method in ("sft", "dpo", "tab_po")]
    answers = {f"{rule} {run}" for rule in ("predict", "score") for run in runs}
    made = {"other_test own far", "dictionary_other own far", "table elsewhere", "score_figure elsewhere"}
    assert again(done, study) == answers | made | {"macros", "report"}
    study["tables"]["elsewhere"]["datasets"] = ["phee"]
    refused = run(done, study, "--dry-run", "--quiet", "all")
    assert "tables.elsewhere.split names far; phee, as its tests, has: test" in refused.stdout + refused.stderr


ANNOTATE = ("--settings", "--model", "--texts", "--train", "--ontology", "--output")
"""The arguments with which tests/workflow_scripts/test_annotate.py calls the program."""


def test_new_texts_are_annotated_on_demand_by_a_model_that_is_there(done, study):
    study["datasets"]["own"]["new_texts"] = {"march": "new/march"}
    refused = run(done, study, "--dry-run", "--quiet", "all")
    message = "ConfigError: datasets.own.new_texts.march: new/march is neither a file nor a folder"
    assert message in refused.stdout + refused.stderr
    (done / "new/march").mkdir(parents=True)
    assert again(done, study) == set()
    target = "results/small/own/tiny/sft/seed1/annotated/march"
    planned = run(done, study, "--dry-run", "--printshellcmds", target)
    assert jobs(planned) == {"annotate own tiny sft 1 march"}
    (command,) = re.findall(r"on_gpus 0 annotate (--.*) 2>>", planned.stdout)
    arguments = dict(pairwise(shlex.split(command)))
    assert {flag: value for flag, value in arguments.items() if flag in ("--texts", "--output", "--model")} == {
        "--texts": "new/march",
        "--output": target,
        "--model": "results/small/own/tiny/sft/seed1/model",
    }
    assert {flag for flag in arguments if flag.startswith("--")} == {*ANNOTATE}


def test_the_published_second_annotation_is_fetched_once(done, study):
    second = dict.fromkeys(("train", "dev", "test"), "published")
    study["datasets"] = {"phee": study["datasets"]["phee"] | {"second_annotator": second}}
    study["pairings"]["other"] = {"confusions": "disagreement", "negatives": 1, "edits": 1, "smoothing": 1.0}
    del study["tables"]["first"]
    dry_run = run(done, study, "--dry-run", "--printshellcmds")
    assert {"fetch_second phee", "disagreement phee", "human phee", "pairs phee tiny other 1"} <= jobs(dry_run)
    output = dry_run.stdout + dry_run.stderr
    assert "--outputs results/small/phee/source/second.json" in output
    assert output.count("--second results/small/phee/source/second.json --prompts") == 2  # one path for train and dev


ENDPOINT = {"endpoint": {"url": "https://example.org/v1", "model": "gpt-x", "key_variable": "A_KEY"}}


def test_a_model_behind_an_endpoint_is_asked_and_scored_alone(done, study):
    study["models"]["gpt"] = ENDPOINT
    expected = {f"{rule} {dataset} gpt" for rule in ("ask", "score_prompted") for dataset in ("own", "phee")}
    tables = (TABLES["own"] | TABLES["phee"]) - LOGGED["own"] - LOGGED["phee"]
    assert again(done, study, A_KEY="secret") == expected | tables
    study["seeds"] = [1, 2]
    assert {job for job in again(done, study, A_KEY="secret") if " gpt" in job} == expected
    refused = run(done, study, "--dry-run", "results/small/own/gpt/sft/seed1/model", A_KEY="secret")
    assert refused.returncode != 0 and "MissingRuleException" in refused.stdout + refused.stderr


def test_without_its_key_a_model_is_left_out_and_one_line_says_so(done, study):
    study["models"]["gpt"] = ENDPOINT
    planned = run(done, study, "--dry-run")
    assert jobs(planned) == set()
    [said] = [line for line in (planned.stdout + planned.stderr).split("\n") if "gpt" in line]
    assert said == "models.gpt: A_KEY is not set: the model is left out, in tables too."
    study["models"] = {"gpt": ENDPOINT}
    refused = run(done, study | {"methods": {}}, "--dry-run")
    assert "ConfigError: models.gpt.endpoint.key_variable is A_KEY, which is not set" in refused.stderr


def test_all_variants_answer_dev_select_and_one_of_them_test(done, study):
    study["datasets"]["own"] |= {"prompt": "instruct"}
    variants = {"zero": {}, "two": {"demonstrations": 2}}
    variants["two-schema"] = variants["two"] | {"constraint": "json_schema"}
    study["models"] = {"gpt": ENDPOINT | {"variants": variants, "datasets": ["own"]}}
    study |= {"methods": {}, "results": "results/chosen"}
    planned = {job for job in again(done, study, A_KEY="secret") if " gpt" in job or "shots" in job}
    assert planned == {
        "prompts_with_shots own 2",
        *(f"{rule} own gpt {name}" for rule in ("ask_variant", "score_variant") for name in variants),
        *(f"{rule} own gpt" for rule in ("choose_variant", "ask", "score_prompted")),
    }
    made = run(done, study, A_KEY="secret")
    assert made.returncode == 0, made.stdout + made.stderr
    assert again(done, study) == set()  # what was answered stays in the tables without the key
    study["models"]["gpt"]["select_by"] = "rel"
    planned = again(done, study)
    assert {"choose_variant own gpt", "ask own gpt"} <= planned
    assert not [job for job in planned if job.startswith(("ask_variant", "score_variant", "prompts"))]


def test_a_study_of_endpoints_alone(done, study):
    study |= {"models": {"gpt": ENDPOINT}, "methods": {}, "results": "results/asked"}
    counts = Counter(job.split()[0] for job in again(done, study, A_KEY="secret"))
    assert counts == {
        **{"documents": 2, "prompts": 2, "dictionary": 2, "ask": 2, "score_prompted": 2},
        # Nothing is trained, so there is no table of costs.
        **{"table": 2, "score_figure": 2, "per_metric_table": 2, "fetch": 1, "macros": 1, "report": 1},
    }


def test_log_probs_of_other_runs_are_made_once_and_their_runs_trained(done, study):
    study["methods"] |= {"tis_dpo": {}, "sepo": {}}
    planned = again(done, study)
    scores = {
        f"token_scores {dataset} tiny mixed {name} 1" for dataset in ("own", "phee") for name in ("dpo", "dpo_reversed")
    }
    assert {job for job in planned if job.startswith("token_scores")} == scores
    trained = {job for job in planned if job.startswith("train ")}
    assert trained == {
        f"train {dataset} tiny {method} 1"
        for dataset in ("own", "phee")
        for method in ("dpo_reversed", "sepo", "tis_dpo")
    }
    assert not [job for job in planned if job.startswith(("predict", "score ")) and "dpo_reversed" in job]
    study["methods"]["mine"] = {"loss": "tgdpo", "token_scores": {"reverse_dpo_logps": "dpo"}}
    refused = run(done, study, "--dry-run")
    message = (
        "ConfigError: methods.mine.params: tgdpo needs dpo_logps; accepted: token_scores: {dpo_logps: NAME} beside"
    )
    assert message in refused.stdout + refused.stderr


def test_imported_answers_are_read_and_scored_alone(done, study):
    study["imported"] = {
        "grpo": {"model": "tiny", "files": {"own": {1: "it's Dr B's.jsonl"}}},
        "gliner": {"files": {"own": "b.csv"}},
    }
    refused = run(done, study, "--dry-run")
    message = "ConfigError: imported.gliner.files.own: b.csv is no file of answers; accepted: a file that ends in .json"
    assert refused.returncode != 0 and message in refused.stdout + refused.stderr
    for name in ("it's Dr B's.jsonl", "b.csv"):
        (done / name).write_text("{}")
    planned = again(done, study)
    imported = {
        f"{rule} {run}"
        for rule in ("import_answers", "score_imported")
        for run in ("own/tiny/grpo/seed1", "own/gliner")
    }
    assert imported <= planned and "table first" in planned
    assert planned - imported <= TABLES["own"] | TABLES["phee"]


def test_memory_and_time_of_a_machine(done, study):
    study["resources"]["cpu"] |= {"mem_mb": 9000, "runtime": 9}
    assert again(done, study) == set()


def test_a_comment_in_python(done, study):
    for path in [*(done / "tabpo").rglob("*.py"), *(done / "workflow_scripts").glob("*.py")]:
        path.write_text(path.read_text() + "# A comment.\n")
    assert again(done, study) == set()


@pytest.fixture
def edit(done):
    """A function that replaces a text in a file of the project; files are restored after the test."""
    before = {}

    def replace(file: str, old: str, new: str) -> None:
        path = done / file
        before.setdefault(path, path.read_text())
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    yield replace
    for path, text in before.items():
        path.write_text(text)


DPO = run_jobs("own", "dpo") | run_jobs("phee", "dpo") | TABLES["own"] | TABLES["phee"]
TAB_PO = run_jobs("own", "tab_po") | run_jobs("phee", "tab_po") | TABLES["own"] | TABLES["phee"]
TAB_PO |= {"change_figure own tiny", "change_figure phee tiny"}  # its confusions are drawn beside those of SFT


@pytest.mark.parametrize(
    ("file", "old", "new", "repeated"),
    [
        ("losses/dpo.py", "chosen_reward - rejected", "chosen_reward + rejected", DPO),
        ("losses/_gates.py", "def gate(", "X = 1\n\n\ndef gate(", TAB_PO),
        ("losses/_interface.py", "from dataclasses", "import math\nfrom dataclasses", DPO | TAB_PO),
        ("losses/tab_po.py", "Attributes:", "Hyperparameters:", set()),
        ("losses/_bregman.py", "def difference", "X = 1\n\n\ndef difference", set()),  # neither loss imports it
        ("losses/simpo.py", "from dataclasses", "import math\nfrom dataclasses", set()),
        ("training/trainer.py", "class StepTrainer", "X = 1\n\n\nclass StepTrainer", set()),
    ],
)
def test_an_edited_loss_repeats_its_runs(done, study, edit, file, old, new, repeated):
    edit(f"tabpo/{file}", old, new)
    assert again(done, study) == repeated


def test_runs_of_other_code_are_counted_and_made_again_by_the_printed_command(done, study):
    assert "other code" not in run(done, study, "--dry-run").stderr
    provenance = done / "results/small/own/tiny/dpo/seed1/provenance.json"
    before = provenance.stat()
    provenance.write_text('{"code": {"tabpo.scoring.forward": "0"}}')
    os.utime(provenance, ns=(before.st_atime_ns, before.st_mtime_ns))
    planned = run(done, study, "--dry-run")
    assert jobs(planned) == set()
    lines = planned.stderr.split("\n")
    start = next(number for number, line in enumerate(lines) if "other code" in line)
    message, kept, command = lines[start : start + 3]
    assert message == ("1 of 6 finished runs were made by other code (methods: dpo; modules: tabpo.scoring.forward).")
    assert kept == "They are kept. To make the runs of dpo again:"
    program, *options = command.split()
    assert (program, options[-2:]) == (
        "snakemake",
        ["--forcerun", "results/small/*/*/dpo/seed*/provenance.json"],
    )
    assert "--dry-run" not in options
    matching = sorted(str(path.relative_to(done)) for path in done.glob(options.pop()))
    assert len(matching) == 2
    assert jobs(snakemake(done, *options[2:], *matching, "--dry-run")) == DPO


@pytest.mark.parametrize(
    ("outputs", "missing"),
    [
        (["tables/second.tex"], {"table second", "score_figure second", "per_metric_table code", "macros", "report"}),
        (["own/tiny/dpo/seed1/scores/test.json"], set()),  # the tables that were made from it exist
        (
            ["own/tiny/dpo/seed1/scores/test.json", "tables/first.csv"],
            {"score own tiny dpo 1 test"} | TABLES["own"] - LOGGED["own"],
        ),
        (["phee/card.json"], dataset_jobs("phee")),  # the job that makes the documents writes it too
    ],
)
def test_an_output_that_is_missing(done, study, outputs, missing):
    paths = [done / "results/small" / output for output in outputs]
    for path in paths:
        path.rename(path.with_name("aside"))
    try:
        assert again(done, study) == missing
    finally:
        for path in paths:
            path.with_name("aside").rename(path)


def test_an_interrupted_study_goes_on_where_it_stopped(done, study):
    study["results"] = "results/interrupted"
    stopped = run(done, study, "--keep-going", STOP_AT="phee/tiny/tab_po/seed1/completions")
    assert stopped.returncode != 0
    lines = stopped.stderr.split("\n")
    start = lines.index("Jobs that failed: 1. The next call tries them again.")
    assert lines[start + 1].startswith("predict phee tiny tab_po 1 test: ")
    logged = "results/interrupted/logs/predict/phee/tiny/tab_po/seed1/test"
    assert lines[start + 2] == f"    log: {logged}.log"
    options = "--cores 2 --configfile study.yaml --keep-going"
    output = "results/interrupted/phee/tiny/tab_po/seed1/completions/test.parquet"
    assert lines[start + 3] == f"    again: snakemake {options} -- {output}"
    assert sorted(path.name for path in (done / "results/interrupted/partial/tables").glob("*.csv")) == [
        *("cost.csv", "first.csv", "first.tests.csv", "second.csv", "second.tests.csv")
    ]
    assert (done / "results/interrupted/partial/tables/macros.tex").exists()
    left = {"predict phee tiny tab_po 1 test", "score phee tiny tab_po 1 test", "change_figure phee tiny"}
    assert again(done, study) == left | TABLES["phee"] - LOGGED["phee"]
    assert (done / f"{logged}.failed.json").exists()  # a dry run leaves it
    shutil.rmtree(done / study["results"])


def test_the_scheduler_starts_jobs_without_a_limit_per_second(done, study):
    study["results"] = "results/limit"
    first = run(done, study, "--until", "documents", "--verbose")
    printed = first.stdout + first.stderr
    assert first.returncode == 0 and "Ready jobs: 2" in printed, printed
    assert "Submitting maximum" not in printed
    shutil.rmtree(done / study["results"])


def test_a_copied_study_keeps_what_it_has(done, study):
    """As docs/configuration.md says: with Snakemake's records, or else after `--touch`."""
    copy = done.with_name("another checkout")
    copy.mkdir()
    for name in PROJECT:  # with the present time, as a new checkout's files have it
        source = done / name
        if source.is_dir():
            shutil.copytree(source, copy / name, copy_function=shutil.copyfile)
        else:
            shutil.copyfile(source, copy / name)
    subprocess.run(["cp", "-a", "results", ".snakemake", "own", copy], cwd=done, check=True)
    assert again(copy, study) == set()
    shutil.rmtree(copy / ".snakemake")
    assert again(copy, study) >= seed_jobs("own")
    assert run(copy, study, "--touch").returncode == 0
    assert again(copy, study) == set()


def test_spaces_apostrophes_and_accents_in_paths(done, study):
    """In a data set's folder, an ontology's path and results; the path of the checkout always has them."""
    (done / "Mes notes d'été ~1").mkdir()
    for split in ("train", "dev", "test"):
        (done / f"Mes notes d'été ~1/{split}.json").write_text(split)
    shutil.copy(done / "config/ontologies/scierc.yaml", done / "Mes notes d'été ~1/my labels.yaml")
    study["results"] = "results/O'Neil & Söhne (1)"
    study["datasets"]["own"] |= {"folder": "Mes notes d'été ~1", "ontology": "Mes notes d'été ~1/my labels.yaml"}
    first = run(done, study)
    assert first.returncode == 0, first.stdout + first.stderr
    assert again(done, study) == set()
    shutil.rmtree(done / study["results"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seedz": [1]}, "ConfigError: the study has an unknown key seedz; did you mean seeds? it takes: results, "),
        (
            {"methods": {"dpo": {"params": {"bta": 1}}}},
            "ConfigError: methods.dpo.params: dpo: unknown hyperparameter bta; it takes: beta",
        ),
        (
            {"methods": {"tab_po": {"params": {"tau": 2.0}, "pairing": "other"}}},
            "ConfigError: methods.tab_po.params: tab_po: tau must be",
        ),
        ({"methods": {"mine": {"loss": "dpoo"}}}, "ConfigError: methods.mine.loss names dpoo; did you mean dpo? tabpo"),
        (
            {"models": {"gpt": ENDPOINT}, "datasets": {"own": SCIERC | LIMITS | {"folder": "own", "private": True}}},
            "ConfigError: models.gpt.endpoint.url is not on this machine, and datasets.own is private; accepted beside",
        ),
    ],
)
def test_a_mistake_ends_a_dry_run_with_one_message(done, study, change, message):
    refused = run(done, study | change, "--dry-run", "--quiet", "all")
    output = (refused.stdout + refused.stderr).strip().split("\n")
    assert refused.returncode != 0
    assert output[-1].startswith(message)
    assert "Traceback" not in "".join(output)
    assert [line for line in output if "ConfigError" in line] == output[-1:]


@pytest.fixture
def no_torch(tmp_path: Path) -> Path:
    """A folder for PYTHONPATH in which importing torch is an error."""
    (tmp_path / "torch.py").write_text("raise SystemExit('torch was imported')\n")
    return tmp_path


def test_jobs_parse_without_torch_and_without_the_check(done, study, no_torch):
    study["methods"]["dpo"]["params"]["bta"] = 1  # the main process would refuse this key
    parsed = run(done, study, "--dry-run", "--mode", "remote", PYTHONPATH=str(no_torch))
    assert parsed.returncode == 0, parsed.stdout + parsed.stderr


def test_the_main_process_checks_losses_elsewhere_and_once(done, study, no_torch):
    study["methods"]["dpo"]["params"]["beta"] = 0.3
    cache = done / ".cache/losses"
    before = set(cache.iterdir())
    jobs(run(done, study, "--dry-run", PYTHONPATH=str(no_torch)))
    [answer] = set(cache.iterdir()) - before
    assert {entry["loss"]: entry["params"] for entry in yaml.safe_load(answer.read_text())} == {
        "dpo": {"beta": 0.3},
        "tab_po": yaml.safe_load(answer.read_text())[1]["params"],
    }
    modified = answer.stat().st_mtime_ns
    jobs(run(done, study, "--dry-run"))
    assert set(cache.iterdir()) - before == {answer} and answer.stat().st_mtime_ns == modified


def count(*arguments: str) -> Counter:
    planned = snakemake(ROOT, "--dry-run", "--nolock", "--forceall", *arguments)
    return Counter(job.split()[0] for job in jobs(planned))


def test_three_jobs_a_run_in_the_demo():
    study = yaml.safe_load((ROOT / "config/demo.yaml").read_text())
    starts = len(study["datasets"]) * len(study["models"]) * len(study["seeds"])
    counts = count("--configfile", "config/demo.yaml")
    assert counts["sft"] == counts["confusions"] == counts["pairs"] == counts["reference"] == starts
    assert counts["train"] == starts * len(study["methods"])
    assert counts["predict"] == counts["score"] == counts["train"] + 2 * starts
    assert counts["table"] == len(study["tables"])
    assert counts["fetch"] == 0


def test_every_loss_in_the_full_demo():
    study = yaml.safe_load((ROOT / "config/demo_full.yaml").read_text())
    presets = yaml.safe_load((ROOT / "config/methods.yaml").read_text())["matched"]
    assert {presets[name]["loss"] for name in study["methods"]} == {entry["loss"] for entry in presets.values()}
    assert {name for table in study["tables"].values() for name in table.get("methods", ())} == set(study["methods"])
    counts = count("--configfile", "config/demo_full.yaml")
    scored = {method for name in study["methods"] for method in presets[name].get("token_scores", {}).values()}
    assert counts["train"] == 2 * 3 * len(scored | set(study["methods"]))
    assert counts["cost"] == 1


def test_the_paper_without_any_file():
    """Three datasets, five seeds; thirteen methods on five models and three on the sixth."""
    counts = count()
    assert counts["fetch"] == 3
    assert counts["sft"] == 3 * 6 * 5
    assert counts["train"] == 3 * (5 * 13 + 3) * 5


RULES = [
    (path.name, block)
    for path in sorted((ROOT / "rules").glob("*.smk"))
    for block in re.split(r"^(?=rule |use rule )", path.read_text(), flags=re.M)[1:]
]


@pytest.mark.parametrize(("file", "block"), RULES, ids=[block.split("\n")[0] for _, block in RULES])
def test_every_rule_says_all(file, block):
    inherited = block.startswith("use rule")
    assert inherited or '"""' in block.split("\n")[1]
    for directive in ("output", "log", "benchmark", *(() if inherited else ("conda", "threads", "resources", "shell"))):
        assert re.search(rf"^    {directive}:", block, re.M), f"{file}: no {directive}"
    for directive in ("input", "output", "params"):
        lines = re.search(rf"^    {directive}:\n((?:        .*\n)*)", block, re.M)
        entries = re.findall(r"^        (\S.*)$", lines[1], re.M) if lines else []
        assert all(re.match(r"\w+=|[)\]]", entry) for entry in entries), f"{file}: unnamed {directive}"
    if not inherited:
        assert re.search(r"mem_mb=", block) and re.search(r"runtime=", block)
        assert ' 2>> {log:q}"' in block
        assert not re.findall(r"^        \".*\{(?:input|output)\.\w+\}", block, re.M), f"{file}: a path without :q"


def tuned_study() -> dict:
    study = small_study() | {"results": "results/tuned"}
    study["datasets"] = {"own": study["datasets"]["own"]}
    study["tables"] = {"first": study["tables"]["first"]}
    study["tuning"] = {"model": "tiny", "metric": "rel", "trials": 2, "seeds": [1, 2]}
    study["tuning"] |= {"learning_rate": [0.5, 1.0, 2.0], "steps": [1.0]}
    return study


def trial_jobs(method: str, rule: str, trials: tuple[int, ...] = (0, 1)) -> set[str]:
    """Two trials of a method with two seeds each, and the choice among them."""
    runs = [f"own tiny {method}+trial{number} {seed}" for number in trials for seed in (1, 2)]
    answers = {f"{answering} {run} dev_select" for run in runs for answering in ("predict", "score")}
    return answers | {f"{rule} {run}" for run in runs} | {f"choice own tiny {method}"}


@pytest.fixture(scope="module")
def tuned(done) -> Path:
    """The copy of the project in which a study with trials is finished too."""
    first = run(done, tuned_study())
    assert first.returncode == 0, first.stdout + first.stderr
    return done


def test_trials_come_before_the_runs_and_never_answer_test(tuned):
    study = tuned_study() | {"results": "results/tuned_again"}
    planned = again(tuned, study)
    trials = trial_jobs("sft", "sft_trial") | trial_jobs("dpo", "train_trial") | trial_jobs("tab_po", "train_trial")
    assert {job for job in planned if "+trial" in job or job.startswith("choice")} == trials
    assert {"tuning", "train own tiny dpo 1"} <= planned and "train own tiny dpo 2" not in planned
    for path in ("completions/test.parquet", "scores/test.json", "scores/train.json"):
        target = f"results/tuned_again/own/tiny/dpo+trial0/seed1/{path}"
        refused = run(tuned, study, "--dry-run", "--", target)
        assert refused.returncode != 0 and f"No rule to produce {target}" in refused.stdout + refused.stderr


def test_a_grid_reaches_the_trials_and_runs_of_its_methods(tuned):
    study = tuned_study()
    assert again(tuned, study) == set()
    study["tuning"]["params"] = {"tab_po": {"lambda_": [0.25]}}
    tables = TABLES["own"] | {"tuning", "change_figure own tiny"}
    assert again(tuned, study) == trial_jobs("tab_po", "train_trial") | run_jobs("own", "tab_po") | tables


def test_equal_compute_reads_the_pairs_and_choices_of_all_methods(tuned):
    study = tuned_study()
    study["methods"]["dpo"]["extra_steps"] = "match"
    completions = "results/tuned/own/tiny/dpo/seed1/run.yaml"
    planned = run(tuned, study, "--dry-run", "--", completions).stdout
    (given,) = re.findall(r"rule train:\n +input: (.*)\n", planned)
    pairs = {f"results/tuned/own/tiny/pairs/{pairing}/seed1.parquet" for pairing in ("mixed", "other")}
    choices = {f"results/tuned/own/tiny/tuning/{method}.json" for method in ("dpo", "tab_po")}
    assert pairs | choices <= set(given.split(", "))
