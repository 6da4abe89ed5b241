"""Reference log-probs: computed once by the frozen SFT model, and refused if anything they depend on has changed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import send_to_device
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tabpo.artefacts import sha256_file
from tabpo.errors import DataError, locate_numeric_error
from tabpo.models.loading import tokenizer_sha256
from tabpo.models.manifest import read_manifest
from tabpo.progress import progress
from tabpo.records import Pair, Prompt, Reference, read_metadata, read_records
from tabpo.scoring.attention import shares_prefixes
from tabpo.scoring.collate import collate_examples, collate_pairs
from tabpo.scoring.forward import completion_logps
from tabpo.scoring.tokenise import Example, PairExample, encode_pairs
from tabpo.study.training import SCORER_VERSION


def reference_key(sft: Path, pairs: Path, prompts: Path, numerics: dict, quantize: str | None = None) -> dict[str, str]:
    """Everything that reference log-probs depend on: weights, tokenizer, template, pairs, prompts, arithmetic, scorer.

    Args:
        sft: The SFT model's folder.
        pairs: The pair file.
        prompts: The file of the pairs' prompts.
        numerics: As for `models.loading.load_model`; the number of threads is left out, because it changes only the
            last bits.
        quantize: As for `models.loading.load_model`.
    """
    return {
        "weights_sha256": read_manifest(sft)["weights_sha256"],
        "tokenizer_sha256": tokenizer_sha256(sft),
        "pairs_sha256": sha256_file(pairs),
        "prompts_sha256": sha256_file(prompts),
        "precision": numerics["precision"],
        "attention": numerics["attention"],
        "quantize": quantize or "none",
        "scorer_version": str(SCORER_VERSION),
    }


@torch.no_grad()
def score_references(
    model: PreTrainedModel,
    pairs: Sequence[PairExample],
    pad_id: int,
    numerics: dict,
    batch_size: int,
    each: Callable[..., Iterable[list[list[float]]]] = map,
) -> list[Reference]:
    """Log-probs of both completions of every pair, in the order of `pairs`, by the function that training uses.

    Args:
        model: The frozen SFT model; it is put into eval mode.
        pairs: Pairs encoded without references.
        pad_id: Token id of padding.
        numerics: As for `models.loading.load_model`.
        batch_size: Pairs per forward pass; all pairs of one prompt share a pass, even if they are more.
        each: Applies a function to every batch, as `map` does; `processes.parts.kept_parts` keeps the results.

    Raises:
        DataError: A log-prob is not finite; the message names the pairs.
    """
    model.eval()
    shared = shares_prefixes(model)
    by_id = {}
    batches = _whole_groups(pairs, batch_size)

    def score(batch: Sequence[PairExample]) -> list[list[float]]:
        tensors = send_to_device(collate_pairs(batch, pad_id, shared=shared), model.device)
        with locate_numeric_error("log-probs of pairs", [pair.number for pair in batch]):
            return completion_logps(model, tensors, numerics).tolist()

    results = progress(each(score, batches), len(batches), "batches of reference log-probs")
    for rows, batch in zip(results, batches, strict=True):
        for pair, chosen, rejected in zip(batch, rows[: len(batch)], rows[len(batch) :], strict=True):
            chosen_logps = tuple(chosen[: len(pair.chosen_ids)])
            by_id[pair.pair_id] = Reference(pair.pair_id, chosen_logps, tuple(rejected[: len(pair.rejected_ids)]))
    return [by_id[pair.pair_id] for pair in pairs]


@torch.no_grad()
def score_gold(
    model: PreTrainedModel,
    examples: Sequence[Example],
    pad_id: int,
    numerics: dict,
    batch_size: int,
    each: Callable[..., Iterable[list[list[float]]]] = map,
) -> list[Reference]:
    """Log-probs of gold answers under the frozen SFT model, which is put into eval mode.

    Each `Reference` has the `prompt_id` as its `pair_id`, the log-probs of the answer as `chosen_logps`, and empty
    `rejected_logps`. `each` is as for `score_references`.

    Raises:
        DataError: A log-prob is not finite; the message names the prompts.
    """
    model.eval()
    batches = [examples[start : start + batch_size] for start in range(0, len(examples), batch_size)]
    references = []

    def score(batch: Sequence[Example]) -> list[list[float]]:
        tensors = send_to_device(collate_examples(batch, pad_id, shares_prefixes(model)), model.device)
        with locate_numeric_error("log-probs of gold", [example.number for example in batch]):
            return completion_logps(model, tensors, numerics).tolist()

    results = progress(each(score, batches), len(batches), "batches of held-out gold")
    for rows, batch in zip(results, batches, strict=True):
        for example, row in zip(batch, rows, strict=True):
            references.append(Reference(example.prompt_id, tuple(row[: len(example.completion_ids)]), ()))
    return references


def _whole_groups(pairs: Sequence[PairExample], batch_size: int) -> list[list[PairExample]]:
    """Batches of about `batch_size` pairs, the longest first; the pairs of one prompt are always in one batch."""
    groups: dict[tuple[int, ...], list[PairExample]] = {}
    for pair in pairs:
        groups.setdefault(pair.prompt_ids, []).append(pair)
    batches: list[list[PairExample]] = []
    for group in sorted(groups.values(), key=lambda group: -max(pair.length for pair in group)):
        if not batches or len(batches[-1]) + len(group) > batch_size:
            batches.append([])
        batches[-1] += group
    return batches


def read_examples(
    tokenizer: PreTrainedTokenizerBase, inputs: Mapping[str, Path], settings: Mapping[str, Any]
) -> list[PairExample]:
    """The pairs that a run trains on, encoded, with the reference log-probs of its SFT model.

    Args:
        tokenizer: Tokenizer of the SFT model.
        inputs: Files and folders of the run; sft, prompts, pairs and reference are read, and the log-probs of other
            runs' models that the method's `token_scores` name.
        settings: The settings in run.yaml.

    Raises:
        DataError: Raised by `read_reference` and `encode_pairs`.
    """
    quantize = (settings["training"]["lora"] or {}).get("quantize")
    key = reference_key(inputs["sft"], inputs["pairs"], inputs["prompts"], settings["numerics"], quantize)
    prompts, pairs = read_records(inputs["prompts"], Prompt), read_records(inputs["pairs"], Pair)
    of_pairs = {part: value for part, value in key.items() if part not in ("weights_sha256", "quantize")}
    scores = {name: read_reference(inputs[name], of_pairs) for name in settings["method"].get("token_scores", {})}
    return encode_pairs(tokenizer, prompts, pairs, read_reference(inputs["reference"], key), settings["limits"], scores)


def read_reference(path: Path, key: dict[str, str]) -> list[Reference]:
    """Read a file of reference log-probs and check its key.

    Args:
        path: The file.
        key: From `reference_key` on the current inputs.

    Raises:
        DataError: The file was computed from other inputs; the message names each part of the key that differs.
    """
    references = read_records(path, Reference)
    stored = read_metadata(path)
    stale = [f"{part} {stored.get(part)} is now {value}" for part, value in key.items() if stored.get(part) != value]
    if stale:
        raise DataError(f"{path}: reference log-probs of other inputs: {'; '.join(stale)}")
    return references
