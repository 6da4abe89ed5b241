import pytest
from sklearn.metrics import precision_recall_fscore_support
from sklearn.preprocessing import MultiLabelBinarizer

from tabpo.answers.grounding import read_answer
from tabpo.answers.ontology import Label, Ontology
from tabpo.answers.units import document_units
from tabpo.metrics.counts import Counts, total
from tabpo.metrics.medical import code, pair, span, sub_code, triple
from tabpo.metrics.relaxed import span_relaxed
from tabpo.records import Document, Span

MEDICINE = Ontology(
    "results",
    {"Effect": Label("", {"None": ""}), "Drug": Label("", {"None": "", "Dose": ""})},
    {},
)
TEXT = "5 mg insulin caused a rash, a rash."  # 5 mg 0-4, insulin 5-12, rash 22-26 and 30-34
GOLD = [
    ("Drug", "Dose", 0, 4),
    ("Drug", "None", 0, 12),
    ("Effect", "None", 22, 26),
]


def unit(gold):
    spans = tuple(Span(number, *item) for number, item in enumerate(gold, start=1))
    tokens = tuple(TEXT.split())
    return document_units(Document("d", None, TEXT, tokens, ((0, len(tokens)),), spans), "document")[0]


def read(*items, gold):
    text = ",".join(f'{{"Code":"{code}","Sub-code":"{sub}","Span":"{span}"}}' for code, sub, span in items)
    return read_answer(f'{{"results":[{text}]}}', gold, MEDICINE)


RIGHT = [("Drug", "Dose", "5 mg"), ("Drug", "None", "5 mg insulin"), ("Effect", "None", "rash")]


@pytest.mark.parametrize(
    ("items", "codes", "subs", "spans", "triples"),
    [
        (RIGHT, (2, 2, 2), (2, 2, 2), (3, 3, 3), (3, 3, 3)),
        ([], (0, 0, 2), (0, 0, 2), (0, 0, 3), (0, 0, 3)),
        (RIGHT[:2], (1, 1, 2), (2, 2, 2), (2, 2, 3), (2, 2, 3)),  # the right sub-code None is that of the drug
        # one span with two codes is one span, two triples
        ([("Drug", "None", "rash"), ("Effect", "None", "rash")], (2, 2, 2), (1, 1, 2), (1, 1, 3), (1, 2, 3)),
        # an unknown code is a false positive everywhere; its sub-code and span are not right either
        ([("Sign", "None", "rash")], (0, 1, 2), (0, 1, 2), (0, 1, 3), (0, 1, 3)),
        ([("Effect", "Colour", "rash")], (0, 1, 2), (0, 1, 2), (0, 1, 3), (0, 1, 3)),
        # Dose belongs to drugs
        ([("Effect", "Dose", "rash")], (0, 1, 2), (0, 1, 2), (0, 1, 3), (0, 1, 3)),
        # not in the text: counts as predicted, is not right
        ([("Effect", "None", "fever")], (0, 1, 2), (0, 1, 2), (0, 1, 3), (0, 1, 3)),
        ([("Effect", "None", "fever"), RIGHT[2]], (1, 1, 2), (1, 1, 2), (1, 2, 3), (1, 2, 3)),
        ([("Effect", "None", "")], (0, 1, 2), (0, 1, 2), (0, 1, 3), (0, 1, 3)),
        # a part of a span is another span
        ([("Drug", "None", "insulin")], (1, 1, 2), (1, 1, 2), (0, 1, 3), (0, 1, 3)),
        # the second of three equal triples takes the second rash, the third is a duplicate
        ([RIGHT[2], RIGHT[2], RIGHT[2]], (1, 1, 2), (1, 1, 2), (1, 2, 3), (1, 2, 3)),
        ([("Effect", "None", "RASH")], (1, 1, 2), (1, 1, 2), (1, 1, 3), (1, 1, 3)),
    ],
)
def test_hand_worked_answers(items, codes, subs, spans, triples):
    gold = unit(GOLD)
    predicted = read(*items, gold=gold)
    assert [code(gold, predicted), sub_code(gold, predicted), span(gold, predicted), triple(gold, predicted)] == [
        Counts(*codes),
        Counts(*subs),
        Counts(*spans),
        Counts(*triples),
    ]


@pytest.mark.parametrize(
    ("items", "pairs", "relaxed"),
    [
        (RIGHT, (3, 3, 3), (3, 3, 3)),
        ([("Drug", "None", "rash"), ("Effect", "None", "rash")], (2, 2, 3), (1, 1, 3)),
        ([("Effect", "Dose", "rash")], (0, 1, 3), (0, 1, 3)),
        ([("Drug", "None", "insulin"), ("Drug", "Dose", "mg insulin")], (2, 2, 3), (1, 2, 3)),  # 5 mg lacks insulin
        ([("Drug", "None", "insulin"), ("Drug", "Dose", "5")], (2, 2, 3), (2, 2, 3)),
        ([("Drug", "None", "")], (0, 1, 3), (0, 1, 3)),
    ],
)
def test_pairs_and_relaxed_spans(items, pairs, relaxed):
    gold = unit(GOLD)
    predicted = read(*items, gold=gold)
    assert (pair(gold, predicted), span_relaxed(gold, predicted)) == (Counts(*pairs), Counts(*relaxed))


def test_label_sets_agree_with_scikit_learn():
    # over all messages; unknown labels have columns too, and every span is in the text
    answers = [
        ([("Drug", "Dose"), ("Effect", "None")], [("Drug", "None"), ("Sign", "None")]),
        ([("Drug", "None")], [("Drug", "None"), ("Drug", "Dose")]),
        ([], [("Effect", "Colour")]),
        ([("Effect", "None")], []),
    ]
    golds = [unit([(*labels, 22, 26) for labels in gold]) for gold, _ in answers]
    predictions = [
        read(*((*labels, "rash") for labels in predicted), gold=gold)
        for gold, (_, predicted) in zip(golds, answers, strict=True)
    ]
    for metric, level in ((code, 0), (sub_code, 1)):
        sets = [[{labels[level] for labels in side} for side in answer] for answer in answers]
        binarizer = MultiLabelBinarizer().fit([labels for both in sets for labels in both])
        expected = precision_recall_fscore_support(
            binarizer.transform([gold for gold, _ in sets]),
            binarizer.transform([predicted for _, predicted in sets]),
            average="micro",
        )
        counts = total(metric(gold, item) for gold, item in zip(golds, predictions, strict=True))
        assert (counts.precision, counts.recall, counts.f1) == pytest.approx(expected[:3])


def test_without_gold_and_answer_all_counts_are_zero():
    gold = unit([])
    assert {metric(gold, read(gold=gold)) for metric in (code, sub_code, span, triple)} == {Counts(0, 0, 0)}
