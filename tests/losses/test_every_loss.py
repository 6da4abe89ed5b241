"""What every loss promises: masking, gradients, dtypes, and refusals."""

import math
from dataclasses import make_dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tabpo import losses
from tabpo.errors import ConfigError
from tabpo.losses import build_loss, describe_loss, loss_names
from tabpo.losses._ranges import FlipRate, NotNegative, Positive, Probability, Share

VARIANTS = [
    *[(name, {}) for name in loss_names()],
    (
        "tab_po",
        {
            "aggregate": "mean",
            "label_weight": 1.1,
            "sublabel_weight": 1.2,
            "span_weight": 1.3,
            "difference_weight": 1.2,
            "weighted_barrier": True,
        },
    ),
    ("tab_po", {"tau": "mean", "gate_fields": "schema", "gate_temperature": 0.5}),
    ("tbpo_a", {"generator": "logistic"}),
    ("tbpo_q", {"lambda_": 0.5, "epsilon": 0.1}),
    ("bpo", {"generator": "logistic"}),
]
every_loss = pytest.mark.parametrize(("name", "params"), VARIANTS)
PRESETS = yaml.safe_load((Path(__file__).parents[2] / "config/methods.yaml").read_text())["matched"].values()
OWN = {preset["loss"] for preset in PRESETS}
"""Losses of the project; a user's own may be of another form."""


def poisoned(side, map_side, value):
    """Masked positions hold `value`; fields and differences that cannot be."""
    mask = side.completion_mask

    def spoil(name, tensor):
        if name == "completion_mask":
            return tensor
        if name == "differs":
            return tensor ^ ~mask
        if name == "token_fields":
            return tensor.masked_fill(~mask, -77)
        return tensor.masked_fill(~mask.view(*mask.shape, *[1] * (tensor.ndim - 2)), value)

    anchor = side.anchor and poisoned(side.anchor, map_side, value)
    return replace(map_side(spoil, replace(side, anchor=None)), anchor=anchor)


@every_loss
@given(seed=st.integers(0, 10_000), poison=st.sampled_from([math.nan, math.inf, -math.inf, 1e30, -1e30]))
@settings(max_examples=25, deadline=None)
def test_masked_positions_reach_neither_loss_nor_gradient(
    make_random_pair, map_side, leaves_of, gradients_of, name, params, seed, poison
):
    loss = build_loss(name, **params)
    clean = make_random_pair(seed)
    broken = [poisoned(side, map_side, poison) for side in clean]
    (expected, expected_gradients), (observed, observed_gradients) = (
        gradients_of(loss, clean),
        gradients_of(loss, broken),
    )
    assert torch.equal(observed.losses, expected.losses)
    assert torch.equal(observed.chosen_rewards, expected.chosen_rewards)
    assert torch.equal(observed.rejected_rewards, expected.rejected_rewards)
    for observed_gradient, gradient in zip(observed_gradients, expected_gradients, strict=True):
        assert torch.equal(observed_gradient, gradient)
    for spoilt, leaf, gradient in zip(leaves_of(loss, broken), leaves_of(loss, clean), observed_gradients, strict=True):
        assert (gradient[spoilt != leaf] == 0).all()
    if observed.gate is not None:
        assert not (observed.gate & ~clean[0].completion_mask).any()


@every_loss
def test_gradient_is_that_of_finite_differences(make_random_pair, leaves_of, with_leaves, hold_constants, name, params):
    loss = build_loss(name, **params)
    pair = make_random_pair(3)
    held = hold_constants(loss, pair)
    leaves = leaves_of(loss, pair)
    assert torch.autograd.gradcheck(lambda *moved: held(*with_leaves(loss, pair, moved)).losses.sum(), leaves)


@every_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_keeps_the_dtype(make_random_pair, map_side, leaves_of, with_leaves, name, params, dtype):
    loss = build_loss(name, **params)
    pair = [map_side(lambda _, x: x.to(dtype) if x.is_floating_point() else x, s) for s in make_random_pair(4)]
    output = loss(*with_leaves(loss, pair, leaves_of(loss, pair)))
    assert output.losses.dtype == dtype
    assert output.losses.shape == output.chosen_rewards.shape == output.rejected_rewards.shape == (3,)
    assert output.losses.requires_grad


@every_loss
def test_pairs_do_not_see_each_other(make_random_pair, map_side, name, params):
    loss = build_loss(name, **params)
    pair = make_random_pair(5)
    together = loss(*pair).losses
    for row in range(3):
        alone = [map_side(lambda _, tensor: tensor[row : row + 1], side) for side in pair]  # noqa: B023
        torch.testing.assert_close(loss(*alone).losses[0], together[row], atol=1e-14, rtol=0)


@every_loss
def test_padding_changes_nothing(make_random_pair, map_side, name, params):
    loss = build_loss(name, **params)
    pair = make_random_pair(7)
    wide = [map_side(lambda _, x: torch.cat([x, torch.zeros_like(x[:, :1])], 1), side) for side in pair]
    torch.testing.assert_close(loss(*wide).losses, loss(*pair).losses, atol=1e-14, rtol=0)


WITHOUT_ANCHOR = {"ti_dpo": {"gamma": 0.0}}
"""Hyperparameters without the terms that draw log-ratios to those of an anchor, whichever way that is."""


@pytest.mark.parametrize(("name", "params"), [variant for variant in VARIANTS if variant[0] in OWN - {"apo_down"}])
def test_raising_a_chosen_token_lowers_the_loss(make_random_pair, gradients_of, name, params):
    pair = make_random_pair(6)
    _, gradients = gradients_of(build_loss(name, **params | WITHOUT_ANCHOR.get(name, {})), pair)
    raised, rejected = gradients[0][pair[0].completion_mask], gradients[len(gradients) // 2]
    assert (raised <= 0).all() and (rejected >= 0).all()
    # ConfPO leaves out confident tokens, TBPO those beyond the shorter completion, FTPO all but one, SePO those that it
    # does not select, and TIS-DPO the end-of-turn token.
    some = ("confpo", "tbpo_a", "tbpo_q", "ftpo", "sepo", "tis_dpo")
    assert (raised < 0).all() or (name in some and (raised < 0).any())


def test_an_unknown_loss_is_refused_with_all_names():
    with pytest.raises(ConfigError, match=r"unknown loss tabpo; there are: .*, dpo, .*tab_po"):
        build_loss("tabpo")


NO_LOSS = "tabpo/losses/dpo.py has no dataclass Loss with a frozenset needs"
NO_CALL = r"tabpo/losses/dpo.py: Loss cannot be called with two sides; accepted: __call__\(self, chosen, rejected\)"


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (None, NO_LOSS),
        (SimpleNamespace(needs=frozenset()), NO_LOSS),
        (make_dataclass("Loss", []), NO_LOSS),
        (make_dataclass("Loss", [], namespace={"needs": ("token_kl",)}), NO_LOSS),
        (
            make_dataclass("Loss", [], namespace={"needs": frozenset({"token_kl", "hiden_states"})}),
            "dpo: needs hiden_states; a loss may need: token_kl, hidden_states, importance, baseline, anchor",
        ),
        (make_dataclass("Loss", [], namespace={"needs": frozenset()}), NO_CALL),
        (make_dataclass("Loss", [], namespace={"needs": frozenset(), "__call__": lambda self, pair: pair}), NO_CALL),
    ],
    ids=["nothing", "no dataclass", "no needs", "needs in a tuple", "an unknown need", "no call", "of one side"],
)
def test_a_file_that_defines_no_loss_is_refused(monkeypatch, loss, message):
    monkeypatch.setattr("tabpo.losses.dpo.Loss", loss)
    with pytest.raises(ConfigError, match=message):
        build_loss("dpo")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("class Loss(:\n", "SyntaxError: invalid syntax (mine.py, line 1)"),
        ("import torhc\n", "ModuleNotFoundError: No module named 'torhc'"),
        ("class Loss(Base): ...\n", "NameError: name 'Base' is not defined"),
    ],
)
def test_a_file_that_cannot_be_imported_is_refused_by_list_and_study(tmp_path, monkeypatch, text, fault):
    (tmp_path / "mine.py").write_text(text)
    monkeypatch.setattr(losses, "__path__", [*losses.__path__, str(tmp_path)])
    for program in (build_loss, describe_loss):
        with pytest.raises(ConfigError) as error:
            program("mine")
        assert str(error.value) == f"tabpo/losses/mine.py cannot be imported ({fault}); accepted: a file like dpo.py"


def of_annotation(monkeypatch, annotation, value):
    """`dpo` replaced by a loss with one hyperparameter, built with a value."""
    body = {"needs": frozenset(), "__call__": lambda self, chosen, rejected: None}
    monkeypatch.setattr("tabpo.losses.dpo.Loss", make_dataclass("Loss", [("x", annotation)], namespace=body))
    return build_loss("dpo", x=value).x


@pytest.mark.parametrize(
    ("annotation", "accepted", "refused", "words"),
    [
        (float, [-1.5, 0, 3], [True, math.nan, math.inf, "1e-1", None], "a number"),
        (int, [-1, 0], [1.0, True, "1"], "a whole number"),
        (bool, [True, False], [0, 1, "yes"], "one of True, False"),
        (Literal["sum", "mean"], ["sum"], ["max", None], "one of sum, mean"),
        (Positive, [1, 1e-9], [0, -1, True], "a number above 0"),
        (NotNegative, [0, 5.0], [-1e-9, False], "a number from 0"),
        (Probability, [1, 0.5], [0, 1.1, True], "a number above 0, up to 1"),
        (Share, [0, 1], [-0.1, 1.1, True], "a number from 0 to 1"),
        (FlipRate, [0, 0.5], [0.51, "0.5"], "a number from 0 to 0.5"),
        (Probability | Literal["mean"], [0.5, "mean"], [0, "median"], "a number above 0, up to 1, or mean"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_annotation_states_what_is_accepted(monkeypatch, annotation, accepted, refused, words):
    for value in accepted:
        assert of_annotation(monkeypatch, annotation, value) == value
    for value in refused:
        shown = f"the text {value!r}" if isinstance(value, str) else repr(value)
        with pytest.raises(ConfigError) as error:
            of_annotation(monkeypatch, annotation, value)
        assert str(error.value) == f"dpo: x must be {words}, got {shown}"


def test_an_annotation_without_a_range_is_refused(monkeypatch):
    with pytest.raises(ConfigError, match=r"dpo: x is annotated with <class 'list'>; accepted: Positive, .*Literal"):
        of_annotation(monkeypatch, list, [1])


@every_loss
def test_an_unknown_hyperparameter_is_refused(name, params):
    with pytest.raises(ConfigError, match=f"{name}: unknown hyperparameter alhpa; it takes: "):
        build_loss(name, **params, alhpa=0.1)
