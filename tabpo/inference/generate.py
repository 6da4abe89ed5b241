"""Completions of prompts by `model.generate` of transformers."""

from collections.abc import Callable, Iterable, Sequence

import torch
from transformers import GenerationConfig, LogitsProcessorList, PreTrainedModel, PreTrainedTokenizerBase

from tabpo.inference.constraint import Constraint
from tabpo.models.tokenizer import read_completion
from tabpo.progress import progress
from tabpo.records import Completion


def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[tuple[str, Sequence[int]]],
    *,
    max_new_tokens: int,
    batch_size: int,
    constraint: Constraint | None = None,
    each: Callable[..., Iterable[list[list[int]]]] = map,
) -> list[Completion]:
    """Answer every prompt greedily; the completions have the order of the prompts.

    Prompts of similar length form a batch. The longest come first, so that a lack of memory shows at once.

    Args:
        model: In eval mode, on one device or divided among GPUs.
        tokenizer: Only its end-of-turn token ends an answer before the cap.
        prompts: A prompt_id and token ids each.
        max_new_tokens: Largest number of tokens; an answer that reaches it without an end-of-turn token is not
            finished.
        batch_size: Number of prompts in a batch.
        constraint: The answers that are allowed; None allows all.
        each: Applies a function to every batch, as `map` does; `processes.parts.kept_parts` keeps the results.
    """
    eos_id = tokenizer.eos_token_id
    settings = GenerationConfig(
        do_sample=False, max_new_tokens=max_new_tokens, eos_token_id=eos_id, pad_token_id=eos_id
    )
    order = sorted(range(len(prompts)), key=lambda index: (-len(prompts[index][1]), index))
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]

    def answer(batch: Sequence[int]) -> list[list[int]]:
        return generate_batch(model, [prompts[index][1] for index in batch], settings, constraint)

    rows = zip(each(answer, batches), batches, strict=True)
    answers = (item for ids, batch in rows for item in zip(batch, ids, strict=True))
    completions: dict[int, Completion] = {}
    for index, ids in progress(answers, len(prompts), "answers", tokens=lambda answer: len(answer[1])):
        completions[index] = read_completion(tokenizer, prompts[index][0], ids)
    return [completions[index] for index in range(len(prompts))]


def generate_batch(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    settings: GenerationConfig,
    constraint: Constraint | None = None,
) -> list[list[int]]:
    """Token ids that follow each prompt, up to and including `settings.eos_token_id` if it is generated.

    The generation settings of the model (temperature, repetition penalty) are replaced for the call, because
    transformers reads from them whatever `settings` leaves open. Prompts are padded on the left with
    `settings.pad_token_id`.
    """
    width, pad_id, eos_id = max(map(len, prompts)), settings.pad_token_id, settings.eos_token_id
    ids = torch.tensor([[pad_id] * (width - len(prompt)) + list(prompt) for prompt in prompts], device=model.device)
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=model.device)
    processors = [] if constraint is None else [constraint.processor(len(prompts))]
    model_settings = model.generation_config
    model.generation_config = settings
    try:
        rows = model.generate(input_ids=ids, attention_mask=mask, logits_processor=LogitsProcessorList(processors))
    finally:
        model.generation_config = model_settings
    completions = rows[:, width:].tolist()
    return [row[: row.index(eos_id) + 1] if eos_id in row else row for row in completions]
