"""How a policy ranks held-out pairs: by DPO's implicit reward against the reference, and by likelihood alone."""

from collections.abc import Sequence
from math import fsum
from statistics import fmean

from tabpo.errors import DataError
from tabpo.records import Reference


def pair_scores(policy: Sequence[Reference], reference: Sequence[Reference]) -> dict[str, float]:
    """Shares and means over pairs.

    The reward of an answer is its log-ratio, the sum over its tokens of log policy - log reference in nats: the
    implicit reward of DPO (arXiv 2305.18290, section 4) without its beta, so that methods of different betas compare.
    A tie counts half: the reference itself has a reward accuracy of 0.5, chance.

    Args:
        policy: Log-probs of each pair under the policy.
        reference: The same under the reference, of the same pairs in the same order.

    Returns:
        reward_accuracy, the share of pairs whose chosen answer has the higher reward; ranking_accuracy, the share
        whose chosen answer has the higher mean log-prob per token under the policy alone (the reward of SimPO, arXiv
        2405.14734, equation 4, without its beta); reward_margin, chosen less rejected, and its two parts
        chosen_reward and rejected_reward, means in nats.

    Raises:
        DataError: They are not of the same pairs.
    """
    if [one.pair_id for one in policy] != [one.pair_id for one in reference]:
        raise DataError(f"{len(policy)} and {len(reference)} pairs are not the same, one by one, in order")
    chosen = [_reward(new.chosen_logps, old.chosen_logps) for new, old in zip(policy, reference, strict=True)]
    rejected = [_reward(new.rejected_logps, old.rejected_logps) for new, old in zip(policy, reference, strict=True)]
    return {
        "reward_accuracy": _accuracy(chosen, rejected),
        "ranking_accuracy": _accuracy(
            [fmean(one.chosen_logps) for one in policy], [fmean(one.rejected_logps) for one in policy]
        ),
        "reward_margin": fmean(chosen) - fmean(rejected),
        "chosen_reward": fmean(chosen),
        "rejected_reward": fmean(rejected),
    }


def _reward(policy: Sequence[float], reference: Sequence[float]) -> float:
    return fsum(policy) - fsum(reference)


def _accuracy(chosen: Sequence[float], rejected: Sequence[float]) -> float:
    return fmean((better > worse) + (better == worse) / 2 for better, worse in zip(chosen, rejected, strict=True))
