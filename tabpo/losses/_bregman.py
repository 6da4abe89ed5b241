"""The per-token loss of TBPO: a Bregman divergence between the policy's preference ratio and the data's."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from tabpo.losses._interface import Side

Generator = Literal["scaled_basu", "logistic"]
MAX_LOG_RATIO = 30.0
"""Bound of |log R|, that of the authors' code; beyond it the loss is flat."""


def bregman(log_ratios: Tensor, generator: Generator, lambda_: float, scale: float) -> Tensor:
    """The loss of each log R, same shape; R is the odds of the rejected token over the chosen one.

        scaled_basu   R^(1 + lambda_) / (scale * (1 + lambda_)) - R^(-lambda_) / (scale * lambda_)
                      at lambda_ 0 (R + log R) / scale, which is its limit less a constant
        logistic      log(1 + R)

    The derivatives by log R are (R^(1 + lambda_) + R^(-lambda_)) / scale and R / (1 + R), and 0 outside
    `MAX_LOG_RATIO`. scaled_basu has no lower bound but that: as R falls, its slope nears 1 / scale at lambda_ 0, and
    grows at any other. Up to lambda_ 1 the exponentials are finite in single precision.
    """
    u = log_ratios.clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO)
    if generator == "logistic":
        return F.softplus(u)
    if lambda_ == 0:
        return (u.exp() + u) / scale
    return torch.exp((1 + lambda_) * u) / (scale * (1 + lambda_)) - torch.exp(-lambda_ * u) / (scale * lambda_)


def paired_tokens(chosen: Side, rejected: Side) -> Tensor:
    """(B, T of the narrower grid) bool, true where both sides have a token of that index: at least at the first."""
    tokens = min(chosen.completion_mask.shape[1], rejected.completion_mask.shape[1])
    return chosen.completion_mask[:, :tokens] & rejected.completion_mask[:, :tokens]


def difference(chosen: Tensor, rejected: Tensor, pairs: Tensor) -> Tensor:
    """Rejected less chosen at each index, shaped as `paired_tokens`, 0 where there is no pair."""
    tokens = pairs.shape[1]
    return (rejected[:, :tokens] - chosen[:, :tokens]).where(pairs, 0.0)
