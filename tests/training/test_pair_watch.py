"""Evaluations on held-out preferences equal log-probs that are computed separately, also after an interruption."""

import pytest
import torch

from tabpo.metrics.ranking import mean_scores, pair_scores
from tabpo.scoring.reference import score_references
from tabpo.training.pair_watch import PairWatch


@pytest.fixture
def watched(pair_examples, tokenizer, fp32):
    return PairWatch(pair_examples, tokenizer.pad_token_id, fp32, every=5)


def move(model):
    with torch.no_grad():
        model.model.embed_tokens.weight.mul_(1.1)


def test_an_evaluation_ranks_the_pairs_relative_to_step_0(watched, make_model, pair_examples, tokenizer, fp32):
    model = make_model().train()
    watched.evaluate_held_out(model, 0)
    assert model.training
    assert watched.health[0]["reward_accuracy"] == 0.5 and watched.health[0]["reward_margin"] == 0.0
    before = score_references(model, pair_examples, tokenizer.pad_token_id, fp32, 2)
    move(model)
    watched.evaluate_held_out(model.train(), 5)
    after = score_references(model, pair_examples, tokenizer.pad_token_id, fp32, 2)
    assert watched.health[1] == {"step": 5, **mean_scores(pair_scores(after, before))}
    assert watched.health[1]["reward_margin"] != 0.0 and watched.measure in watched.health[1]


def test_a_resumed_run_continues_the_evaluations(watched, make_model, tmp_path):
    model = make_model()
    watched.evaluate_held_out(model, 0)
    watched.write_state(tmp_path / "watch.json")
    move(model)
    watched.evaluate_held_out(model, 5)
    unbroken = watched.content
    watched.health, watched._first = [], []
    watched.read_state(tmp_path / "watch.json")
    watched.evaluate_held_out(model, 5)
    assert watched.content == unbroken
