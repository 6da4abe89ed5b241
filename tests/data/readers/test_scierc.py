"""The reader of SciERC's published JSON."""

import copy
import json
from collections import Counter
from pathlib import Path

import pytest

from tabpo.answers.ontology import read_ontology
from tabpo.answers.render import gold_answer, parse, render
from tabpo.answers.units import document_units, token_offsets
from tabpo.data.corpus import read_corpus
from tabpo.data.readers.scierc import MISFILED, read_documents
from tabpo.data.reading import Reading
from tabpo.data.validation import check_splits
from tabpo.errors import DataError
from tabpo.records import SPLITS, Relation, Span

ONTOLOGY = Path(__file__).parents[3] / "config/ontologies/scierc.yaml"

ROW = {
    "doc_key": "W01",
    "sentences": [["A", "parser", "for", "trees", "."], ["It", "beats", "-LRB-", "CKY", "-RRB-"]],
    "ner": [[[3, 3, "Material"], [1, 3, "Method"], [1, 1, "Method"]], [[5, 5, "Generic"], [8, 8, "Method"]]],
    "relations": [[[3, 3, 1, 1, "USED-FOR"]], [[8, 8, 5, 5, "COMPARE"]]],
    "clusters": [[[5, 5], [1, 1]]],
}


def read(folder: Path, *rows: dict) -> list:
    path = folder / "train.json"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_documents(path)


def changed(*path, to) -> dict:
    """A copy of ROW with one value replaced; keys and indices give its path."""
    row = copy.deepcopy(ROW)
    place = row
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return row


def test_hand_worked_document(tmp_path):
    (document,) = read(tmp_path, ROW)
    # A parser for trees . It beats -LRB- CKY -RRB-
    # 0 2      9   13    19 21 24    30    36  40-45
    assert document.text == "A parser for trees . It beats -LRB- CKY -RRB-"
    assert document.doc_id == "W01" and document.group_id is None
    assert document.sentences == ((0, 5), (5, 10))
    assert document.spans == (
        Span(1, "Method", None, 2, 8),
        Span(2, "Method", None, 2, 18),
        Span(3, "Material", None, 13, 18),
        Span(4, "Generic", None, 21, 23),
        Span(5, "Method", None, 36, 39),
    )
    assert document.relations == (Relation(3, 1, "USED-FOR"), Relation(5, 4, "COMPARE"))
    assert document.clusters == ((1, 4),)


def test_repetitions_are_kept_in_documents_and_stated_once_in_answers(tmp_path):
    row = changed("relations", 0, to=[[3, 3, 1, 1, "USED-FOR"]] * 2)
    row["clusters"] = [[[5, 5], [1, 1], [5, 5]]]
    (document,) = read(tmp_path, row)
    assert document.relations[:2] == (Relation(3, 1, "USED-FOR"),) * 2
    assert document.clusters == ((1, 4, 4),)
    (once,), (plain,) = (document_units(item, "document") for item in (document, *read(tmp_path, ROW)))
    assert render(gold_answer(once), "entities") == render(gold_answer(plain), "entities")


def test_relations_filed_under_another_sentence_are_read_where_their_ends_are_and_counted(tmp_path):
    first, second = ROW["relations"]
    reading = Reading()
    path = tmp_path / "train.json"
    path.write_text(json.dumps(ROW | {"relations": [[*first, *second], []]}) + "\n")
    (document,) = read_documents(path, reading)
    assert document == read(tmp_path, ROW)[0] and reading.noticed == {MISFILED: 1}


def test_order_in_the_file_does_not_matter(tmp_path):
    row = copy.deepcopy(ROW)
    for sentence in row["ner"]:
        sentence.reverse()
    row["clusters"][0].reverse()
    assert read(tmp_path, row) == read(tmp_path, ROW)


FAULTS = {
    "no sentences": (changed("sentences", to=[]), "sentences: is empty"),
    "an empty sentence": (changed("sentences", 1, to=[]), r"sentences\[1\]: is empty"),
    "a token with a space": (changed("sentences", 1, 0, to="It all"), r"sentences\[1\]\[0\]: is no token"),
    "a token that is a number": (changed("sentences", 1, 0, to=7), r"sentences\[1\]\[0\]: is no token"),
    "text for tokens": (changed("sentences", 1, to="It beats"), r"sentences\[1\]: is no list"),
    "ner of too few sentences": (changed("ner", to=[]), "ner: has 0 items; accepted: 2"),
    "a mention without type": (changed("ner", 1, 0, to=[5, 5]), r"ner\[1\]\[0\]: has 2 items; accepted: 3"),
    "a mention outside the document": (
        changed("ner", 1, 1, to=[8, 10, "Method"]),
        r"ner\[1\]\[1\] end: is 10; accepted: a whole number from 8 to 9",
    ),
    "a mention in another sentence": (
        changed("ner", 1, 0, to=[4, 5, "Generic"]),
        r"ner\[1\]\[0\] start: is 4; accepted: a whole number from 5 to 9",
    ),
    "a mention that ends before it starts": (changed("ner", 0, 1, to=[3, 1, "Method"]), r"ner\[0\]\[1\] end: is 1;"),
    "an offset that is true": (changed("ner", 0, 1, 0, to=True), r"ner\[0\]\[1\] start: is a bool"),
    "a mention with two types": (
        changed("ner", 0, 0, to=[1, 1, "Task"]),
        r"ner\[0\]\[2\]: tokens 1-1 are listed twice",
    ),
    "a type that is null": (changed("ner", 0, 0, 2, to=None), r"ner\[0\]\[0\] type: is no text"),
    "relations of too many sentences": (changed("relations", to=[[], [], []]), "relations: has 3 items; accepted: 2"),
    "a relation from no mention": (
        changed("relations", 0, 0, to=[0, 0, 1, 1, "USED-FOR"]),
        r"relations\[0\]\[0\]: is no mention; accepted: first and last token of one of the 5 in ner",
    ),
    "a relation of a mention with itself": (
        changed("relations", 0, 0, to=[1, 1, 1, 1, "PART-OF"]),
        r"relations\[0\]\[0\]: relates a mention to itself",
    ),
    "a relation without label": (changed("relations", 0, 0, to=[3, 3, 1, 1]), r"relations\[0\]\[0\]: has 4 items"),
    "a cluster of no mention": (changed("clusters", 0, 1, to=[0, 99]), r"clusters\[0\]\[1\]: is no mention"),
    "a cluster of lists": (changed("clusters", 0, 1, to=[[1], [1]]), r"clusters\[0\]\[1\]: is no mention"),
    "an empty cluster": (changed("clusters", 0, to=[]), r"clusters\[0\]: is empty"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_named_by_its_place(tmp_path, fault):
    row, message = FAULTS[fault]
    with pytest.raises(DataError, match=f"train.json, line 2, {message}") as caught:
        read(tmp_path, changed("doc_key", to="W00"), row)
    assert "accepted: " in str(caught.value)
    assert "parser" not in str(caught.value) and "beats" not in str(caught.value)


LABELS = {
    "train": "Task 894 Method 1445 Metric 231 Material 542 OtherScientificTerm 1536 Generic 950",
    "dev": "Task 127 Method 216 Metric 38 Material 71 OtherScientificTerm 212 Generic 147",
    "test": "Task 263 Method 430 Metric 71 Material 158 OtherScientificTerm 522 Generic 241",
}
RELATIONS = {
    "train": "USED-FOR 1690 CONJUNCTION 400 EVALUATE-FOR 313 HYPONYM-OF 298 PART-OF 179 FEATURE-OF 173 COMPARE 166",
    "dev": "USED-FOR 214 CONJUNCTION 59 EVALUATE-FOR 50 HYPONYM-OF 44 PART-OF 27 FEATURE-OF 32 COMPARE 29",
    "test": "USED-FOR 533 CONJUNCTION 123 EVALUATE-FOR 91 HYPONYM-OF 67 PART-OF 63 FEATURE-OF 59 COMPARE 38",
}
COUNTS = {  # documents, sentences, tokens, entities, relations, clusters, mentions in clusters
    "train": (350, 1861, 45412, 5598, 3219, 720, 1899),
    "dev": (50, 275, 6521, 811, 455, 100, 272),
    "test": (100, 551, 13401, 1685, 974, 195, 515),
}
SENTENCES_WITHOUT = {"train": (495, 99), "dev": (88, 15), "test": (154, 22)}  # a relation, an entity
REPEATED_MENTIONS = {"train": 2, "dev": 0, "test": 0}  # a cluster of one mention, named twice, which links nothing
REPEATED_RELATIONS = {"train": 4, "dev": 0, "test": 0}


def counted(line: str) -> dict[str, int]:
    words = line.split()
    return dict(zip(words[::2], map(int, words[1::2]), strict=True))


@pytest.mark.parametrize("split", SPLITS)
def test_counts_are_the_published_ones(data_root, split):
    documents = read_documents(data_root / "scierc" / f"{split}.json")
    spans = [span for document in documents for span in document.spans]
    relations = [relation for document in documents for relation in document.relations]
    clusters = [cluster for document in documents for cluster in document.clusters]
    assert COUNTS[split] == (
        len(documents),
        sum(len(document.sentences) for document in documents),
        sum(len(document.tokens) for document in documents),
        len(spans),
        len(relations),
        len(clusters),
        sum(map(len, clusters)),
    )
    assert Counter(span.label for span in spans) == counted(LABELS[split])
    assert Counter(relation.label for relation in relations) == counted(RELATIONS[split])
    units = [unit for document in documents for unit in document_units(document, "sentence")]
    assert SENTENCES_WITHOUT[split] == (
        sum(not unit.relations for unit in units),
        sum(not unit.spans for unit in units),
    )
    assert sum(len(unit.spans) for unit in units) == len(spans)
    assert sum(len(unit.relations) for unit in units) == len(relations) - REPEATED_RELATIONS[split]


@pytest.mark.parametrize("split", SPLITS)
def test_whole_abstracts_ask_for_all_of_it(data_root, split):
    documents, _, _, spans, relations, clusters, mentions = COUNTS[split]
    units = [
        unit
        for document in read_documents(data_root / "scierc" / f"{split}.json")
        for unit in document_units(document, "document")
    ]
    repeated = REPEATED_MENTIONS[split]
    assert (len(units), sum(len(unit.spans) for unit in units)) == (documents, spans)
    assert sum(len(unit.relations) for unit in units) == relations - REPEATED_RELATIONS[split]
    assert sum(len(unit.clusters) for unit in units) == clusters - repeated // 2
    assert sum(len(cluster) for unit in units for cluster in unit.clusters) == mentions - repeated
    for unit in units:
        answer = gold_answer(unit)
        assert parse(render(answer, "entities"), "entities", clusters=True).answer == answer


@pytest.mark.parametrize("split", SPLITS)
def test_spans_are_their_tokens(data_root, split):
    path = data_root / "scierc" / f"{split}.json"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for document, row in zip(read_documents(path), rows, strict=True):
        tokens = [token for sentence in row["sentences"] for token in sentence]
        mentions = sorted(tuple(item) for sentence in row["ner"] for item in sentence)
        assert [(document.text[span.start : span.end], span.label) for span in document.spans] == [
            (" ".join(tokens[start : end + 1]), label) for start, end, label in mentions
        ]
        assert [document.text[start:end] for start, end in token_offsets(document)] == tokens


def test_labels_are_those_of_the_ontology_and_splits_share_no_document(data_root):
    ontology = read_ontology(ONTOLOGY)
    sources = {split: data_root / "scierc" / f"{split}.json" for split in SPLITS}
    documents = read_corpus({"source": "scierc", "generate": None, "private": False}, sources, ontology).documents
    check_splits(documents)
    assert set(ontology.labels) == {span.label for item in documents["train"] for span in item.spans}
    assert set(ontology.relations) == {relation.label for item in documents["train"] for relation in item.relations}
    assert {name for name, relation in ontology.relations.items() if relation.symmetric} == {"COMPARE", "CONJUNCTION"}
