"""How sure a model was of each item of its answers: the mean probability of the item's tokens."""

import json
import math
from collections.abc import Sequence
from statistics import fmean

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tabpo.losses import TokenField
from tabpo.models.tokenizer import encode_prompt
from tabpo.records import Prediction, Prompt
from tabpo.scoring.reference import score_gold
from tabpo.scoring.tokenise import Example

_LISTS = ("entities", "results", "relations")
_UNLIMITED = {"max_prompt_tokens": math.inf, "max_completion_tokens": math.inf}

Extents = tuple[list[tuple[int, int]], list[tuple[int, int]]]
"""Start and end (excluded) in the answer's text, of each span's record and of each relation's."""


def item_extents(answer: str) -> Extents:
    """Find the records of a readable answer in its text, in their order."""
    decoder, extents = json.JSONDecoder(), {name: [] for name in _LISTS}
    position = answer.index("{") + 1
    while (key_start := answer.find('"', position)) >= 0:
        key, position = decoder.raw_decode(answer, key_start)
        value_start = _after(answer, _after(answer, position, ":"), "")
        _, position = decoder.raw_decode(answer, value_start)
        if key in extents:
            extents[key] = _items(decoder, answer, value_start)
    return extents["entities"] or extents["results"], extents["relations"]


def _items(decoder: json.JSONDecoder, answer: str, start: int) -> list[tuple[int, int]]:
    items, position = [], _after(answer, start, "[")
    while answer[position] != "]":
        _, end = decoder.raw_decode(answer, position)
        items.append((position, end))
        position = _after(answer, end, ",")
    return items


def _after(text: str, position: int, mark: str) -> int:
    """Skip white space, the mark if it is there, and the white space after it."""
    position += len(text[position:]) - len(text[position:].lstrip())
    if mark and text.startswith(mark, position):
        position += len(mark)
    return position + len(text[position:]) - len(text[position:].lstrip())


def mean_probabilities(
    extents: Sequence[tuple[int, int]], offsets: Sequence[tuple[int, int]], logps: Sequence[float]
) -> list[float]:
    """Return for each extent the mean probability of the tokens that share a character with it.

    Args:
        extents: Start and end of each item in the answer's text.
        offsets: Start and end of each token in it; the end-of-turn token is not among them.
        logps: Log-prob of each of these tokens, in nats, and perhaps of later ones.
    """
    return [
        fmean(
            math.exp(logp) for (first, last), logp in zip(offsets, logps, strict=False) if first < end and start < last
        )
        for start, end in extents
    ]


def answer_confidences(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Prompt],
    answers: Sequence[str],
    predictions: Sequence[Prediction],
    numerics: dict,
    batch_size: int,
) -> dict[str, tuple[list[float], list[float]]]:
    """Score readable answers with the model that gave them; each text is encoded once more for it.

    Args:
        model: The model that gave the answers.
        tokenizer: Its tokenizer.
        prompts: The prompts.
        answers: The answer to each prompt.
        predictions: Each answer after parsing.
        numerics: As for `models.loading.load_model`.
        batch_size: Answers per forward pass.

    Returns:
        By prompt id, the confidence of each span and of each relation, in the answer's order.
    """
    readable = [
        (prompt, answer)
        for prompt, answer, prediction in zip(prompts, answers, predictions, strict=True)
        if prediction.answer_class == "ok"
    ]
    encoded = [tokenizer(answer, add_special_tokens=False, return_offsets_mapping=True) for _, answer in readable]
    examples = [
        _example(tokenizer, prompt, encoding["input_ids"], number)
        for number, ((prompt, _), encoding) in enumerate(zip(readable, encoded, strict=True), start=1)
    ]
    scored = score_gold(model, examples, tokenizer.pad_token_id, numerics, batch_size)
    return {
        prompt.prompt_id: tuple(
            mean_probabilities(extents, encoding["offset_mapping"], reference.chosen_logps)
            for extents in item_extents(answer)
        )
        for (prompt, answer), encoding, reference in zip(readable, encoded, scored, strict=True)
    }


def _example(tokenizer: PreTrainedTokenizerBase, prompt: Prompt, answer_ids: Sequence[int], number: int) -> Example:
    """A prompt with an answer as the model gave it: control tokens may stand in it, unlike in a gold answer."""
    completion_ids = (*answer_ids, tokenizer.eos_token_id)
    fields = (int(TokenField.SCAFFOLDING),) * len(completion_ids)  # they matter to losses alone
    return Example(
        prompt.prompt_id, encode_prompt(tokenizer, prompt, _UNLIMITED, number), completion_ids, fields, number
    )
