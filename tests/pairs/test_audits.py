"""Audits of pairs and confusions: proof of answers, audit of the reference, page, distances and heat maps."""

import math
import re

import pytest

from tabpo.answers.ontology import Label, Ontology, RelationType
from tabpo.answers.render import gold_answer, render
from tabpo.answers.units import document_units
from tabpo.confusions.stability import stability
from tabpo.errors import DataError
from tabpo.pairs.proof import prove_answers
from tabpo.pairs.reference_audit import gold_audit, reference_audit
from tabpo.records import Confusion, Document, Edit, Message, Pair, Prompt, Reference, Relation, Span
from tabpo.reports.confusion_figure import write_heat_maps
from tabpo.reports.pair_page import pair_page

ONTOLOGY = Ontology(
    answer="entities",
    labels={name: Label("", {}) for name in ("Method", "Task")},
    relations={"USED-FOR": RelationType("", symmetric=False)},
)
SPANS = (Span(1, "Method", None, 0, 4), Span(2, "Task", None, 11, 16))
DOCUMENT = Document(
    "d", None, "nets parse texts", ("nets", "parse", "texts"), ((0, 3),), SPANS, (Relation(1, 2, "USED-FOR"),)
)
UNIT = document_units(DOCUMENT, "sentence")[0]
GOLD = render(gold_answer(UNIT), "entities")
PROMPT = Prompt("d#0", "d", (Message("user", ""),), GOLD)
EDIT = Edit("label", "entities/0/label", "Method", "Task", "expert")


WRONG = GOLD.replace("Method", "Task")


def pair(rejected=WRONG, chosen=GOLD, number=0, flipped=False):
    return Pair(f"d#0/{number}", "d#0", chosen, rejected, (EDIT,), 6, flipped=flipped)


def test_valid_answers_pass():
    pairs = [pair(), pair(GOLD, WRONG, 1, flipped=True)]
    assert prove_answers(pairs, [PROMPT], [UNIT], ONTOLOGY) == {"answers": 4, "records": 12}


INDENTED = WRONG.replace(":[{", ":[\n  {", 1)


@pytest.mark.parametrize(
    ("rejected", "message"),
    [
        (INDENTED, "not rendered as gold answers are: an indent"),
        (WRONG.replace(":", ": "), "other spaces"),
        (GOLD.replace("Method", "Tasks"), "record 1 has labels that the ontology does not have together"),
        (GOLD.replace("nets", "trees"), "the span of record 1 is not in the text"),
        (GOLD.replace("USED-FOR", "USES"), "relation 1-2 has an unknown label or end"),
        (GOLD.replace('"tail":2', '"tail":3'), "relation 1-3 has an unknown label or end"),
        (GOLD[:-2], "its rejected answer is refused: truncated"),
        (GOLD, "its right answer must be gold, and its wrong answer must not"),
    ],
)
def test_invalid_answers_are_refused_by_their_number(rejected, message):
    with pytest.raises(DataError, match=message) as raised:
        prove_answers([pair(rejected)], [PROMPT], [UNIT], ONTOLOGY)
    assert "pair 1: " in str(raised.value)
    assert "trees" not in str(raised.value)


def reference_of(pairs, chosen, rejected):
    references = [Reference(item.pair_id, chosen, rejected) for item in pairs]
    held_out = gold_audit([PROMPT], [Reference("d#0", chosen, ())])
    return reference_audit(pairs, references, [PROMPT]) | {"held_out": held_out}


def test_margins_and_gates_by_hand():
    # gold: log 0.95 + log 0.7; wrong: log 0.95 + log 0.1: margin log 7 = 1.9459 for the pair that is not flipped
    chosen, rejected = (math.log(0.95), math.log(0.7)), (math.log(0.95), math.log(0.1))
    report = reference_of([pair()], chosen, rejected)
    assert report["taus"] == [0.5, 0.66, 0.8, 0.9, 0.99]
    assert report["all"] == {
        "pairs": 1,
        "ranked_right": 1.0,
        "mean_margin": pytest.approx(math.log(7), abs=1e-6),
        "histogram": [0, 0, 0, 0, 0, 0, 1, 0, 0, 0],  # bin from 1 to 2
        "gate_rates": [0.0, 0.0, 0.5, 0.5, 1.0],
    }
    assert report["operators"] == {"label": report["all"]}
    assert report["labels"] == {"Method": report["all"]}


def test_gates_on_held_out_gold_by_hand():
    # 0.95 and 0.7 (answer with all labels), 0.6 (answer without labels): one of three is under 0.66, two under 0.8
    prompts = [PROMPT, Prompt("e#0", "e", (Message("user", ""),), '{"entities":[],"relations":[]}')]
    logps = [Reference("d#0", (math.log(0.95), math.log(0.7)), ()), Reference("e#0", (math.log(0.6),), ())]
    report = gold_audit(prompts, logps)
    assert report["all"] == {"answers": 2, "gate_rates": [0.0, 0.333333, 0.666667, 0.666667, 1.0]}
    assert report["labels"] == {
        name: {"answers": 1, "gate_rates": [0.0, 0.0, 0.5, 0.5, 1.0]} for name in ("Method", "Task", "USED-FOR")
    }
    with pytest.raises(DataError, match="2 log-probs do not match the 1 prompts"):
        gold_audit(prompts[:1], logps)


def test_labels_of_medical_gold_are_codes():
    gold = '{"results":[{"Code":"A","Sub-code":"b","Span":"xy"}]}'
    report = gold_audit([Prompt("m", "m", (), gold)], [Reference("m", (-1.0,), ())])
    assert set(report["labels"]) == {"A"}


@pytest.mark.parametrize("answer", [GOLD, '{"entities":[ is how it begins', '{"results":[1]}'])
def test_preferences_have_no_labels_whatever_their_answers_look_like(answer):
    report = gold_audit([Prompt("p", "p", (), answer)], [Reference("p", (-1.0,), ())], labelled=False)
    assert report["all"]["answers"] == 1 and report["labels"] == {}


def test_a_flipped_pair_has_the_margin_of_the_right_answer_and_the_gate_of_the_chosen_one():
    flipped = pair(GOLD, WRONG, flipped=True)
    report = reference_of([flipped], (math.log(0.1),), (math.log(0.7),))
    assert (report["all"]["ranked_right"], report["all"]["gate_rates"]) == (1.0, [1.0] * 5)


@pytest.mark.parametrize("wrongly_marked", [pair(GOLD, WRONG), pair(flipped=True)])
def test_the_column_flipped_must_be_true(wrongly_marked):
    with pytest.raises(DataError, match="pair 1: its right answer must be gold"):
        prove_answers([wrongly_marked], [PROMPT], [UNIT], ONTOLOGY)


def test_references_of_other_pairs_are_refused():
    with pytest.raises(DataError, match="2 references do not match the 1 pairs"):
        reference_audit([pair()], [Reference("d#0/0", (), ())] * 2, [PROMPT])


DRAWN = {
    "pairing": {"name": "mixed", "negatives": 1, "private": False},
    "examples": 2,
    "examples_without_pair": {},
    "pairs_wanted": 2,
    "pairs": 1,
    "pairs_flipped": 0,
    "pairs_repaired": 0,
    "pairs_with_fewer_edits": 0,
    "refusals": {"equal": 3},
    "kinds": {
        "label": {"operator": "label", "got": 1.0, "edits": 1, "token_edit_distance": {"mean": 1.25, "p50": 1.0}}
    },
    "sources": {"expert": 1.0},
    "token_edits": {"1": 1, "2": 0, "over 2": 0},
    "labels": {"Method": {"records": 4, "edits": 1}},
    "token_edit_distance": {"mean": 1.25, "p50": 1.0},
    "character_edit_distance": {"mean": 6.0, "p50": 6.0},
    "share_of_differing_tokens": None,
}
PROOF = {
    "splits": {"train": {"prompts": 2, "documents": 1}},
    "confusions": {"prompts": 1, "of": "dev_confusion"},
    "choices": {"of": "dev_select"},
    "pairs": {"pairs": 1, "prompts": 1, "of": "train"},
    "answers": {"answers": 2, "records": 6},
}


def test_the_page_shows_every_part_and_no_examples_of_private_data():
    odd = Pair("d#0/0", "d#0", "", "", (Edit("boundary", "entities/0/span", "a|b", "a\nb", "expert"),), 6)
    report = reference_of([pair()], (-0.1,), (-0.2,))
    page = pair_page("Pairs", {"drawn": DRAWN, "proof": PROOF, "reference": report}, [odd])
    for part in (
        "# Pairs",
        "| equal ",
        "| Method ",
        "| dev_confusion ",
        "| gate 0.9 ",
        "| to -10 ",
        "| 1.25 ",
        "gold answers of dev_select",
    ):
        assert part in page
    assert "a\\|b" in page and "a b" in page
    drawn = DRAWN | {"pairing": {"private": True}}
    private = pair_page("Pairs", {"drawn": drawn, "proof": PROOF, "reference": report}, [odd])
    assert private.startswith("INSIDE ONLY: ") and "INSIDE ONLY" not in page
    assert "Examples" not in private and "a\\|b" not in private and "| equal " in private


def test_the_page_shows_both_answers_around_their_difference():
    left, right = "l" * 50, "r" * 50
    long = Pair("d#0/0", "d#0", f"{left}Task{right}", f"{left}Tool{right}", (Edit("label", "", "", "", ""),), 1)
    short = Pair("d#1/0", "d#1", "abc", "abxc", (Edit("boundary", "", "", "", ""),), 1)
    report = reference_of([pair()], (-0.1,), (-0.2,))
    page = pair_page("Pairs", {"drawn": DRAWN, "proof": PROOF, "reference": report}, [long, short])
    # "Ta" and "To" share their T: 40 characters before "ask", which are 39 of l and T
    assert f"\n    chosen    …{'l' * 39}Task{'r' * 40}…\n    rejected  …{'l' * 39}Tool{'r' * 40}…\n" in page
    assert "\n    d#1/0, boundary\n    chosen    abc\n    rejected  abxc\n" in page
    private = DRAWN | {"pairing": {"private": True}}
    assert "lll" not in pair_page("Pairs", {"drawn": private, "proof": PROOF, "reference": report}, [long])


def test_page_of_preferences():
    answers = {"t-1": ("It is | so.", "No."), "t-2": ("{}", "x" * 300)}
    prompts = [Prompt(name, name, (Message("user", ""),), chosen) for name, (chosen, _) in answers.items()]
    pairs = [Pair(f"{name}/0", name, *both, (), 9) for name, both in answers.items()]
    report = reference_audit(pairs, [Reference(item.pair_id, (-1.0,), (-3.0,)) for item in pairs], prompts)
    gold = [Reference(item.prompt_id, (-0.01,), ()) for item in prompts]
    report["held_out"] = gold_audit(prompts, gold, labelled=False)
    assert (report["operators"], report["labels"], report["held_out"]["labels"]) == ({}, {}, {})
    counts = {name: value for name, value in DRAWN.items() if name.endswith(("_distance", "_tokens"))}
    drawn = {"pairing": {"name": "given", "private": False}, "pairs": 2, "pairs_flipped": 0} | counts
    page = pair_page("Pairs", {"drawn": drawn, "proof": PROOF, "reference": report}, pairs)
    assert "which is the rejected one of a flipped pair, is the gold answer." in page and "ontology" not in page
    assert "Class balance" not in page and "Refusals" not in page
    assert "| all                 | 2       | 1              | 2             |" in page
    assert "It is \\| so." in page and "x" * 200 in page and "x" * 201 not in page


def confusion(kind, gold, predicted, count):
    return Confusion(kind, gold, predicted, count, 0.0, 0.0, 0.0)


def test_distances_between_seeds_by_hand():
    # A: (3, 1) against (1, 3): M = (1/2, 1/2), divergence = 0.75 log2(1.5) + 0.25 log2(0.5) = 0.188722, root 0.434421
    # B: equal; C: disjoint; weights are the cases of both tables: 8, 4 and 4
    first = [confusion("label", "A", "A", 3), confusion("label", "A", "B", 1), confusion("label", "B", "B", 2)]
    second = [confusion("label", "A", "A", 1), confusion("label", "A", "B", 3), confusion("label", "B", "B", 2)]
    first += [confusion("missed", "C", "C", 2), confusion("boundary", "A", "exact", 1)]
    second += [confusion("missed", "C", "NONE", 2)]
    report = stability({2: second, 1: first})
    assert report["seeds"] == [1, 2]
    assert report["kinds"]["label"] == pytest.approx(0.434421 * 8 / 12, abs=1e-5)
    assert report["kinds"]["missed"] == 1.0
    assert report["kinds"]["boundary"] is None  # only one table has this kind
    assert report["mean"] == pytest.approx((0.434421 * 8 + 4) / 16, abs=1e-5)
    assert stability({1: first})["mean"] is None
    assert stability({1: first, 2: first, 3: first})["mean"] == 0.0


TABLE = [
    confusion("label", "Method", "Method", 9),
    confusion("label", "Method", "Task", 3),
    confusion("missed", "Method", "Method", 12),
    confusion("missed", "Method", "NONE", 8),
    confusion("spurious", "NONE", "Task", 7),
    confusion("relation_label", "USED-FOR", "USED-FOR", 6),
]


def texts(path):
    """What a heat map writes: matplotlib names each text in a comment."""
    return [line.strip("<!- >\n") for line in path.read_text().splitlines() if line.strip().startswith("<!--")]


def test_heat_maps_show_missed_and_spurious_items(tmp_path):
    write_heat_maps(tmp_path / "a.svg", TABLE, "demo")
    written = texts(tmp_path / "a.svg")
    assert {"Labels", "Relations", "NONE", "Task", "demo", "9", "3", "8", "7", "6"} <= set(written)
    assert "Sub-labels" not in written and "12" not in written
    write_heat_maps(tmp_path / "b.svg", TABLE, "demo")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_no_text_of_a_heat_map_is_outside_of_it(tmp_path):
    """The name of an axis was below a panel's long labels, and below the figure."""
    labels = ("Generic", "Material", "Method", "Metric", "OtherScientificTerm", "Task")
    relations = ("COMPARE", "CONJUNCTION", "EVALUATE-FOR", "FEATURE-OF", "HYPONYM-OF", "PART-OF", "USED-FOR")
    table = [confusion("label", "NONE", name, 9) for name in labels]
    table += [confusion("relation_label", "NONE", name, 9) for name in relations]
    write_heat_maps(tmp_path / "a.svg", table, "demo")
    written = (tmp_path / "a.svg").read_text()
    width, height = map(float, re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', written).groups())
    places = [tuple(map(float, place)) for place in re.findall(r"translate\((\S+) (\S+)\) .*scale", written)]
    assert len(places) > 30 and all(0 < x < width and 0 < y < height for x, y in places)
