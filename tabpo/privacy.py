"""The notice at the top of pages about private data.

Files that a study of private data writes are complete and must stay inside; only its folder `export/` may leave.
"""

from collections.abc import Sequence

INSIDE_ONLY = "INSIDE ONLY"
"""The words at the top of every page and figure that is made of private data."""

NOTICE = f"{INSIDE_ONLY}: made of private data, with exact counts. Only the folder export/ may leave."
"""The first line of every page that is made of private data."""


def marked(text: str, private: Sequence[str], comment: str = "") -> str:
    """Put the notice above a page if any of its data sets is private.

    Args:
        text: The whole page.
        private: Names of the private data sets that the page is made of.
        comment: Characters that begin a comment in the page's language.
    """
    return f"{comment}{NOTICE}\n\n{text}" if private else text
