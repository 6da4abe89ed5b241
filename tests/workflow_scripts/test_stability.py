"""The program that writes a table of stability, on written samples and logs of SFT and one method."""

import json

from tabpo.metrics.by_cluster import clusters_metadata, summed_by_cluster
from tabpo.metrics.names import HEADLINE
from tabpo.records import ClusterCounts, TrainingStep, write_records
from tabpo.tables.files import FILES
from tests.tables.made_runs import settings
from workflow_scripts import stability


def test_the_program_reads_samples_and_logs_of_every_run(tmp_path):
    for method, distinct in {"sft": 6, "dpo": 2}.items():
        for seed in (1, 2):
            folder = tmp_path / f"notes/tiny/{method}/seed{seed}"
            parts = {"distinct": (distinct, 8), "sampled_f1": (1, 2), "oracle_f1": (2, 2)}
            of_cluster = {(name, HEADLINE, None): 2 * part for name, part in parts.items()}
            counts = summed_by_cluster((cluster, of_cluster) for cluster in "ab")
            write_records(
                folder / "samples/dev_select.counts.parquet", ClusterCounts, counts, clusters_metadata(counts)
            )
            drifts = {} if method == "sft" else {"rejected_drift": 0.0}
            log = [
                TrainingStep(number, 0.1, 0.1, 1.0, 0.5, **drifts | ({"chosen_drift": number % 2} if drifts else {}))
                for number in range(1, 31)
            ]
            write_records(folder / "training.parquet", TrainingStep, log)
            (folder / "provenance.json").write_text(json.dumps({"code": {}}))
    runs = [{"dataset": "notes", "model": "tiny", "method": method, "seeds": [1, 2]} for method in ("sft", "dpo")]
    about = {"layout": "stability", "against": "dpo", "samples": 8, "metrics": [], "imported": [], "runs": runs}
    outputs = [f"--output-{ending.replace('.', '-')}={tmp_path}/stability.{ending}" for ending in FILES]
    stability.main(["--settings", json.dumps(settings(["dpo"], **about)), "--results", str(tmp_path), *outputs])
    lines = [line for line in (tmp_path / "stability.md").read_text().splitlines() if line.startswith("| ")]
    cells = [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == ["method", "Distinct, %", "F1 of samples", "Oracle F1", "Variance of margin", "Spikes, %"]
    assert cells[1] == ["sft", "75.0 ± 0.0", "50.0 ± 0.0", "100.0 ± 0.0", "–", "–"]
    assert cells[2] == ["dpo", "25.0 ± 0.0", "50.0 ± 0.0", "100.0 ± 0.0", "0.50 ± 0.00", "0.0 ± 0.0"]
    assert all((tmp_path / f"stability.{ending}").stat().st_size for ending in FILES)
