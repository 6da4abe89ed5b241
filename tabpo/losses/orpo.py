"""ORPO (arXiv 2403.07691, equations 4 and 7, and 6, number not confirmed): likelihood and odds ratio, no reference."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from tabpo.losses._interface import LossOutput, Side
from tabpo.losses._ranges import NotNegative


@dataclass(frozen=True)
class Loss:
    """Mean negative log-likelihood of the chosen completion plus a logistic loss of the log odds ratio.

        log odds = log p - log(1 - p),   p = exp(mean_t log pi(y_t))
        loss = -mean_t log pi(chosen_t) - lambda_ * log sigmoid(log odds(chosen) - log odds(rejected))

    The likelihood is that of the completion, per pair, as in LLaMA-Factory. TRL and the authors' code average it
    over all tokens of the batch, including those of the prompt (the authors' code does so by default). Rewards are
    the log odds.

    log(1 - p) is log(-expm1(mean)), exact where p nears 1. At p = 1 the odds are infinite: a mean log-prob above
    -eps of its dtype counts as -eps, and the odds pass no gradient there; rounding may even make it positive.

    Attributes:
        lambda_: Weight of the odds ratio; 0 leaves continued SFT. TRL calls it `beta`, the authors' code `alpha`.
    """

    lambda_: NotNegative = 0.1

    needs: ClassVar[frozenset[str]] = frozenset()

    def __call__(self, chosen: Side, rejected: Side) -> LossOutput:
        chosen_mean = chosen.mean_logps
        rejected_mean = rejected.mean_logps
        chosen_odds, rejected_odds = _log_odds(chosen_mean), _log_odds(rejected_mean)
        return LossOutput(
            losses=-chosen_mean - self.lambda_ * F.logsigmoid(chosen_odds - rejected_odds),
            chosen_rewards=chosen_odds,
            rejected_rewards=rejected_odds,
        )


def _log_odds(mean_logps: Tensor) -> Tensor:
    mean_logps = mean_logps.clamp(max=-torch.finfo(mean_logps.dtype).eps)
    return mean_logps - torch.log(-torch.expm1(mean_logps))
