"""From prompts and answers to token ids: each is encoded once by itself, appended, never re-split or cut."""

from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import LCSseq
from transformers import PreTrainedTokenizerBase

from tabpo.errors import DataError
from tabpo.losses import TokenField
from tabpo.models.chat_template import check_control_tokens, prompt_text
from tabpo.records import Pair, Prompt, Reference
from tabpo.scoring.fields import token_fields


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt and one completion as token ids, the end-of-turn token included, and its tokens' `TokenField`s."""

    prompt_id: str
    prompt_ids: tuple[int, ...]
    completion_ids: tuple[int, ...]
    completion_fields: tuple[int, ...]
    number: int = 0

    @property
    def length(self) -> int:
        """Tokens of prompt and completion."""
        return len(self.prompt_ids) + len(self.completion_ids)


@dataclass(frozen=True, slots=True)
class PairExample:
    """A pair as token ids.

    Attributes:
        pair_id: `{prompt_id}/{k}`.
        prompt_ids: The prompt, generation prompt included.
        chosen_ids: The chosen completion, end-of-turn token included.
        rejected_ids: The rejected completion, likewise.
        chosen_fields: A `TokenField` for each chosen token.
        rejected_fields: The same of the rejected side.
        chosen_differs: Whether the rejected side lacks the token, by alignment.
        rejected_differs: Whether the chosen side lacks it.
        chosen_reference: Reference log-probs of the chosen tokens, nats; None before they are computed.
        rejected_reference: The same of the rejected side.
        number: Its place in its file, from 1, which messages name; 0 where it comes from none.
    """

    pair_id: str
    prompt_ids: tuple[int, ...]
    chosen_ids: tuple[int, ...]
    rejected_ids: tuple[int, ...]
    chosen_fields: tuple[int, ...]
    rejected_fields: tuple[int, ...]
    chosen_differs: tuple[bool, ...]
    rejected_differs: tuple[bool, ...]
    chosen_reference: tuple[float, ...] | None
    rejected_reference: tuple[float, ...] | None
    number: int = 0

    @property
    def prompt_id(self) -> str:
        """Of the prompt, which its pairs share."""
        return self.pair_id.rpartition("/")[0]

    @property
    def length(self) -> int:
        """Tokens of the prompt and the longer completion."""
        return len(self.prompt_ids) + max(len(self.chosen_ids), len(self.rejected_ids))


def encode_prompt(tokenizer: PreTrainedTokenizerBase, prompt: Prompt, limits: dict, number: int) -> tuple[int, ...]:
    """Token ids of a prompt up to where the answer begins; the chat template alone adds special tokens.

    `number` is its place in its file, from 1: messages name it, since an id may be a patient's name.

    Raises:
        DataError: More tokens than `limits["max_prompt_tokens"]`; and from `prompt_text`.
    """
    ids = tokenizer(prompt_text(tokenizer, prompt, number), add_special_tokens=False)["input_ids"]
    _check_length(f"prompt {number}", len(ids), "max_prompt_tokens", limits)
    return tuple(ids)


def encode_examples(tokenizer: PreTrainedTokenizerBase, prompts: Sequence[Prompt], limits: dict) -> list[Example]:
    """Prompts with their gold answers, in order.

    Args:
        tokenizer: With a chat template and an end-of-turn token as `eos_token`.
        prompts: Gold answer included.
        limits: {"max_prompt_tokens", "max_completion_tokens"}; the end-of-turn token counts.

    Raises:
        DataError: A prompt or answer over its limit: nothing is ever truncated; an answer with a control token in its
            text; and from `prompt_text`.
    """
    examples = []
    for number, prompt in enumerate(prompts, start=1):
        prompt_ids = encode_prompt(tokenizer, prompt, limits, number)
        answer = _encode_answer(tokenizer, prompt.answer, f"answer of prompt {number}", limits)
        examples.append(Example(prompt.prompt_id, prompt_ids, *answer, number))
    return examples


def encode_pairs(
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Prompt],
    pairs: Sequence[Pair],
    references: Sequence[Reference] | None,
    limits: dict,
) -> list[PairExample]:
    """Pairs with their fields, differing tokens and, if given, reference log-probs, in the order of `pairs`.

    Args:
        tokenizer: As for `encode_examples`.
        prompts: Those of the pairs, others may be among them.
        pairs: Each names its prompt.
        references: One for each pair, in any order; None before they are computed.
        limits: As for `encode_examples`.

    Raises:
        DataError: As `encode_examples`, a pair of an unknown prompt, one whose sides are the same tokens, or references
            that are not one to one with the pairs and their tokens.
    """
    by_prompt = {prompt.prompt_id: (number, prompt) for number, prompt in enumerate(prompts, start=1)}
    unknown = [number for number, pair in enumerate(pairs, start=1) if pair.prompt_id not in by_prompt]
    if unknown:
        raise DataError(f"pair {unknown[0]} is of none of the {len(prompts)} prompts ({len(unknown)} such pairs)")
    prompt_ids = {}
    for prompt_id in dict.fromkeys(pair.prompt_id for pair in pairs):
        number, prompt = by_prompt[prompt_id]
        prompt_ids[prompt_id] = encode_prompt(tokenizer, prompt, limits, number)
    by_pair = None if references is None else _match_references(pairs, references)
    return [
        _encode_pair(tokenizer, pair, number, prompt_ids[pair.prompt_id], by_pair and by_pair[pair.pair_id], limits)
        for number, pair in enumerate(pairs, start=1)
    ]


def differing_tokens(chosen: Sequence[int], rejected: Sequence[int]) -> tuple[tuple[bool, ...], tuple[bool, ...]]:
    """Which tokens of each side the other lacks: those outside a longest common subsequence.

    Where several subsequences are longest, the common prefix is aligned to itself, then the common suffix
    of what is left; the first token at which the sides part therefore differs on one of them at least.
    """
    differs = ([True] * len(chosen), [True] * len(rejected))
    for block in LCSseq.opcodes(chosen, rejected):
        if block.tag == "equal":
            differs[0][block.src_start : block.src_end] = [False] * (block.src_end - block.src_start)
            differs[1][block.dest_start : block.dest_end] = [False] * (block.dest_end - block.dest_start)
    return tuple(differs[0]), tuple(differs[1])


def _encode_pair(
    tokenizer: PreTrainedTokenizerBase,
    pair: Pair,
    number: int,
    prompt_ids: tuple[int, ...],
    reference: Reference | None,
    limits: dict,
) -> PairExample:
    chosen_ids, chosen_fields = _encode_answer(tokenizer, pair.chosen, f"chosen answer of pair {number}", limits)
    rejected_ids, rejected_fields = _encode_answer(
        tokenizer, pair.rejected, f"rejected answer of pair {number}", limits
    )
    if chosen_ids == rejected_ids:
        raise DataError(f"pair {number}: chosen and rejected are the same {len(chosen_ids)} tokens")
    chosen_differs, rejected_differs = differing_tokens(chosen_ids, rejected_ids)
    if reference is not None:
        _check_counts(number, reference, len(chosen_ids), len(rejected_ids))
    return PairExample(
        pair_id=pair.pair_id,
        prompt_ids=prompt_ids,
        chosen_ids=chosen_ids,
        rejected_ids=rejected_ids,
        chosen_fields=chosen_fields,
        rejected_fields=rejected_fields,
        chosen_differs=chosen_differs,
        rejected_differs=rejected_differs,
        chosen_reference=reference and reference.chosen_logps,
        rejected_reference=reference and reference.rejected_logps,
        number=number,
    )


def _encode_answer(
    tokenizer: PreTrainedTokenizerBase, answer: str, what: str, limits: dict
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    check_control_tokens(tokenizer, answer, what)
    encoding = tokenizer(answer, add_special_tokens=False, return_offsets_mapping=True)
    ids = (*encoding["input_ids"], tokenizer.eos_token_id)
    _check_length(what, len(ids), "max_completion_tokens", limits)
    return ids, (*token_fields(answer, encoding["offset_mapping"]), int(TokenField.SCAFFOLDING))


def _check_length(what: str, length: int, setting: str, limits: dict) -> None:
    if length > limits[setting]:
        raise DataError(f"{what} has {length} tokens; {setting} is {limits[setting]}, and nothing is truncated")


def _match_references(pairs: Sequence[Pair], references: Sequence[Reference]) -> dict[str, Reference]:
    by_pair = {reference.pair_id: reference for reference in references}
    missing = [number for number, pair in enumerate(pairs, start=1) if pair.pair_id not in by_pair]
    if missing:
        raise DataError(f"no reference log-probs for pair {missing[0]} ({len(missing)} such of {len(pairs)} pairs)")
    if len(references) != len(pairs):
        raise DataError(f"{len(references)} rows of reference log-probs for {len(pairs)} pairs; one to one is needed")
    return by_pair


def _check_counts(number: int, reference: Reference, chosen: int, rejected: int) -> None:
    found = (len(reference.chosen_logps), len(reference.rejected_logps))
    if found != (chosen, rejected):
        raise DataError(
            f"pair {number}: reference log-probs for {found[0]} and {found[1]} tokens;"
            f" its completions have {chosen} and {rejected}"
        )
