"""A whole study of a model behind an endpoint, against a test server: variants, their choice, answers, tables."""

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

from tabpo.data.memorisation import ASK
from tabpo.records import Prompt, read_records
from tests.chat_double import chat_double, completion

ROOT = Path(__file__).parents[1]
LIMITS = {"max_prompt_tokens": 2048, "max_completion_tokens": 200}
VARIANTS = {
    "zero": {},
    "zero-schema": {"constraint": "json_schema"},
    "two": {"demonstrations": 2},
    "two-schema": {"demonstrations": 2, "constraint": "json_schema"},
}


def study_of(url: str, results: Path) -> dict:
    study = yaml.safe_load((ROOT / "config/demo.yaml").read_text())
    abstracts = study["datasets"]["demo_abstracts"] | LIMITS | {"prompt": "instruct"}
    abstracts["generate"] = abstracts["generate"] | {"train": 12, "dev": 8, "test": 4}
    endpoint = {"url": url, "model": "gpt-x", "key_variable": "A_KEY", "retries": 0}
    return study | {
        "results": str(results),
        "datasets": {"demo_abstracts": abstracts},
        "models": {"gpt": {"endpoint": endpoint, "variants": VARIANTS, "select_by": "ner_strict"}},
        "methods": {},
        "memorisation": ["demo_abstracts"],
        "tables": {"main": {"caption": "One.", "datasets": ["demo_abstracts"], "metrics": ["ner_strict", "rel"]}},
    }


def test_the_best_variant_on_dev_select_answers_test(tmp_path):
    results = tmp_path / "results"
    shots, gold = results / "demo_abstracts/prompts/shots2", {}

    def answer(request: dict) -> tuple[int, dict, dict]:
        """Gold for prompts with demonstrations and a schema; for others an answer without entities."""
        for split in ("dev_select", "test") if not gold else ():
            prompts = read_records(shots / f"{split}.parquet", Prompt)
            gold.update({prompt.messages[0].content: prompt.answer for prompt in prompts})
        if request["messages"][0]["content"].startswith(ASK):
            return 200, {}, completion("It goes on in another way.")
        text = gold.get(request["messages"][0]["content"])
        if text is None or "response_format" not in request:
            text = '{"entities":[],"relations":[]}'
        return 200, {}, completion(text)

    with chat_double() as double:
        double.answer = answer
        (tmp_path / "study.yaml").write_text(yaml.safe_dump(study_of(double.url, results)))
        command = [sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", str(tmp_path / "study.yaml")]
        place = {"cwd": tmp_path, "capture_output": True, "text": True, "check": False}
        command += ["--snakefile", str(ROOT / "Snakefile")]
        # zero-shot prompts are asked before the prompts of test with demonstrations exist
        first = subprocess.run([*command, "--until", "prompts_with_shots"], env=os.environ | {"A_KEY": "k"}, **place)
        assert first.returncode == 0, first.stderr
        made = subprocess.run(command, env=os.environ | {"A_KEY": "k"}, **place)
        assert made.returncode == 0, made.stderr
        again = subprocess.run([*command, "--dry-run"], **place)  # without the key
        assert "nothing to be done" in (again.stdout + again.stderr).lower()

    folder = results / "demo_abstracts/gpt/prompted"
    selection = json.loads((folder / "selection.json").read_text())
    assert selection["variant"] == "two-schema" and selection["metric"] == "ner_strict"
    assert selection["values"] == {"zero": 0.0, "zero-schema": 0.0, "two": 0.0, "two-schema": 100.0}
    splits = {
        split: {each.messages[0].content for each in read_records(shots / f"{split}.parquet", Prompt)}
        for split in ("dev_select", "test")
    }
    of_test = [request for request in double.requests if request["messages"][0]["content"] in splits["test"]]
    assert len(of_test) == len(splits["test"]) and all("response_format" in request for request in of_test)
    completed = read_records(results / "demo_abstracts/memorisation/prompts.parquet", Prompt)
    distinct = len({prompt.messages[0].content for prompt in completed})
    counts = (results / "demo_abstracts/memorisation/counts.csv").read_text()
    assert counts == f"model,sentences,verbatim\ngpt,{len(completed)},0\n"
    assert "Test sentences completed verbatim" in (results / "report.html").read_text()
    assert len(double.requests) == distinct + 4 * len(splits["dev_select"]) + len(splits["test"])
    table = (results / "tables/main.md").read_text()
    assert "`prompted` of `gpt` on `demo_abstracts`: the variant two-schema (2 demonstrations, JSON schema)" in table
    assert "| prompted" in table and "100.0" in table
    assert len(list((results / "looks/demo_abstracts/gpt/prompted").iterdir())) == 1
