"""Captions and notes of tables."""

from dataclasses import replace

import pytest

from tabpo.captions import describe, rehearsals
from tabpo.tables import build_cells
from tabpo.typeset import to_latex, to_markdown
from tests.test_tables import run, three_seeds, with_an_endpoint


def test_rehearsal_is_below_twice_the_dictionary():
    assert rehearsals([run("sft", 1, 0.39), run("dictionary", None, 0.2)]) == ["scierc/tiny"]
    assert rehearsals([run("sft", 1, 0.41), run("dictionary", None, 0.2)]) == []


def test_rehearsal_withholds_marks():
    runs = [run("sft", 1, 0.3), run("dpo", 1, 0.35), run("dictionary", None, 0.2)]
    cells = build_cells(runs, rows=["dictionary", "sft", "dpo"], metrics=["ner_strict"], baseline="sft")
    settings = {"caption": "Main.", "presets": "matched", "baseline": "sft", "metrics": ["ner_strict"]}
    text = describe(settings, runs, cells, [])
    assert text["caption"] == "REHEARSAL. Main." and not text["marks"]
    assert "**35.0**" not in to_markdown(cells, layout="main", **text)


def test_both_ceilings_are_printed_where_the_order_of_answers_tells_more():
    gold = {"ner_strict": {"set_directed": {"f1": 0.9175}, "in_order": {"f1": 0.9923}}}
    gold |= {"rel": {"set_directed": {"f1": 0.8316}, "in_order": {"f1": 0.8316}}}
    runs = [replace(one, scores=one.scores | {"ceiling": gold}) for one in three_seeds()]
    settings = {
        "caption": "Main.",
        "presets": "matched",
        "baseline": "sft",
        "metrics": ["ner_strict", "rel"],
    }
    assert [note for note in describe(settings, runs, [], [])["notes"] if "Gold" in note] == [
        "Gold's own text scores 83.16 in Rel on scierc.",
        "Gold's own text scores 91.75 in NER on scierc, each text at its leftmost free place; 99.23 in the order of the"
        " answer (in_order).",
    ]
    named = describe(settings | {"metrics": ["ner_strict@in_order"]}, runs, [], [])["notes"]
    assert "Gold's own text scores 99.23 in NER (in_order) on scierc." in named


def test_ceilings_below_100_are_printed_for_the_metrics_shown():
    gold = {"ner_strict": {"set_directed": {"f1": 0.99174}}, "rel": {"set_directed": {"f1": 1.0}}, "rel_plus": {}}
    runs = [replace(one, scores=one.scores | {"ceiling": gold}) for one in three_seeds()]
    cells = build_cells(runs, rows=["sft"], metrics=["ner_strict", "rel"], baseline="sft")
    settings = {"caption": "Main.", "presets": "matched", "baseline": "sft"}
    notes = describe(settings | {"metrics": ["ner_strict", "rel", "valid"]}, runs, cells, [])["notes"]
    assert [note for note in notes if "Gold" in note] == ["Gold's own text scores 99.17 in NER on scierc."]
    assert "NER: exact places with their labels; Rel: exact places" in " ".join(notes)
    notes = describe(settings | {"metrics": ["rel"]}, runs, cells, [])["notes"]
    assert not [note for note in notes if "Gold" in note]


def test_a_second_annotator_is_a_row_of_its_dataset_and_says_of_how_much():
    runs = [*three_seeds(), run("human", None, 0.8), run("sft", 1, 0.5, dataset="phee")]
    runs = [replace(one, scores=one.scores | {"prompts": 20 if one.method == "human" else 90}) for one in runs]
    cells = build_cells(runs, rows=["sft", "dictionary", "human"], metrics=["ner_strict"], baseline="sft")
    by_row = {(cell.dataset, cell.method): cell for cell in cells}
    assert by_row["scierc", "human"].mean == pytest.approx(80) and by_row["scierc", "human"].rank == 0
    assert by_row["phee", "human"].reason == "no second annotator"
    settings = {"caption": "All.", "presets": "matched", "baseline": "sft", "metrics": ["ner_strict"]}
    notes = [note for note in describe(settings, runs, cells, [])["notes"] if note.startswith("human")]
    assert notes == [
        "human: a second annotator of scierc against the first, on the 20 of 90 test prompts that both have annotated."
    ]


def test_a_prompted_row_says_what_it_is_and_leaves_dashes_where_it_cannot_be():
    rows = ["sft", "dpo", "prompted", "dictionary", "majority"]
    settings = {"caption": "All.", "presets": "matched", "baseline": "sft", "metrics": ["ner_strict"]}
    cells = build_cells(with_an_endpoint(), rows=rows, metrics=["ner_strict"], baseline="sft")
    text = describe(settings, with_an_endpoint(), cells, [])
    assert [note for note in text["notes"] if "prompted" in note and "temperature 0, without seeds" in note]
    assert "over 3 seeds" in text["notes"][0]
    lines = to_markdown(cells, layout="main", **text).splitlines()
    shown = [[part.strip() for part in line.strip("|").split("|")] for line in lines if line.startswith("| scierc")]
    assert [row[1:3] for row in shown if row[1] == "gpt"] == [
        ["gpt", "prompted"],
        ["gpt", "dictionary"],
        ["gpt", "majority"],
    ]
    assert ["scierc", "gpt", "prompted", "90.0"] in shown
    for table, dash in ((to_markdown, "–"), (to_latex, "--")):
        (line,) = [line for line in table(cells, layout="per_metric", **text).splitlines() if "prompted " in line[:12]]
        assert "nan" not in line and dash in line and "90.0" in line


def test_a_table_of_prompted_models_alone_has_no_seeds():
    runs = [run("prompted", None, 0.9, model="gpt"), run("dictionary", None, 0.2)]
    cells = build_cells(runs, rows=["sft", "prompted", "dictionary"], metrics=["ner_strict"], baseline="sft")
    settings = {"caption": "All.", "presets": "matched", "baseline": "sft", "metrics": ["ner_strict"]}
    assert describe(settings, runs, cells, [])["notes"][0].startswith("F1 in percent, sets of items, one run each;")
