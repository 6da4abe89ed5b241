"""The most likely token, again and again; the next prompts take the rows of answers that have ended.

Several tokens of each answer are guessed and checked in one call of the model.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, distributed
from transformers import PreTrainedModel

from tabpo.inference.constraint import Constraint, Follower
from tabpo.inference.drafts import Drafts, Text
from tabpo.inference.rows import ROOM, Rows


@dataclass(slots=True)
class _Answer:
    """One row: a prompt's number, its text so far, how many of its tokens have been read, and its constraint."""

    index: int
    text: Text
    read: int
    follower: Follower | None


def answer_all(
    model: PreTrainedModel,
    prompts: Sequence[list[int]],
    *,
    max_new_tokens: int,
    batch_size: int,
    eos_id: int,
    constraint: Constraint | None,
) -> Iterator[tuple[int, list[int]]]:
    """Each prompt's index and answer, the end-of-turn token included where it was reached, as they end.

    The longest prompts come first, so that the largest batch is met at once. What all prompts begin with is read once.
    Processes of a training run must all ask, for the same prompts at the same time; all get the first one's answers.

    Args:
        model: In eval mode, of one of `tabpo.training.attention.FAMILIES`, on one device.
        prompts: Token ids.
        max_new_tokens: Cap of an answer.
        batch_size: Rows.
        eos_id: Token that ends an answer.
        constraint: What tokens are chosen among, or None.
    """
    waiting = sorted(range(len(prompts)), key=lambda index: (-len(prompts[index]), index))
    prefix = _common_prefix(prompts)
    places = max(map(len, prompts), default=0) + min(max_new_tokens, ROOM)
    batch, drafts, rows = Rows(model, min(batch_size, len(prompts)), places), Drafts(eos_id), []
    if prefix:
        batch.read([0], [prefix], [1])
    while waiting or rows:
        old, free = len(rows), batch_size - len(rows)
        admitted, waiting = waiting[:free], waiting[free:]
        for index in admitted:
            follower = None if constraint is None else constraint.follower()
            rows.append(_Answer(index, Text(prompts[index]), len(prefix), follower))
        if admitted:
            batch.copy(0, range(old, len(rows)), len(prefix))  # every row begins with it
        _step(batch, rows, old, drafts, max_new_tokens)
        ended = set()
        for place, row in enumerate(rows):
            if row.text.ids[-1] == eos_id or row.text.answered == max_new_tokens:
                ended.add(place)
                yield row.index, row.text.answer
        if ended:
            order = _closed_up(len(rows), ended)
            for place, row in enumerate(order):
                if place != row:
                    batch.copy(row, range(place, place + 1), rows[row].read)
            rows = [rows[place] for place in order]


def _step(batch: Rows, rows: Sequence[_Answer], old: int, drafts: Drafts, max_new_tokens: int) -> None:
    """Append to the text of each row what one call of the model says of it: a token, and as many more as were foreseen.

    Those from `old` on have a prompt to be read before.
    """
    guessed = [drafts.draft(row.text, max_new_tokens - row.text.answered - 1) for row in rows]
    allowed = []
    for number, row in enumerate(rows):
        if row.follower is not None:
            guessed[number], masks = row.follower.look_ahead(guessed[number])
            allowed.append(masks)
    tokens = [row.text.ids[row.read :] + draft for row, draft in zip(rows, guessed, strict=True)]
    logits = batch.read([row.read for row in rows], tokens, [1 + len(draft) for draft in guessed], split=old)
    if allowed:
        logits = logits.masked_fill(~torch.cat(allowed).to(logits.device), -torch.inf)
    likely, start = _of_first_process(logits.argmax(-1)).tolist(), 0
    for row, draft in zip(rows, guessed, strict=True):
        new = _agreed(draft, likely[start : start + 1 + len(draft)])
        start += 1 + len(draft)
        drafts.extend(row.text, new)
        row.read = len(row.text.ids) - 1
        if row.follower is not None:
            row.follower.extend(new)


def _of_first_process(tokens: Tensor) -> Tensor:
    """What the first of several processes that answer the same prompts has chosen.

    A last bit that differs on another device could give them answers of other lengths; where weights are divided, every
    call of the model is one of all processes, and those with a call more than others would wait for ever.
    """
    if distributed.is_initialized():
        distributed.broadcast(tokens, src=0)
    return tokens


def _agreed(draft: list[int], likely: list[int]) -> list[int]:
    """What is new: the model's tokens up to the first that was guessed otherwise, or the one behind the draft."""
    for place, token in enumerate(draft):
        if likely[place] != token:
            return likely[: place + 1]
    return likely


def _closed_up(rows: int, ended: set[int]) -> list[int]:
    """The rows that go on: the last of them in the places of those that have ended, the others where they were."""
    left = rows - len(ended)
    last = iter([row for row in range(left, rows) if row not in ended])
    return [next(last) if row in ended else row for row in range(left)]


def _common_prefix(prompts: Sequence[list[int]]) -> list[int]:
    """Token ids that all prompts begin with, at least one less than any has."""
    low, high = min(prompts, default=[]), max(prompts, default=[])
    longest = min(map(len, prompts), default=1) - 1
    shared = next((place for place in range(longest) if low[place] != high[place]), longest)
    return low[:shared]
