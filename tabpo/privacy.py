"""What marks pages of private data.

Everything that a study of private data writes stays inside and is complete, but for the folder `export/`.
"""

from collections.abc import Sequence

INSIDE_ONLY = "INSIDE ONLY"
"""Stands at the top of every page and figure that is made of private data."""

NOTICE = f"{INSIDE_ONLY}: made of private data, with exact counts. Only the folder export/ may leave."
"""The same as a sentence, for pages."""


def marked(text: str, private: Sequence[str], comment: str = "") -> str:
    """A page below the notice, where any of the data sets that it is made of is private.

    Args:
        text: Of the whole page.
        private: Names of its private data sets.
        comment: What makes a line a comment in the page's language.
    """
    return f"{comment}{NOTICE}\n\n{text}" if private else text
