"""The figure of sensitivity: what it holds, equal bytes for equal points, and the program that draws it."""

import json

from tabpo.metrics.by_cluster import clusters_metadata
from tabpo.records import ClusterCounts, write_records
from tabpo.reports.sensitivity_figure import write_sensitivity_figure
from tabpo.tables.sensitivity import Point
from workflow_scripts import sensitivity_figure

VALUES = {"half": 0.5, "tab_po": 0.9, "by_mean": "mean"}
POINTS = {row: Point(60.0 + number, 58.0, 66.0) for number, row in enumerate(("sft", *VALUES))}


def test_the_figure_names_values_default_and_metrics(tmp_path):
    for name in ("one.svg", "two.svg"):
        write_sensitivity_figure(
            tmp_path / name, {"rel@pure": POINTS}, {"tab_po": VALUES}, setting="tau", title="notes, tiny"
        )
    text = (tmp_path / "one.svg").read_text()
    assert text == (tmp_path / "two.svg").read_text()
    for shown in ("notes, tiny", "Rel, PURE", "tau", "percent", "0.5", "0.9", "mean", "default, TAB-PO", "SFT"):
        assert f"<!-- {shown} -->" in text, shown


def test_many_values_stand_upright(tmp_path):
    long = {"tab_po": {f"row{value}": value for value in (0.5, 0.66, 0.8, 0.9, 0.99, 1.0, "mean")}}
    points = {row: Point(60.0, 58.0, 66.0) for row in ("sft", *long["tab_po"])}
    for name, lines in (("few.svg", {"tab_po": VALUES}), ("many.svg", long)):
        write_sensitivity_figure(tmp_path / name, {"rel": points | POINTS}, lines, setting="tau", title="notes, tiny")
    few, many = ((tmp_path / name).read_text().count("rotate(-90)") for name in ("few.svg", "many.svg"))
    assert (few, many) == (1, 8)  # the label of the axis, and the values


def test_values_are_in_order_and_each_method_has_a_line(tmp_path):
    lines = {"dpo": {"dpo_flipped": 0.2, "dpo": 0.0}, "tab_po": {"tab_po_half": 0.1, "tab_po": 0.0}}
    rows = ["sft", *lines["dpo"], *lines["tab_po"]]
    points = {"rel": {row: Point(60.0 + number, 58.0, 66.0) for number, row in enumerate(rows)}}
    write_sensitivity_figure(tmp_path / "noise.svg", points, lines, setting="flip_rate", title="notes, tiny")
    text = (tmp_path / "noise.svg").read_text()
    assert text.index("<!-- 0.0 -->") < text.index("<!-- 0.1 -->") < text.index("<!-- 0.2 -->")
    assert "<!-- default, DPO -->" in text and "<!-- default, TAB-PO -->" in text


def test_a_metric_without_gold_gives_an_empty_figure(tmp_path):
    write_sensitivity_figure(tmp_path / "none.svg", {}, {"tab_po": VALUES}, setting="tau", title="notes, tiny")
    assert "<!-- notes, tiny -->" in (tmp_path / "none.svg").read_text()


def test_the_program_reads_the_counts_of_every_run(tmp_path):
    rows = ["sft", *VALUES]
    for number, method in enumerate(rows):
        for seed in (1, 2):
            counts = [
                ClusterCounts(f"d{document}", "rel", "set_directed", None, number + document, 9, number + document, 9)
                for document in range(4)
            ]
            path = tmp_path / f"notes/tiny/{method}/seed{seed}/scores/test.counts.parquet"
            write_records(path, ClusterCounts, counts, clusters_metadata(counts))
    runs = [{"dataset": "notes", "model": "tiny", "method": method, "seeds": [1, 2]} for method in rows]
    settings = {"runs": runs, "metrics": ["rel"], "setting": "tau", "lines": {"tab_po": VALUES}}
    arguments = ["--settings", json.dumps(settings), "--results", str(tmp_path), "--title", "notes, tiny"]
    sensitivity_figure.main([*arguments, "--output", str(tmp_path / "figures/tau.svg")])
    assert "<!-- Rel -->" in (tmp_path / "figures/tau.svg").read_text()
