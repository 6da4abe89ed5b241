"""The program that writes a table, from the files of runs."""

import json

import pytest

from tabpo.errors import DataError
from tabpo.metrics.by_cluster import clusters_metadata
from tabpo.records import ClusterCounts, write_records
from tabpo.tables.files import FILES
from tests.tables.made_runs import settings
from workflow_scripts import tables

SEEDS = (1, 2, 3)
RUNS = [{"dataset": "tiny", "model": "small", "method": method, "seeds": list(SEEDS)} for method in ("sft", "dpo")]


def write_run(folder, right: list[int], *, collapsed_after: int | None, names: str = "document"):
    """Write a run with `right` of 4 items correct in each document."""
    counts = [
        row
        for number, correct in enumerate(right)
        for row in (
            ClusterCounts(f"{names}{number:03}", "ner_strict", "set_directed", None, correct, 4, correct, 4),
            ClusterCounts(f"{names}{number:03}", "valid", "set_directed", None, 1, 1, 1, 1),
        )
    ]
    write_records(folder / "scores/test.counts.parquet", ClusterCounts, counts, clusters_metadata(counts))
    metrics = {"ner_strict": {"set_directed": {"f1": sum(right) / 4 / len(right)}}}
    scores = {"valid": 1.0, "prompts": len(right), "metrics": metrics, "ceiling": {}}
    (folder / "scores/test.json").write_text(json.dumps(scores))
    provenance = {"code": {"tabpo.errors": "1"}, "collapsed_after": collapsed_after}
    (folder / "provenance.json").write_text(json.dumps(provenance))


def write_table(folder, **changed) -> dict[str, str]:
    arguments = ["--settings", json.dumps(settings(["sft", "dpo"], runs=RUNS, **changed)), "--results", str(folder)]
    outputs = {ending: folder / f"tables/main.{ending}" for ending in FILES}
    for ending, path in outputs.items():
        arguments += [f"--output-{ending.replace('.', '-')}", str(path)]
    tables.main(arguments)
    return {ending: path.read_text() for ending, path in outputs.items()}


@pytest.fixture
def study(tmp_path):
    for method, right in (("sft", 1), ("dpo", 3)):
        for seed in SEEDS:
            # One more item is right in the first 8, 9, 10 documents of sft and 10, 11, 12 of dpo: 34.4 and 86.5 %.
            correct = [right + (number < 6 + seed + right) for number in range(24)]
            after = 30 if (method, seed) == ("dpo", 2) else None
            write_run(tmp_path / f"tiny/small/{method}/seed{seed}", correct, collapsed_after=after)
    return tmp_path


def test_a_table_has_its_marks_and_its_tests(study):
    written = write_table(study)
    assert "**86.5 ± 1.0** ▲†" in written["md"] and "34.4 ± 1.0" in written["md"]
    collapsed = "- †: the mean includes runs that collapsed during training: `dpo` of seed 2 on `tiny` / `small`."
    assert collapsed in written["md"]
    assert "tiny,small,dpo,ner_strict,3,86.458333,1.041667,1," in written["csv"]
    assert "tiny,small,dpo,sft,ner_strict,3,24,52.083333," in written["tests.csv"]
    assert "+52.1 [" in written["tests.md"] and r"\label{tab:main-tests}" in written["tests.tex"]
    assert write_table(study) == written


def test_a_table_of_claims_has_the_same_files(study):
    written = write_table(study, layout="claims", method="dpo", rivals=["sft"])
    assert "wins,every rival,ner_strict,1,1,3,,52.083333" in written["csv"]  # 86.458333 - 34.375
    assert "1,1,0,0,1,0,100 %," in written["csv"] and "`dpo` of seed 2 on `tiny` / `small`" in written["md"]
    assert "tiny,small,dpo,sft,ner_strict,3,24,52.083333" in written["tests.csv"]


def test_runs_on_other_documents_are_not_joined(study):
    write_run(study / "tiny/small/dpo/seed3", [3] * 24, collapsed_after=None, names="other")
    with pytest.raises(DataError, match="dpo on tiny / small, seed 3, was scored on other documents"):
        write_table(study)
