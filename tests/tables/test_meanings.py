"""Every metric and convention that a table may show has a title and an explanation."""

from tabpo.losses import loss_names
from tabpo.metrics.names import METRICS
from tabpo.tables.meanings import CONVENTIONS, NAMES, TITLES, meanings, title
from tabpo.tables.meanings import METRICS as EXPLAINED


def test_each_name_is_explained_once():
    assert meanings(["rel", "rel@pure", "ner_strict@pure", "rel"]) == (
        "Rel: exact spans of both ends, and the relation's label; (pure): as PURE counts: repeated items are not"
        " merged; NER: exact spans with their labels."
    )
    assert (title("rel"), title("rel_plus@pure")) == ("Rel", "Rel+ (pure)")


def test_exactly_the_metrics_that_tables_may_show_are_explained():
    shown = {name for names in METRICS.values() for name in names}
    assert {name.partition("@")[0] for name in shown} == set(EXPLAINED) == set(TITLES)
    assert {name.partition("@")[2] for name in shown} - {""} == set(CONVENTIONS)
    assert meanings(shown).count("; ") >= len(EXPLAINED) + len(CONVENTIONS) - 1


def test_every_loss_has_a_printed_name_of_its_own_without_commas():
    assert set(loss_names()) <= NAMES.keys()  # names are listed with commas between
    assert len(set(NAMES.values())) == len(NAMES) and not [name for name in NAMES.values() if "," in name]
