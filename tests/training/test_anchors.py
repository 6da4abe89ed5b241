"""Anchors are sampled from the nucleus and depend only on seed and pass."""

from functools import partial

import pytest
import torch

from tabpo.training import anchors
from tabpo.training.anchors import sample_anchors

EOS = 1


@pytest.fixture
def forty(pair_examples):
    """Forty prompts, which make three batches."""
    ids = [pair.prompt_ids for pair in pair_examples]
    return {f"p{number}": ids[number % 4][-1 - number % 5 :] for number in range(40)}


@pytest.fixture
def sample(forty, fp32):
    return partial(
        sample_anchors, prompts=forty, numerics=fp32, pad_id=0, eos_id=EOS, max_new_tokens=6, process=0, processes=1
    )


def test_every_prompt_has_an_anchor_within_the_cap(make_model, forty, sample):
    drawn = sample(make_model(), seed=(1, 0))
    assert drawn.keys() == forty.keys()
    assert all(1 <= len(ids) <= 6 and EOS not in ids[:-1] for ids in drawn.values())
    model, favour = make_model(), 1e3 * torch.nn.functional.one_hot(torch.tensor(EOS), 330)
    model.lm_head.register_forward_hook(lambda module, inputs, logits: logits + favour)
    ended = sample(model, seed=(1, 0))
    assert set(ended.values()) == {(EOS,)}  # never empty


def test_anchors_depend_only_on_seed_and_pass(make_model, sample):
    model, state = make_model(), torch.get_rng_state()
    first = sample(model, seed=(1, 0))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(5)
    assert sample(model, seed=(1, 0)) == first
    assert sample(model, seed=(1, 1)) != first and sample(model, seed=(2, 0)) != first


@pytest.mark.parametrize("processes", [2, 5])
def test_several_processes_draw_the_anchors_of_one(make_model, sample, processes):
    shares = [sample(make_model(), seed=(1, 0), process=process, processes=processes) for process in range(processes)]
    together = {}
    for share in shares:
        together |= share
    assert together == sample(make_model(), seed=(1, 0))
    if processes == 2:
        assert not shares[0].keys() >= shares[1].keys()


def test_mode_and_generation_settings_are_put_back(make_model, sample):
    model = make_model().train()
    model.generation_config.repetition_penalty = 9.0  # a setting of the model that would change the samples
    settings = model.generation_config
    assert sample(model, seed=(1, 0)) == sample(make_model(), seed=(1, 0))
    assert model.training and model.generation_config is settings


def test_tokens_come_from_the_nucleus_of_the_fifty_likeliest(make_model, forty, sample):
    model = make_model()
    drawn, seen = sample(model, seed=(1, 0)), set()
    for prompt_id, ids in drawn.items():
        with torch.no_grad():
            logits = model(torch.tensor([[*forty[prompt_id], *ids]])).logits[0, len(forty[prompt_id]) - 1 : -1]
        for row, token in zip(logits, ids, strict=True):
            likeliest = (row / anchors.TEMPERATURE).topk(anchors.TOP_K)
            place = likeliest.indices.tolist().index(token)  # among the fifty
            assert likeliest.values.softmax(-1)[:place].sum() <= anchors.TOP_P + 1e-6
            seen.add(place)
    assert len(seen) > 3  # not only the most likely token is sampled
