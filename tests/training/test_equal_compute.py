"""A run with `extra_steps` reads the pairs and choices of the compared methods and records its steps."""

import json

import pytest

from tabpo.compute.match import with_matched_steps
from tabpo.records import Pair, Prompt, write_records
from tabpo.tuning.choice import choose

TRAINING = {"learning_rate": 1e-4, "steps": 60, "batch_size": 4, "micro_batch_size": 1, "warmup_steps": 6}
TRAINING |= {"lora": None, "gradient_checkpointing": False}


@pytest.fixture
def match(tokenizer, prompts, pairs, start, limits, tmp_path):
    """A function: the settings of `dpo` with `extra_steps` beside `tdpo2`, whose length is chosen among trials."""
    write_records(tmp_path / "prompts.parquet", Prompt, prompts)
    for pairing, kept in (("mixed", pairs), ("other", pairs[:1])):
        (tmp_path / pairing).mkdir()
        write_records(tmp_path / pairing / "seed1.parquet", Pair, kept)
    point = {"learning_rate": 1.0, "steps": 2.0, "params": {}}
    choice = tmp_path / "tdpo2.json"
    choice.write_text(json.dumps({"method": "tdpo2", **choose([point], [[1.0]])}))

    def settings(pairing="mixed", name="dpo"):
        dpo = {"name": "dpo", "loss": "dpo", "params": {"beta": 0.1}}
        tdpo2 = {"name": "tdpo2", "loss": "tdpo2", "params": {"beta": 0.1}}
        of_both = {"training": TRAINING, "needed": []}
        compared = [
            {"method": dpo, "pairing": "mixed", **of_both},
            {"method": tdpo2, "pairing": pairing, **of_both, "choice": str(choice)},
        ]
        own = {"method": dpo | {"name": name}, "training": TRAINING, "limits": limits, "match": compared}
        files = tmp_path / "prompts.parquet", tmp_path / "mixed" / "seed1.parquet"
        return with_matched_steps(own, tokenizer, start, *files)

    return settings


def test_the_dearest_has_a_third_more_operations_and_twice_the_steps(match):
    settings = match()
    assert settings["compute"] | {"dearest_flops": 0, "flops_per_step": 0} == {
        "dearest": "tdpo2",
        "dearest_flops": 0,
        "flops_per_step": 0,
        "steps": 160,  # 60 x 2 x 4/3
        "steps_before": 60,
    }
    assert (settings["training"]["steps"], settings["training"]["warmup_steps"]) == (160, 16)
    assert settings["compute"]["dearest_flops"] == pytest.approx(160 * settings["compute"]["flops_per_step"], rel=1e-6)
    assert "match" not in settings


def test_a_copy_with_label_noise_has_the_steps_of_its_method(match):
    copy = match(name="dpo+flip0.1")
    assert copy["compute"] == match()["compute"] and copy["training"]["steps"] == 160


def test_methods_on_other_pairs_count_with_the_lengths_of_these(match):
    assert match("other")["compute"]["dearest_flops"] != match()["compute"]["dearest_flops"]


def test_settings_without_a_match_stay_as_they_are(tokenizer, start, tmp_path):
    settings = {"method": {"name": "dpo"}, "training": TRAINING}
    assert with_matched_steps(settings, tokenizer, start, tmp_path, tmp_path) == settings
