"""Numbers of tokens of a data set's prompts and answers, compared with its limits as soon as there is a tokenizer."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from transformers import PreTrainedTokenizerBase

from tabpo.errors import DataError
from tabpo.models.chat_template import check_control_tokens, prompt_text
from tabpo.records import Preference, Prompt

LIMITS = ("max_prompt_tokens", "max_completion_tokens")

Lengths = dict[str, dict[str, list[int]]]
"""By limit, then by split: the number of tokens of each prompt or answer, in the order of the prompts."""


def token_lengths(
    tokenizer: PreTrainedTokenizerBase,
    prompts: Mapping[str, Sequence[Prompt]],
    preferences: Mapping[str, Sequence[Preference]] = MappingProxyType({}),
) -> Lengths:
    """Count the tokens of each prompt, and of each answer with its end-of-turn token.

    Rejected answers of `preferences` count among the answers, under `rejected of {split}`.

    Raises:
        DataError: `prompt_text` refuses a prompt, or an answer holds a control token; the message names the split.
    """
    lengths: Lengths = {limit: {} for limit in LIMITS}
    answers = {split: [prompt.answer for prompt in items] for split, items in prompts.items()}
    answers |= {f"rejected of {split}": [row.rejected for row in rows] for split, rows in preferences.items()}
    for split, items in prompts.items():
        texts = [
            prompt_text(tokenizer, prompt, f"{split}: prompt {number}") for number, prompt in enumerate(items, start=1)
        ]
        lengths["max_prompt_tokens"][split] = _count(tokenizer, texts)
    for split, texts in answers.items():
        for number, text in enumerate(texts, start=1):
            check_control_tokens(tokenizer, text, f"{split}: answer of prompt {number}")
        lengths["max_completion_tokens"][split] = [length + 1 for length in _count(tokenizer, texts)]
    return lengths


def _count(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[int]:
    return list(map(len, tokenizer(texts, add_special_tokens=False)["input_ids"])) if texts else []


def check_lengths(lengths: Lengths, limits: Mapping[str, int]) -> None:
    """Refuse data of which anything is over its limit, since nothing is truncated.

    Raises:
        DataError: The message counts all prompts and answers over their limits, by split, and has the limits that the
            data need.
    """
    faults = [fault for limit in LIMITS if (fault := _over(limit, lengths[limit], limits[limit]))]
    if faults:
        raise DataError(f"{'; '.join(faults)}; nothing is truncated; accepted: these limits, or shorter texts")


def suggest_limits(lengths: Lengths, limits: Mapping[str, int]) -> list[str]:
    """Return one line for each limit: what is set, the longest text of each split, and what the data need."""
    lines = []
    for limit in LIMITS:
        longest = {split: max(values, default=0) for split, values in lengths[limit].items()}
        over = sum(length > limits[limit] for values in lengths[limit].values() for length in values)
        shown = ", ".join(f"{split} {length}" for split, length in longest.items())
        advice = f"{over} are over it; set {max(longest.values())}" if over else "nothing is over it"
        lines.append(f"{limit} is {limits[limit]}; longest: {shown}; {advice}")
    return lines


def _over(limit: str, by_split: Mapping[str, Sequence[int]], allowed: int) -> str:
    """Say how many of each split are over a limit, with the number of the first; "" if none is."""
    over = {split: [n for n, length in enumerate(values, 1) if length > allowed] for split, values in by_split.items()}
    counts = [f"{len(numbers)} of {split} (first: {numbers[0]})" for split, numbers in over.items() if numbers]
    if not counts:
        return ""
    longest = max(length for values in by_split.values() for length in values)
    kind = "prompts" if limit == "max_prompt_tokens" else "answers"
    return f"{kind} over {limit}, which is {allowed}: {', '.join(counts)}; they need {limit}: {longest}"
