"""The plan of a study, from a dry run's text and files of finished jobs written by hand."""

import json
from pathlib import Path

import pytest

from tabpo.tables.plan import (
    SHARED,
    describe_disk,
    estimated_s,
    measured_memory,
    plan_page,
    read_dry_run,
    read_measured,
    weights_of,
)

DRY_RUN = """Building DAG of jobs...

rule train:
    input: a, b
    output: c
    jobid: 3
    reason: Params have changed since last execution: Union of exclusive params before and now across all output
        before: 1
    wildcards: dataset=notes, model=small, method=dpo, seed=2
    threads: 2
    resources: tmpdir=/tmp, gpu=2, nodes=1, runtime=60, mem_mb=2500, mem=2.5 GB
Shell command: exec python -m workflow_scripts.launch train --settings '{"training": {"lora": null}}' --sft x

rule documents:
    output: d
    reason: Missing output files: d
    wildcards: dataset=notes
    resources: tmpdir=/tmp, mem_mb=1000, runtime=30


localrule all:
    input: e
    jobid: 0
    reason: Input files updated by another job: e
    resources: tmpdir=/tmp
"""


def finish(results: Path, method: str, seed: int, seconds: float, model: str = "small", memory: int = 100) -> None:
    path = results / f"notes/{model}/{method}/seed{seed}/provenance.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"wall_s": seconds, "peak_memory_mb": memory, "code": {}}))


def test_jobs_are_read_with_their_resources_and_without_the_target():
    train, documents = read_dry_run(DRY_RUN)
    assert (train.rule, train.gpus, train.mem_mb, train.limit_s) == ("train", 2, 2500, 3600)
    assert train.wildcards == {"dataset": "notes", "model": "small", "method": "dpo", "seed": "2"}
    assert train.reason.startswith("Params have changed since last execution")
    assert (documents.rule, documents.gpus, documents.wildcards) == ("documents", 0, {"dataset": "notes"})


def test_the_jobs_of_a_group_are_read_each():
    group = """
group job answers (jobs in lexicogr. order):

    rule predict:
        reason: Missing output files: f
        wildcards: dataset=notes, model=small
        resources: tmpdir=/tmp, mem_mb=2500, runtime=60, gpu=1

    rule score:
        reason: Input files updated by another job: f
        wildcards: dataset=notes, model=small
        resources: tmpdir=/tmp, mem_mb=2000, runtime=30
"""
    jobs = read_dry_run(DRY_RUN + group)[2:]
    assert [(job.rule, job.gpus, job.limit_s) for job in jobs] == [("predict", 1, 3600), ("score", 0, 1800)]


def test_a_time_is_the_mean_of_the_nearest_finished_jobs_or_the_limit(tmp_path):
    train = read_dry_run(DRY_RUN)[0]
    assert estimated_s(train, read_measured(tmp_path)) == (3600, False)
    finish(tmp_path, "sft", 1, 999)  # the time of another rule
    assert estimated_s(train, read_measured(tmp_path)) == (3600, False)
    finish(tmp_path, "rpo", 1, 100)
    assert estimated_s(train, read_measured(tmp_path)) == (100, True)
    finish(tmp_path, "dpo", 1, 40)
    finish(tmp_path, "dpo", 3, 60)
    assert estimated_s(train, read_measured(tmp_path)) == (50, True)
    finish(tmp_path, "dpo", 1, 1, model="other")
    assert estimated_s(train, read_measured(tmp_path)) == (50, True)


def test_other_rules_are_timed_by_their_benchmarks(tmp_path):
    path = tmp_path / "benchmarks/documents/notes.tsv"
    path.parent.mkdir(parents=True)
    path.write_text("s\th:m:s\tmax_rss\n12.5\t0:00:12\t80.1\n")
    assert estimated_s(read_dry_run(DRY_RUN)[1], read_measured(tmp_path)) == (12.5, True)


def test_the_page_has_hours_by_model_and_method(tmp_path):
    finish(tmp_path, "dpo", 1, 1800, memory=700)
    jobs = read_dry_run(DRY_RUN)
    page = plan_page(jobs, read_measured(tmp_path), measured_memory(tmp_path), "Now.", ["x/y is not here."], "Code.")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.split("\n") if line.startswith("|")]
    # 1800 s on two GPUs is an hour of GPUs; the documents count with their limit of half an hour
    assert ["small", "dpo", "1", "0.50", "1.00", "1 of 1"] in rows
    assert ["(no model)", SHARED, "1", "0.50", "0.00", "0 of 1"] in rows
    assert ["total", "", "2", "1.00", "1.00", "1 of 2"] in rows
    assert ["small", "2500", "700"] in rows
    assert ["Params have changed since last execution", "1", "train dpo (1)"] in rows
    assert ["Missing output files", "1", "documents (1)"] in rows
    assert "- x/y is not here." in page and page.endswith("Code.\n")


def test_nothing_to_do():
    assert plan_page([], {}, {}, "", [], "") == "Nothing is to be done.\n"


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("Qwen/Qwen2.5-1.5B-Instruct", 1_500_000_000),
        ("meta-llama/Llama-3.3-70B-Instruct", 70_000_000_000),
        ("HuggingFaceTB/SmolLM2-135M", 135_000_000),
        ("someone/model", None),
    ],
)
def test_the_number_of_weights_in_a_name(name, weights):
    assert weights_of(name) == weights


@pytest.mark.parametrize(("keep", "final"), [("all", "4.01 kB"), ("sft", "10 B")])
def test_disk_at_the_end_counts_the_models_that_are_kept(tmp_path, keep, final):
    (tmp_path / "file").write_bytes(b"0123456789")
    text = describe_disk(read_dry_run(DRY_RUN), tmp_path, {"small": 1000}, keep)
    assert f"Now 10 B; at the end about {final}" in text and "checkpoints of up to 24 kB." in text
    assert "small is not known" in describe_disk(read_dry_run(DRY_RUN), tmp_path, {"small": None}, keep)


@pytest.mark.parametrize(("merge", "final"), [(True, "4.01 kB"), (False, "10 B")])
def test_a_run_that_writes_its_adapters_alone_counts_as_no_model(tmp_path, merge, final):
    (tmp_path / "file").write_bytes(b"0123456789")
    adapters = json.dumps({"training": {"lora": {"r": 8, "merge": merge}}})
    jobs = read_dry_run(DRY_RUN.replace('{"training": {"lora": null}}', adapters))
    text = describe_disk(jobs, tmp_path, {"small": 1000}, "all")
    assert f"at the end about {final}" in text and "checkpoints" not in text


def test_the_time_of_trials_is_counted_apart(tmp_path):
    finish(tmp_path, "dpo+trial0", 1, 1800.0)
    trial = """
rule train_trial:
    reason: Missing output files: g
    wildcards: dataset=notes, model=small, method=dpo+trial1, seed=1
    resources: tmpdir=/tmp, gpu=2, mem_mb=2500, runtime=60
Shell command: exec python -m workflow_scripts.launch train --settings '{"training": {"lora": null}}' --sft x

rule predict:
    reason: Missing output files: h
    wildcards: dataset=notes, model=small, method=dpo+trial1, seed=1, split=dev_select
    resources: tmpdir=/tmp, gpu=2, mem_mb=2500, runtime=30
"""
    page = plan_page(read_dry_run(DRY_RUN + trial), read_measured(tmp_path), {}, "Little.", [], "")
    expected = "1, in 2 jobs of 1.00 hours and 2.00 GPU-hours (1 of 2 measured)"
    assert expected in page and "dpo+trial1" not in page.partition("## Tuning")[0].partition("## Time")[2]
    assert "## Tuning" not in plan_page(read_dry_run(DRY_RUN), {}, {}, "Little.", [], "")
