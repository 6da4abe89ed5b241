"""What private data withhold: counts by hand, and that no total tells what is withheld."""

from collections import Counter
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabpo.data.isolation import without_small_totals
from tabpo.data.ontology import Label, Ontology, RelationType
from tabpo.data.pair_audit import Measure, Tally, without_small_counts
from tabpo.data.privacy import SMALL, withhold_histogram, withhold_part, without_small


@pytest.mark.parametrize(
    ("counts", "hidden"),
    [
        ({"a": 9, "b": 0, "c": 5}, ""),
        ({"a": 9, "b": 3, "c": 7}, "bc"),  # one alone
        ({"a": 9, "b": 1, "c": 1}, "abc"),  # the sum 2 says that both are 1
        ({"a": 9, "b": 2, "c": 3}, "bc"),
        ({"a": 9, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1}, "abcdef"),  # the sum 5 says that all are 1
        ({"a": 90, "b": 40, "c": 1, "d": 1, "e": 1, "f": 2}, "bcdef"),  # else b withheld would say that all are 1
        ({"a": 90, "b": 1, "c": 1, "d": 1, "e": 3}, "bcde"),
        ({"a": 3, "b": 0}, "a"),  # all there is
    ],
)
def test_histograms_by_hand(counts, hidden):
    assert withhold_histogram(counts) == {name: None if name in hidden else count for name, count in counts.items()}


@given(st.lists(st.integers(0, 12), min_size=2, max_size=5))
def test_no_total_tells_a_withheld_count(counts):
    names = [str(number) for number in range(len(counts))]
    shown = withhold_histogram(dict(zip(names, counts, strict=True)))
    hidden = [name for name in names if shown[name] is None]
    assert all(shown[name] is None for name, count in zip(names, counts, strict=True) if 0 < count < SMALL)
    if len(hidden) < 2 or not [count for count in shown.values() if count]:
        return  # nothing is withheld, or nothing is shown but a sum
    total = sum(counts[int(name)] for name in hidden)
    ways = [
        way
        for way in product(range(1, total), repeat=len(hidden))
        if sum(way) == total and withhold_histogram(shown | dict(zip(hidden, way, strict=True))) == shown
    ]
    for place, name in enumerate(hidden):
        if counts[int(name)] < SMALL:
            assert len({way[place] for way in ways}) > 1


def test_parts_and_reasons():
    assert [withhold_part(part, 10) for part in (0, 3, 5, 7, 10)] == [0, None, 5, None, 10]
    assert without_small({"equal": 4, "too long": 5, "none": 0}) == {"too long": 5, "none": 0}


ONTOLOGY = Ontology("entities", {"A": Label("", {}), "B": Label("", {})}, {"R": RelationType("", symmetric=False)})


def kind(edits: int, all_edits: int) -> dict:
    return {
        **{"operator": "label", "errors_held_out": 12, "cases_held_out": 90, "wanted": 0.123456},
        **{"got": edits / all_edits, "edits": edits, "inapplicable": 2, "token_edit_distance": {"mean": 1.5}},
    }


def test_an_audit_tells_no_count_of_a_few():
    report = {
        "confusions": {"split": "dev_confusion", "n": "40", "unreadable": "3", "duplicates": "0"},
        **{"examples": 50, "examples_without_pair": {"equal": 2, "nothing": 6}, "pairs_wanted": 100, "pairs": 40},
        **{"pairs_flipped": 38, "pairs_repaired": 0, "pairs_with_fewer_edits": 20, "refusals": {"equal": 1}},
        "kinds": {"label": kind(3, 40), "missed": kind(7, 40), "boundary": kind(30, 40)},
        "sources": {"expert": 0.05, "empirical": 0.25, "uniform": 0.7},  # of 40 edits 2, 10 and 28
        "labels": {
            **{"A": {"records": 30, "edits": 20}, "B": {"records": 20, "edits": 10}},
            **{"R": {"records": 3, "edits": 10}},
        },
        "token_edit_distance": {"mean": 2.0, "p100": 3.0},
    }
    sources = Counter(expert=2, empirical=10, uniform=28)
    tally = Tally(2, 1, measures=[Measure("boundary", 2, 9, 40)] * 5, sources=sources)
    shown = without_small_counts(report, ONTOLOGY, tally)
    assert shown["confusions"] == {"split": "dev_confusion", "n": "40", "duplicates": "0"}
    assert (shown["examples_without_pair"], shown["refusals"]) == ({"nothing": 6}, {})
    assert (shown["pairs"], shown["pairs_flipped"], shown["pairs_with_fewer_edits"]) == (40, None, 20)
    assert set(shown["kinds"]["label"].values()) == set(shown["kinds"]["missed"].values()) == {"label", None}
    assert shown["kinds"]["boundary"]["edits"] == 30 and shown["kinds"]["boundary"]["wanted"] == 0.12
    assert shown["kinds"]["boundary"]["errors_held_out"] is None
    assert shown["sources"] == {"expert": None, "empirical": None, "uniform": 0.7}
    # relations are counted apart: the 20 of B do not stand in for the 3 of R
    assert shown["labels"]["R"] == {"records": None, "edits": 10}
    assert shown["labels"]["B"] == {"records": 20, "edits": 10}
    assert report["kinds"]["label"]["edits"] == 3  # the report itself is as it was

    # two pairs that were not made, and their complement
    of_a_few = without_small_counts(report | {"pairs_wanted": 42, "pairs": 40}, ONTOLOGY, tally)
    assert (of_a_few["pairs"], of_a_few["pairs_wanted"], of_a_few["sources"]["uniform"]) == (None, 42, 0.7)
    assert [found["edits"] for found in of_a_few["labels"].values()] == [20, None, 10]  # else 40 of 42
    assert of_a_few["kinds"]["boundary"]["got"] == 0.75
    third = report["kinds"] | {"boundary": kind(30, 41)}
    for pairs, got in ((98, 0.73), (40, 30 / 41)):
        of_third = without_small_counts(report | {"kinds": third, "pairs": pairs}, ONTOLOGY, tally)
        assert of_third["kinds"]["boundary"]["got"] == got
    for pairs, mean in ((0, 2.0), (4, None), (5, 2.0)):  # the distances of a few pairs are each one's own
        distance = without_small_counts(report | {"pairs": pairs}, ONTOLOGY, tally)["token_edit_distance"]
        assert distance == (mean and report["token_edit_distance"])


@pytest.mark.parametrize(("fewer", "told"), [(0, True), (3, False), (5, True), (97, False)])
def test_of_several_edits_neither_sum_nor_share_tells_pairs_with_fewer(fewer, told):
    # two edits of each of 100 pairs, but one of `fewer`: the sum of the edits would tell them
    edits = {"label": 90, "boundary": 110 - fewer}
    report = {
        **{"examples": 100, "examples_without_pair": {}, "pairs_wanted": 100, "pairs": 100, "pairs_flipped": 0},
        **{"pairs_repaired": 0, "pairs_with_fewer_edits": fewer, "refusals": {}, "sources": {"uniform": 1.0}},
        "kinds": {name: kind(count, 200 - fewer) for name, count in edits.items()},
        "labels": {"A": {"records": 90, "edits": 90}, "B": {"records": 90, "edits": 110 - fewer}},
    }
    firsts = ["label"] * 97 + ["boundary"] * 3
    measures, sources = [Measure(name, 2, 9, 40) for name in firsts], Counter(uniform=200 - fewer)
    shown = without_small_counts(report, ONTOLOGY, Tally(1, 2, measures=measures, sources=sources))
    smaller = min(edits, key=edits.get)
    assert {name for name, found in shown["kinds"].items() if found["edits"] is None} == (set() if told else {smaller})
    assert [found["edits"] is None for found in shown["labels"].values()].count(True) == (not told)
    exact = {name: found["got"] == edits[name] / (200 - fewer) for name, found in shown["kinds"].items()}
    assert (all(exact.values()) and shown["pairs_with_fewer_edits"] == fewer) == told
    assert shown["kinds"]["boundary"]["token_edit_distance"] is None  # of three pairs


def test_a_proof_tells_no_few_prompts_without_a_pair():
    sizes = {"train": (90, 30), "dev_confusion": (12, 6), "dev_select": (9, 4), "test": (40, 20)}
    splits = {split: {"prompts": prompts, "documents": count} for split, (prompts, count) in sizes.items()}
    proof = {"splits": splits, "confusions": {"prompts": 10, "of": "dev_confusion"}, "choices": {"of": "dev_select"}}
    proof |= {"pairs": {"pairs": 176, "prompts": 89, "of": "train"}, "answers": {"answers": 352, "records": 900}}
    shown = without_small_totals(proof, 2)
    assert shown["pairs"] == {"pairs": None, "prompts": None, "of": "train"}  # 90 - 89, 2 * 90 - 176
    assert shown["answers"] == {"answers": None}
    assert shown["confusions"]["prompts"] is None  # 12 - 10
    assert shown["splits"]["dev_select"] == {"prompts": 9, "documents": None}
    assert shown["splits"]["dev_confusion"] == {"prompts": 12, "documents": None}  # the card has their sum
    assert (shown["splits"]["train"], shown["splits"]["test"]) == (splits["train"], splits["test"])
    proof |= {
        "pairs": {"pairs": 160, "prompts": 80, "of": "train"},
        "confusions": {"prompts": 12, "of": "dev_confusion"},
    }
    shown = without_small_totals(proof, 2)
    assert (shown["pairs"], shown["answers"]) == (proof["pairs"], {"answers": 352})
    assert shown["confusions"] == proof["confusions"]
