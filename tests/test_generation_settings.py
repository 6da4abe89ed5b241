"""Engine and constraint of a study."""

import pytest

from tabpo import generation_settings
from tabpo.errors import ConfigError
from tabpo.generation_settings import complete_generation, unusual


def study(models=(), **generation):
    return {"generation": {"batch_size": 1, **generation}, "models": dict(models)}


def test_defaults_are_made_explicit_and_captions_are_silent_about_them():
    generation = complete_generation(study())
    assert generation == {"engine": "transformers", "constraint": "none"}
    assert unusual(generation) == ""


def test_captions_name_what_is_not_as_usual():
    generation = complete_generation(study(constraint="json_schema"))
    assert unusual(generation) == " Answers of models trained here: constraint json_schema."


def test_an_engine_that_is_not_installed_is_refused(monkeypatch):
    monkeypatch.setattr(generation_settings, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"generation.engine is vllm, but that package is not installed"):
        complete_generation(study(engine="vllm"))
    monkeypatch.setattr(generation_settings, "find_spec", lambda name: name)
    assert complete_generation(study(engine="vllm"))["engine"] == "vllm"


def test_a_constraint_that_not_all_rows_are_held_to_is_refused(monkeypatch):
    monkeypatch.setattr(generation_settings, "find_spec", lambda name: name)
    with pytest.raises(ConfigError, match="accepted: engine transformers, or constraint none"):
        complete_generation(study(engine="vllm", constraint="json_schema"))
    with pytest.raises(ConfigError, match=r"nothing holds models.remote to behind its endpoint"):
        complete_generation(study({"remote": {"endpoint": {}}}, constraint="json_schema"))
    assert complete_generation(study({"remote": {"endpoint": {}}}))["constraint"] == "none"
