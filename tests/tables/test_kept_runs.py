"""Long studies, run by run: the order of runs, how many train at once, and which files are kept."""

from pathlib import Path

import yaml

from tabpo.tables.kept_runs import jobs_at_once, keep_runs, runs_by_seed, shortened
from workflow_scripts import keep_runs as script

CONFIG = Path(__file__).parents[2] / "config"
STUDY = yaml.safe_load((CONFIG / "scierc_smollm2.yaml").read_text())


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_runs_are_ordered_by_data_set_and_seed_with_sft_first():
    seeds = list(runs_by_seed(STUDY))
    assert [runs[0] for runs in seeds] == [
        f"{dataset}/smollm2/sft/seed{seed}" for dataset in ("scierc", "phee") for seed in STUDY["seeds"]
    ]
    assert seeds[0][1:] == [f"scierc/smollm2/{method}/seed1" for method in STUDY["methods"]]


def test_two_jobs_run_at_once_only_if_they_finish_more_steps():
    assert jobs_at_once([9.0, 11.0], [18.0, 19.0, 21.0, 21.0]) == 2  # 19.75 s each, so 9.9 s a step
    assert jobs_at_once([9.0, 11.0], [20.0, 20.0, 21.0, 21.0]) == 1


def test_the_shortened_study_has_few_steps_and_other_results():
    short = shortened(STUDY, "elsewhere")
    assert (short["results"], short["seeds"], short["training"]["sft"]["steps"]) == ("elsewhere", [1, 2, 3], 4)
    assert STUDY["training"]["sft"]["steps"] > 4 and short["training"]["preference"] == STUDY["training"]["preference"]


def test_the_small_files_of_a_scored_run_are_kept(tmp_path):
    results, output = tmp_path / "results", tmp_path / "kept"
    records = ("run.yaml", "selection.json", "provenance.json", "training.parquet")
    sft, dpo, rpo = (results / f"scierc/smollm2/{name}/seed1" for name in ("sft", "dpo", "rpo"))
    scores = ("scores/dev_select.json", "scores/dev_select.counts.parquet")
    write(sft, *records, *scores, "model/model.safetensors", "predictions/dev_select.parquet")
    write(dpo, *records, *scores, "watch.json")
    write(rpo, *records)  # this run has not been scored
    write(results / "scierc/dictionary", "scores/test.json")  # a baseline has no seed and no run

    script.main(["--results", str(results), "--output", str(output)])
    kept = {str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()}
    wanted = {f"scierc/smollm2/{run}/seed1/{name}" for run in ("sft", "dpo") for name in (*records, *scores)}
    assert kept == wanted | {"scierc/smollm2/dpo/seed1/watch.json"}
    assert (output / "scierc/smollm2/dpo/seed1/watch.json").read_text() == "watch.json"
    assert keep_runs(results, output) == [Path(f"scierc/smollm2/{name}/seed1") for name in ("dpo", "sft")]


def test_trials_have_the_settings_of_the_study_and_each_row_has_four():
    trials = yaml.safe_load((CONFIG / "scierc_smollm2_trials.yaml").read_text())
    for stage in ("sft", "preference"):  # the settings that the trials choose may differ
        chosen = dict.fromkeys(("learning_rate", "steps"))
        assert trials["training"][stage] | chosen == STUDY["training"][stage] | chosen
    assert trials["pairings"]["mixed"] == STUDY["pairings"]["mixed"]
    assert trials["datasets"]["scierc"] == STUDY["datasets"]["scierc"]
    assert {model["gguf"]["sha256"] for model in (*trials["models"].values(), *STUDY["models"].values())} == {
        STUDY["models"]["smollm2"]["gguf"]["sha256"]
    }
    rates = {}
    for name in trials["methods"]:
        rates.setdefault(name.rsplit("_", 1)[0], []).append(name)
    assert {row: len(names) for row, names in rates.items()} == dict.fromkeys(
        ["sft_continued", "gated_sft", "rpo", "dpo", "tab_po"], 4
    )
