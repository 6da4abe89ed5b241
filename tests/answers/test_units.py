"""Units of prompts: prompts that belong to no document are refused by number, since ids may name patients."""

import pytest

from tabpo.answers.units import units_of_prompts
from tabpo.errors import DataError
from tabpo.records import Document


def document(name: str) -> Document:
    return Document(
        doc_id=name,
        group_id=None,
        text="a b . c .",
        tokens=("a", "b", ".", "c", "."),
        sentences=((0, 3), (3, 5)),
        spans=(),
    )


def test_units_have_the_order_of_the_prompts():
    units = units_of_prompts([document("x"), document("y")], ["y#1", "x#0", "y#0"])
    assert [(unit.prompt_id, unit.start, unit.text) for unit in units] == [
        ("y#1", 6, "c ."),
        ("x#0", 0, "a b ."),
        ("y#0", 0, "a b ."),
    ]


def test_a_prompt_of_no_document_is_named_by_its_number():
    with pytest.raises(DataError) as refused:
        units_of_prompts([document("Doe"), document("Roe")], ["Doe#0", "Smith#0", "Doe#2"])
    assert str(refused.value) == "prompt 2 is of none of the 2 documents (2 such prompts)"
