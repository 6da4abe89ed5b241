"""Greedy answers to prompts."""

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tabpo.errors import ConfigError
from tabpo.inference.constraint import Constraint
from tabpo.inference.greedy import answer_all
from tabpo.inference.library import answer_by_library
from tabpo.progress import progress
from tabpo.records import Completion
from tabpo.training.attention import FAMILIES, shares_prefixes
from tabpo.training.models import is_divided


@torch.inference_mode()
def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[tuple[str, Sequence[int]]],
    *,
    max_new_tokens: int,
    batch_size: int,
    constraint: Constraint | None = None,
) -> list[Completion]:
    """Answer every prompt greedily; completions come in the order of the prompts.

    The most likely token, again and again: the model's own generation settings (temperature, repetition penalty) are
    not read, so that every model of a table decodes alike. Special tokens inside an answer make it invalid.

    Args:
        model: In eval mode.
        tokenizer: Its end-of-turn token ends an answer.
        prompts: (prompt_id, token ids) each.
        max_new_tokens: Cap; an answer that reaches it is not finished.
        batch_size: Prompts that are answered at a time.
        constraint: What every answer is held to.

    Raises:
        ConfigError: A constraint, and a model that is answered by `model.generate`: one of another architecture,
            divided among GPUs, or whose rotary embeddings go by a text's length.
    """
    eos_id = tokenizer.eos_token_id
    given = [list(ids) for _, ids in prompts]
    limits = {"max_new_tokens": max_new_tokens, "batch_size": batch_size, "eos_id": eos_id}
    completions: dict[int, Completion] = {}
    packs = shares_prefixes(model) and not is_divided(model)
    if packs:
        answers = answer_all(model, given, **limits, constraint=constraint)
    elif constraint is None:
        answers = answer_by_library(model, given, **limits)
    else:
        raise ConfigError(
            f"answers of a {model.config.model_type} model {'on several GPUs ' if is_divided(model) else ''}cannot"
            f" be constrained; accepted: {', '.join(FAMILIES)}, on one, with rotary embeddings of one scale"
        )
    for index, ids in progress(answers, len(prompts), "answers", tokens=lambda answer: len(answer[1])):
        completions[index] = read_completion(tokenizer, prompts[index][0], ids)
    return [completions[index] for index in range(len(prompts))]


def read_completion(tokenizer: PreTrainedTokenizerBase, prompt_id: str, ids: list[int]) -> Completion:
    """What an engine answered, the end-of-turn token included where it was reached; special tokens stay in the text."""
    finished = ids[-1] == tokenizer.eos_token_id
    answer = ids[:-1] if finished else ids
    text = tokenizer.decode(answer, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    return Completion(prompt_id, completion=text, n_tokens=len(ids), finished=finished)
