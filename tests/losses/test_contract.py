"""A loss that breaks its contract is refused with its file, what came and what is wanted."""

from dataclasses import replace

import pytest
import torch

from tabpo.errors import ConfigError
from tabpo.losses import LossOutput, build_loss, check_contract, loss_names, synthetic_pair


class Broken:
    """DPO whose output something is done to."""

    def __init__(self, change):
        self.change = change

    def __call__(self, chosen, rejected):
        return self.change(build_loss("dpo")(chosen, rejected), chosen, rejected)


def with_losses(change):
    return Broken(lambda output, chosen, rejected: replace(output, losses=change(output.losses)))


def of_sides(losses):
    """A loss that is a function of the sides."""
    return Broken(lambda output, chosen, rejected: replace(output, losses=losses(chosen, rejected)))


SHAPE = r"wanted: a tensor of shape \(6,\), one number for each pair, of torch.float32 like the log-probs"
MASKS = "change when masked positions hold NaN; wanted: what masked positions hold reaches nothing"
ALONE = "change when the pairs come in two batches; wanted: the loss of a pair depends on that pair alone"
BROKEN = {
    "a scalar": (with_losses(torch.mean), rf"losses is a tensor of shape \(\) of torch.float32; {SHAPE}"),
    "a token each": (
        of_sides(lambda chosen, rejected: -chosen.log_ratios),
        rf"losses is a tensor of shape \(6, 9\) of torch.float32; {SHAPE}",
    ),
    "half precision": (with_losses(torch.Tensor.bfloat16), rf"losses is .* of torch.bfloat16; {SHAPE}"),
    "a list": (with_losses(torch.Tensor.tolist), f"losses is of type list; {SHAPE}"),
    "no output": (Broken(lambda output, chosen, rejected: output.losses), "the call returns a tensor .*a LossOutput"),
    "a scalar reward": (
        Broken(lambda output, chosen, rejected: replace(output, chosen_rewards=output.chosen_rewards.mean())),
        r"chosen_rewards is a tensor of shape \(\)",
    ),
    "a gate of numbers": (
        Broken(lambda output, chosen, rejected: replace(output, gate=chosen.policy_logps)),
        r"gate is a tensor .* of torch.float32; wanted: None, or a tensor of shape \(6, 9\) of torch.bool",
    ),
    "no gradient": (with_losses(torch.Tensor.detach), "losses carry no gradient; wanted: a function of policy_logps"),
    "NaN": (with_losses(lambda losses: losses / 0 * 0), "losses, gradients are NaN or infinite at finite log-probs"),
    "an infinite gradient": (
        of_sides(lambda chosen, rejected: (chosen.log_ratio_sum - chosen.log_ratio_sum.detach()).sqrt()),
        "gradients are NaN or infinite",
    ),
    "masked log-probs": (
        of_sides(lambda chosen, rejected: -(chosen.policy_logps * chosen.completion_mask).sum(-1)),
        f"losses {MASKS}",
    ),
    "masked fields": (
        of_sides(lambda chosen, rejected: -chosen.logp_sum * (chosen.token_fields >= 0).sum(-1)),
        f"losses, gradients {MASKS}",
    ),
    "other pairs": (with_losses(lambda losses: losses - losses.mean()), f"losses {ALONE}"),
}


@pytest.mark.parametrize(("loss", "message"), BROKEN.values(), ids=BROKEN)
def test_what_breaks_the_contract_is_refused(loss, message):
    pair = [replace_masked(side, 0.0) for side in synthetic_pair(1, torch.float32)]
    with pytest.raises(ConfigError, match=f"/test_contract.py: {message}"):
        check_contract(loss, *pair)


def replace_masked(side, value):
    """Log-probs and fields as training has them, where masked positions hold ordinary values."""
    logps = side.policy_logps.detach().masked_fill(~side.completion_mask, value).requires_grad_()
    fields = side.token_fields.masked_fill(~side.completion_mask, 0)
    return replace(
        side, policy_logps=logps, reference_logps=side.reference_logps.nan_to_num(value), token_fields=fields
    )


@pytest.mark.parametrize("name", loss_names())
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_loss_keeps_it(name, dtype):
    for seed in range(5):
        check_contract(build_loss(name), *synthetic_pair(seed, dtype))


def test_the_graph_and_the_random_state_are_left_alone():
    chosen, rejected = (replace_masked(side, 0.0) for side in synthetic_pair(3, torch.float32))
    leaf = chosen.policy_logps
    state = torch.get_rng_state()
    check_contract(build_loss("tab_po"), replace(chosen, policy_logps=leaf * 1), rejected)
    assert leaf.grad is None and torch.equal(torch.get_rng_state(), state)


def test_synthetic_completions_have_one_token_to_all():
    sides = [side for seed in range(20) for side in synthetic_pair(seed, torch.float32)]
    lengths = torch.cat([side.lengths for side in sides])
    assert (lengths.min(), lengths.max()) == (1, 9)
    assert all(side.policy_logps[~side.completion_mask].isnan().all() for side in sides)
    assert isinstance(build_loss("dpo")(*sides[:2]), LossOutput)
