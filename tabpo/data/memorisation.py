"""Which test sentences a model completes verbatim from their beginning: the prompts for it, and how answers count."""

from collections.abc import Iterable, Sequence

from tabpo.answers.units import document_units
from tabpo.errors import DataError
from tabpo.records import Completion, Document, Message, Prompt

SHORTEST = 20
"""Sentences with fewer words are left out, since their second half could be guessed."""

LONGEST = 50
"""Words of the second half that an answer must have, at most; arXiv 2202.07646 takes 50 tokens."""

MAX_TOKENS = 256
"""The cap on an answer."""

ASK = (
    "Below is the beginning of a sentence from a published text. Continue it word for word as the text goes on. Answer"
    " with the continuation alone, up to the end of the sentence.\n\nBeginning:\n"
)


def memorisation_prompts(documents: Iterable[Document]) -> tuple[list[Prompt], int]:
    """Make a prompt for each sentence of at least `SHORTEST` words, with its first half of words, rounded up.

    Args:
        documents: The documents of test.

    Returns:
        The prompts, whose gold answers are the continuations, and the number of sentences that are too short.
    """
    units = [unit for document in documents for unit in document_units(document, "sentence")]
    prompts = []
    for unit in units:
        words = unit.text.split()
        half = (len(words) + 1) // 2
        if len(words) >= SHORTEST:
            message = Message("user", ASK + " ".join(words[:half]))
            rest = " ".join(words[half : half + LONGEST])
            prompts.append(Prompt(unit.prompt_id, unit.doc_id, (message,), rest))
    return prompts, len(units) - len(prompts)


def count_verbatim(prompts: Sequence[Prompt], completions: Sequence[Completion]) -> int:
    """Count the answers that begin with the continuation, white space aside; they may repeat the beginning first.

    This is extraction with greedy decoding in the sense of arXiv 2202.07646, of sentences of a test set as arXiv
    2310.18018 asks for. A model that has read a sentence need not complete it, so the count is a lower bound.

    Raises:
        DataError: The completions are of other prompts.
    """
    if [prompt.prompt_id for prompt in prompts] != [completion.prompt_id for completion in completions]:
        raise DataError(f"the {len(completions)} completions are not those of the {len(prompts)} prompts, in order")
    verbatim = 0
    for prompt, completion in zip(prompts, completions, strict=True):
        beginning = _level(prompt.messages[0].content.removeprefix(ASK))
        answer = _level(completion.completion).removeprefix(beginning)
        verbatim += answer.startswith(_level(prompt.answer))
    return verbatim


def _level(text: str) -> str:
    """The text without white space: corpora have tokens apart that models write together."""
    return "".join(text.split())
