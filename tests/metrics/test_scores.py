import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabpo.answers.grounding import read_answer
from tabpo.answers.ontology import Label, Ontology, RelationType
from tabpo.answers.render import gold_answer, render
from tabpo.answers.units import document_units
from tabpo.metrics.names import VALIDITY
from tabpo.metrics.scores import all_scores, score, strict_f1
from tabpo.records import Completion, Document, Relation, Span

SCIENCE = Ontology(
    "entities",
    {"Task": Label("", {}), "Method": Label("", {})},
    {"USED-FOR": RelationType("", False), "COMPARE": RelationType("", True)},
)
MEDICINE = Ontology("results", {"Drug": Label("", {"None": ""})}, {})

EMPTY = '{"entities":[],"relations":[]}'


def science_units():
    """Sentences "a b ." (a COMPARE b) and "b b ." (the second b is annotated, which no answer can state)."""
    spans = (Span(1, "Task", None, 0, 1), Span(2, "Method", None, 2, 3), Span(3, "Method", None, 8, 9))
    document = Document(
        "d", None, "a b . b b .", tuple("ab.bb."), ((0, 3), (3, 6)), spans, (Relation(1, 2, "COMPARE"),)
    )
    return document_units(document, "sentence")


def scores_of(*texts):
    units = science_units()
    predictions = [read_answer(text, unit, SCIENCE) for text, unit in zip(texts, units, strict=True)]
    answers = [render(gold_answer(unit), "entities") for unit in units]
    completions = [Completion(unit.prompt_id, text, 5, True) for text, unit in zip(texts, units, strict=True)]
    return score("test", units, predictions, answers, SCIENCE, completions)[0]


def test_gold_scores_its_ceiling():
    answers = [render(gold_answer(unit), "entities") for unit in science_units()]
    scores = scores_of(*answers)
    assert scores["metrics"] == scores["ceiling"]
    strict = scores["metrics"]["ner_strict"]["set_directed"]
    assert (strict["tp"], strict["predicted"], strict["gold"]) == (2, 3, 3)
    assert strict["precision"] == strict["recall"] == strict["f1"] == pytest.approx(2 / 3)


def test_content_of_a_score_file():
    reversed_pair = (
        '{"entities":[{"id":1,"label":"Task","span":"a"},{"id":2,"label":"Method","span":"B"},'
        '{"id":3,"label":"Person","span":"z"}],"relations":[{"head":2,"label":"COMPARE","tail":1}]}'
    )
    scores = scores_of(reversed_pair, '{"entities":[{')
    assert set(scores) == {
        *("split", "prompts", "answers", "items", "clusters", "rates", *VALIDITY),
        *("mean_tokens", "mean_characters", "finished", "repetition", "repairs", "repaired"),
        *("metrics", "labels", "ceiling", "gold"),
    }
    assert (scores["split"], scores["prompts"], scores["valid"], scores["mean_tokens"]) == ("test", 2, 0.5, 5)
    assert scores["rates"]["answers"]["truncated"] == scores["rates"]["answers"]["ok"] == 0.5
    assert scores["rates"]["items"]["unknown_label"] == 1 / 4
    assert scores["mean_characters"] == (len(reversed_pair) + len('{"entities":[{')) / 2
    assert scores["repairs"] == {"none": 1, "thoughts": 0, "code_fence": 0, "prose": 0, "cut": 0, "unrepaired": 1}
    assert scores["answers"] == {
        "empty": 0,
        "truncated": 1,
        "not_json": 0,
        "too_deep": 0,
        "duplicate_key": 0,
        "wrong_shape": 0,
        "ok": 1,
    }
    assert {name: number for name, number in scores["items"].items() if number} == {
        "unknown_label": 1,
        "normalised_span": 1,
        "ok": 2,  # an entity and the relation
    }
    f1 = {
        (metric, convention): counts["f1"]
        for metric, conventions in scores["metrics"].items()
        for convention, counts in conventions.items()
    }
    shown = {name for name, value in f1.items() if value not in (0, 1)}
    assert {name: f1[name] for name in shown - {("label_and_link", "set_directed")} if name[1] == "set_directed"} == {
        (metric, "set_directed"): pytest.approx(2 * 2 / (3 + 3))
        for metric in (
            *("ner_strict", "ner_boundary", "ner_relaxed", "ner_boundary_relaxed"),
            *("semantic_label", "textual_grounding"),
        )
    }
    assert f1["label_and_link", "set_directed"] == pytest.approx((2 / 3 + 0) / 2)
    relations = {name: value for name, value in f1.items() if name[0] in ("rel", "rel_plus")}
    assert {name for name, value in relations.items() if value} == {
        (metric, convention) for metric in ("rel", "rel_plus") for convention in ("set_canonical", "spert", "plmarker")
    }
    assert f1["rel", "set_canonical"] == f1["rel_plus", "plmarker"] == 1
    # only the released scorer treats B and b as equal words
    assert f1["textual_grounding", "pv_style"] == pytest.approx(2 * 2 / (3 + 3))
    assert f1["ner_strict", "uie_set"] == pytest.approx(2 * 1 / (3 + 3))


def test_repaired_answers_have_a_separate_convention():
    whole = '{"entities":[{"id":1,"label":"Task","span":"a"}],"relations":[]}'
    cut = '{"entities":[{"id":1,"label":"Method","span":"b"},{"id":2,"la'
    scores = scores_of(f"```json\n{whole}\n```", cut)
    assert scores["repairs"] == {"none": 0, "thoughts": 0, "code_fence": 1, "prose": 0, "cut": 1, "unrepaired": 0}
    assert (scores["repaired"], scores_of(whole, "{")["repaired"]) == (1, 0)
    assert scores["valid"] == scores["metrics"]["ner_strict"]["set_directed"]["predicted"] == 0
    # in the second sentence the first b is taken, but the second is annotated
    strict = scores["metrics"]["ner_strict"]["repaired"]
    assert (strict["tp"], strict["predicted"], strict["gold"]) == (1, 2, 3)
    assert scores["ceiling"]["ner_strict"]["repaired"] == scores["ceiling"]["ner_strict"]["set_directed"]


def test_the_order_of_an_answer_may_say_which_occurrence_is_meant():
    spans = (Span(1, "Task", None, 0, 1), Span(2, "Method", None, 6, 7), Span(3, "Task", None, 8, 9))
    units = document_units(Document("d", None, "a b . a b", tuple("ab.ab"), ((0, 5),), spans), "sentence")
    answer = render(gold_answer(units[0]), "entities")  # Task a, Method a, Task b: both a's, and the second b
    completions = [Completion(units[0].prompt_id, answer, 5, True)]
    scores, _ = score("test", units, [read_answer(answer, units[0], SCIENCE)], [answer], SCIENCE, completions)
    assert scores["metrics"]["ner_strict"]["set_directed"]["tp"] == 2
    assert scores["metrics"]["ner_strict"]["in_order"]["tp"] == scores["ceiling"]["ner_strict"]["in_order"]["tp"] == 3


def test_predictions_without_texts():
    units = science_units()
    predictions = [read_answer(EMPTY, unit, SCIENCE) for unit in units]
    scores, _ = score("test", units, predictions, [EMPTY, EMPTY], SCIENCE, completions=None)
    assert {scores[name] for name in ("mean_tokens", "repetition", "repairs", "repaired")} == {None}
    assert (scores["valid"], scores["empty"], scores["gold"]["empty"]) == (1, 1, 1)
    assert scores["metrics"]["ner_strict"]["repaired"] == scores["metrics"]["ner_strict"]["set_directed"]


def test_scores_by_label():
    # Task: a is right, F1 1. Method: B is right, the Method of the second sentence missing, F1 2/3.
    answer = (
        '{"entities":[{"id":1,"label":"Task","span":"a"},{"id":2,"label":"Method","span":"B"},'
        '{"id":3,"label":"Person","span":"z"}],"relations":[{"head":1,"label":"USED-FOR","tail":2}]}'
    )
    scores = scores_of(answer, EMPTY)
    counts = {
        metric: {label: (row["tp"], row["predicted"], row["gold"]) for label, row in by_label.items()}
        for metric, by_label in scores["labels"].items()
    }
    assert counts == {
        "ner_strict": {"Task": (1, 1, 1), "Method": (1, 1, 2)},  # no Person, which the ontology does not have
        "rel": {"USED-FOR": (0, 1, 0), "COMPARE": (0, 0, 1)},
        "rel_plus": {"USED-FOR": (0, 1, 0), "COMPARE": (0, 0, 1)},
    }
    macro = {metric: scores["metrics"][metric]["macro_label"] for metric in counts}
    assert macro["ner_strict"] == {"f1": pytest.approx((1 + 2 / 3) / 2)}
    assert macro["rel"] == {"f1": 0}  # the mean is over COMPARE only, because gold has no USED-FOR


def test_the_mean_of_labels_and_links_leaves_out_relations_that_gold_lacks():
    # spans: a Task is right, b should be a Method: F1 1/2; the relation between them is right: F1 1
    spans = (Span(1, "Task", None, 0, 1), Span(2, "Method", None, 2, 3))
    document = Document("d", None, "a b", ("a", "b"), ((0, 2),), spans, (Relation(1, 2, "COMPARE"),))
    answer = (
        '{"entities":[{"id":1,"label":"Task","span":"a"},{"id":2,"label":"Task","span":"b"}],'
        '"relations":[{"head":1,"label":"COMPARE","tail":2}]}'
    )

    def mean(document):
        unit = document_units(document, "sentence")
        scores = score("test", unit, [read_answer(answer, unit[0], SCIENCE)], [answer], SCIENCE, None)[0]["metrics"]
        return scores["label_and_link"]["set_directed"]["f1"]

    assert mean(document) == pytest.approx((1 / 2 + 1) / 2)
    assert mean(replace(document, relations=())) == pytest.approx(1 / 2)  # the relation is spurious, its F1 is 0/0


def test_coreference_is_scored_for_documents():
    spans = (Span(1, "Task", None, 0, 1), Span(2, "Task", None, 2, 3), Span(3, "Task", None, 4, 5))
    document = Document("d", None, "a b c", tuple("abc"), ((0, 3),), spans, clusters=((1, 2),))
    whole, sentence = document_units(document, "document"), document_units(document, "sentence")
    answer = (
        '{"entities":[{"id":1,"label":"Task","span":"a"},{"id":2,"label":"Task","span":"b"}],"relations":[],'
        '"coreference":[[1,2],[1,7]]}'
    )
    scores, _ = score("test", whole, [read_answer(answer, whole[0], SCIENCE)], [answer], SCIENCE, None)
    assert scores["clusters"] == {"dangling_mention": 1, "single_mention": 0, "shared_mention": 0, "ok": 1}
    assert scores["metrics"]["muc"]["set_directed"] == {"precision": 1, "recall": 1, "f1": 1}
    assert scores["metrics"]["conll"] == {name: {"f1": 1} for name in ("set_directed", "repaired", "in_order")}
    assert "conll" not in score("test", sentence, [read_answer(EMPTY, sentence[0], SCIENCE)], [EMPTY], SCIENCE, None)[0]


WORDS = st.sampled_from(["a", "b", "a b", "A", "z", "", "b . b"])
LABELS = st.sampled_from(["Task", "Method", "Person", "COMPARE", "USED-FOR"])
IDS = st.integers(min_value=0, max_value=5)


@st.composite
def document_answers(draw):
    """Any answer of the right shape: with unknown ids, labels of the wrong kind, or texts not in the unit."""
    spans = [{"id": number, "label": draw(LABELS), "span": draw(WORDS)} for number in draw(st.lists(IDS, unique=True))]
    links = [{"head": draw(IDS), "label": draw(LABELS), "tail": draw(IDS)} for _ in range(draw(IDS))]
    clusters = draw(st.lists(st.lists(IDS, max_size=4), max_size=3))
    return json.dumps({"entities": spans, "relations": links, "coreference": clusters})


@given(document_answers())
def test_every_answer_of_the_right_shape_has_scores(text):
    spans = (Span(1, "Task", None, 0, 1), Span(2, "Method", None, 2, 3), Span(3, "Method", None, 8, 9))
    links = (Relation(1, 2, "COMPARE"), Relation(3, 1, "USED-FOR"))
    document = Document("d", None, "a b . b b .", tuple("ab.bb."), ((0, 6),), spans, links, ((1, 3),))
    units = document_units(document, "document")
    prediction = read_answer(text, units[0], SCIENCE)
    assert prediction.answer_class == "ok"
    scores, _ = score("test", units, [prediction], [text], SCIENCE, [Completion("d", text, 9, True)])
    for metric, conventions in scores["metrics"].items():
        for convention, counts in conventions.items():
            # a list counts every repetition, so recall may exceed 1
            assert counts["f1"] >= 0 and (counts["f1"] <= 1 + 1e-9 or convention == "pure")
            if "tp" in counts:
                assert 0 <= counts["tp"] <= counts["predicted"]
                assert counts["tp"] <= counts["gold"] or convention == "pure", (metric, convention)
    assert scores["ceiling"] == scores["metrics"]  # the completions are the gold answers


def test_results_have_their_own_metrics():
    document = Document("d", None, "x y", ("x", "y"), ((0, 2),), (Span(1, "Drug", "None", 0, 1),))
    units = document_units(document, "document")
    prediction = read_answer('{"results":[{"Code":"Drug","Sub-code":"None","Span":"y"}]}', units[0], MEDICINE)
    scores = all_scores(units, [prediction], {}, MEDICINE)
    assert {metric: scores[metric]["set_directed"]["f1"] for metric in scores} == {
        "code": 1,
        "sub_code": 1,
        "pair": 1,
        "span": 0,
        "span_relaxed": 0,
        "triple": 0,
        "semantic_label": 0,
        "textual_grounding": 0,
        "label_and_link": 0,
    }
    assert {metric: scores[metric]["pv_style"]["f1"] for metric in ("code", "sub_code", "span", "semantic_label")} == {
        "code": 1,
        "sub_code": 0,  # the sub-code None is ignored
        "span": 0,
        "semantic_label": 1,
    }
    assert strict_f1(units, [prediction], MEDICINE) == 0


def test_strict_f1_of_entities():
    units = science_units()
    answers = ['{"entities":[{"id":1,"label":"Task","span":"a"}],"relations":[]}', EMPTY]
    predictions = [read_answer(text, unit, SCIENCE) for text, unit in zip(answers, units, strict=True)]
    assert strict_f1(units, predictions, SCIENCE) == pytest.approx(2 * 1 / (1 + 3))
