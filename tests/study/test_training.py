"""Training settings: defaults become explicit, and faults are refused."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabpo.errors import ConfigError
from tabpo.study.training import DEFAULTS, TrainingSettings, training_settings


def test_defaults_are_complete_and_accepted():
    settings = training_settings(**DEFAULTS)
    assert (settings.epochs, settings.steps, settings.warmup_ratio, settings.warmup_steps) == (1.0, None, 0.0, None)
    assert settings == TrainingSettings() == training_settings()


@given(
    steps=st.integers(1, 10**6),
    warmup=st.one_of(
        st.fixed_dictionaries({"warmup_steps": st.integers(0, 10)}),
        st.fixed_dictionaries({"warmup_ratio": st.floats(0, 1)}),
        st.just({}),
    ),
    lora=st.one_of(st.none(), st.fixed_dictionaries({"r": st.integers(1, 64), "alpha": st.floats(0.5, 64)})),
)
def test_explicit_settings_are_read_back_as_they_are(steps, warmup, lora):
    explicit = training_settings(steps=steps, lora=lora, **warmup).model_dump()
    assert training_settings(**explicit).model_dump() == explicit
    assert (explicit["steps"], explicit["epochs"]) == (steps, None)
    assert (explicit["warmup_ratio"] is None) == ("warmup_steps" in warmup)
    assert None not in {explicit["steps"], explicit["batch_size"], explicit["learning_rate"]}


def test_lora_defaults():
    lora = training_settings(steps=1, lora={"r": 8, "alpha": 16}).lora
    assert (lora.dropout, len(lora.target_modules), lora.merge) == (0.0, 7, True)


def test_a_number_is_written_as_it_was_given():
    explicit = training_settings(epochs=2, learning_rate=1, lora={"r": 8, "alpha": 16}).model_dump()
    assert json.dumps([explicit["epochs"], explicit["learning_rate"], explicit["lora"]["alpha"]]) == "[2, 1, 16]"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"learning_rte": 1e-4}, "training has an unknown key learning_rte; did you mean learning_rate? it takes: opt"),
        ({"optimizer": "adam"}, "training.optimizer is 'adam'; did you mean adamw? accepted: adamw, rmsprop"),
        ({"learning_rate": 0}, "training.learning_rate is 0; accepted: a number, above 0, at most 1"),
        ({"learning_rate": "1e-4"}, "training.learning_rate is '1e-4'"),
        ({"baseline_learning_rate": 2}, "training.baseline_learning_rate is 2; accepted: a number, above 0, at most 1"),
        ({"batch_size": True}, "training.batch_size is True; accepted: a whole number, at least 1"),
        ({"max_grad_norm": float("nan")}, "training.max_grad_norm is nan; accepted: a number, above 0"),
        ({"adam_beta2": 1.0}, "accepted: a number, at least 0, below 1"),
        ({"optimizer": "rmsprop", "weight_decay": 0.1}, "accepted with rmsprop: 0"),
        ({"deepspeed": "zero4"}, "accepted: null, zero0, zero1, zero2, zero2_offload, zero3, zero3_offload"),
        ({"steps": 5, "epochs": 1.0}, "training has both steps and epochs; exactly one of them"),
        ({"warmup_steps": 1, "warmup_ratio": 0.1}, "training has both warmup_steps and warmup_ratio"),
        (
            {"lora": {"r": 8}},
            "training.lora lacks the key alpha: Scale of the adapters: the update of a weight is mult",
        ),
        ({"lora": {"r": 8, "alpha": 8, "merge": "no"}}, "training.lora.merge is 'no'; accepted: true or false"),
        ({"lora": {"r": 8, "alpha": 8, "target_modules": []}}, "target_modules is []; accepted: a list, items at le"),
        (
            {"lora": {"r": 8, "alpha": 8, "target_modules": [1]}},
            "training.lora.target_modules.0 is 1; accepted: a text",
        ),
        ({"lora": {"r": 8, "alpha": 8, "quantize": "int8"}}, "quantize is 'int8'; accepted: null, nf4"),
        ({"lora": 8}, "training.lora is 8; accepted: a mapping or null"),
        (
            {"steps": 5, "deepspeed": "zero3_offload", "lora": {"r": 8, "alpha": 8, "quantize": "nf4"}},
            "training.lora.quantize is nf4; accepted with deepspeed zero3_offload, which divides weights",
        ),
    ],
)
def test_refusals_name_the_setting_and_what_is_accepted(values, message):
    with pytest.raises(ConfigError) as refusal:
        training_settings(**values)
    assert message in str(refusal.value)


def test_a_snakefile_can_read_it_without_torch():
    code = "import sys, tabpo.study.training; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
