"""Take over pairs that the data provide: prompt, chosen and rejected answer."""

from collections.abc import Sequence
from dataclasses import replace

from rapidfuzz.distance import Levenshtein

from tabpo.errors import DataError
from tabpo.names import GIVEN
from tabpo.pairs.audit import Tally
from tabpo.pairs.draw import Encode, Pairing, make_pair
from tabpo.records import Pair, Preference


def given_pairs(rows: Sequence[Preference], pairing: Pairing, encode: Encode) -> tuple[list[Pair], Tally]:
    """Make one pair without edits for each row, in their order, and count them.

    Raises:
        DataError: An answer is over the limit, both answers are the same tokens, or only some rows have weights of
            tokens; names the first such row.
    """
    pairs, tally = [], Tally(negatives=1, edits_wanted=0)
    for number, row in enumerate(rows, start=1):
        chosen, rejected = encode(row.chosen), encode(row.rejected)
        longest = max(len(chosen), len(rejected))
        if longest >= pairing.max_completion_tokens:
            raise DataError(
                f"prompt {number}: an answer has {longest + 1} tokens, including the end-of-turn token;"
                f" max_completion_tokens is {pairing.max_completion_tokens}, and nothing is truncated"
            )
        if chosen == rejected:
            raise DataError(f"prompt {number}: chosen and rejected are the same {longest} tokens")
        distance = Levenshtein.distance(chosen, rejected)
        pair = make_pair(row.prompt_id, 0, row.chosen, row.rejected, (), distance, pairing)
        weights = row.chosen_weights, row.rejected_weights
        if (weights[0] is None) != (rows[0].chosen_weights is None):
            raise DataError(
                f"prompt {number}: has weights of tokens or lacks them, unlike prompt 1; accepted: all or none"
            )
        of_chosen, of_rejected = reversed(weights) if pair.flipped else weights
        pair = replace(pair, weight=row.weight, chosen_weights=of_chosen, rejected_weights=of_rejected)
        pairs.append(pair)
        tally.add(pair, [GIVEN], longest)
    return pairs, tally
