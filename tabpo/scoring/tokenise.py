"""Token ids of prompts and answers: each text is encoded once on its own; nothing is encoded again or truncated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rapidfuzz.distance import LCSseq
from transformers import PreTrainedTokenizerBase

from tabpo.errors import DataError
from tabpo.losses import TokenField
from tabpo.models.chat_template import check_control_tokens
from tabpo.models.tokenizer import check_length, encode_prompt
from tabpo.records import Pair, Prompt, Reference
from tabpo.scoring.fields import token_fields


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt and one completion as token ids.

    Attributes:
        prompt_id: Id of the prompt.
        prompt_ids: Tokens of the prompt, generation prompt included.
        completion_ids: Tokens of the completion, end-of-turn token included.
        completion_fields: A `TokenField` for each completion token.
        number: Number of the prompt in its file, from 1, used in messages; 0 if it comes from no file.
    """

    prompt_id: str
    prompt_ids: tuple[int, ...]
    completion_ids: tuple[int, ...]
    completion_fields: tuple[int, ...]
    number: int = 0

    @property
    def chosen_ids(self) -> tuple[int, ...]:
        """Tokens of the completion, which is a gold answer in training."""
        return self.completion_ids

    @property
    def length(self) -> int:
        """Number of tokens of prompt and completion."""
        return len(self.prompt_ids) + len(self.completion_ids)


@dataclass(frozen=True, slots=True)
class PairExample:
    """A pair as token ids.

    Attributes:
        pair_id: `{prompt_id}/{k}`.
        prompt_ids: Tokens of the prompt, generation prompt included.
        chosen_ids: Tokens of the chosen completion, end-of-turn token included.
        rejected_ids: Tokens of the rejected completion, end-of-turn token included.
        chosen_fields: A `TokenField` for each chosen token.
        rejected_fields: A `TokenField` for each rejected token.
        chosen_differs: For each chosen token, whether the alignment finds no counterpart in the rejected completion.
        rejected_differs: For each rejected token, whether it has no counterpart in the chosen completion.
        chosen_reference: Reference log-probs of the chosen tokens, nats; None before they are computed.
        rejected_reference: Reference log-probs of the rejected tokens, nats; None before they are computed.
        number: Number of the pair in its file, from 1, used in messages; 0 if it comes from no file.
        weight: Factor of the pair's loss.
        chosen_values: Further values of the chosen tokens from files, by the field of `Side`.
        rejected_values: The same for the rejected tokens.
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
    weight: float = 1.0
    chosen_values: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    rejected_values: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def prompt_id(self) -> str:
        """Id of the prompt, which all its pairs share."""
        return self.pair_id.rpartition("/")[0]

    @property
    def length(self) -> int:
        """Number of tokens of the prompt and the longer completion."""
        return len(self.prompt_ids) + max(len(self.chosen_ids), len(self.rejected_ids))


def encode_examples(tokenizer: PreTrainedTokenizerBase, prompts: Sequence[Prompt], limits: dict) -> list[Example]:
    """Encode prompts with their gold answers, in the order of `prompts`.

    Args:
        tokenizer: It has a chat template, and its `eos_token` is the end-of-turn token.
        prompts: Prompts with their gold answers.
        limits: {"max_prompt_tokens", "max_completion_tokens"}; the end-of-turn token counts.

    Raises:
        DataError: A prompt or answer is longer than its limit (nothing is ever truncated), or the text of an answer
            holds a control token; also raised by `prompt_text`.
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
    scores: Mapping[str, Sequence[Reference]] | None = None,
) -> list[PairExample]:
    """Encode pairs with their fields, differing tokens and, if given, reference log-probs, in the order of `pairs`.

    Args:
        tokenizer: As for `encode_examples`.
        prompts: The prompts of the pairs; further prompts are ignored.
        pairs: Each names its prompt.
        references: One for each pair, in any order; None before they are computed.
        limits: As for `encode_examples`.
        scores: Log-probs of other models by the field of `Side`, like `references`.

    Raises:
        DataError: As for `encode_examples`; also if the prompt of a pair is missing, if both sides of a pair have the
            same tokens, or if the references do not match the pairs and their tokens one to one.
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
    further = {name: _match_references(pairs, records) for name, records in (scores or {}).items()}
    return [
        _encode_pair(
            tokenizer,
            pair,
            number,
            prompt_ids[pair.prompt_id],
            by_pair and by_pair[pair.pair_id],
            limits,
            {name: records[pair.pair_id] for name, records in further.items()},
        )
        for number, pair in enumerate(pairs, start=1)
    ]


def differing_tokens(chosen: Sequence[int], rejected: Sequence[int]) -> tuple[tuple[bool, ...], tuple[bool, ...]]:
    """For each token of each side, whether it lies outside a longest common subsequence of both sides.

    If several common subsequences are longest, the common prefix is aligned first, then the common suffix of the rest.
    The first token at which the sides diverge is therefore marked as different on at least one side.
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
    scores: Mapping[str, Reference],
) -> PairExample:
    chosen_ids, chosen_fields = _encode_answer(tokenizer, pair.chosen, f"chosen answer of pair {number}", limits)
    rejected_ids, rejected_fields = _encode_answer(
        tokenizer, pair.rejected, f"rejected answer of pair {number}", limits
    )
    if chosen_ids == rejected_ids:
        raise DataError(f"pair {number}: chosen and rejected are the same {len(chosen_ids)} tokens")
    chosen_differs, rejected_differs = differing_tokens(chosen_ids, rejected_ids)
    if reference is not None:
        _check_counts(number, "reference log-probs", reference.chosen_logps, chosen_ids)
        _check_counts(number, "reference log-probs", reference.rejected_logps, rejected_ids)
    for name, record in scores.items():
        _check_counts(number, name, record.chosen_logps, chosen_ids)
        _check_counts(number, name, record.rejected_logps, rejected_ids)
    chosen_values = {name: record.chosen_logps for name, record in scores.items()}
    rejected_values = {name: record.rejected_logps for name, record in scores.items()}
    if pair.chosen_weights is not None:
        _check_counts(number, "weights", pair.chosen_weights, chosen_ids)
        _check_counts(number, "weights", pair.rejected_weights, rejected_ids)
        chosen_values["token_weights"], rejected_values["token_weights"] = pair.chosen_weights, pair.rejected_weights
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
        weight=pair.weight,
        chosen_values=chosen_values,
        rejected_values=rejected_values,
    )


def _encode_answer(
    tokenizer: PreTrainedTokenizerBase, answer: str, what: str, limits: dict
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    check_control_tokens(tokenizer, answer, what)
    encoding = tokenizer(answer, add_special_tokens=False, return_offsets_mapping=True)
    ids = (*encoding["input_ids"], tokenizer.eos_token_id)
    check_length(what, len(ids), "max_completion_tokens", limits)
    return ids, (*token_fields(answer, encoding["offset_mapping"]), int(TokenField.SCAFFOLDING))


def _match_references(pairs: Sequence[Pair], references: Sequence[Reference]) -> dict[str, Reference]:
    by_pair = {reference.pair_id: reference for reference in references}
    missing = [number for number, pair in enumerate(pairs, start=1) if pair.pair_id not in by_pair]
    if missing:
        raise DataError(f"no reference log-probs for pair {missing[0]} ({len(missing)} such of {len(pairs)} pairs)")
    if len(references) != len(pairs):
        raise DataError(f"{len(references)} rows of reference log-probs for {len(pairs)} pairs; one to one is needed")
    return by_pair


def _check_counts(number: int, what: str, values: Sequence[float], ids: Sequence[int]) -> None:
    if len(values) != len(ids):
        raise DataError(
            f"pair {number}: {what} for {len(values)} tokens; the completion has {len(ids)}, with the end-of-turn token"
        )
