"""The per-token loss of TBPO: a Bregman divergence between the policy's preference ratio and the data's."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from tabpo.losses._interface import Side

Generator = Literal["scaled_basu", "logistic"]
MAX_LOG_RATIO = 30.0
"""Bound of |log R|, taken from the authors' code; beyond it the loss is constant."""


def bregman(log_ratios: Tensor, generator: Generator, lambda_: float, scale: float) -> Tensor:
    """The loss of each log R, in the shape of `log_ratios`; R is the odds of the rejected token over the chosen one.

        scaled_basu   R^(1 + lambda_) / (scale * (1 + lambda_)) - R^(-lambda_) / (scale * lambda_);
                      at lambda_ 0 (R + log R) / scale, which is the limit minus a constant
        logistic      log(1 + R)

    The derivatives by log R are (R^(1 + lambda_) + R^(-lambda_)) / scale and R / (1 + R); they are 0 outside
    `MAX_LOG_RATIO`, which is the only lower bound of scaled_basu. As R falls, the slope of scaled_basu approaches
    1 / scale at lambda_ 0, and grows at any other lambda_. Up to lambda_ 1 the exponentials are finite in single
    precision.
    """
    u = log_ratios.clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO)
    if generator == "logistic":
        return F.softplus(u)
    if lambda_ == 0:
        return (u.exp() + u) / scale
    return torch.exp((1 + lambda_) * u) / (scale * (1 + lambda_)) - torch.exp(-lambda_ * u) / (scale * lambda_)


def paired_tokens(chosen: Side, rejected: Side) -> Tensor:
    """Whether both sides have a token of an index: (B, T of the narrower grid) bool, always true at index 0."""
    tokens = min(chosen.completion_mask.shape[1], rejected.completion_mask.shape[1])
    return chosen.completion_mask[:, :tokens] & rejected.completion_mask[:, :tokens]


def difference(chosen: Tensor, rejected: Tensor, pairs: Tensor) -> Tensor:
    """Rejected minus chosen at each index, in the shape of `paired_tokens`; 0 where there is no pair."""
    tokens = pairs.shape[1]
    return (rejected[:, :tokens] - chosen[:, :tokens]).where(pairs, 0.0)
