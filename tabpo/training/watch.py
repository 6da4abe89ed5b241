"""Evaluations on held-out prompts during training: greedy answers, and the log-probs of gold answers.

Token erosion means that tokens lose probability although the preference loss is not meant to lower it. It is one of the
two failures that arXiv 2603.00025 addresses. The training loss of a collapsed policy can look good, so answers must be
evaluated.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from accelerate.utils import broadcast_object_list, send_to_device
from peft import PeftModel
from torch import nn
from transformers import PreTrainedTokenizerBase

from tabpo.answers.grounding import read_completions
from tabpo.answers.ontology import Ontology, read_ontology
from tabpo.answers.units import Unit, units_of_prompts
from tabpo.artefacts import write_json
from tabpo.errors import locate_numeric_error
from tabpo.inference.generate import generate
from tabpo.losses import TokenField
from tabpo.metrics.scores import strict_f1
from tabpo.metrics.validity import UNKNOWN_LABELS
from tabpo.models.loading import autocast
from tabpo.records import Completion, Document, Prediction, Prompt, read_records
from tabpo.scoring.attention import shares_prefixes
from tabpo.scoring.collate import collate_examples
from tabpo.scoring.fields import record_labels
from tabpo.scoring.forward import completion_logps
from tabpo.scoring.tokenise import encode_examples
from tabpo.training.diagnostics import DEFAULT_TAU

BATCH_SIZE = 16

FREQUENCIES = {0: "0", 1: "1-9", 10: "10-99", 100: "100-999", 1000: "1000-"}
"""Classes of tokens by the number of training records with the label of the token's record; keys are lower bounds."""

NO_RECORD = "-"
"""The class of tokens without a label, which are between records or in clusters."""

CONFIDENCES = {0.0: "0-0.5", 0.5: "0.5-0.9", 0.9: "0.9-0.99", 0.99: "0.99-1"}
"""Classes of tokens by their probability at step 0; keys are lower bounds."""


class Watch:
    """Evaluates a policy regularly on the same held-out prompts; all processes evaluate and get the same results.

    Attributes:
        measure: The quantity of `health` by which the best step is chosen.
        every: Steps between two evaluations; there is also one before the first step and one after the last.
        health: One row per evaluation: step; valid, the share of answers that can be parsed; label_valid, the share of
            their items whose labels are in the ontology (1 without items); empty, the share of answers without items;
            truncated, the share that reached the cap; tokens, their mean number; f1 of `ner_strict` or `triple`;
            collapsed.
        erosion: One row per class of gold tokens and evaluation: step; field; frequency, how often training records
            have the label of the token's record; confidence at step 0; tokens; drift, the mean change of the tokens'
            log-probs since step 0 in nats.
        by_document: The same drift at the latest evaluation, for the significance tests of tables. One row per group of
            documents and class of gold tokens: document, the name of the group; field; rare, whether the label of the
            token's record is rare in training (`common_labels`); unsure, whether the token's probability at step 0 was
            below `DEFAULT_TAU`; tokens; drift.
    """

    measure = "f1"

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        prompts: Sequence[Prompt],
        units: Sequence[Unit],
        groups: Mapping[str, str],
        ontology: Ontology,
        trained: Iterable[Prompt],
        numerics: dict,
        limits: dict,
        every: int,
    ):
        self.every = every
        self.health: list[dict[str, Any]] = []
        self.erosion: list[dict[str, Any]] = []
        self.by_document: list[dict[str, Any]] = []
        self._tokenizer, self._units, self._ontology = tokenizer, units, ontology
        self._numerics, self._limits = numerics, limits
        self._examples = encode_examples(tokenizer, prompts, limits)
        self._groups = [groups[unit.doc_id] for unit in units]
        counts = Counter(label for prompt in trained for *_, label in record_labels(prompt.answer))
        common = common_labels(counts, ontology)
        labels = [_token_labels(tokenizer, prompt.answer) for prompt in prompts]
        self._frequencies = [[_frequency(label, counts) for label in of_prompt] for of_prompt in labels]
        self._rare = [[label is not None and label not in common for label in of_prompt] for of_prompt in labels]
        self._first: list[list[float]] = []

    def evaluate_held_out(self, policy: nn.Module, step: int) -> None:
        """Evaluate the policy and add the rows of a step; the policy keeps its mode.

        Args:
            policy: The policy, not wrapped.
            step: Number of steps done; the first evaluation is at 0.
        """
        model = policy.get_base_model() if isinstance(policy, PeftModel) else policy
        training = policy.training
        policy.eval()
        completions = self._answers(model)
        logps = self._gold_logps(model, step)
        policy.train(training)
        if step == 0:
            self._first = logps
        predictions = read_completions(completions, self._units, self._ontology, f"answers after step {step}")
        row = {
            "step": step,
            **answer_health(completions, predictions),
            "f1": strict_f1(self._units, predictions, self._ontology),
        }
        start = self.health[0] if self.health else row
        self.health.append(row | {"collapsed": collapsed(start, row)})
        self.erosion += [{"step": step, **drift} for drift in self._drifts(logps)]
        self.by_document = self._drifts_by_document(logps)

    @property
    def content(self) -> dict[str, list[dict[str, Any]]]:
        """The content of `watch.json`."""
        return {"health": self.health, "erosion": self.erosion, "by_document": self.by_document}

    def write_state(self, path: Path) -> None:
        """Write the state that a resumed run needs."""
        write_json(path, {**self.content, "first": self._first})

    def read_state(self, path: Path) -> None:
        """Restore the state from `write_state`."""
        state = json.loads(path.read_text())
        self.health, self.erosion, self._first = state["health"], state["erosion"], state["first"]
        self.by_document = state["by_document"]

    def _answers(self, model: nn.Module) -> list[Completion]:
        """Greedy answers of the first process, used by all, because a last bit that differs could change an answer."""
        with autocast(self._numerics, model.device.type):
            completions = generate(
                model,
                self._tokenizer,
                [(example.prompt_id, example.prompt_ids) for example in self._examples],
                max_new_tokens=self._limits["max_completion_tokens"],
                batch_size=BATCH_SIZE,
            )
        return broadcast_object_list(completions)

    @torch.no_grad()
    def _gold_logps(self, model: nn.Module, step: int) -> list[list[float]]:
        rows: list[list[float]] = []
        for start in range(0, len(self._examples), BATCH_SIZE):
            examples = self._examples[start : start + BATCH_SIZE]
            batch = collate_examples(examples, self._tokenizer.pad_token_id, shares_prefixes(model))
            batch = send_to_device(batch, model.device)
            with locate_numeric_error(f"held-out answers after step {step}", [example.number for example in examples]):
                scored = completion_logps(model, batch, self._numerics).tolist()
            rows += [row[: len(example.completion_ids)] for row, example in zip(scored, examples, strict=True)]
        return rows

    def _drifts(self, logps: Sequence[Sequence[float]]) -> list[dict[str, Any]]:
        drifts: dict[tuple[int, str, float], list[float]] = {}
        for example, frequencies, now, first in zip(self._examples, self._frequencies, logps, self._first, strict=True):
            for field, frequency, later, before in zip(example.completion_fields, frequencies, now, first, strict=True):
                confidence = _class_of(math.exp(before), CONFIDENCES)
                drifts.setdefault((field, frequency, confidence), []).append(later - before)
        return [
            {
                "field": TokenField(field).name.lower(),
                "frequency": frequency,
                "confidence": CONFIDENCES[confidence],
                "tokens": len(values),
                "drift": fmean(values),
            }
            for (field, frequency, confidence), values in sorted(drifts.items())
        ]

    def _drifts_by_document(self, logps: Sequence[Sequence[float]]) -> list[dict[str, Any]]:
        drifts: dict[tuple[str, int, bool, bool], list[float]] = {}
        rows = zip(self._groups, self._examples, self._rare, logps, self._first, strict=True)
        for group, example, of_rare, now, first in rows:
            for field, rare, later, before in zip(example.completion_fields, of_rare, now, first, strict=True):
                unsure = math.exp(before) < DEFAULT_TAU
                drifts.setdefault((group, field, rare, unsure), []).append(later - before)
        return [
            {
                "document": group,
                "field": TokenField(field).name.lower(),
                "rare": rare,
                "unsure": unsure,
                "tokens": len(values),
                "drift": fmean(values),
            }
            for (group, field, rare, unsure), values in sorted(drifts.items())
        ]


def _token_labels(tokenizer: PreTrainedTokenizerBase, answer: str) -> list[tuple[str, ...] | None]:
    """The label of the first record that each token of an answer overlaps, or None; the end-of-turn token has none."""
    records, current, labels = record_labels(answer), 0, []
    for start, end in tokenizer(answer, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]:
        while current < len(records) and records[current][1] <= start:
            current += 1
        inside = current < len(records) and records[current][0] < end
        labels.append(records[current][2] if inside else None)
    return [*labels, None]


def _frequency(label: tuple[str, ...] | None, counts: Mapping[tuple[str, ...], int]) -> str:
    return NO_RECORD if label is None else FREQUENCIES[_class_of(counts[label], FREQUENCIES)]


def common_labels(counts: Mapping[tuple[str, ...], int], ontology: Ontology) -> set[tuple[str, ...]]:
    """The labels that are not rare: each has at least half of an equal share of the records of its kind.

    With six labels of entities, a label is rare if fewer than one in twelve entities have it. Labels of entities and of
    relations are two kinds; codes with their sub-codes are one kind.

    Args:
        counts: The number of training records of each label, as `record_labels` gives it.
        ontology: Its relations tell both kinds apart.
    """
    common = set()
    for is_relation in (False, True):
        kind = {label: count for label, count in counts.items() if (label[0] in ontology.relations) == is_relation}
        common |= {label for label, count in kind.items() if 2 * count * len(kind) >= sum(kind.values())}
    return common


def _class_of(value: float, classes: Iterable[float]) -> float:
    return max(end for end in classes if end <= value)


def build_watch(tokenizer: PreTrainedTokenizerBase, inputs: Mapping[str, Path], settings: dict) -> Watch:
    """The evaluations of a run.

    Args:
        tokenizer: Tokenizer of the policy.
        inputs: Files of the run; held_out_prompts, held_out_documents, ontology and prompts (the training prompts) are
            read.
        settings: The settings in run.yaml.
    """
    held_out = spread(read_records(inputs["held_out_prompts"], Prompt), settings["training"]["watch_prompts"])
    documents = read_records(inputs["held_out_documents"], Document)
    return Watch(
        tokenizer,
        held_out,
        units_of_prompts(documents, [prompt.prompt_id for prompt in held_out]),
        {document.doc_id: document.group_id or document.doc_id for document in documents},
        read_ontology(inputs["ontology"]),
        read_records(inputs["prompts"], Prompt),
        settings["numerics"],
        settings["limits"],
        settings["training"]["watch_steps"],
    )


def spread(prompts: Sequence[Prompt], number: int) -> list[Prompt]:
    """At most `number` of the prompts, evenly spaced in their order; all if there are fewer."""
    count = min(number, len(prompts))
    return [prompts[place * len(prompts) // count] for place in range(count)]


def answer_health(completions: Sequence[Completion], predictions: Sequence[Prediction]) -> dict[str, float]:
    """The rates of answers in `Watch.health`; there must be at least one answer."""
    items = [item.item_class for answer in predictions for item in (*answer.spans, *answer.relations)]
    answers = len(predictions)
    return {
        "valid": sum(answer.answer_class == "ok" for answer in predictions) / answers,
        "label_valid": 1 - sum(item in UNKNOWN_LABELS for item in items) / len(items) if items else 1.0,
        "empty": sum(answer.answer_class == "ok" and not answer.spans for answer in predictions) / answers,
        "truncated": sum(not completion.finished for completion in completions) / answers,
        "tokens": fmean(completion.n_tokens for completion in completions),
    }


def collapsed(start: Mapping[str, float], now: Mapping[str, float]) -> bool:
    """Whether answers have collapsed: the valid share has more than halved, or the empty share rose by over 0.5."""
    return now["valid"] < start["valid"] / 2 or now["empty"] > start["empty"] + 0.5
