"""Token importances by gradient attribution, as TI-DPO has them (arXiv 2505.19653, Algorithm 1)."""

from collections.abc import Sequence

import torch
from peft import PeftModel
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from tabpo.training.models import autocast
from tabpo.training.tokenise import PairExample


def collate_attribution(pairs: Sequence[PairExample], pad_id: int) -> dict[str, Tensor]:
    """Each completion after its prompt in a row of its own, all chosen, then all rejected, padded on the right.

    Args:
        pairs: B of them.
        pad_id: Stands where no token is.

    Returns:
        input_ids, attention_mask and is_completion (bool), each (2B, S).
    """
    sides = [(pair.prompt_ids, pair.chosen_ids) for pair in pairs]
    sides += [(pair.prompt_ids, pair.rejected_ids) for pair in pairs]
    rows = [torch.tensor((*prompt, *completion)) for prompt, completion in sides]
    is_completion = [torch.arange(len(row)) >= len(prompt) for row, (prompt, _) in zip(rows, sides, strict=True)]
    return {
        "input_ids": pad_sequence(rows, batch_first=True, padding_value=pad_id),
        "attention_mask": pad_sequence([torch.ones_like(row) for row in rows], batch_first=True),
        "is_completion": pad_sequence(is_completion, batch_first=True),
    }


def token_importance(policy: nn.Module, batch: dict[str, Tensor], completion_mask: Tensor, numerics: dict) -> Tensor:
    """L1 norm over the embedding of d(largest logit after the last token) / d(embedding of each completion token).

    A forward and a backward pass of their own, in eval mode, to the embeddings alone: no gradient of a parameter is
    touched, and the mode is put back. The last token is the end-of-turn token, as in the authors' code; rows are
    independent, so that one target summed over them gives each row its own gradient.

    Args:
        policy: Not wrapped.
        batch: From `collate_attribution`.
        completion_mask: (2B, T) of the same rows, on the grid of the sides.
        numerics: As for `models.load_model`.

    Returns:
        (2B, T) float32, 0 outside the mask.
    """
    model = policy.get_base_model() if isinstance(policy, PeftModel) else policy
    last = batch["attention_mask"].sum(-1, keepdim=True) - 1
    training = policy.training
    policy.eval()
    with torch.enable_grad(), autocast(numerics, completion_mask.device.type):
        embeddings = model.get_input_embeddings()(batch["input_ids"]).detach().requires_grad_()
        states = model.base_model(
            inputs_embeds=embeddings, attention_mask=batch["attention_mask"], use_cache=False
        ).last_hidden_state
        target = model.get_output_embeddings()(states.take_along_dim(last.unsqueeze(-1), dim=1)).max(-1).values.sum()
        (gradient,) = torch.autograd.grad(target, embeddings)
    policy.train(training)
    norms = gradient.float().abs().sum(-1)[batch["is_completion"]]
    return norms.new_zeros(completion_mask.shape).masked_scatter(completion_mask, norms)
