"""Scores of how a policy ranks held-out pairs: by DPO's implicit reward and by its likelihood alone."""

from collections.abc import Mapping, Sequence
from math import fsum
from statistics import fmean

from tabpo.errors import DataError
from tabpo.records import Reference


def pair_scores(policy: Sequence[Reference], reference: Sequence[Reference]) -> list[dict[str, float]]:
    """Return the scores of each pair; the scores of a policy are their means.

    The reward of an answer is its log-ratio: the sum over its tokens of log policy - log reference, in nats. This is
    the implicit reward of DPO (arXiv 2305.18290, section 4) without its beta, so that methods with different betas can
    be compared. A tie counts half: the reference itself has a reward accuracy of 0.5, which is chance.

    Args:
        policy: Log-probs of each pair under the policy.
        reference: Log-probs of the same pairs, in the same order, under the reference.

    Returns:
        For each pair: reward_accuracy, 1 if the chosen answer has the higher reward; ranking_accuracy, 1 if it has the
        higher mean log-prob per token under the policy alone (the reward of SimPO, arXiv 2405.14734, equation 4,
        without its beta); reward_margin, chosen minus rejected, and its two parts chosen_reward and rejected_reward, in
        nats.

    Raises:
        DataError: The two lists are not for the same pairs.
    """
    if [row.pair_id for row in policy] != [row.pair_id for row in reference]:
        raise DataError(
            f"the policy's {len(policy)} pairs and the reference's {len(reference)} are not the same pairs, in the same"
            " order"
        )
    return [_scores(new, old) for new, old in zip(policy, reference, strict=True)]


def mean_scores(pairs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each score over pairs."""
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
