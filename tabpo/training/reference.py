"""Reference log-probs: computed once by the frozen SFT model, refused when what they depend on has changed."""

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import PreTrainedModel

from tabpo.artefacts import sha256_file
from tabpo.errors import DataError
from tabpo.progress import progress
from tabpo.records import Reference, read_metadata, read_records
from tabpo.training.collate import collate_pairs
from tabpo.training.models import read_manifest, tokenizer_sha256
from tabpo.training.scoring import completion_logps
from tabpo.training.settings import SCORER_VERSION
from tabpo.training.tokenise import PairExample


def reference_key(sft: Path, pairs: Path, prompts: Path, numerics: dict) -> dict[str, str]:
    """All that reference log-probs depend on: weights, tokenizer with template, pairs, prompts, arithmetic, scorer.

    Args:
        sft: The SFT model's folder.
        pairs: The pair file.
        prompts: The file of the pairs' prompts.
        numerics: As for `models.load_model`; the number of threads is left out, as it moves last bits only.
    """
    return {
        "weights_sha256": read_manifest(sft)["weights_sha256"],
        "tokenizer_sha256": tokenizer_sha256(sft),
        "pairs_sha256": sha256_file(pairs),
        "prompts_sha256": sha256_file(prompts),
        "precision": numerics["precision"],
        "attention": numerics["attention"],
        "scorer_version": str(SCORER_VERSION),
    }


@torch.no_grad()
def score_references(
    model: PreTrainedModel, pairs: Sequence[PairExample], pad_id: int, numerics: dict, batch_size: int
) -> list[Reference]:
    """Log-probs of both completions of every pair, in the order of `pairs`, by the function that training uses.

    Args:
        model: The frozen SFT model; is put in eval mode.
        pairs: Encoded without references.
        pad_id: For padding.
        numerics: As for `models.load_model`.
        batch_size: Pairs per forward pass.
    """
    model.eval()
    references = []
    batches = [pairs[start : start + batch_size] for start in range(0, len(pairs), batch_size)]
    for batch in progress(batches, len(batches), "batches of reference log-probs"):
        tensors = {name: tensor.to(model.device) for name, tensor in collate_pairs(batch, pad_id).items()}
        rows = completion_logps(model, tensors, numerics).tolist()
        for pair, chosen, rejected in zip(batch, rows[: len(batch)], rows[len(batch) :], strict=True):
            chosen_logps = tuple(chosen[: len(pair.chosen_ids)])
            references.append(Reference(pair.pair_id, chosen_logps, tuple(rejected[: len(pair.rejected_ids)])))
    return references


def read_reference(path: Path, key: dict[str, str]) -> list[Reference]:
    """Read a reference file whose key is `key`, from `reference_key` on the inputs of today.

    Raises:
        DataError: The file was computed from something else; names each part of the key that differs.
    """
    references = read_records(path, Reference)
    found = read_metadata(path)
    stale = [f"{part} {found.get(part)} is now {value}" for part, value in key.items() if found.get(part) != value]
    if stale:
        raise DataError(f"{path}: reference log-probs of other inputs: {'; '.join(stale)}")
    return references
