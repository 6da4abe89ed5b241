"""Make the inputs of a training run without the workflow: prompts, a model from scratch, pairs, reference log-probs."""

import json
import random
from pathlib import Path

from tabpo.answers.ontology import read_ontology
from tabpo.artefacts import whole_directory
from tabpo.data.generated.demo_abstracts import generate
from tabpo.data.prompts import Style, build_prompts
from tabpo.models.base import make_base
from tabpo.models.loading import load_frozen
from tabpo.models.tokenizer import load_tokenizer
from tabpo.records import Document, Edit, Pair, Prompt, Reference, write_records
from tabpo.scoring.reference import reference_key, score_references
from tabpo.scoring.tokenise import encode_pairs

ONTOLOGY = Path(__file__).parents[1] / "config/ontologies/scierc.yaml"
LIMITS = {"max_prompt_tokens": 120, "max_completion_tokens": 250}
PRECISIONS = ("fp32", "bf16")
BATCH = 8


def make_inputs(folder: Path, *, hidden_size: int, layers: int, documents: int) -> None:
    """Write `sft/`, prompts, documents, pairs, and reference log-probs in both precisions into an existing folder.

    The rejected answer of a pair has another label at one entity.

    Args:
        folder: The folder.
        hidden_size: Width of the model, a multiple of 8.
        layers: Number of its layers.
        documents: Number of generated documents.
    """
    ontology, texts = read_ontology(ONTOLOGY), generate("train", documents, 1)
    asked = build_prompts(texts, ontology, Style(unit="sentence", prompt="bare"))
    prompts = [prompt for prompt in asked if json.loads(prompt.answer)["entities"]]
    draw = random.Random(0)
    pairs = [_pair(prompt, list(ontology.labels), draw) for prompt in prompts]
    for name, record, rows in (("documents", Document, texts), ("prompts", Prompt, prompts), ("pairs", Pair, pairs)):
        write_records(folder / f"{name}.parquet", record, rows)
    sizes = {"hidden_size": hidden_size, "layers": layers, "heads": 4, "intermediate_size": 3 * hidden_size}
    rest = {"architecture": "qwen2", "vocab_size": 500, "max_positions": 512, "init_std": 0.05, "seed": 1}
    with whole_directory(folder / "sft") as sft:
        make_base({"scratch": sizes | rest}, prompts, sft)
    tokenizer = load_tokenizer(folder / "sft")
    encoded = encode_pairs(tokenizer, prompts, pairs, None, LIMITS)
    files = [folder / name for name in ("sft", "pairs.parquet", "prompts.parquet")]
    for precision in PRECISIONS:
        numerics = _numerics(precision)
        model = load_frozen(folder / "sft", numerics)
        references = score_references(model, encoded, tokenizer.pad_token_id, numerics, BATCH)
        write_records(folder / f"{precision}.parquet", Reference, references, reference_key(*files, numerics))


def train_arguments(inputs: Path, output: Path, *, precision: str, gpus: int, steps: int, **training: object) -> list:
    """Return the arguments of `workflow_scripts.train` for a run of DPO with all weights.

    Args:
        inputs: Folder from `make_inputs`.
        output: Folder of the run.
        precision: "fp32" or "bf16".
        gpus: 1, or 0 for a CPU.
        steps: Number of optimiser steps.
        training: Further training settings.
    """
    recipe = {"learning_rate": 1e-4, "batch_size": BATCH, "micro_batch_size": BATCH, "steps": steps}
    recipe |= {"checkpoint_steps": 5, "watch_steps": steps, "watch_prompts": 2}
    settings = {
        "dataset": "made",
        "model": "scratch",
        "method": {"name": "dpo", "loss": "dpo", "params": {}, "pairing": "made"},
        "seed": 1,
        "training": recipe | training,
        "numerics": _numerics(precision),
        "limits": LIMITS,
        "resources": {"processes": 1, "nodes": 1, "gpus": gpus},
    }
    read = {"sft": "sft", "prompts": "prompts.parquet", "pairs": "pairs.parquet", "reference": f"{precision}.parquet"}
    read |= {"held-out-prompts": "prompts.parquet", "held-out-documents": "documents.parquet"}
    written = {"run": "run.yaml", "model": "model", "log-steps": "training.parquet", "timing": "timing.parquet"}
    written |= {name: f"{name}.json" for name in ("selection", "watch", "provenance")}
    paths = {name: inputs / file for name, file in read.items()} | {"ontology": ONTOLOGY}
    paths |= {"checkpoints": output / "checkpoints", "events": output / "events"}
    paths |= {f"output-{name}": output / file for name, file in written.items()}
    return [
        "--settings",
        json.dumps(settings),
        *(str(part) for name, path in paths.items() for part in (f"--{name}", path)),
    ]


def _numerics(precision: str) -> dict[str, str | int]:
    return {"precision": precision, "attention": "sdpa", "threads": 1}


def _pair(prompt: Prompt, labels: list[str], draw: random.Random) -> Pair:
    answer = json.loads(prompt.answer)
    entity = draw.choice(answer["entities"])
    right = entity["label"]
    entity["label"] = draw.choice([label for label in labels if label != right])
    edit = Edit("label", f"entities/{entity['id'] - 1}/label", right, entity["label"], "uniform")
    rejected = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    return Pair(f"{prompt.prompt_id}/0", prompt.prompt_id, prompt.answer, rejected, (edit,), 1)
