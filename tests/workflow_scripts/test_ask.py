"""The program of the rule `ask`, against a test server."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tabpo.answers.ontology import read_ontology
from tabpo.answers.schema import strict_schema
from tabpo.records import Completion, Message, Prompt, read_records, write_records
from tests.chat_double import chat_double, echo
from workflow_scripts import ask, choose_variant

ROOT = Path(__file__).parents[2]
SCIERC = ROOT / "config/ontologies/scierc.yaml"


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
    asked = {
        "model": "gpt",
        "endpoint": {"url": url, "model": "gpt-x", "retries": 0, **settings},
        "max_completion_tokens": 9,
        "unit": "sentence",
        "variants": {"prompts": {"demonstrations": 0, "constraint": "none"}},
    }
    return [
        *("--settings", json.dumps(asked)),
        *("--prompts", str(prompts)),
        *("--ontology", str(SCIERC)),
        "--selection",
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
    assert set(provenance) == {"commit", "dirty", "code", "inputs", "served_model", "asked"}
    assert provenance["asked"] == {"variant": "prompts", "demonstrations": 0, "constraint": "none"}
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


def test_the_variant_that_is_best_on_dev_select_is_asked_and_no_other(double, prompts, tmp_path):
    few = tmp_path / "prompts/few.parquet"
    write_records(few, Prompt, [Prompt("d0", "d0", (Message("user", "examples, then first patient"),), "")])
    scores = []
    for name, f1 in (("zero-shot", 0.25), ("few-shot", 0.5), ("few-shot-schema", 0.5)):
        scores.append(tmp_path / f"{name}.json")
        scores[-1].write_text(json.dumps({"metrics": {"semantic_label": {"set_directed": {"f1": f1}}}}))
    choice = {"metric": "semantic_label", "variants": ["zero-shot", "few-shot", "few-shot-schema"]}
    selection = tmp_path / "selection.json"
    choose_variant.main(["--settings", json.dumps(choice), "--scores", *map(str, scores), "--output", str(selection)])
    chosen = json.loads(selection.read_text())
    values = {"zero-shot": 25.0, "few-shot": 50.0, "few-shot-schema": 50.0}  # the first of two equal ones is chosen
    assert chosen == {"variant": "few-shot", "metric": "semantic_label", "split": "dev_select", "values": values}
    command = arguments(double.url, prompts, tmp_path / "out")
    settings = json.loads(command[1])
    settings["variants"] = {
        "zero-shot": {"demonstrations": 0, "constraint": "none"},
        "few-shot": {"demonstrations": 3, "constraint": "none"},
        "few-shot-schema": {"demonstrations": 3, "constraint": "json_schema"},
    }
    command[1] = json.dumps(settings)
    command[command.index(str(prompts))] = str(few)
    command[3:4] = [str(prompts), str(few), str(few)]
    command.insert(command.index("--selection") + 1, str(selection))
    ask.main(command)
    assert [request["messages"][-1]["content"] for request in double.requests] == ["examples, then first patient"]
    assert "response_format" not in double.requests[0]
    asked = json.loads((tmp_path / "out/provenance.json").read_text())["asked"]
    assert asked == chosen | {"demonstrations": 3, "constraint": "none"}
    selection.write_text(json.dumps(chosen | {"variant": "few-shot-schema"}))
    ask.main(command)
    form = double.requests[1].pop("response_format")  # cached answers are of requests without a schema
    assert double.requests[0] == double.requests[1]
    assert form["type"] == "json_schema" and form["json_schema"]["strict"] is True
    assert form["json_schema"]["schema"] == strict_schema(read_ontology(SCIERC), clusters=False)


def test_no_torch_is_imported():
    code = "import sys, workflow_scripts.ask; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
