from tabpo.config import METRICS
from tabpo.metrics import meanings
from tabpo.metrics.meanings import CONVENTIONS


def test_each_name_is_explained_once():
    assert meanings.meanings(["rel", "rel@pure", "ner_strict@pure", "rel"]) == [
        "rel: exact places of both ends, and the relation's label.",
        "@pure: as PURE counts: repeated items are not merged.",
        "ner_strict: exact places with their labels.",
    ]


def test_what_a_table_may_show_is_what_is_explained():
    shown = {name for names in METRICS.values() for name in names}
    assert len(meanings.meanings(shown)) == len(meanings.METRICS) + len(CONVENTIONS)
