"""Files and folders that are whole or not there."""

import pytest

from tabpo.artefacts import whole_directory, whole_file, write_json


def test_a_file_is_the_old_one_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "folder" / "table.csv"
    with whole_file(path) as partial:
        partial.write_text("one")
        assert not path.exists()
    with pytest.raises(KeyboardInterrupt), whole_file(path) as partial:
        partial.write_text("tw")
        raise KeyboardInterrupt
    assert [(one.name, one.read_text()) for one in path.parent.iterdir()] == [("table.csv", "one")]


def test_a_folder_is_the_old_one_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "model"
    with whole_directory(path) as partial:
        (partial / "old").touch()
    with pytest.raises(KeyboardInterrupt), whole_directory(path) as partial:
        (partial / "new").touch()
        raise KeyboardInterrupt
    assert [one.name for one in tmp_path.rglob("*")] == ["model", "old"]
    with whole_directory(path) as partial:
        (partial / "new").touch()
    assert [one.name for one in tmp_path.rglob("*")] == ["model", "new"]


def test_what_a_killed_process_has_left_goes_with_the_next_folder(tmp_path):
    killed = whole_directory(tmp_path / "model")
    (killed.__enter__() / "half").touch()
    with whole_directory(tmp_path / "model") as partial:
        (partial / "all").touch()
    assert [one.name for one in tmp_path.rglob("*")] == ["model", "all"]


def test_json_that_others_could_not_read_is_refused(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "scores.json", {"f1": float("nan")})
    assert list(tmp_path.iterdir()) == []
