"""Guesses how an answer goes on, which the model then checks many at a time: no answer depends on them.

Answers copy spans from their prompts and repeat their scaffolding. What followed the last tokens before, in the same
prompt and answer or in answers that have ended, is likely to follow again (prompt lookup: arXiv 2304.04487; the check
by one forward pass: arXiv 2211.17192, of which this is the greedy case).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

CONTEXTS = (2, 1)
"""By how many of the last tokens what follows is looked up."""

LEAST = 0.5
"""Least probability, as estimated, of a draft's last token: one that is refused costs what one that is right saves."""

MOST = 4
"""Tokens of a draft."""


class Text:
    """A prompt and its answer so far, and what followed the last occurrence of each context."""

    def __init__(self, prompt: Sequence[int]) -> None:
        self.start = len(prompt)
        self.ids: list[int] = []
        self.followed: dict[tuple[int, ...], int] = {}
        self.extend(prompt)

    @property
    def answer(self) -> list[int]:
        """What comes behind the prompt."""
        return self.ids[self.start :]

    @property
    def answered(self) -> int:
        """How many tokens that are."""
        return len(self.ids) - self.start

    def extend(self, tokens: Sequence[int]) -> None:
        """Append tokens."""
        ids, end = self.ids, len(self.ids)
        ids += tokens
        for size in CONTEXTS:
            for place in range(max(size, end), len(ids)):
                self.followed[tuple(ids[place - size : place])] = ids[place]


@dataclass(slots=True)
class _Followers:
    """What has followed one context in answers that have ended."""

    counts: dict[int, int] = field(default_factory=dict)
    total: int = 1
    guess: tuple[float, int] = (0.0, -1)

    def add(self, token: int) -> None:
        """Count one; `guess` is the most frequent one and its share, as if another had been seen besides."""
        count, usual = self.counts.get(token, 0) + 1, self.guess[1]
        self.counts[token] = count
        self.total += 1
        most = self.counts.get(usual, 0)
        self.guess = (count / self.total, token) if count >= most else (most / self.total, usual)


class Drafts:
    """What the answers of a run have shown of how answers go on."""

    def __init__(self, eos_id: int) -> None:
        self._eos_id = eos_id
        self._followers: dict[tuple[int, ...], _Followers] = defaultdict(_Followers)
        self._copied = {size: [0, 0] for size in CONTEXTS}  # how often it would have been right to copy, and not

    def draft(self, text: Text, most: int) -> list[int]:
        """Tokens, at most so many, that are as likely as not to come next."""
        rates = {size: right / (right + wrong + 1) for size, (right, wrong) in self._copied.items()}
        last, tokens, likely = text.ids[-max(CONTEXTS) :], [], 1.0
        while len(tokens) < min(most, MOST):
            guesses = []
            for size in CONTEXTS:
                context = tuple(last[-size:])
                if context in self._followers:
                    guesses.append(self._followers[context].guess)
                if context in text.followed:
                    guesses.append((rates[size], text.followed[context]))
            share, token = max(guesses, default=(0.0, -1))
            likely *= share
            if likely < LEAST or token == self._eos_id:  # what ends an answer comes with the check of what is before
                break
            tokens.append(token)
            last.append(token)
        return tokens

    def extend(self, text: Text, tokens: Sequence[int]) -> None:
        """Append tokens that the model has chosen, and count whether copying would have given the first of them."""
        for size in CONTEXTS:
            copied = text.followed.get(tuple(text.ids[-size:]))
            if copied is not None:
                self._copied[size][copied != tokens[0]] += 1
        text.extend(tokens)

    def learn(self, text: Text) -> None:
        """Count what followed what in an answer that has ended."""
        for size in CONTEXTS:
            for place in range(max(size, text.start), len(text.ids)):
                self._followers[tuple(text.ids[place - size : place])].add(text.ids[place])
