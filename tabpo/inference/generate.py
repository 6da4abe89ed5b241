"""Greedy or sampled completions of prompts by `model.generate` of transformers."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
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
    seed: int | None = None,
) -> list[Completion]:
    """Answer every prompt greedily, or sample its answer; the completions have the order of the prompts.

    Prompts of similar length form a batch. The longest come first, so that a lack of memory shows at once. A prompt
    that is given several times gets as many samples.

    Args:
        model: In eval mode, on one device or divided among GPUs.
        tokenizer: Only its end-of-turn token ends an answer before the cap.
        prompts: A prompt_id and token ids each.
        max_new_tokens: Largest number of tokens; an answer that reaches it without an end-of-turn token is not
            finished.
        batch_size: Number of prompts in a batch.
        constraint: The answers that are allowed; None allows all.
        each: Applies a function to every batch, as `map` does; `processes.parts.kept_parts` keeps the results.
        seed: None answers greedily. A number samples from the model's own probabilities (temperature 1, all tokens);
            every batch has a seed of its own, so that kept batches change nothing.
    """
    eos_id = tokenizer.eos_token_id
    how = {"do_sample": False} if seed is None else {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0}
    settings = GenerationConfig(max_new_tokens=max_new_tokens, eos_token_id=eos_id, pad_token_id=eos_id, **how)
    order = sorted(range(len(prompts)), key=lambda index: (-len(prompts[index][1]), index))
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]

    def answer(batch: Sequence[int]) -> list[list[int]]:
        ids = [prompts[index][1] for index in batch]
        if seed is None:
            return generate_batch(model, ids, settings, constraint)
        with seeded(model.device, seed, batch[0]):
            return generate_batch(model, ids, settings, constraint)

    rows = zip(each(answer, batches), batches, strict=True)
    answers = (item for ids, batch in rows for item in zip(batch, ids, strict=True))
    completions: dict[int, Completion] = {}
    for index, ids in progress(answers, len(prompts), "answers", tokens=lambda answer: len(answer[1])):
        completions[index] = read_completion(tokenizer, prompts[index][0], ids)
    return [completions[index] for index in range(len(prompts))]


@contextmanager
def seeded(device: torch.device, *seed: int) -> Iterator[None]:
    """Seed torch's random numbers with whole numbers, and restore their state in the end."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
        yield


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
