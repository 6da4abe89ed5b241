"""Figures of confusions before and after a method: means over seeds, rare values together, and the program."""

import json
from pathlib import Path

from tabpo.records import Confusion, Document, Message, PredictedSpan, Prediction, Prompt, Span, write_records
from tabpo.reports.confusion_figure import MOST, folded, mean_counts, write_changes
from workflow_scripts import change_figure

ROOT = Path(__file__).parents[2]


def confusion(kind: str, gold: str, predicted: str, count: int) -> Confusion:
    return Confusion(kind, gold, predicted, count, 0.0, 0.0, 0.0)


def texts(path) -> list[str]:
    """What a figure writes: matplotlib names each text in a comment."""
    return [line.strip("<!- >\n") for line in path.read_text().splitlines() if line.strip().startswith("<!--")]


LABELS = ("label", "missed", "spurious")


def test_counts_are_means_over_seeds():
    first = [confusion("label", "A", "B", 3), confusion("missed", "A", "A", 9), confusion("missed", "A", "NONE", 1)]
    second = [confusion("label", "A", "B", 4), confusion("relation_label", "A", "B", 7)]
    assert mean_counts([first, second], LABELS) == {("A", "B"): 3.5, ("A", "NONE"): 0.5}


def test_values_have_the_order_of_their_names_and_none_is_last():
    values, (counts,) = folded({("B", "A"): 2, ("A", "NONE"): 1, ("NONE", "UNKNOWN"): 4})
    assert values == ["A", "B", "NONE", "UNKNOWN"]
    assert counts.tolist() == [[0, 0, 1, 0], [2, 0, 0, 0], [0, 0, 0, 4], [0, 0, 0, 0]]


def test_the_rarest_values_in_gold_of_all_tables_share_a_row():
    names = [f"L{number}" for number in range(MOST + 1)]
    old = {(name, name): number + 1 for number, name in enumerate(names)} | {("L0", "L1"): 5, ("L7", "L0"): 2}
    new = {(name, name): 1 for name in names} | {("L2", "NONE"): 3}
    # gold counts of both tables: L0 7, L1 3, L2 7, L3 5, ..., so that L1 and L3 are the two rarest
    values, (before, after) = folded(old, new)
    assert values == ["L0", "L2", "L4", "L5", "L6", "L7", "2 others", "NONE"]
    assert before[0, 6] == 5 and before[6, 6] == 2 + 4 and before[5, 0] == 2
    assert after[6, 6] == 2 and after[1, 7] == 3
    assert before.sum() == sum(old.values()) and after.sum() == sum(new.values())


def test_before_after_and_difference_are_drawn_for_each_kind(tmp_path):
    before = [
        [confusion("label", "Task", "Task", 6), confusion("label", "Task", "Method", 4)],
        [confusion("label", "Task", "Task", 8), confusion("relation_missed", "USED-FOR", "NONE", 5)],
    ]
    after = [[confusion("label", "Task", "Task", 12), confusion("label", "Method", "Method", 3)]] * 2
    for name in ("one.svg", "two.svg"):
        write_changes(tmp_path / name, before, after, "tab_po", "demo, tiny")
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    written = texts(tmp_path / "one.svg")
    assert {"Labels: sft", "Labels: tab_po", "Labels: tab_po minus sft", "Relations: sft", "demo, tiny"} <= set(written)
    assert not [text for text in written if text.startswith("Sub-labels")]
    # Task stays 7 of 9 before and 12 of 12 after; Task as Method 2 before; missed relations 2.5, which prints as 2
    assert {"7", "2", "12", "3", "+5", "+3"} <= set(written)
    assert (tmp_path / "one.svg").read_text().count("<!-- -2 -->") == 2


def test_the_program_counts_the_answers_of_all_seeds(tmp_path):
    text = "parsing of trees"
    task = Span(1, "Task", None, 0, 7)
    documents = [Document("d", None, text, tuple(text.split()), ((0, 3),), (task,))]
    write_records(tmp_path / "documents.parquet", Document, documents)
    write_records(tmp_path / "prompts.parquet", Prompt, [Prompt("d#0", "d", (Message("user", text),), "{}")])
    for name, label in (("sft1", "Method"), ("sft2", "Task"), ("dpo1", "Task"), ("dpo2", "Task")):
        answer = Prediction("d#0", "ok", (PredictedSpan(1, label, None, "parsing", 0, 7, "ok"),), ())
        write_records(tmp_path / f"{name}.parquet", Prediction, [answer])
    arguments = ["--settings", json.dumps({"method": "dpo"}), "--title", "notes, tiny"]
    for side, rows in (("before", ("sft1", "sft2")), ("after", ("dpo1", "dpo2"))):
        arguments += [f"--{side}", *(str(tmp_path / f"{row}.parquet") for row in rows)]
    arguments += ["--prompts", str(tmp_path / "prompts.parquet"), "--documents", str(tmp_path / "documents.parquet")]
    arguments += ["--ontology", str(ROOT / "config/ontologies/scierc.yaml"), "--output", str(tmp_path / "figure.svg")]
    change_figure.main(arguments)
    written = texts(tmp_path / "figure.svg")
    assert {"Labels: sft", "Labels: dpo", "notes, tiny", "Task", "Method"} <= set(written)
    assert [text for text in written if text.isdigit()] == ["1"]  # two halves before, which print as 0, and one after
