"""Documents of both generators: splits without common texts, spans of words that occur once, equal bytes."""

import hashlib
import os
import subprocess
import sys

import pytest

from tabpo.data.generated import demo_abstracts, demo_messages
from tabpo.data.generated.documents import Mention, annotated_document
from tabpo.records import Relation, Span

GENERATORS = [demo_abstracts, demo_messages]


@pytest.mark.parametrize("generator", GENERATORS)
def test_splits_have_no_text_in_common_even_with_one_seed(generator):
    texts = {split: {d.text for d in generator.generate(split, 200, 5)} for split in ("train", "dev", "test")}
    assert all(len(different) == 200 for different in texts.values())  # no text occurs twice in a split
    assert not texts["train"] & texts["dev"]
    assert not texts["train"] & texts["test"]
    assert not texts["dev"] & texts["test"]


@pytest.mark.parametrize("generator", GENERATORS)
def test_a_longer_split_starts_with_the_shorter_one_and_other_seeds_differ(generator):
    assert generator.generate("dev", 60, 2)[:30] == generator.generate("dev", 30, 2)
    assert generator.generate("dev", 30, 2) != generator.generate("dev", 30, 3)


@pytest.mark.parametrize("generator", GENERATORS)
def test_spans_are_numbered_words_that_stand_once(generator):
    for document in generator.generate("train", 300, 7):
        assert document.text == " ".join(document.tokens)
        assert document.sentences == ((0, len(document.tokens)),)
        assert [span.id for span in document.spans] == list(range(1, len(document.spans) + 1))
        starts = [span.start for span in document.spans]
        assert starts == sorted(starts)
        for span in document.spans:
            words = document.text[span.start : span.end].split()
            starts_of_words = [
                start
                for start in range(len(document.tokens))
                if list(document.tokens[start : start + len(words)]) == words
            ]
            assert len(starts_of_words) == 1
        ids = {span.id for span in document.spans}
        assert all({relation.head, relation.tail} <= ids for relation in document.relations)
        assert list(document.relations) == sorted(document.relations, key=lambda r: (r.head, r.tail, r.label))


@pytest.mark.parametrize("generator", GENERATORS)
def test_another_process_with_another_hash_seed_gives_the_same_documents(generator):
    program = (
        "import hashlib, importlib;"
        f"documents = importlib.import_module({generator.__name__!r}).generate('test', 40, 11);"
        "print(hashlib.sha256(repr(documents).encode()).hexdigest())"
    )
    environment = os.environ | {"PYTHONHASHSEED": "12345", "PYTHONPATH": os.pathsep.join(sys.path)}
    other = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    here = hashlib.sha256(repr(generator.generate("test", 40, 11)).encode()).hexdigest()
    assert other.stdout.strip() == here


def test_hand_made_document_sorts_spans_and_renumbers_relations():
    # "a bb ccc": a = 0-1, bb = 2-4, ccc = 5-8; the mention that is given first comes second in the text
    mentions = [Mention(1, 3, "Task", None), Mention(0, 1, "Method", None)]
    document = annotated_document("d", ["a", "bb", "ccc"], mentions, [(1, 0, "USED-FOR")])
    assert document.spans == (Span(1, "Method", None, 0, 1), Span(2, "Task", None, 2, 8))
    assert document.relations == (Relation(1, 2, "USED-FOR"),)
