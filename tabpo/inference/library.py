"""Greedy answers by `model.generate`, for models whose attention cannot read packed rows."""

from collections.abc import Iterator, Sequence

import torch
from transformers import GenerationConfig, PreTrainedModel


def answer_by_library(
    model: PreTrainedModel, prompts: Sequence[list[int]], *, max_new_tokens: int, batch_size: int, eos_id: int
) -> Iterator[tuple[int, list[int]]]:
    """As `greedy.answer_all`, batch by batch, the longest prompts first, padded on the left."""
    order = sorted(range(len(prompts)), key=lambda index: (-len(prompts[index]), index))
    own = model.generation_config  # what is not set is taken from there
    model.generation_config = GenerationConfig(
        max_new_tokens=max_new_tokens, do_sample=False, eos_token_id=eos_id, pad_token_id=eos_id
    )
    try:
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            width = len(prompts[batch[0]])
            pads = [width - len(prompts[index]) for index in batch]
            rows = [[eos_id] * pad + prompts[index] for pad, index in zip(pads, batch, strict=True)]
            mask = [[0] * pad + [1] * (width - pad) for pad in pads]
            given = {"input_ids": rows, "attention_mask": mask}
            answers = model.generate(**{name: torch.tensor(of, device=model.device) for name, of in given.items()})
            for index, answer in zip(batch, answers[:, width:].tolist(), strict=True):
                yield index, answer[: answer.index(eos_id) + 1] if eos_id in answer else answer
    finally:
        model.generation_config = own
