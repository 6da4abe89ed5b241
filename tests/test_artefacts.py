"""Files and folders are written completely or not at all; YAML files are read without repeated keys."""

import gzip

import pytest

from tabpo.artefacts import read_yaml, whole_directory, whole_file, write_json
from tabpo.errors import ConfigError


def test_a_file_is_the_old_one_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "folder" / "table.csv"
    with whole_file(path) as partial:
        partial.write_text("one")
        assert not path.exists()
    with pytest.raises(KeyboardInterrupt), whole_file(path) as partial:
        partial.write_text("tw")
        raise KeyboardInterrupt
    assert [(file.name, file.read_text()) for file in path.parent.iterdir()] == [("table.csv", "one")]


def test_a_folder_is_the_old_one_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "model"
    with whole_directory(path) as partial:
        (partial / "old").touch()
    with pytest.raises(KeyboardInterrupt), whole_directory(path) as partial:
        (partial / "new").touch()
        raise KeyboardInterrupt
    assert [item.name for item in tmp_path.rglob("*")] == ["model", "old"]
    with whole_directory(path) as partial:
        (partial / "new").touch()
    assert [item.name for item in tmp_path.rglob("*")] == ["model", "new"]


def test_the_next_folder_removes_what_a_killed_process_left(tmp_path):
    killed = whole_directory(tmp_path / "model")
    (killed.__enter__() / "half").touch()
    with whole_directory(tmp_path / "model") as partial:
        (partial / "all").touch()
    assert [item.name for item in tmp_path.rglob("*")] == ["model", "all"]


def test_json_with_nan_is_refused(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "scores.json", {"f1": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_yaml_with_an_anchor_is_read(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: &shared {b: [é, 1]}\nc: *shared\n", encoding="utf-8")
    assert read_yaml(path, "ontology") == {"a": {"b": ["é", 1]}, "c": {"b": ["é", 1]}}


def test_a_written_key_may_replace_a_merged_one(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: &a {k: 1}\nb: {c: &c {<<: *a, k: 2}}\nd: {<<: *c, l: 3}\n")
    assert read_yaml(path, "ontology") == {"a": {"k": 1}, "b": {"c": {"k": 2}}, "d": {"k": 2, "l": 3}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: b\nc: é".encode("latin-1"), ", line 2: is not in UTF-8; accepted: a YAML file in UTF-8"),
        (gzip.compress(b"a: 1", mtime=0), ", line 1: is not in UTF-8"),
        (b"a: 1\nb: \x01", ", line 2: has a character that YAML does not allow"),
        (
            b"a: [1,\nb: 2",
            ", line 2: is no YAML: expected ',' or ']', but got '<stream end>' (while parsing a flow sequence",
        ),
        (b"a:\n  b: 1\n\tc: 2", ", line 3: is no YAML: a tab; indent with spaces"),
        (b"a: 1\nb: 2020-13-45", ", line 2: is no YAML: month must be in 1..12"),
        (b"[" * 3000, ": is no YAML: more brackets are open than can be read"),
        (b"a:\n  b: 1\n  c: 2\n  b: 3\n", ", line 4: is no YAML: b is there twice"),
    ],
)
def test_what_is_no_yaml_is_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_yaml(path, "ontology")
    assert str(caught.value).startswith(f"{path}{message}") and "\n" not in str(caught.value)


def test_missing_files_and_folders(tmp_path):
    for path, reason in ((tmp_path / "none.yaml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigError, match=rf"no such ontology \({reason}.*accepted: a YAML file"):
            read_yaml(path, "ontology")
