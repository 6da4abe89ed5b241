"""Greedy answers to prompts, in batches of similar length."""

from collections.abc import Sequence

import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from tabpo.progress import progress
from tabpo.records import Completion


@torch.inference_mode()
def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[tuple[str, Sequence[int]]],
    *,
    max_new_tokens: int,
    batch_size: int,
) -> list[Completion]:
    """Answer every prompt greedily; completions come in the order of the prompts.

    The model's own generation settings (temperature, repetition penalty) are replaced, so that every
    model of a table decodes alike. Prompts of similar length share a batch, longest first, so that the
    largest batch is met at once. Special tokens inside an answer stay in its text: they make it invalid.

    Args:
        model: In eval mode.
        tokenizer: Its end-of-turn token ends an answer.
        prompts: (prompt_id, token ids) each.
        max_new_tokens: Cap; an answer that reaches it is not finished.
        batch_size: Prompts per batch.
    """
    model.generation_config = GenerationConfig(
        max_new_tokens=max_new_tokens,
        do_sample=False,
        num_beams=1,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
    )
    order = sorted(range(len(prompts)), key=lambda index: (-len(prompts[index][1]), index))
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    completions: dict[int, Completion] = {}
    for batch in progress(batches, len(batches), "batches of answers"):
        generated = _generate_batch(model, tokenizer.pad_token_id, [prompts[index][1] for index in batch])
        for index, ids in zip(batch, generated, strict=True):
            completions[index] = _completion(tokenizer, prompts[index][0], ids)
    return [completions[index] for index in range(len(prompts))]


def _generate_batch(model: PreTrainedModel, pad_id: int, prompts: list[Sequence[int]]) -> list[list[int]]:
    width = max(len(ids) for ids in prompts)
    padded = torch.tensor([[pad_id] * (width - len(ids)) + list(ids) for ids in prompts], device=model.device)
    mask = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in prompts], device=model.device)
    return model.generate(input_ids=padded, attention_mask=mask)[:, width:].tolist()


def _completion(tokenizer: PreTrainedTokenizerBase, prompt_id: str, ids: list[int]) -> Completion:
    finished = tokenizer.eos_token_id in ids
    answer = ids[: ids.index(tokenizer.eos_token_id)] if finished else ids
    text = tokenizer.decode(answer, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    return Completion(prompt_id=prompt_id, completion=text, n_tokens=len(answer) + finished, finished=finished)
