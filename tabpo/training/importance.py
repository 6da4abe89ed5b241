"""Token importances by gradient attribution for TI-DPO (arXiv 2505.19653, Algorithm 1)."""

from collections.abc import Sequence

import torch
from peft import PeftModel
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache

from tabpo.models.loading import autocast
from tabpo.scoring.tokenise import PairExample

PAIRS = 8
"""Number of pairs in one attribution batch. Neighbours in a micro-batch have similar lengths, so less is padding."""


def collate_attribution(pairs: Sequence[PairExample], pad_id: int) -> list[dict[str, Tensor]]:
    """Batches of the distinct prompts and the distinct completions of pairs, with one row for each.

    Args:
        pairs: B pairs.
        pad_id: Token id of padding.

    Returns:
        One batch for every `PAIRS` pairs. For b pairs it has prompt_ids and prompt_mask (prompts, P), padded on the
        left; completion_ids and completion_mask (R, T), padded on the right; prompt_rows (R,), the row of each
        completion's prompt; completion_rows (2b,), the row of each chosen, then of each rejected completion.
    """
    return [_collate(pairs[start : start + PAIRS], pad_id) for start in range(0, len(pairs), PAIRS)]


def _collate(pairs: Sequence[PairExample], pad_id: int) -> dict[str, Tensor]:
    sides = [(pair.prompt_ids, pair.chosen_ids) for pair in pairs] + [
        (pair.prompt_ids, pair.rejected_ids) for pair in pairs
    ]
    prompts = list(dict.fromkeys(pair.prompt_ids for pair in pairs))
    distinct = list(dict.fromkeys(sides))
    prompt_ids = [torch.tensor(prompt) for prompt in prompts]
    completion_ids = [torch.tensor(completion) for _, completion in distinct]

    def padded(rows: list[Tensor], fill: int, side: str) -> Tensor:
        return pad_sequence(rows, batch_first=True, padding_value=fill, padding_side=side)

    return {
        "prompt_ids": padded(prompt_ids, pad_id, "left"),
        "prompt_mask": padded([torch.ones_like(row) for row in prompt_ids], 0, "left"),
        "prompt_rows": torch.tensor([prompts.index(prompt) for prompt, _ in distinct]),
        "completion_ids": padded(completion_ids, pad_id, "right"),
        "completion_mask": padded([torch.ones_like(row) for row in completion_ids], 0, "right"),
        "completion_rows": torch.tensor([distinct.index(side) for side in sides]),
    }


def token_importance(policy: nn.Module, batches: Sequence[dict[str, Tensor]], numerics: dict) -> Tensor:
    """L1 norm over the embedding of d(largest logit after the last token) / d(embedding of each completion token).

    This takes a separate forward and backward pass in eval mode; afterwards the mode is restored. Gradients are
    computed only for the embeddings of the completions, never for parameters. Each prompt is read once, without
    gradients. The last token is the end-of-turn token, as in the authors' code. Rows are independent, so the gradient
    of the sum over rows gives the gradient of each row.

    Args:
        policy: The policy, not wrapped.
        batches: From `collate_attribution`.
        numerics: As for `models.loading.load_model`.

    Returns:
        (2B, T) float32, 0 outside the mask.
    """
    model = policy.get_base_model() if isinstance(policy, PeftModel) else policy
    training = policy.training
    policy.eval()
    by_batch = [_attribution(model, batch, numerics).chunk(2) for batch in batches]
    policy.train(training)
    sides = [row for side in zip(*by_batch, strict=True) for rows in side for row in rows]
    return pad_sequence(sides, batch_first=True)


def _attribution(model: nn.Module, batch: dict[str, Tensor], numerics: dict) -> Tensor:
    """Importances of a batch of b pairs, (2b, T): all chosen, then all rejected completions."""
    rows, mask = batch["prompt_rows"], batch["completion_mask"]
    with autocast(numerics, mask.device.type):
        prompts = DynamicCache()
        with torch.no_grad():
            model.base_model(
                input_ids=batch["prompt_ids"],
                attention_mask=batch["prompt_mask"],
                position_ids=(batch["prompt_mask"].cumsum(-1) - 1).clamp(min=0),
                past_key_values=prompts,
            )
        prompts.reorder_cache(rows)
        with torch.enable_grad():
            embeddings = model.get_input_embeddings()(batch["completion_ids"]).detach().requires_grad_()
            before = batch["prompt_mask"][rows]
            states = model.base_model(
                inputs_embeds=embeddings,
                attention_mask=torch.cat([before, mask], dim=-1),
                position_ids=before.sum(-1, keepdim=True) + torch.arange(mask.shape[-1], device=mask.device),
                past_key_values=prompts,
            ).last_hidden_state
            last = states.take_along_dim((mask.sum(-1) - 1)[:, None, None], dim=1)
            target = model.get_output_embeddings()(last).max(-1).values.sum()
            (gradient,) = torch.autograd.grad(target, embeddings)
    return gradient.float().abs().sum(-1).where(mask.bool(), 0.0)[batch["completion_rows"]]
