"""The description of the code that ran."""

import subprocess
import sys
from importlib import import_module

import pytest

import tabpo
import tabpo.errors
from tabpo import code_version
from tabpo.code_version import changed_modules, code_fingerprints, describe_code, fingerprint, loss_fingerprints

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
def test_comments_docstrings_and_layout_do_not_change_the_fingerprint(same):
    assert same != CODE
    assert fingerprint(same) == fingerprint(CODE)


@pytest.mark.parametrize(
    "other", [CODE.replace("a + X", "a - X"), CODE.replace("X = 1", "X = 1.0"), CODE.replace("(a)", "(a=1)")]
)
def test_other_code_changes_the_fingerprint(other):
    assert fingerprint(other) != fingerprint(CODE)


def test_another_string_constant_changes_the_fingerprint():
    assert fingerprint('X = "a"') != fingerprint('X = "b"')


def test_fingerprints_cover_the_modules_that_the_process_imported(monkeypatch):
    assert list(code_fingerprints()) == sorted(code_fingerprints())
    assert {"tabpo", "tabpo.errors", "tabpo.code_version"} <= set(code_fingerprints())
    monkeypatch.delitem(sys.modules, "tabpo.errors")
    assert "tabpo.errors" not in code_fingerprints()


def test_a_loss_is_its_file_and_the_files_of_losses_that_it_imports():
    shared = ["tabpo.losses._interface", "tabpo.losses._ranges"]
    assert list(loss_fingerprints("dpo")) == [*shared, "tabpo.losses.dpo"]
    assert list(loss_fingerprints("tab_po")) == ["tabpo.losses._gates", *shared, "tabpo.losses.tab_po"]


def test_the_fingerprints_of_a_loss_are_those_that_a_run_records():
    import_module("tabpo.losses.otpo")
    fingerprints = loss_fingerprints("otpo")
    assert "tabpo.losses._unbalanced_ot" in fingerprints
    assert {name: code_fingerprints()[name] for name in fingerprints} == fingerprints
    assert changed_modules(fingerprints) == []
    other = {"tabpo.losses.otpo": "0", "tabpo.gone": "1", "tabpo": code_fingerprints()["tabpo"]}
    assert changed_modules(other) == ["tabpo.gone", "tabpo.losses.otpo"]


@pytest.mark.parametrize(
    "statement",
    [
        "from tabpo.losses._mine import f",
        "from tabpo.losses import _mine",
        "import tabpo.losses._mine as mine",
        "from ._mine import f",
        "from . import _mine",
        "def g():\n    from tabpo.losses._through import f",
    ],
)
def test_every_way_to_import_a_file_of_losses_is_followed(tmp_path, monkeypatch, statement):
    losses = tmp_path / "tabpo/losses"
    losses.mkdir(parents=True)
    (losses / "new.py").write_text(f"import math\n{statement}\n")
    (losses / "_mine.py").write_text("f = 1\n")
    (losses / "_through.py").write_text("from tabpo.losses._mine import f\n")
    monkeypatch.setattr(tabpo, "__file__", str(tmp_path / "tabpo/__init__.py"))
    loss_fingerprints.cache_clear()
    assert {"tabpo.losses.new", "tabpo.losses._mine"} <= loss_fingerprints("new").keys()
    loss_fingerprints.cache_clear()


def repository(folder, monkeypatch):
    """Make a project that consists of one `tabpo/__init__.py`; return a function that runs git in it."""
    (folder / "tabpo").mkdir(parents=True)
    (folder / "tabpo/__init__.py").write_text('"""One."""\n')
    monkeypatch.setattr(tabpo, "__file__", str(folder / "tabpo/__init__.py"))
    monkeypatch.setattr(code_version, "code_fingerprints", dict)

    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        return subprocess.run(["git", "-C", folder, *identity, *arguments], capture_output=True, text=True, check=True)

    return git


def test_the_commit_is_named_and_later_changes_make_it_dirty(tmp_path, monkeypatch):
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
