"""How a policy ranks held-out pairs: by DPO's implicit reward against the reference, and by likelihood alone."""

from collections.abc import Mapping, Sequence
from math import fsum
from statistics import fmean

from tabpo.errors import DataError
from tabpo.records import Reference


def pair_scores(policy: Sequence[Reference], reference: Sequence[Reference]) -> list[dict[str, float]]:
    """What each pair adds to the scores, which are means over pairs.

    The reward of an answer is its log-ratio, the sum over its tokens of log policy - log reference in nats: the
    implicit reward of DPO (arXiv 2305.18290, section 4) without its beta, so that methods of different betas compare.
    A tie counts half: the reference itself has a reward accuracy of 0.5, chance.

    Args:
        policy: Log-probs of each pair under the policy.
        reference: The same under the reference, of the same pairs in the same order.

    Returns:
        Of each pair: reward_accuracy, 1 where the chosen answer has the higher reward; ranking_accuracy, 1 where it
        has the higher mean log-prob per token under the policy alone (the reward of SimPO, arXiv 2405.14734, equation
        4, without its beta); reward_margin, chosen less rejected, and its two parts chosen_reward and rejected_reward,
        in nats.

    Raises:
        DataError: They are not of the same pairs.
    """
    if [one.pair_id for one in policy] != [one.pair_id for one in reference]:
        raise DataError(f"{len(policy)} and {len(reference)} pairs are not the same, one by one, in order")
    return [_scores(new, old) for new, old in zip(policy, reference, strict=True)]


def mean_scores(pairs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each score over pairs."""
    return {name: fmean(pair[name] for pair in pairs) for name in pairs[0]}


def _scores(policy: Reference, reference: Reference) -> dict[str, float]:
    chosen = fsum(policy.chosen_logps) - fsum(reference.chosen_logps)
    rejected = fsum(policy.rejected_logps) - fsum(reference.rejected_logps)
    return {
        "reward_accuracy": _wins(chosen, rejected),
        "ranking_accuracy": _wins(fmean(policy.chosen_logps), fmean(policy.rejected_logps)),
        "reward_margin": chosen - rejected,
        "chosen_reward": chosen,
        "rejected_reward": rejected,
    }


def _wins(better: float, worse: float) -> float:
    return (better > worse) + (better == worse) / 2
