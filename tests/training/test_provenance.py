"""What provenance says about code, inputs and machine."""

import subprocess
import sys

import pytest
import torch

import tabpo
from tabpo.training import provenance
from tabpo.training.provenance import code_fingerprints, describe_code, describe_machine, fingerprint, input_hashes

CODE = '"""Opens."""\nX = 1\n\n\ndef f(a):\n    """Adds."""\n    return a + X\n'


@pytest.mark.parametrize(
    "same",
    [
        CODE.replace("Adds.", "Says something else."),
        CODE.replace('    """Adds."""\n', "    # a comment\n"),
        CODE.replace("X = 1\n", 'X = 1\n"""About X."""\n'),
        CODE.replace("a + X", "(a + X)").replace("\n\n\n", "\n"),
    ],
)
def test_comments_docstrings_and_layout_are_no_code(same):
    assert same != CODE
    assert fingerprint(same) == fingerprint(CODE)


@pytest.mark.parametrize(
    "other", [CODE.replace("a + X", "a - X"), CODE.replace("X = 1", "X = 1.0"), CODE.replace("(a)", "(a=1)")]
)
def test_code_is(other):
    assert fingerprint(other) != fingerprint(CODE)


def test_a_text_that_is_used_is_code():
    assert fingerprint('X = "a"') != fingerprint('X = "b"')


def test_modules_are_those_that_the_process_imported(monkeypatch):
    assert list(code_fingerprints()) == sorted(code_fingerprints())
    assert {"tabpo", "tabpo.errors", "tabpo.training.models"} <= set(code_fingerprints())
    monkeypatch.delitem(sys.modules, "tabpo.errors")
    assert "tabpo.errors" not in code_fingerprints()


def test_a_folder_is_known_by_its_manifest_and_tokenizer(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "pairs").write_text("a")
    seen = []
    for manifest, tokenizer in (("1", "x"), ("2", "x"), ("2", "y"), ("2", "y")):
        (tmp_path / "model/manifest.json").write_text(manifest)
        (tmp_path / "model/tokenizer.json").write_text(tokenizer)
        seen.append(input_hashes({"sft": tmp_path / "model", "pairs": tmp_path / "pairs"}))
    assert len({hashes["sft"] for hashes in seen}) == 3
    assert {hashes["pairs"] for hashes in seen} == {seen[0]["pairs"]}


def repository(folder, monkeypatch):
    """A copy of nothing but the package's opening, under git, taken for the project."""
    (folder / "tabpo").mkdir(parents=True)
    (folder / "tabpo/__init__.py").write_text('"""One."""\n')
    monkeypatch.setattr(tabpo, "__file__", str(folder / "tabpo/__init__.py"))
    monkeypatch.setattr(provenance, "code_fingerprints", dict)

    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        return subprocess.run(["git", "-C", folder, *identity, *arguments], capture_output=True, text=True, check=True)

    return git


def test_commit_and_changes_since(tmp_path, monkeypatch):
    git = repository(tmp_path, monkeypatch)
    assert describe_code()["commit"] == "unknown"
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "one")
    head = git("rev-parse", "HEAD").stdout.strip()
    assert describe_code() == {"commit": head, "dirty": False, "code": {}}
    (tmp_path / "tabpo/__init__.py").write_text('"""Two."""\n')
    assert describe_code() == {"commit": head, "dirty": True, "code": {}}


def test_a_copy_inside_another_repository_has_no_commit(tmp_path, monkeypatch):
    repository(tmp_path / "inner", monkeypatch)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    assert describe_code() == {"commit": "unknown", "dirty": None, "code": {}}


def test_machine():
    machine = describe_machine(torch.device("cpu"))
    assert machine["packages"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert machine["device"] and machine["peak_memory_mb"] > 50 and machine["peak_gpu_memory_mb"] is None
