"""The rules of the released PV-Miner scorer, its loopholes included, on hand-worked cases."""

import pytest

from tabpo.answers.grounding import read_answer
from tabpo.answers.ontology import Label, Ontology, RelationType
from tabpo.answers.units import document_units
from tabpo.metrics.counts import Counts
from tabpo.metrics.pv_style import code, link, span, sub_code
from tabpo.records import Document, Relation, Span

MEDICINE = Ontology("results", {"Effect": Label("", {"None": ""}), "Drug": Label("", {"None": "", "Dose": ""})}, {})
SCIENCE = Ontology("entities", {"Task": Label("", {})}, {"USED-FOR": RelationType("", False)})
TEXT = "5 mg insulin caused a red rash on both arms"
GOLD = [("Drug", "Dose", "5 mg"), ("Drug", "None", "5 mg insulin"), ("Effect", "None", "a red rash on both arms")]


def message(gold=GOLD, relations=()):
    starts = [(TEXT.index(text), TEXT.index(text) + len(text)) for *_, text in gold]
    spans = (Span(n, *item[:2], *where) for n, (item, where) in enumerate(zip(gold, starts, strict=True), start=1))
    tokens = tuple(TEXT.split())
    return document_units(Document("d", None, TEXT, tokens, ((0, len(tokens)),), tuple(spans), relations), "document")[
        0
    ]


def read(*items, gold):
    rows = ",".join(f'{{"Code":"{code}","Sub-code":"{sub}","Span":"{text}"}}' for code, sub, text in items)
    return read_answer(f'{{"results":[{rows}]}}', gold, MEDICINE)


@pytest.mark.parametrize(
    ("items", "codes", "subs", "spans"),
    [
        (GOLD, (2, 2, 2), (1, 1, 1), (3, 3, 3)),  # the sub-code None is ignored
        ([], (0, 0, 2), (0, 0, 1), (0, 0, 3)),
        ([("Sign", "Colour", "5 mg")], (0, 0, 2), (0, 0, 1), (1, 1, 3)),  # labels outside the lists are ignored
        ([("Effect", "Dose", "fever")], (1, 1, 2), (1, 1, 1), (0, 1, 3)),  # and pairs need not be valid
        ([("Drug", "Dose", "")], (1, 1, 2), (1, 1, 1), (1, 1, 3)),  # an empty span agrees with the first
        ([("Drug", "Dose", "MG")], (1, 1, 2), (1, 1, 1), (1, 1, 3)),  # contained, whatever the case of letters
        ([("Effect", "None", "rash both red on legs a")], (1, 1, 2), (0, 0, 1), (1, 1, 3)),  # 5 of 7 words
        ([("Effect", "None", "rash both his legs")], (1, 1, 2), (0, 0, 1), (0, 1, 3)),  # 2 of 8
        # a list: the second has no unmatched gold span
        ([("Effect", "None", "rash")] * 2, (1, 1, 2), (0, 0, 1), (1, 2, 3)),
        # greedy: the first takes "5 mg", which the second needs; an optimal matching would match both
        ([("Drug", "None", "5 mg insulin"), ("Drug", "None", "5 mg for her")], (1, 1, 2), (0, 0, 1), (1, 2, 3)),
    ],
)
def test_medical_answers(items, codes, subs, spans):
    gold = message()
    predicted = read(*items, gold=gold)
    assert code(gold, predicted, MEDICINE) == Counts(*codes)
    assert sub_code(gold, predicted, MEDICINE) == Counts(*subs)
    assert span(gold, predicted) == Counts(*spans)


@pytest.mark.parametrize(
    ("relations", "counts"),
    [
        ([(1, 2, "USED-FOR")], (1, 1, 1)),
        ([(2, 1, "USED-FOR")], (0, 1, 1)),
        ([(3, 2, "USED-FOR")], (1, 1, 1)),  # "insulin" is held by "5 mg insulin"
        ([(1, 2, "USED-FOR"), (3, 2, "USED-FOR")], (1, 2, 1)),
        ([(1, 9, "USED-FOR")], (0, 1, 1)),
        ([(1, 2, "LIKES")], (0, 0, 1)),
    ],
)
def test_links(relations, counts):
    gold = message([("Task", None, "5 mg insulin"), ("Task", None, "red rash")], (Relation(1, 2, "USED-FOR"),))
    spans = ",".join(
        f'{{"id":{n},"label":"Task","span":"{text}"}}' for n, text in enumerate(("5 mg insulin", "rash", "insulin"), 1)
    )
    links = ",".join(f'{{"head":{head},"label":"{label}","tail":{tail}}}' for head, tail, label in relations)
    answer = f'{{"entities":[{spans}],"relations":[{links}],"coreference":[]}}'
    assert link(gold, read_answer(answer, gold, SCIENCE), SCIENCE) == Counts(*counts)
