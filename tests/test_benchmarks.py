"""What benchmarks assume about models that they do not load, and the page of their results."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import page
from benchmarks.memory import GIB, estimate, saved_bytes, shape
from benchmarks.pair_step import LOSSES, _utilisation
from benchmarks.step_programs import Case, tokens_of_trl, tokens_read
from tabpo.losses import build_loss, loss_names
from tabpo.losses._interface import FROM_FILES
from tabpo.scoring import logits
from tabpo.scoring.tokenise import PairExample
from tabpo.training.importance import collate_attribution

PUBLISHED = {
    "Qwen/Qwen2.5-1.5B-Instruct": 1_543_714_304,
    "meta-llama/Llama-3.2-3B-Instruct": 3_212_749_824,
    "meta-llama/Llama-3.3-70B-Instruct": 70_553_706_496,
}
"""Parameters, as the models' cards and weight files have them."""


@pytest.mark.parametrize("hub", PUBLISHED)
def test_shapes_are_those_of_the_published_models(hub):
    assert sum(parameter.numel() for parameter in shape(hub).parameters()) == PUBLISHED[hub]


def test_what_a_layer_keeps_grows_with_the_tokens():
    model = shape("Qwen/Qwen2.5-1.5B-Instruct")
    short, long = (saved_bytes(model.model.layers[0], model, tokens) for tokens in (100, 200))
    # The lower bound is the inner states of the MLP alone: gate, up and their product in bfloat16.
    assert 2 * 3 * 8960 * 100 < short < long == pytest.approx(2 * short, rel=0.05)


def test_the_head_s_blocks_are_those_of_a_gpu(monkeypatch):
    settings = {"lora": {"r": 1, "target_modules": ["q_proj"]}}

    def needed() -> float:
        return estimate("one", "Qwen/Qwen2.5-1.5B-Instruct", settings, 1, 100, 300)["head_gib"]

    before = needed()
    monkeypatch.setitem(logits._BLOCK_ELEMENTS, "cuda", 2**20)
    assert before - needed() == pytest.approx((2**24 - 2**20) * 2 * 4 / GIB, abs=0.01)


def test_the_page_is_made_from_the_results(capsys):
    page.main()
    assert capsys.readouterr().out == (Path(__file__).parents[1] / "docs/benchmarks.md").read_text()


def case(lora: bool) -> Case:
    """A step of two prompts with three negatives each, once after two to warm up."""
    return Case("cpu", "4m", "fp32", "sdpa", 200, 120, negatives=3, groups=2, rounds=1, lora=lora, loss="dpo")


def test_tokens_of_a_step_are_those_of_all_its_passes():
    prompt, chosen, rejected = (2,) * 5, (3, 4, 1), (3, 5, 6, 1)
    pair = PairExample("p/0", prompt, chosen, rejected, (0,) * 3, (0,) * 4, (True,) * 3, (True,) * 4, None, None)

    def read(frozen, needs, *, lora=False) -> int:
        trainer = SimpleNamespace(
            timings=[SimpleNamespace(tokens=60), SimpleNamespace(tokens=30)],
            frozen=frozen,
            loss=SimpleNamespace(needs=needs),
            train_dataset=[pair],
            collate=lambda pairs: {"attribution": collate_attribution(pairs, 0)},
        )
        return tokens_read(trainer, case(lora))

    assert read(None, {"hidden_states"}) == 90
    assert read("a model", {"token_kl"}) == 120  # and a third of it without a backward pass
    assert read("a model", {"token_kl"}, lora=True) == 135  # backward without gradients of weights is one forward
    # the prompt of 5 read forward alone, completions of 3 + 4 without gradients of weights: (5 + 2 * 7) / 3
    assert read("a model", {"token_kl", "importance"}) == 126


def test_tokens_of_trl_are_two_whole_rows_a_pair():
    tokens = 3 * 6 * 2 * 320  # steps x pairs x rows
    assert tokens_of_trl("trl_precomputed", case(lora=True)) == tokens
    assert tokens_of_trl("trl_online", case(lora=False)) == tokens * 4 / 3
    assert tokens_of_trl("trl_online", case(lora=True)) == tokens * 3 / 2


def test_utilisation_is_of_the_operations_of_all_parameters():
    speed = {"shared": 1000.0}
    # 1,000 tokens a second of 1e9 parameters: 6e12 operations where all are trained, 4e12 with adapters
    assert _utilisation(speed, 10**9, case(lora=False), peak=12) == {"shared": 0.5}
    assert _utilisation(speed, 10**9, case(lora=True), peak=16) == {"shared": 0.25}


def test_ceilings_are_measured_of_losses_of_every_kind():
    needs = set().union(*(build_loss(name).needs for name in loss_names()))
    assert set().union(*(build_loss(name).needs for name in LOSSES)) == needs - FROM_FILES  # what is read costs no pass
