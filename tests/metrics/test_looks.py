"""The record of settings that were scored on test."""

from tabpo.metrics.looks import count_looks, record_look


def test_equal_settings_are_one_look_and_other_settings_another(tmp_path):
    assert count_looks(tmp_path / "looks") == {}
    for look in ("b/m/dpo/1", "a/m/dpo/1", "a/m/dpo/1", "a/m/dpo/2", "a/m/sft/1"):
        record_look(tmp_path / "looks" / look)
    assert count_looks(tmp_path / "looks") == {"a": 3, "b": 1}
    assert list(count_looks(tmp_path / "looks")) == ["a", "b"]
