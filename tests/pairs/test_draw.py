"""Drawing of pairs: refusals, draws and audit; neither the order of units nor the process changes a byte."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from tabpo.answers.grounding import read_answer
from tabpo.answers.ontology import Label, Ontology, RelationType
from tabpo.answers.render import gold_answer, render
from tabpo.answers.units import document_units
from tabpo.confusions.ambiguities import Ambiguity
from tabpo.errors import ConfigError, DataError
from tabpo.names import KINDS, RELATION_KINDS
from tabpo.pairs.audit import Measure, describe_drawn, edited_labels, token_edits
from tabpo.pairs.draw import (
    NO_OPERATOR,
    Pairing,
    check_answers,
    check_confusions,
    draw_pairs,
    pairing_contexts,
    token_encoder,
)
from tabpo.pairs.proposals import Proposals, proposal_tables
from tabpo.records import (
    Confusion,
    Document,
    Edit,
    Message,
    Pair,
    Prediction,
    Prompt,
    Relation,
    Span,
    read_records,
    write_records,
)
from workflow_scripts import confusion_figures
from workflow_scripts import confusions as confusions_script
from workflow_scripts import pairs as pairs_script

ROOT = Path(__file__).parents[2]
ONTOLOGY = Ontology(
    answer="entities",
    labels={name: Label("", {}) for name in ("Method", "Task", "Generic")},
    relations={"USED-FOR": RelationType("", symmetric=False), "COMPARE": RelationType("", symmetric=True)},
)
WORDS = ["we", "use", "a", "neural", "net", "for", "parsing", "long", "noisy", "texts", "with", "it"]


def document(doc_id="d", spans=None, relations=()):
    if spans is None:
        spans = [("Method", 3, 4), ("Task", 6, 6), ("Generic", 11, 11)]
        relations = [Relation(1, 2, "USED-FOR"), Relation(3, 2, "USED-FOR")]
    starts = [len(" ".join([*WORDS[:number], ""])) for number in range(len(WORDS))]
    return Document(
        doc_id,
        None,
        " ".join(WORDS),
        tuple(WORDS),
        ((0, len(WORDS)),),
        tuple(
            Span(number, label, None, starts[first], starts[last] + len(WORDS[last]))
            for number, (label, first, last) in enumerate(spans, start=1)
        ),
        tuple(relations),
    )


def unit(doc_id="d", spans=None, relations=()):
    return document_units(document(doc_id, spans, relations), "sentence")[0]


def words(text):
    """One id per character: a tokenizer that needs no training."""
    return [ord(letter) for letter in text]


def pairing(**changes):
    return Pairing(
        **{"name": "mixed", "negatives": 3, "edits": 1, "flip_rate": 0.0, "seed": 1, "max_completion_tokens": 1000}
        | changes
    )


def draw(units, encode=words, proposals=None, **changes):
    tables = [(1.0, proposals or Proposals("uniform", 1.0, [], [], ONTOLOGY))]
    return draw_pairs(units, pairing(**changes), pairing_contexts(units, ONTOLOGY, tables), encode)


def test_pairs_of_one_unit():
    pairs, tally = draw([unit()])
    chosen = render(gold_answer(unit()), "entities")
    assert [pair.pair_id for pair in pairs] == ["d#0/0", "d#0/1", "d#0/2"]
    assert {pair.chosen for pair in pairs} == {chosen}
    assert len({chosen, *(pair.rejected for pair in pairs)}) == 4
    for pair in pairs:
        assert [edit.source for edit in pair.edits] == ["uniform"] + ["consequence"] * (len(pair.edits) - 1)
        assert pair.token_edit_distance == Levenshtein.distance(pair.chosen, pair.rejected)
    assert tally.drawn.total() == 3


def test_the_order_and_number_of_units_do_not_matter():
    units = [unit(f"d{number}") for number in range(6)]
    contexts = pairing_contexts(units, ONTOLOGY, [(1.0, Proposals("uniform", 1.0, [], [], ONTOLOGY))])
    assert contexts == pairing_contexts(units[::-1], ONTOLOGY, [(1.0, contexts[0][1].proposals)])
    forward, _ = draw_pairs(units, pairing(flip_rate=0.4), contexts, words)
    backward, _ = draw_pairs(units[::-1], pairing(flip_rate=0.4), contexts, words)
    alone, _ = draw_pairs(units[2:3], pairing(flip_rate=0.4), contexts, words)
    assert sorted(forward, key=lambda pair: pair.pair_id) == sorted(backward, key=lambda pair: pair.pair_id)
    assert alone == [pair for pair in forward if pair.prompt_id == "d2#0"]


def test_seed_and_number_change_the_draw():
    units = [unit(f"d{number}") for number in range(6)]
    rejected = [[pair.rejected for pair in draw(units, **changes)[0]] for changes in ({}, {"seed": 2}, {"name": "b"})]
    assert rejected[0] != rejected[1]
    assert rejected[0] == rejected[2]
    more, _ = draw(units, negatives=4)
    assert [pair.rejected for pair in more if not pair.pair_id.endswith("/3")] == rejected[0]


def test_flips_exchange_the_answers_of_the_stated_share_of_pairs():
    units = [unit(f"d{number}") for number in range(400)]
    plain, _ = draw(units, negatives=2)
    flips = {}
    for rate in (0.1, 0.2, 0.4):
        pairs, tally = draw(units, negatives=2, flip_rate=rate)
        flips[rate] = {pair.pair_id for pair in pairs if pair.flipped}
        assert tally.flipped == len(flips[rate]) == pytest.approx(800 * rate, abs=3 * (800 * rate * (1 - rate)) ** 0.5)
        for pair, right in zip(pairs, plain, strict=True):
            sides = (right.rejected, right.chosen) if pair.flipped else (right.chosen, right.rejected)
            assert (pair.chosen, pair.rejected) == sides
            assert pair.edits == right.edits
    assert flips[0.1] < flips[0.2] < flips[0.4]


def test_up_to_three_edits():
    pairs, tally = draw([unit(f"d{number}") for number in range(20)], edits=3)
    drawn = [sum(edit.source != "consequence" for edit in pair.edits) for pair in pairs]
    assert max(drawn) == 3
    assert tally.fewer_edits == sum(number < 3 for number in drawn)
    for changes in ({"edits": 0}, {"edits": 4}, {"negatives": 0}, {"flip_rate": 0.6}):
        with pytest.raises(ConfigError, match="1 to 3 edits"):
            pairing(**changes)


def test_named_kinds_keep_the_proportions_of_the_tables():
    rows = [
        Confusion("label", "Method", "Task", 9, 0, 0, 0),
        Confusion("missed", "Task", "NONE", 6, 0, 0, 0),
        Confusion("relation_missed", "USED-FOR", "NONE", 5, 0, 0, 0),
    ]
    proposals = Proposals("empirical", 0.0, rows, [], ONTOLOGY)
    units = [unit(f"d{number}") for number in range(600)]
    kinds = ["label", "sublabel", "relation_missed"]  # this ontology has no sub-labels
    pairs, tally = draw(units, proposals=proposals, negatives=1, kinds=kinds)
    assert tally.wanted == pytest.approx({"label": 9 / 14, "relation_missed": 5 / 14})
    assert set(tally.drawn) == {"label", "relation_missed"}
    assert tally.drawn["label"] == pytest.approx(600 * 9 / 14, abs=40)
    report = describe_drawn(tally, [(1.0, proposals)], units, [prompt_of(item) for item in units], pairs)
    assert {kind: row["wanted"] for kind, row in report["kinds"].items()} == {
        "label": 0.642857,
        "relation_missed": 0.357143,
    }


def test_stated_shares_replace_those_of_the_tables():
    rows = [Confusion("label", "Method", "Task", 90, 0, 0, 0), Confusion("missed", "Task", "NONE", 1, 0, 0, 0)]
    tables = [
        (0.3, Proposals("expert", 0.0, [], [Ambiguity("label", "Method", "Generic", 1.0, "", "", "")], ONTOLOGY)),
        (0.7, Proposals("empirical", 0.0, rows, [], ONTOLOGY)),
    ]
    units = [unit(f"d{number}") for number in range(600)]
    contexts = pairing_contexts(units, ONTOLOGY, tables)
    shares = {"label": 0.25, "missed": 0.75}
    _, tally = draw_pairs(units, pairing(negatives=1, kinds=shares), contexts, words)
    assert tally.drawn["label"] == pytest.approx(150, abs=35)
    assert tally.inapplicable["missed"] == 0  # the expert table has no such pattern and is not tried


def test_kinds_that_the_answers_cannot_hold_are_refused():
    with pytest.raises(
        DataError, match="nothing proposes an edit of kind sublabel, coreference in these answers; they"
    ):
        draw([unit()], kinds=["sublabel", "coreference"])


@settings(max_examples=25)
@given(
    kinds=st.lists(st.sampled_from(KINDS[2:-1]), min_size=1, unique=True),
    limit=st.integers(1, 60),
    edits=st.integers(1, 3),
    seed=st.integers(0, 2**31 - 1),
)
def test_no_pair_has_other_kinds_or_more_token_edits(kinds, limit, edits, seed):
    units = [unit(f"d{number}") for number in range(4)]
    contexts = pairing_contexts(units, ONTOLOGY, [(1.0, Proposals("uniform", 1.0, [], [], ONTOLOGY))])
    drawn = {}
    for name, changes in {"all": {}, "near": {"max_token_edits": limit}}.items():
        try:
            settings = pairing(kinds=kinds, edits=edits, seed=seed, **changes)
            drawn[name], tally = draw_pairs(units, settings, contexts, words)
        except DataError:
            continue
        assert set(tally.drawn) <= set(kinds)
    assert all(pair.token_edit_distance <= limit for pair in drawn.get("near", ()))
    # a limit does not change the first draws that are within it
    near = [pair for pair in drawn.get("all", ()) if pair.pair_id.endswith("/0") and pair.token_edit_distance <= limit]
    assert {pair.pair_id: pair for pair in drawn.get("near", ())}.items() >= {
        pair.pair_id: pair for pair in near
    }.items()


def test_one_of_each_is_a_relabelling_a_deletion_and_an_insertion():
    units = [unit(f"d{number}") for number in range(50)]
    tables = [(1.0, Proposals("uniform", 1.0, [], [], ONTOLOGY))]
    contexts = pairing_contexts(units, ONTOLOGY, tables, "one_of_each")
    pairs, tally = draw_pairs(units, pairing(kinds="one_of_each"), contexts, words)
    assert [pair.edits[0].operator for pair in pairs] == ["label", "delete", "insert"] * 50
    assert tally.wanted == pytest.approx({"label": 1 / 3, "missed": 1 / 3, "spurious": 1 / 3})
    # gold spans have one or two tokens here; an invented one may begin at any token
    phrases = {json.loads(pair.edits[0].wrong)["span"] for pair in pairs if pair.edits[0].operator == "insert"}
    assert {len(phrase.split()) for phrase in phrases} == {1, 2}
    assert {phrase.split()[0] for phrase in phrases} >= {"use", "for", "with"}
    single = unit("e", [("Method", 3, 4)])
    pairs, _ = draw_pairs([single], pairing(kinds="one_of_each"), contexts, words)
    # no deletion, because the answer would be empty
    assert [pair.edits[0].operator for pair in pairs] == ["label", "insert"]


def test_the_audit_counts_pairs_by_the_tokens_that_differ():
    measures = [Measure("label", tokens, 1, 100) for tokens in (1, 1, 2, 3, 4, 5, 6, 10, 11, 20, 21, 90)]
    assert token_edits(measures) == {"1": 2, "2": 1, "3": 1, "4-5": 2, "6-10": 2, "11-20": 2, "over 20": 2}


def test_kinds_are_drawn_in_the_wanted_shares():
    # all kinds apply to this unit, so shares must follow the mix: 9 errors of 20 are labels, 6 missed, 5 relations
    rows = [
        Confusion("label", "Method", "Task", 9, 0, 0, 0),
        Confusion("missed", "Task", "NONE", 6, 0, 0, 0),
        Confusion("relation_missed", "USED-FOR", "NONE", 5, 0, 0, 0),
    ]
    proposals = Proposals("empirical", 0.0, rows, [], ONTOLOGY)
    pairs, tally = draw([unit(f"d{number}") for number in range(600)], proposals=proposals, negatives=1)
    assert len(pairs) == 600
    assert tally.drawn["label"] == pytest.approx(270, abs=40)
    assert tally.drawn["missed"] == pytest.approx(180, abs=40)
    assert tally.drawn["relation_missed"] == pytest.approx(150, abs=40)
    assert tally.sources == {"empirical": 600}
    # only the counted errors: Method predicted as Task, and Task missed
    assert {edit.wrong for pair in pairs for edit in pair.edits if edit.operator == "label"} == {"Task"}
    assert {edit.field for pair in pairs for edit in pair.edits} == {
        "entities/0/label",
        "entities/1",
        "relations/0",
        "relations/1",
    }


def test_an_operator_that_cannot_apply_renormalises_the_mix():
    _, tally = draw([unit(f"d{number}", [("Method", 3, 4)]) for number in range(30)])
    assert set(tally.drawn) <= {"label", "boundary", "missed", "spurious"}
    assert set(tally.inapplicable) == set(RELATION_KINDS)


def test_an_empty_answer_gets_an_invented_record():
    pairs, tally = draw([unit(spans=[])])
    assert {edit.operator for pair in pairs for edit in pair.edits} == {"insert"}
    assert set(tally.drawn) == {"spurious"}


def test_examples_without_pair_are_counted():
    rows = [Confusion("label", "Method", "Task", 9, 0, 0, 0)]
    proposals = Proposals("empirical", 0.0, rows, [], ONTOLOGY)
    pairs, tally = draw([unit("full"), unit("empty", [])], proposals=proposals)
    assert {pair.prompt_id for pair in pairs} == {"full#0"}
    assert tally.without_pair == {NO_OPERATOR: 1}
    # Method -> Task is the only edit, so the second and third negative repeat the first
    assert len(pairs) == 1
    assert set(tally.refusals) == {"repeats another negative", NO_OPERATOR}
    with pytest.raises(DataError, match="none of 1 examples allows a pair"):
        draw([unit("empty", [])], proposals=proposals)


def test_answers_that_differ_in_text_only_are_refused():
    # this tokenizer gives different labels the same tokens
    def blind(text):
        return words(text.replace("Task", "Method").replace("Generic", "Method"))

    pairs, tally = draw([unit(f"d{number}") for number in range(10)], encode=blind)
    assert tally.refusals["equal as tokens"] > 0
    assert "label" not in tally.drawn
    assert all(pair.token_edit_distance > 0 for pair in pairs)


def test_edits_that_render_the_gold_answer_are_refused():
    # the first of two equal words is annotated: deleting it and inserting the second gives the same text
    doc = Document("d", None, "net net", ("net", "net"), ((0, 2),), (Span(1, "Method", None, 0, 3),))
    rows = [Confusion("missed", "Method", "NONE", 1, 0, 0, 0), Confusion("spurious", "NONE", "Method", 1, 0, 0, 0)]
    proposals = Proposals("empirical", 0.0, rows, [], ONTOLOGY)
    with pytest.raises(DataError, match=r"none of 1 examples allows a pair: \{'equal': 60\}"):
        draw(document_units(doc, "sentence"), proposals=proposals, edits=2)


def test_long_answers_are_refused_not_cut():
    chosen = render(gold_answer(unit()), "entities")
    # the end-of-turn token counts, so the gold answer has len + 1 tokens
    with pytest.raises(DataError, match="none of 1 examples"):
        draw([unit()], max_completion_tokens=len(chosen))
    pairs, tally = draw([unit(f"d{number}") for number in range(10)], max_completion_tokens=len(chosen) + 1)
    assert tally.refusals["over max_completion_tokens"] > 0
    assert max(len(pair.rejected) for pair in pairs) <= len(chosen)
    both = [unit("short", []), unit("long")]
    _, tally = draw(both, max_completion_tokens=len(chosen))
    assert tally.without_pair == {"gold over max_completion_tokens": 1}


def test_mixed_draws_from_both_tables_or_from_the_one_that_applies():
    rows = [Confusion("missed", "Method", "NONE", 5, 0, 0, 0)]
    patterns = [Ambiguity("label", "Task", "Generic", 3.0, "", "", "")]
    settings = {"confusions": "mixed", "smoothing": 0.0, "expert_share": 0.25}
    tables = proposal_tables(settings, rows, patterns, ONTOLOGY, links=False)
    both = [unit(f"d{number}") for number in range(600)]
    lone = [unit(f"m{number}", [("Method", 3, 4)]) for number in range(20)]
    for units, share, margin in ((both, 0.25, 0.06), (lone, 0.0, 0.0)):
        _, tally = draw_pairs(units, pairing(negatives=1), pairing_contexts(units, ONTOLOGY, tables), words)
        assert tally.sources["expert"] / tally.sources.total() == pytest.approx(share, abs=margin)
        assert tally.sources.total() == len(units)


def prompt_of(item):
    return Prompt(item.prompt_id, item.doc_id, (Message("user", ""),), render(gold_answer(item), "entities"))


def test_counts_of_the_audit_add_up_and_it_holds_no_text():
    units = [unit(f"d{number}") for number in range(40)] + [unit("empty", [])]
    proposals = Proposals("uniform", 1.0, [], [], ONTOLOGY)
    pairs, tally = draw(units, proposals=proposals, edits=2, flip_rate=0.3)
    report = describe_drawn(tally, [(1.0, proposals)], units, [prompt_of(item) for item in units], pairs)
    assert report["pairs"] == len(pairs)
    assert report["pairs_wanted"] == 123
    assert sum(kind["got"] for kind in report["kinds"].values()) == pytest.approx(1, abs=1e-4)
    assert sum(kind["wanted"] for kind in report["kinds"].values()) == pytest.approx(1, abs=1e-4)
    assert report["sources"] == {"uniform": 1.0}
    distances = [pair.token_edit_distance for pair in pairs]
    assert report["token_edit_distance"]["mean"] == pytest.approx(sum(distances) / len(distances))
    assert report["token_edit_distance"]["p100"] == max(distances)
    assert report["character_edit_distance"] == report["token_edit_distance"]  # one id per character
    shares = [pair.token_edit_distance / max(len(pair.chosen), len(pair.rejected)) for pair in pairs]
    assert report["share_of_differing_tokens"]["mean"] == pytest.approx(sum(shares) / len(shares), abs=1e-6)
    assert {label: counts["records"] for label, counts in report["labels"].items() if counts["records"]} == {
        "Method": 40,
        "Task": 40,
        "Generic": 40,
        "USED-FOR": 80,
    }
    assert sum(counts["edits"] for counts in report["labels"].values()) == sum(len(pair.edits) for pair in pairs)
    assert 0 < report["pairs_flipped"] < len(pairs)
    text = json.dumps(report)
    assert not [word for word in ("neural", "parsing", "noisy", "texts") if word in text]


def test_label_of_each_edit():
    # the answer has Method, Task, Generic and two USED-FOR
    gold = render(gold_answer(unit()), "entities")
    edits = [
        Edit("label", "entities/1/label", "Task", "Method", "uniform"),
        Edit("boundary", "entities/0/span", "a", "b", "uniform"),
        Edit("delete", "entities/2", "{}", "", "uniform"),
        Edit("insert", "entities/-", "", '{"label":"Generic","span":"a"}', "uniform"),
        Edit("relation_endpoint", "relations/1", "3>2", "3>1", "uniform"),
        Edit("insert", "relations/-", "", '{"head":1,"label":"COMPARE","tail":3}', "uniform"),
        Edit("coreference", "coreference/0", "[1,2]", "", "uniform"),
    ]
    pair = Pair("d#0/0", "d#0", "wrong", gold, tuple(edits), 1)
    assert edited_labels(pair, gold) == ["Task", "Method", "Generic", "Generic", "USED-FOR", "COMPARE", "coreference"]
    results = '{"results":[{"Code":"X","Sub-code":"a","Span":"net"}]}'
    coded = Pair("m/0", "m", results, "", (Edit("sublabel", "results/0/Sub-code", "a", "b", "uniform"),), 1)
    assert edited_labels(coded, results) == ["X"]


def test_prompts_and_documents_must_belong_together():
    prompt = Prompt("d#0", "d", (Message("user", ""),), render(gold_answer(unit()), "entities"))
    check_answers([unit()], [prompt], "entities")
    with pytest.raises(DataError, match="prompt 1: its answer differs from the annotations of its document") as raised:
        check_answers([unit(spans=[])], [prompt], "entities")
    assert "neural" not in str(raised.value)


def test_confusions_must_be_of_the_records_that_the_pairing_names():
    settings = {"name": "plain", "heldout": "dev_confusion", "confusions": "uniform"}
    check_confusions(settings, [], {"split": "dev_confusion"})
    with pytest.raises(DataError, match="plain: heldout is 'dev_confusion', but the confusion table is of 'test'"):
        check_confusions(settings, [], {"split": "test"})


def save_tokenizer(folder):
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0} | {word: i for i, word in enumerate(WORDS, 1)}, "[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=8)
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))


def test_the_encoder_neither_cuts_nor_pads(tmp_path):
    save_tokenizer(tmp_path / "base")
    encode = token_encoder(tmp_path / "base")
    assert encode(" ".join(WORDS)) == list(range(1, 13))
    assert encode("We") == [1]
    with pytest.raises(DataError, match=r"tokenizer\.json: no such file"):
        token_encoder(tmp_path)


def character_tokenizer(folder):
    letters = {chr(code): code for code in range(32, 127)}
    tokenizer = Tokenizer(models.WordLevel(letters | {"[UNK]": 0}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))


def write_inputs(folder):
    """Write all inputs of the scripts; the predictions are gold answers with one wrong label."""
    documents = [document(f"d{number}") for number in range(8)] + [document("empty", [])]
    units = [item for doc in documents for item in document_units(doc, "sentence")]
    answers = [render(gold_answer(item), "entities") for item in units]
    prompts = [
        Prompt(item.prompt_id, item.doc_id, (Message("user", item.text),), answer)
        for item, answer in zip(units, answers, strict=True)
    ]
    predictions = [
        read_answer(answer.replace("Task", "Method", 1), item, ONTOLOGY)
        for item, answer in zip(units, answers, strict=True)
    ]
    write_records(folder / "documents.parquet", Document, documents)
    write_records(folder / "prompts.parquet", Prompt, prompts)
    write_records(folder / "predictions.parquet", Prediction, predictions)
    names = {name: {"definition": name} for name in ONTOLOGY.labels}
    relations = {name: {"definition": name, "symmetric": item.symmetric} for name, item in ONTOLOGY.relations.items()}
    content = {"answer": "entities", "labels": names, "relations": relations}
    (folder / "ontology.yaml").write_text(yaml.safe_dump(content))
    pattern = {"gold": "Task", "predicted": "Generic", "weight": 1, "reason": "alike"}
    pattern |= {"source": "ours", "guideline": "none"}
    (folder / "ambiguities.yaml").write_text(yaml.safe_dump({"label": [pattern]}))
    character_tokenizer(folder / "base")


def confusion_arguments(inputs, out):
    names = ("predictions", "prompts", "documents")
    return [
        *(part for name in names for part in (f"--{name}", str(inputs / f"{name}.parquet"))),
        *("--ontology", str(inputs / "ontology.yaml"), "--split", "dev_confusion"),
        *("--output", str(out / "confusions.parquet"), "--output-ids", str(out / "confusions.ids.txt")),
    ]


def pair_arguments(inputs, out, **changes):
    settings = {
        "name": "mixed",
        "confusions": "mixed",
        "heldout": "dev_confusion",
        "negatives": 2,
        "edits": 1,
        "smoothing": 1.0,
        "expert_share": 0.4,
        "flip_rate": 0.0,
        "kinds": None,
        "max_token_edits": None,
        "private": False,
        "seed": 1,
        "limits": {"max_prompt_tokens": 100, "max_completion_tokens": 400},
    }
    return [
        *("--settings", json.dumps(settings | changes), "--confusions", str(out / "confusions.parquet")),
        *("--prompts", str(inputs / "prompts.parquet"), "--documents", str(inputs / "documents.parquet")),
        *("--ontology", str(inputs / "ontology.yaml"), "--ambiguities", str(inputs / "ambiguities.yaml")),
        *("--base", str(inputs / "base"), "--output", str(out / "pairs.parquet")),
        *("--output-drawn", str(out / "pairs.drawn.json")),
    ]


def test_from_predictions_to_pairs(tmp_path):
    write_inputs(tmp_path)
    confusions_script.main(confusion_arguments(tmp_path, tmp_path))
    rows = {
        (row.kind, row.gold, row.predicted): row for row in read_records(tmp_path / "confusions.parquet", Confusion)
    }
    assert rows["label", "Task", "Method"].count == 8
    ids = (tmp_path / "confusions.ids.txt").read_text().splitlines()
    assert ids == sorted([f"d{number}#0" for number in range(8)] + ["empty#0"])

    pairs_script.main(pair_arguments(tmp_path, tmp_path))
    pairs = read_records(tmp_path / "pairs.parquet", Pair)
    report = json.loads((tmp_path / "pairs.drawn.json").read_text())
    assert report["pairs"] == len(pairs) == 18
    assert report["confusions"]["split"] == "dev_confusion"
    assert report["confusions"]["n"] == "9"
    assert (report["kinds"]["label"]["errors_held_out"], report["kinds"]["label"]["cases_held_out"]) == (8, 24)
    with pytest.raises(DataError, match="heldout"):
        pairs_script.main(pair_arguments(tmp_path, tmp_path, heldout="dev"))


def test_unreadable_answers_give_an_empty_table_which_only_modes_with_counts_refuse(tmp_path, caplog):
    write_inputs(tmp_path)
    prompts = read_records(tmp_path / "prompts.parquet", Prompt)
    unreadable = [Prediction(prompt.prompt_id, "truncated", ()) for prompt in prompts]
    write_records(tmp_path / "predictions.parquet", Prediction, unreadable)
    confusions_script.main(confusion_arguments(tmp_path, tmp_path))
    assert read_records(tmp_path / "confusions.parquet", Confusion) == []
    assert "confusions.parquet is empty: no pairing can draw from its counts" in caplog.text

    message = (
        "pairing mixed: the confusion table of dev_confusion is empty, .* accepted: longer SFT .training.sft.steps"
    )
    for mode in ("mixed", "empirical"):
        with pytest.raises(DataError, match=message):
            pairs_script.main(pair_arguments(tmp_path, tmp_path, confusions=mode))
    assert not (tmp_path / "pairs.parquet").exists()
    for mode in ("expert", "uniform"):
        pairs_script.main(pair_arguments(tmp_path, tmp_path, confusions=mode))
        assert len(read_records(tmp_path / "pairs.parquet", Pair)) == 18
    confusion_figures.main(figure_arguments(tmp_path, tmp_path))
    assert "No counts" in (tmp_path / "1.svg").read_text()
    assert json.loads((tmp_path / "stability.json").read_text())["mean"] is None


def figure_arguments(inputs, out):
    settings = {"seeds": [1, 2]}
    return [
        *(
            "--settings",
            json.dumps(settings),
            "--title",
            "demo",
            "--confusions",
            *[str(out / "confusions.parquet")] * 2,
        ),
        *("--output", str(out / "stability.json"), "--output-figures", str(out / "1.svg"), str(out / "2.svg")),
    ]


def on_policy_arguments(inputs, out):
    """Arguments of `pairs` without confusions and patterns, and with predictions."""
    given = pair_arguments(inputs, out, name="own", confusions="on_policy")
    flags = dict(zip(given[::2], given[1::2], strict=True))
    del flags["--confusions"], flags["--ambiguities"]
    flags |= {"--output": str(out / "own.parquet"), "--output-drawn": str(out / "own.drawn.json")}
    flags["--predictions"] = str(inputs / "predictions.parquet")
    return [part for flag in flags.items() for part in flag]


WRITTEN = (
    *("confusions.parquet", "confusions.ids.txt", "pairs.parquet", "pairs.drawn.json"),
    *("own.parquet", "own.drawn.json", "stability.json", "1.svg", "2.svg"),
)


def test_another_process_writes_the_same_bytes(tmp_path):
    write_inputs(tmp_path)
    program = (
        "import json, sys; from workflow_scripts import confusion_figures, confusions, on_policy, pairs;"
        " scripts = (confusions, pairs, on_policy, confusion_figures);"
        " [script.main(arguments) for script, arguments in zip(scripts, json.loads(sys.argv[1]))]"
    )
    made = (confusion_arguments, pair_arguments, on_policy_arguments, figure_arguments)
    for hash_seed in ("1", "2"):
        out = tmp_path / hash_seed
        subprocess.run(
            [sys.executable, "-c", program, json.dumps([arguments(tmp_path, out) for arguments in made])],
            check=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
        )
    assert len(read_records(tmp_path / "1/own.parquet", Pair)) == 8
    for name in WRITTEN:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
