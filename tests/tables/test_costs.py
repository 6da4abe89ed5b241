"""Rows of the table of costs agree with numbers worked out by hand."""

import io
import json

import pandas as pd

from tabpo.tables.costs import TrainedRun, build_costs, costs_csv, costs_latex, costs_markdown, describe_costs
from workflow_scripts import cost


def run(
    method: str, seed: int, *, tokens: int = 100, flops: float | None = 2.4e12, gpus: int = 0, **made
) -> TrainedRun:
    counted = {
        "steps": 10,
        "examples": 160,
        "chosen_tokens": 640,
        "tokens": tokens,
        "flops": flops,
        "gpu_seconds": 60.0 * gpus,
    }
    machine = {"device": "a CPU", "peak_memory_mb": 700, "peak_gpu_memory_mb": 5000 if gpus else None}
    return TrainedRun("scierc", "tiny", method, seed, counted | machine | made)


def two_methods() -> list[TrainedRun]:
    return [
        *(run("dpo", 1, tokens=100), run("dpo", 2, tokens=140, peak_memory_mb=710)),
        *(run("tdpo2", 1, flops=3.0e12), run("tdpo2", 2, flops=3.4e12)),
    ]


def test_means_over_seeds():
    dpo, tdpo2 = build_costs(two_methods(), {})
    assert (dpo.method, dpo.seeds, dpo.steps, dpo.examples, dpo.tokens) == ("dpo", 2, 10, 160, 120)
    assert (dpo.flops, tdpo2.flops, dpo.peak_memory_mb, dpo.gpu_seconds) == (2.4e12, 3.2e12, 710, None)


def test_the_printed_table_has_two_digits_of_operations_and_no_times():
    costs = build_costs(two_methods(), {})
    notes = describe_costs(costs, two_methods(), {})
    rows = [line for line in costs_markdown(costs, "Cost.", notes).splitlines() if line.startswith("| scierc")]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert cells[0] == ["scierc", "tiny", "dpo", "10", "160", "640", "120", "2.4e12", "710"]
    assert cells[1][7] == "3.2e12" and "Trained on a CPU." in notes
    latex = costs_latex(costs, "Cost.", notes, {"tdpo2": "TDPO"})
    assert r"DPO & 10 & 160 & 640 & 120 & 2.4e12 & 710 \\" in latex and r"TDPO & 10 &" in latex
    assert pd.read_csv(io.StringIO(costs_csv(costs)))["flops"].tolist() == [2.4e12, 3.2e12]


def test_a_run_without_counts_leaves_its_row_without_them():
    runs = [
        run("dpo", 1),
        run("dpo", 2, flops=None),
        TrainedRun("scierc", "tiny", "rpo", 1, dict(run("rpo", 1).provenance)),
    ]
    del runs[2].provenance["steps"]
    dpo, rpo = build_costs(runs, {})
    assert (dpo.flops, dpo.steps, rpo.steps, rpo.flops) == (None, 10, None, 2.4e12)
    assert describe_costs([dpo, rpo], runs, {})[-1].startswith("– not counted")


def test_gpu_columns_and_devices_are_shown():
    runs = [run("dpo", 1, gpus=2, device="B"), run("rpo", 1, gpus=2, device="A")]
    costs = build_costs(runs, {})
    assert (costs[0].gpu_seconds, costs[0].peak_memory_mb) == (120.0, 5000)
    notes = describe_costs(costs, runs, {})
    assert "Trained on A and on B." in notes and "| 1e02 | 5000 |" in " ".join(
        costs_markdown(costs, "Cost.", notes).split()
    )


def test_the_cost_of_a_method_includes_the_runs_whose_log_probs_it_reads():
    runs = [run(name, seed) for name in ("dpo", "dpo_reversed", "tis_dpo") for seed in (1, 2)]
    *_, tis_dpo = build_costs(runs, {"tis_dpo": ["dpo", "dpo_reversed"]})
    assert (tis_dpo.steps, tis_dpo.flops) == (30, 3 * 2.4e12)
    notes = describe_costs([tis_dpo], runs, {"tis_dpo": ["dpo", "dpo_reversed"]})
    assert "`tis_dpo` includes the training of `dpo` and `dpo_reversed`." in notes


def test_the_program_reads_every_run(tmp_path):
    for trained in two_methods():
        folder = tmp_path / trained.dataset / trained.model / trained.method / f"seed{trained.seed}"
        folder.mkdir(parents=True)
        (folder / "provenance.json").write_text(json.dumps(trained.provenance))
    runs = [{"dataset": "scierc", "model": "tiny", "method": method, "seeds": [1, 2]} for method in ("dpo", "tdpo2")]
    outputs = [f"--output-{ending}={tmp_path}/cost.{ending}" for ending in ("csv", "md", "tex")]
    cost.main(
        [
            "--settings",
            json.dumps({"caption": "Cost.", "runs": runs, "needed": {}, "private": [], "names": {}}),
            "--results",
            str(tmp_path),
            *outputs,
        ]
    )
    assert (tmp_path / "cost.csv").read_text() == costs_csv(build_costs(two_methods(), {}))
    assert "3.2e12" in (tmp_path / "cost.md").read_text() and "3.2e12" in (tmp_path / "cost.tex").read_text()
