"""Training settings: defaults made explicit, and what is refused."""

import subprocess
import sys
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabpo.errors import ConfigError
from tabpo.training.settings import DEFAULTS, LINEAR_LAYERS, TrainingSettings, training_settings


def test_defaults_are_complete_and_accepted():
    settings = training_settings(**DEFAULTS)
    assert (settings.epochs, settings.steps, settings.warmup_ratio, settings.warmup_steps) == (1.0, None, 0.0, None)
    assert set(DEFAULTS) == set(asdict(TrainingSettings())) - {"steps", "warmup_steps"}


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
    explicit = asdict(training_settings(steps=steps, lora=lora, **warmup))
    assert asdict(training_settings(**explicit)) == explicit
    assert None not in {explicit["steps"], explicit["batch_size"], explicit["learning_rate"]}


def test_lora_defaults():
    lora = training_settings(steps=1, lora={"r": 8, "alpha": 16}).lora
    assert (lora.dropout, lora.target_modules, lora.merge) == (0.0, list(LINEAR_LAYERS), True)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": 5, "learning_rte": 1e-4}, "unknown setting learning_rte; it takes: optimizer, learning_rate"),
        ({"steps": 5, "optimizer": "adam"}, "training.optimizer is 'adam'; accepted: adamw, rmsprop"),
        ({"steps": 5, "learning_rate": 0}, "training.learning_rate is 0; accepted: a number above 0, up to 1"),
        ({"steps": 5, "learning_rate": "1e-4"}, "training.learning_rate is '1e-4'"),
        ({"steps": 5, "baseline_learning_rate": 2}, "training.baseline_learning_rate is 2; accepted: a number above 0"),
        ({"steps": 5, "batch_size": True}, "training.batch_size is True; accepted: a whole number >= 1"),
        ({"steps": 5, "max_grad_norm": float("nan")}, "training.max_grad_norm is nan"),
        ({"steps": 5, "adam_beta2": 1.0}, "accepted: a number from 0 to below 1"),
        ({"steps": 5, "optimizer": "rmsprop", "weight_decay": 0.1}, "accepted with rmsprop: 0"),
        ({"steps": 5, "deepspeed": "zero4"}, "accepted: zero0, zero1, zero2, zero2_offload, zero3, zero3_offload"),
        ({"steps": 5, "epochs": 1.0}, "steps and epochs given; exactly one of steps, epochs"),
        ({}, "nothing given; exactly one of steps, epochs"),
        ({"steps": 5, "warmup_steps": 1, "warmup_ratio": 0.1}, "both warmup_steps and warmup_ratio"),
        ({"steps": 5, "lora": {"r": 8}}, "training.lora: alpha must be given"),
        ({"steps": 5, "lora": {"r": 8, "alpha": 8, "merge": False}}, "training.lora.merge is False; accepted: true"),
        ({"steps": 5, "lora": {"r": 8, "alpha": 8, "target_modules": []}}, "accepted: a list of names of layers"),
        ({"steps": 5, "lora": {"r": 8, "alpha": 8, "quantize": "int8"}}, "quantize is 'int8'; accepted: null, nf4"),
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
    code = "import sys, tabpo.training.settings; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
