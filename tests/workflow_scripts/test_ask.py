"""The program of the rule `ask`, against a test server."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tabpo.records import Completion, Message, Prompt, read_records, write_records
from tests.chat_double import chat_double, echo
from workflow_scripts import ask

ROOT = Path(__file__).parents[2]


@pytest.fixture
def double():
    with chat_double() as running:
        yield running


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "prompts/test.parquet"
    texts = ("first patient", "second patient")
    write_records(path, Prompt, [Prompt(f"d{n}", f"d{n}", (Message("user", t),), "") for n, t in enumerate(texts)])
    return path


def arguments(url, prompts, folder, **settings):
    endpoint = {"url": url, "model": "gpt-x", "retries": 0, **settings}
    return [
        *("--settings", json.dumps({"model": "gpt", "endpoint": endpoint, "max_completion_tokens": 9})),
        *("--prompts", str(prompts)),
        *("--cache", str(prompts.parent / "cache")),
        *("--output-completions", str(folder / "completions/test.parquet")),
        *("--output-provenance", str(folder / "provenance.json")),
    ]


def test_completions_and_where_they_came_from(double, prompts, tmp_path):
    for name in ("first", "second"):
        ask.main(arguments(double.url, prompts, tmp_path / name))
    completions = read_records(tmp_path / "first/completions/test.parquet", Completion)
    assert completions == [Completion("d0", "FIRST PATIENT", 3, True), Completion("d1", "SECOND PATIENT", 3, True)]
    assert len(double.requests) == 2
    first, second = ((tmp_path / name / "provenance.json").read_text() for name in ("first", "second"))
    provenance = json.loads(first)
    assert set(provenance) == {"commit", "dirty", "code", "inputs", "served_model"}
    assert provenance["served_model"] == "gpt-x" and "tabpo.inference.endpoint" in provenance["code"]
    assert first == second and "127.0.0.1" not in first


def test_a_program_that_fails_says_so_in_one_line_and_leaves_nothing_but_answers(double, prompts, tmp_path):
    double.answer = lambda request: (
        (400, {}, {"error": {"message": "second patient sk-secret"}}) if "second" in str(request) else echo(request)
    )
    command = [sys.executable, "-m", "workflow_scripts.ask"]
    command += arguments(double.url, prompts, tmp_path / "out", key_variable="A_KEY", concurrency=1)
    ended = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"A_KEY": "sk-secret"}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1 and ended.stdout == ""
    assert ended.stderr.strip().split("\n")[-1].startswith(f"DataError: {double.url}/chat/completions: the server refu")
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "out").exists()
    [answer] = (tmp_path / "prompts/cache").iterdir()
    for secret in ("sk-secret", "patient", "PATIENT"):
        assert secret not in ended.stderr and secret not in " ".join(command)
        assert (secret in answer.read_text()) is (secret == "PATIENT")


def test_no_torch_is_imported():
    code = "import sys, workflow_scripts.ask; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
