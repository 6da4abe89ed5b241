"""The description of the code that ran."""

import subprocess
import sys

import pytest

import tabpo
import tabpo.errors
from tabpo import code_version
from tabpo.code_version import code_fingerprints, describe_code, fingerprint

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
