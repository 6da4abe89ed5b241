"""The program that writes a table of mechanisms, on written logs of two methods."""

import json

from tabpo.records import TrainingStep, write_records
from tabpo.tables.files import FILES
from tests.tables.made_runs import settings
from tests.workflow_scripts.test_tables import write_run
from workflow_scripts import cell, mechanism

DRIFTS = {"dpo": -0.25, "tab_po": 0.5}


def test_the_program_reads_logs_and_evaluations_of_every_run(tmp_path, capsys):
    for method, drift in DRIFTS.items():
        for seed in (1, 2):
            folder = tmp_path / f"notes/tiny/{method}/seed{seed}"
            step = TrainingStep(1, 0.1, 0.1, 1.0, 0.5, share_edited=0.5, chosen_drift=1.0, rejected_drift=-2.0)
            write_records(folder / "training.parquet", TrainingStep, [step])
            row = {"field": "label", "rare": True, "unsure": False, "tokens": 2, "drift": drift}
            rows = [row | {"document": name} for name in ("a", "b")]
            (folder / "watch.json").write_text(json.dumps({"health": [{"collapsed": False}], "by_document": rows}))
            (folder / "provenance.json").write_text(json.dumps({"code": {}}))
    for row, right in (("tiny/sft/seed1", 1), ("tiny/sft/seed2", 2), ("dictionary", 2)):
        write_run(tmp_path / "notes" / row, [right] * 24, collapsed_after=None)
    runs = [{"dataset": "notes", "model": "tiny", "method": method, "seeds": [1, 2]} for method in DRIFTS]
    about = {"layout": "mechanism", "method": "tab_po", "against": "dpo", "metrics": [], "imported": [], "runs": runs}
    about["scored"] = [
        {"dataset": "notes", "model": "tiny", "method": "sft", "seeds": [1, 2]},
        {"dataset": "notes", "model": None, "method": "dictionary", "seeds": [None]},
    ]
    outputs = [f"--output-{ending.replace('.', '-')}={tmp_path}/mechanism.{ending}" for ending in FILES]
    table = json.dumps(settings(list(DRIFTS), **about))
    mechanism.main(["--settings", table, "--results", str(tmp_path), *outputs])
    lines = [line for line in (tmp_path / "mechanism.md").read_text().splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0][:6] == ["method", "Gradient on edits, %", "Chosen", "Rejected", "Margin", "Rare labels"]
    assert cells[1][:6] == ["dpo", "50.0 ± 0.0", "1.0 ± 0.0", "-2.0 ± 0.0", "3.0 ± 0.0", "-0.25 ± 0.00"]
    assert cells[2][5] == "0.50 ± 0.00"
    page = (tmp_path / "mechanism.md").read_text()
    assert (
        page.startswith("**REHEARSAL. ")
        and "REHEARSAL on `notes` / `tiny`: SFT is not significantly above the dictionary." in page
    )
    assert all((tmp_path / f"mechanism.{ending}").stat().st_size for ending in FILES)
    for row, column, metric in ((1, 2, "chosen_drift"), (2, 5, "rare_drift")):
        files = [f"{tmp_path}/notes/tiny/{cells[row][0]}/seed{seed}/watch.json" for seed in (1, 2)]
        cell.main(["--metric", metric, "--watch", *files])
        assert capsys.readouterr().out.strip() == cells[row][column]
