"""Calculated operations of small pairs, worked out by hand."""

import pytest
from transformers import Qwen2Config

from tabpo.compute.calculated import Dimensions, forward_flops, pair_flops, read_dimensions
from tabpo.scoring.tokenise import PairExample

SIZES = Dimensions(layers=100, head=30, attention=5)
FULL = {"lora": None, "gradient_checkpointing": False, "micro_batch_size": 1}


def pair(prompt: int, chosen: tuple[int, ...], rejected: tuple[int, ...]) -> PairExample:
    fields = [(0,) * len(chosen), (0,) * len(rejected), (True,) * len(chosen), (True,) * len(rejected)]
    return PairExample("d/0", tuple(range(100, 100 + prompt)), chosen, rejected, *fields, None, None)


SMALL = pair(2, (1, 2, 3), (1, 5, 3))
# The model reads 2 + 2 tokens and then, after a shared prefix of 3, the token 5. Four states are scored: three of the
# first sequence and that of the token 5.
FORWARD = 2 * 100 * 5 + 2 * 30 * 4 + 4 * 5 * (4 * 4 + 1 * 4)


def test_a_forward_pass_by_hand():
    assert forward_flops(SIZES, read=5, scored=4, squares=20) == FORWARD


@pytest.mark.parametrize(
    ("needs", "training", "passes"),
    [
        (set(), FULL, 3),
        ({"token_kl"}, FULL, 4),
        (set(), FULL | {"gradient_checkpointing": True}, 4),
        (set(), FULL | {"lora": {"r": 8}}, 2),
        ({"baseline", "hidden_states", "dpo_logps"}, FULL, 3),
    ],
)
def test_passes_of_a_pair(needs, training, passes):
    assert pair_flops(SIZES, needs, training, [SMALL, SMALL]) == passes * FORWARD


def test_pairs_of_a_prompt_share_it_within_a_micro_batch():
    # Beside the pair, the token 6 of the second rejected answer is read and scored.
    together = FORWARD + 2 * 100 * 1 + 2 * 30 * 1 + 4 * 5 * 1 * 4
    pairs = [SMALL, pair(2, (1, 2, 3), (1, 6, 3))]
    assert pair_flops(SIZES, set(), FULL | {"micro_batch_size": 2}, pairs) == 3 * together / 2
    assert pair_flops(SIZES, set(), FULL, pairs) == 3 * FORWARD


def test_importance_reads_the_prompt_once_and_both_completions_forth_and_back():
    prompt, completion = 2 * 100 * 2 + 4 * 5 * 4, 2 * 100 * 3 + 2 * 30 + 4 * 5 * 3 * 5
    assert pair_flops(SIZES, {"importance"}, FULL, [SMALL]) == 3 * FORWARD + prompt + 2 * 2 * completion


def test_an_anchor_is_read_by_policy_and_reference():
    # It shares the prompt, so that two of its three tokens are read, and states 1 and those of these two are scored.
    with_anchor = FORWARD + 2 * 100 * 2 + 2 * 30 * 2 + 4 * 5 * 2 * 4
    assert pair_flops(SIZES, {"anchor"}, FULL, [SMALL]) == 4 * with_anchor


def test_dimensions_are_read_from_the_configuration(tmp_path):
    Qwen2Config(
        vocab_size=50,
        hidden_size=8,
        num_hidden_layers=3,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=12,
        tie_word_embeddings=True,
    ).save_pretrained(tmp_path)
    layer = 8 * 8 + 2 * 8 * 4 + 8 * 8 + 3 * 8 * 12  # queries, keys and values, output, feed-forward
    assert read_dimensions(tmp_path) == Dimensions(layers=3 * layer, head=50 * 8, attention=3 * 8)
