"""Presets that stand for another loss: the ablations of TAB-PO say what they leave out."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tabpo.losses import build_loss, loss_names

FAMILIES = yaml.safe_load((Path(__file__).parents[2] / "config/methods.yaml").read_text())
OWN = sorted({entry["loss"] for entry in FAMILIES["matched"].values()})
"""Losses of the project; a user's own needs no preset."""


def preset(name, family="matched"):
    entry = FAMILIES[family][name]
    return build_loss(entry["loss"], **entry.get("params", {}))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_loss_has_a_preset_of_its_name(family):
    assert set(OWN) <= set(loss_names())
    assert [FAMILIES[family][name]["loss"] for name in OWN] == OWN


@pytest.mark.parametrize("family", FAMILIES)
def test_every_preset_can_be_built(family):
    for name, entry in FAMILIES[family].items():
        given_params = entry.get("params", {})
        assert {key: getattr(preset(name, family), key) for key in given_params} == given_params


def test_published_rmsprop_is_that_of_the_authors_code():
    # torch's own, which an AdamW study's adam_beta2 must not replace
    recipes = {name: entry.get("training", {}) for name, entry in FAMILIES["published"].items()}
    smoothing = {
        name: entry.get("adam_beta2") for name, entry in recipes.items() if entry.get("optimizer") == "rmsprop"
    }
    theirs = torch.optim.RMSprop([torch.zeros(1)]).defaults["alpha"]
    assert smoothing == dict.fromkeys(("dpo", "dpo_reversed", "tis_dpo", "tdpo1", "tdpo2", "tbpo_a", "tbpo_q"), theirs)


def test_published_recipes_train_adapters_or_all_weights_as_their_sources_do():
    recipes = {name: entry.get("training", {}) for name, entry in FAMILIES["published"].items()}
    lora = {name: entry["lora"] for name, entry in recipes.items() if "lora" in entry}
    ranks = {name: (entry["r"], entry["alpha"], entry.get("dropout")) for name, entry in lora.items() if entry}
    assert ranks == {
        **dict.fromkeys(("tab_po", "tab_po_code"), (16, 32, 0.05)),
        **dict.fromkeys(("tbpo_a", "tbpo_q"), (32, 64, 0.05)),
        "cpo": (16, 32, None),
    }
    full = {"dpo", "dpo_mean", "simpo", "orpo", "cal_dpo", "confpo", "kto_pair", "tdpo1", "tdpo2", "otpo", "dpo_shift"}
    full |= {"dpo_reversed", "tis_dpo", "sepo", "tgdpo"}
    assert {name for name, entry in lora.items() if entry is None} == full


@given(seed=st.integers(0, 10_000))
def test_without_barrier_is_dpo(make_random_pair, seed):
    pair = make_random_pair(seed)
    assert torch.equal(preset("tab_po_no_barrier")(*pair).losses, preset("dpo")(*pair).losses)


@given(seed=st.integers(0, 10_000), certain=st.integers(0, 6))
def test_ungated_is_rpo_with_certain_tokens_too(make_random_pair, seed, certain):
    # the first `certain` log-probs are 0, as float32 gives them: up to whole completions without surprise
    chosen, rejected = make_random_pair(seed)
    rounded = chosen.policy_logps.clone()
    rounded[:, :certain] = 0.0
    pair = replace(chosen, policy_logps=rounded), rejected
    expected = build_loss("rpo", beta=0.1, alpha=0.5)(*pair).losses
    torch.testing.assert_close(preset("tab_po_ungated")(*pair).losses, expected)


@given(seed=st.integers(0, 10_000))
def test_the_gated_control_and_dpo_add_up_to_tab_po(make_random_pair, seed):
    pair = make_random_pair(seed)
    total = preset("dpo")(*pair).losses + 0.5 * preset("gated_sft")(*pair).losses
    torch.testing.assert_close(preset("tab_po")(*pair).losses, total)


def test_gates_differ_in_tau_alone():
    for tau in (0.5, 0.66, 0.8, 0.99):
        assert preset(f"tab_po_tau_{tau}") == replace(preset("tab_po"), tau=tau)


def test_both_forms_of_tab_po_are_in_both_families():
    for name in ("tab_po", "tab_po_code"):
        assert preset(name) == preset(name, "published")


@given(seed=st.integers(0, 10_000))
def test_unweighted_is_the_released_form_without_weights(make_random_pair, seed):
    pair = make_random_pair(seed)
    flat = replace(preset("tab_po_code"), label_weight=1.0, sublabel_weight=1.0, span_weight=1.0, difference_weight=1.0)
    torch.testing.assert_close(preset("tab_po_unweighted")(*pair).losses, flat(*pair).losses)
    preference = build_loss("dpo_mean", beta=0.5)(*pair).losses
    torch.testing.assert_close(replace(preset("tab_po_unweighted"), lambda_=0)(*pair).losses, preference)


def test_extensions_differ_from_tab_po_in_their_own_parameter():
    assert preset("tab_po_schema_gate") == replace(preset("tab_po"), gate_fields="schema")
    assert preset("tab_po_tau_mean") == replace(preset("tab_po"), tau="mean")
    assert preset("tab_po_soft_gate") == replace(preset("tab_po"), gate_temperature=0.5)


def test_variants_of_token_level_losses_differ_in_one_parameter():
    assert preset("ti_dpo_no_kl") == replace(preset("ti_dpo"), alpha=0.0)
    assert preset("ti_dpo_margin_0.1") == replace(preset("ti_dpo"), margin=0.1)
    assert preset("otpo_ot_reg_1") == replace(preset("otpo"), ot_reg=1.0)
    for name in ("tbpo_q", "tbpo_a"):
        assert preset(f"{name}_logistic") == replace(preset(name), generator="logistic")


@pytest.mark.parametrize("name", OWN)
def test_a_matched_preset_at_a_paper_s_values_is_the_published_one(name):
    # not theirs: the 0.01 of robust DPO and DPO-Shift, Cal-DPO's 0.002, CPO's mean
    if name not in ("robust_dpo", "cal_dpo", "cpo", "dpo_shift"):
        assert preset(name) == preset(name, "published")


def test_the_extended_study_trains_every_loss():
    study = yaml.safe_load((Path(__file__).parents[2] / "config/extended.yaml").read_text())
    presets = FAMILIES[study["presets"]]
    entries = {name: entry or {} for name, entry in study["methods"].items()}
    losses = {entry.get("loss") or presets[name]["loss"] for name, entry in entries.items()}
    assert losses == set(OWN)
