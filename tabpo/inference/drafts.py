"""Guesses how an answer goes on, which the model then checks many at a time: no answer depends on them.

Answers copy spans from their prompts, mostly in the order of the text, and repeat their scaffolding. What followed like
tokens before, in any answer of the run, is likely to follow again: a token, or one from so much further on in the
prompt (after prompt lookup: arXiv 2304.04487; the check by one forward pass: arXiv 2211.17192, of which this is the
greedy case).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

LEAST = 0.5
"""Least probability, as estimated, of a draft's last token: one that is refused costs what one that is right saves."""

MOST = 4
"""Tokens of a draft."""

COPIED = -1
"""Stands for any token that was copied from the prompt."""

BEHIND = -2
"""What stands behind a prompt."""


class Text:
    """A prompt and its answer so far.

    Attributes:
        ids: Their tokens.
        prompt: The prompt's, and `BEHIND`.
        place: In the prompt, behind what was copied last.
        copied: Whether the last token was.
        followed: What came behind each token of the answer the last time.
    """

    def __init__(self, prompt: Sequence[int]) -> None:
        self.ids = list(prompt)
        self.prompt = [*prompt, BEHIND]
        self.place = 0
        self.copied = False
        self.followed: dict[int, int] = {}

    @property
    def answer(self) -> list[int]:
        """What comes behind the prompt."""
        return self.ids[len(self.prompt) - 1 :]

    @property
    def answered(self) -> int:
        """How many tokens that are."""
        return len(self.ids) - len(self.prompt) + 1

    def append(self, token: int) -> None:
        """Append a token: copied, where the prompt has it at or behind `place`."""
        self.followed[self.ids[-1]] = token
        self.ids.append(token)
        try:
            self.place = self.prompt.index(token, self.place) + 1
            self.copied = True
        except ValueError:
            self.copied = False


@dataclass(slots=True)
class _Followers:
    """What has followed one context: tokens, and ~n for what was copied from n places further on.

    Attributes:
        counts: How often each.
        total: Of all, and one more: shares are taken as if another had been seen besides.
        usual: The most frequent one, of several the latest.
        most: How often that is.
    """

    counts: dict[int, int] = field(default_factory=dict)
    total: int = 1
    usual: int = BEHIND
    most: int = 0

    def add(self, follower: int) -> None:
        """Count one."""
        self.counts[follower] = count = self.counts.get(follower, 0) + 1
        self.total += 1
        if count >= self.most:
            self.most, self.usual = count, follower


class Drafts:
    """What the answers of a run have shown of how answers go on."""

    def __init__(self, eos_id: int) -> None:
        self._eos_id = eos_id
        self._followers: dict[tuple, _Followers] = defaultdict(_Followers)  # of contexts

    def draft(self, text: Text, most: int) -> list[int]:
        """Tokens, at most so many, that are as likely as not to come next."""
        last, place, copied = text.ids[-2:], text.place, text.copied
        tokens, likely = [], 1.0
        while len(tokens) < min(most, MOST):
            share, follower = 0.0, BEHIND
            for context in _contexts(last, copied, text.prompt[place], text.followed):
                seen = self._followers.get(context)
                if seen is not None and seen.most > share * seen.total:
                    share, follower = seen.most / seen.total, seen.usual
            likely *= share
            if likely < LEAST:
                break
            token, copied = follower, follower < 0
            if copied:
                place = min(place + ~follower, len(text.prompt) - 1)
                token = text.prompt[place]
                place += 1
            if token in (self._eos_id, BEHIND):  # what ends an answer comes with the check of what is before
                break
            tokens.append(token)
            last = [last[-1], token]
        return tokens

    def extend(self, text: Text, tokens: Sequence[int]) -> None:
        """Append tokens that the model has chosen, and count what they follow."""
        for token in tokens:
            contexts = _contexts(text.ids[-2:], text.copied, text.prompt[text.place], text.followed)
            start = text.place
            text.append(token)
            follower = ~(text.place - 1 - start) if text.copied else token
            for context in contexts:
                self._followers[context].add(follower)


def _contexts(last: list[int], copied: bool, ahead: int, followed: dict[int, int]) -> tuple[tuple, tuple, tuple]:
    """What a guess goes by: two tokens; the last and what the prompt has next; the last and what followed it before."""
    return tuple(last), ("ahead", COPIED if copied else last[-1], ahead), ("again", last[-1], followed.get(last[-1]))
