"""Rows of the table of costs agree with numbers worked out by hand."""

import io
import json

import pandas as pd
import pytest

from tabpo.records import StepTiming, write_records
from tabpo.tables.costs import TrainedRun, build_costs, costs_csv, costs_latex, costs_markdown, describe_costs
from workflow_scripts import cost


def provenance(memory: int = 700, *, gpus: int = 0, wall_s: float = 60.0, device: str = "a CPU") -> dict:
    return {
        "device": device,
        "peak_memory_mb": memory,
        "peak_gpu_memory_mb": 5000 if gpus else None,
        "wall_s": wall_s,
        "gpu_seconds": wall_s * gpus,
    }


def run(method: str, seed: int, seconds: list[float], tokens: int = 100, **provenance_of) -> TrainedRun:
    timings = [StepTiming(step, duration, tokens) for step, duration in enumerate([9.0, 8.0, *seconds], start=1)]
    return TrainedRun("scierc", "tiny", method, seed, timings, provenance(**provenance_of))


def two_methods() -> list[TrainedRun]:
    return [
        run("dpo", 1, [0.2, 0.1, 0.3], memory=700),  # median 0.2
        run("dpo", 2, [0.4, 0.4, 5.0], memory=710),  # median 0.4: one slow step changes nothing
        run("tdpo2", 1, [0.3, 0.3, 0.3], memory=900, wall_s=80.0),
        run("tdpo2", 2, [0.8, 0.9, 0.7], memory=880, wall_s=100.0),
    ]


def test_medians_and_ratios_of_the_same_seed():
    dpo, tdpo2 = build_costs(two_methods(), {})
    assert (dpo.method, dpo.seeds, dpo.ratio, dpo.ratio_low, dpo.ratio_high) == ("dpo", 2, 1.0, 1.0, 1.0)
    assert (dpo.step_s, dpo.step_s_low, dpo.step_s_high) == pytest.approx((0.3, 0.2, 0.4))
    # 0.3 / 0.2 and 0.8 / 0.4; the ratio of the mean medians would be 0.55 / 0.3
    assert (tdpo2.ratio, tdpo2.ratio_low, tdpo2.ratio_high) == pytest.approx((1.75, 1.5, 2.0))
    # 300 tokens in 0.9 s and in 2.4 s
    assert tdpo2.tokens_per_s == pytest.approx((300 / 0.9 + 300 / 2.4) / 2)
    assert (tdpo2.peak_memory_mb, tdpo2.wall_s, tdpo2.reason) == (900, 90.0, "")


def test_the_first_two_steps_are_left_out():
    assert build_costs([run("dpo", 1, [0.5])], {})[0].step_s == 0.5
    [short] = build_costs([run("dpo", 1, [])], {})
    assert (short.step_s, short.tokens_per_s, short.reason) == (None, None, "no step after the first 2")


def test_without_dpo_there_is_a_time_and_no_ratio():
    [alone] = build_costs([run("tab_po", 1, [0.5])], {})
    assert (alone.step_s, alone.ratio, alone.reason) == (0.5, None, "dpo was not run")
    _, beside = build_costs([run("dpo", 1, []), run("tab_po", 1, [0.5])], {})
    assert (beside.step_s, beside.ratio, beside.reason) == (0.5, None, "dpo has no step after the first 2")


def test_dpo_of_another_dataset_is_no_baseline():
    other = TrainedRun("phee", "tiny", "dpo", 1, run("dpo", 1, [0.1]).timings, provenance())
    costs = build_costs([other, run("tab_po", 1, [0.5])], {})
    assert [cost.ratio for cost in costs] == [1.0, None]


def test_the_printed_table_has_means_ranges_and_notes():
    runs = [*two_methods(), run("orpo", 1, [], memory=650)]
    costs = build_costs(runs, {})
    notes = describe_costs(costs, runs, {})
    rows = [line for line in costs_markdown(costs, notes).splitlines() if line.startswith("| scierc")]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert cells[1] == ["scierc", "tiny", "tdpo2", "0.55 (0.3–0.8)", "1.75 (1.50–2.00)", "229", "900", "90"]
    assert cells[2] == ["scierc", "tiny", "orpo", "–", "–", "–", "650", "60"]
    assert "smallest" in notes[0] and "Trained on a CPU." in notes and "– no step after the first 2." in notes
    assert r" &  & TDPO2 & 0.55 (0.3--0.8) & 1.75 (1.50--2.00) & 229 & 900 & 90 \\" in costs_latex(costs, notes)
    frame = pd.read_csv(io.StringIO(costs_csv(costs)))
    assert frame["ratio"].tolist()[:2] == [1.0, 1.75] and frame["peak_gpu_memory_mb"].isna().all()


def test_gpu_columns_and_devices_are_shown():
    runs = [run("dpo", 1, [0.1], gpus=2, device="B"), run("rpo", 1, [0.1], gpus=2, device="A")]
    costs = build_costs(runs, {})
    assert (costs[0].gpu_seconds, costs[0].peak_gpu_memory_mb) == (120.0, 5000)
    notes = describe_costs(costs, runs, {})
    assert "Trained on A and on B." in notes
    assert "GPU s/run" in costs_markdown(costs, notes)


def test_the_program_reads_every_run(tmp_path):
    for trained in two_methods():
        folder = tmp_path / trained.dataset / trained.model / trained.method / f"seed{trained.seed}"
        write_records(folder / "timing.parquet", StepTiming, trained.timings)
        (folder / "provenance.json").write_text(json.dumps(trained.provenance))
    runs = [{"dataset": "scierc", "model": "tiny", "method": method, "seeds": [1, 2]} for method in ("dpo", "tdpo2")]
    outputs = [f"--output-{ending}={tmp_path}/cost.{ending}" for ending in ("csv", "md", "tex")]
    cost.main(
        ["--settings", json.dumps({"runs": runs, "needed": {}, "private": []}), "--results", str(tmp_path), *outputs]
    )
    assert (tmp_path / "cost.csv").read_text() == costs_csv(build_costs(two_methods(), {}))
    assert "1.75" in (tmp_path / "cost.md").read_text() and "1.75" in (tmp_path / "cost.tex").read_text()


def test_the_time_of_a_run_includes_the_runs_whose_log_probs_it_reads():
    runs = [
        *(run("dpo", seed, [0.1], wall_s=seconds) for seed, seconds in ((1, 10.0), (2, 20.0))),
        *(run("dpo_reversed", seed, [0.1], wall_s=30.0) for seed in (1, 2)),
        *(run("tis_dpo", seed, [0.2], wall_s=40.0, gpus=2) for seed in (1, 2)),
    ]
    needed = {"tis_dpo": ["dpo", "dpo_reversed"]}
    dpo, reversed_dpo, tis_dpo = build_costs(runs, needed)
    assert (dpo.wall_s, reversed_dpo.wall_s, tis_dpo.wall_s) == (15.0, 30.0, 85.0)  # 40 + 15 + 30
    assert (tis_dpo.gpu_seconds, tis_dpo.ratio) == (80.0, 2.0)
    notes = describe_costs([dpo, reversed_dpo, tis_dpo], runs, needed)
    assert "s/run of tis_dpo includes the training of dpo and dpo_reversed." in notes
