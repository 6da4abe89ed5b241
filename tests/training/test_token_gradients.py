"""Gradients at the first step worked out by hand, and the pair that is drawn."""

import math

import pytest

from tabpo.records import Edit, Pair, Reference
from tabpo.scoring.tokenise import PairExample
from tabpo.training.token_gradients import start_gradients, telling_pair

PAIR = PairExample(
    pair_id="d#0/0",
    prompt_ids=(1,),
    chosen_ids=(5, 7, 0),
    rejected_ids=(5, 8, 9, 0),
    chosen_fields=(0, 1, 0),
    rejected_fields=(0, 1, 1, 0),
    chosen_differs=(False, True, False),
    rejected_differs=(False, True, True, False),
    chosen_reference=(-0.01, -1.0, -0.02),
    rejected_reference=(-0.01, -2.0, -0.5, -0.02),
)


def of(loss: str, **params) -> tuple[list[float], list[float]]:
    return start_gradients(PAIR, {"mine": {"loss": loss, "params": params}})["mine"]


def test_dpo_moves_all_tokens_alike():
    # the margin is 0, so dloss/dlogp = -beta * sigmoid(0) on every chosen token and the opposite on every rejected one
    chosen, rejected = of("dpo", beta=0.4)
    assert chosen == pytest.approx([-0.2] * 3) and rejected == pytest.approx([0.2] * 4)


def test_tab_po_adds_its_penalty_on_unsure_chosen_tokens_alone():
    # only the second chosen token is below tau = 0.9; log 0.9 - log p has the derivative -1, times lambda
    chosen, rejected = of("tab_po", beta=0.4, tau=0.9, lambda_=0.5)
    plain, plain_rejected = of("dpo", beta=0.4)
    assert chosen[0] == plain[0] and chosen[2] == plain[2] and rejected == plain_rejected
    assert chosen[1] < plain[1]
    assert math.exp(PAIR.chosen_reference[1]) < 0.9 < math.exp(PAIR.chosen_reference[0])


def test_sft_does_not_read_the_rejected_answer():
    chosen, rejected = of("sft_continued")
    assert rejected == [0.0] * 4 and len(set(chosen)) == 1 and chosen[0] < 0


def test_a_kl_of_zero_is_known_and_losses_that_need_the_model_are_left_out():
    methods = {name: {"loss": name, "params": {}} for name in ("tdpo2", "otpo", "tbpo_q", "ti_dpo")}
    assert list(start_gradients(PAIR, methods)) == ["tdpo2"]
    assert of("tdpo2", beta=0.4)[0] == pytest.approx([-0.2] * 3)


def pair(name: str, operator: str) -> Pair:
    return Pair(name, name, "", "", (Edit(operator, "", "", "", ""),), 1)


def test_the_pair_with_the_least_likely_chosen_token_is_drawn():
    pairs = [pair("a", "boundary"), pair("b", "label"), pair("c", "label"), pair("d", "label")]
    references = [
        Reference("d", (-9.0,) * 41, (-1.0,)),  # longer than a figure can show
        Reference("c", (-0.1, -3.0), (-1.0,)),
        Reference("b", (-2.0, -2.0), (-1.0,)),
        Reference("a", (-9.0,), (-1.0,)),  # differs in no label
    ]
    assert telling_pair(pairs, references) == (pairs[2], references[1])
    assert telling_pair(pairs[:2], references)[0] == pairs[1]
    assert telling_pair([pairs[0]], references)[0] == pairs[0]
