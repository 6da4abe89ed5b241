"""A tiny study as files: prompts, a small model from scratch, pairs and their reference log-probs."""

import gc
import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tabpo.artefacts import whole_directory
from tabpo.losses import build_loss
from tabpo.models.base import make_base
from tabpo.models.loading import load_model
from tabpo.models.tokenizer import load_tokenizer
from tabpo.records import Document, Edit, Message, Pair, Prompt, Reference, write_records
from tabpo.scoring.reference import reference_key, score_references
from tabpo.scoring.tokenise import encode_pairs

ONTOLOGY = Path(__file__).parents[2] / "config/ontologies/scierc.yaml"
NOUNS = ("parser", "corpus", "tagger", "lexicon", "grammar", "model", "score", "tree")
SCRATCH = {
    "architecture": "qwen2",
    "hidden_size": 32,
    "layers": 2,
    "heads": 2,
    "intermediate_size": 48,
    "vocab_size": 400,
    "max_positions": 256,
    "init_std": 0.1,
    "seed": 1,
}
TRAINING = {
    "optimizer": "adamw",
    "learning_rate": 5e-3,
    "schedule": "linear",
    "min_learning_rate_ratio": 0.1,
    "warmup_steps": 2,
    "steps": 6,
    "batch_size": 8,
    "micro_batch_size": 4,
    "adam_beta2": 0.98,
    "checkpoint_steps": 2,
    "watch_steps": 3,
    "watch_prompts": 2,
}


def answer(first: str, label: str, second: str) -> str:
    return (
        f'{{"entities":[{{"id":1,"label":"{label}","span":"{first}"}},{{"id":2,"label":"Task","span":"{second}"}}],'
        '"relations":[{"head":1,"label":"USED-FOR","tail":2}]}'
    )


@dataclass(frozen=True)
class TinyStudy:
    """Paths of the inputs, and the command lines of the two programs."""

    folder: Path

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def settings(self, method: dict, *, precision="fp32", processes=1, gpus=0, **training) -> str:
        return json.dumps(
            {
                "dataset": "tiny",
                "model": "tiny",
                "method": method,
                "seed": 1,
                "training": {**TRAINING, **training},
                "numerics": {"precision": precision, "attention": "eager", "threads": 1},
                "limits": {"max_prompt_tokens": 60, "max_completion_tokens": 120},
                "resources": {"processes": processes, "nodes": 1, "gpus": gpus},
            }
        )

    def outputs(self, folder: Path) -> list[str]:
        files = {
            "run": "run.yaml",
            "model": "model",
            "log-steps": "training.parquet",
            "timing": "timing.parquet",
            "selection": "selection.json",
            "provenance": "provenance.json",
        }
        written = [part for name, file in files.items() for part in (f"--output-{name}", str(folder / file))]
        return ["--checkpoints", str(folder / "checkpoints"), "--events", str(folder / "logs"), *written]

    def sft(self, folder: Path, **settings) -> list[str]:
        inputs = ["--base", self.path("base"), "--prompts", self.path("prompts.parquet")]
        inputs += ["--held-out-prompts", self.path("prompts.parquet")]
        return ["--settings", self.settings({"name": "sft"}, **settings), *inputs, *self.outputs(folder)]

    def train(self, folder: Path, *, loss="dpo", reference="reference.parquet", sft="base", **settings) -> list[str]:
        method = {"name": loss, "loss": loss, "params": {}, "pairing": "mixed"}
        scores = sorted(build_loss(loss).needs & {"dpo_logps", "reverse_dpo_logps"})
        if scores:
            method["token_scores"] = dict.fromkeys(scores, "dpo")
        inputs = ["--sft", self.path(sft), "--prompts", self.path("prompts.parquet")]
        inputs += ["--pairs", self.path("pairs.parquet"), "--reference", self.path(reference)]
        inputs += ["--held-out-prompts", self.path("prompts.parquet"), "--held-out-documents"]
        inputs += [self.path("documents.parquet"), "--ontology", str(ONTOLOGY)]
        inputs += ["--token-scores", *[self.path("token_scores.parquet")] * len(scores)]
        outputs = [*self.outputs(folder), "--output-watch", str(folder / "watch.json")]
        return ["--settings", self.settings(method, **settings), *inputs, *outputs]


@pytest.fixture(scope="session", autouse=True)
def quick_collections():
    """Freeze loaded objects: the Trainer collects garbage at each start, half a second with all of torch loaded."""
    gc.freeze()


@pytest.fixture(scope="session")
def study(tmp_path_factory) -> TinyStudy:
    """Twelve prompts with one pair each; the base model is used as the SFT model."""
    tiny = TinyStudy(tmp_path_factory.mktemp("tiny"))
    documents, prompts, pairs = [], [], []
    for number in range(12):
        first, second = NOUNS[number % 8], NOUNS[(3 * number + 1) % 8]
        text = f"the {first} is used for the {second}" + " again" * (number % 3)
        gold, wrong = answer(first, "Method", second), answer(first, "Metric", second)
        prompt = Prompt(f"d{number}#0", f"d{number}", (Message("user", text),), gold)
        edit = Edit("label", "entities/0/label", "Method", "Metric", "uniform")
        prompts.append(prompt)
        pairs.append(Pair(f"{prompt.prompt_id}/0", prompt.prompt_id, gold, wrong, (edit,), 1))
        tokens = tuple(text.split())
        documents.append(Document(f"d{number}", None, text, tokens, ((0, len(tokens)),), (), ()))
    write_records(tiny.folder / "documents.parquet", Document, documents)
    write_records(tiny.folder / "prompts.parquet", Prompt, prompts)
    write_records(tiny.folder / "pairs.parquet", Pair, pairs)
    with whole_directory(tiny.folder / "base") as base:
        make_base({"scratch": SCRATCH}, prompts, base)
    for precision, name in (("fp32", "reference"), ("bf16", "reference_bf16")):
        numerics = {"precision": precision, "attention": "eager", "threads": 1}
        tokenizer = load_tokenizer(tiny.folder / "base")
        limits = {"max_prompt_tokens": 60, "max_completion_tokens": 120}
        encoded = encode_pairs(tokenizer, prompts, pairs, None, limits)
        model = load_model(tiny.folder / "base", numerics)
        references = score_references(model, encoded, tokenizer.pad_token_id, numerics, 4)
        key = reference_key(*(tiny.folder / file for file in ("base", "pairs.parquet", "prompts.parquet")), numerics)
        write_records(tiny.folder / f"{name}.parquet", Reference, references, key)
        if precision == "fp32":  # a run that raised the later chosen tokens and lowered the later rejected ones
            moved = [
                replace(
                    scored,
                    chosen_logps=tuple(logp + 0.1 * place for place, logp in enumerate(scored.chosen_logps)),
                    rejected_logps=tuple(logp - 0.1 * place for place, logp in enumerate(scored.rejected_logps)),
                )
                for scored in references
            ]
            write_records(tiny.folder / "token_scores.parquet", Reference, moved, key)
    return tiny
