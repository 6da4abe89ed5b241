"""The notice above pages of private data."""

from tabpo.privacy import NOTICE, marked


def test_only_pages_of_private_data_are_marked():
    assert marked("A page.", []) == "A page."
    assert marked("A page.", ["notes"]) == f"{NOTICE}\n\nA page."
    assert marked("A page.", ["notes"], "% ").startswith("% INSIDE ONLY: ")
