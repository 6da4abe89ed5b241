"""Describe how the reference model ranks pairs before training, and how many tokens each gate selects."""

import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import fsum, log
from typing import Any

from tabpo.errors import DataError
from tabpo.pairs.audit import edited_labels
from tabpo.pairs.proposals import CONSEQUENCE
from tabpo.records import Pair, Prompt, Reference

TAUS = (0.5, 0.66, 0.8, 0.9, 0.99)
"""Values of TAB-PO's gate tau in the presets."""

EDGES = (-10.0, -5.0, -2.0, -1.0, 0.0, 1.0, 2.0, 5.0, 10.0)
"""Edges between the bins of a margin histogram, in nats; a margin on an edge falls in the bin below it."""


@dataclass(slots=True)
class _Gates:
    """Number of tokens of some answers, and how many of them have a probability under each gate."""

    answers: int = 0
    tokens: int = 0
    gated: list[int] = field(default_factory=lambda: [0] * len(TAUS))

    def add(self, logps: Sequence[float]) -> None:
        self.answers += 1
        self.tokens += len(logps)
        for number, tau in enumerate(TAUS):
            self.gated[number] += sum(logp < log(tau) for logp in logps)

    def rates(self) -> list[float]:
        return [round(count / self.tokens, 6) for count in self.gated]


@dataclass(slots=True)
class _Group:
    """The pairs of one operator or label: their margins, and the gate counts of their chosen answers."""

    margins: list[float] = field(default_factory=list)
    chosen: _Gates = field(default_factory=_Gates)

    def add(self, margin: float, chosen_logps: Sequence[float]) -> None:
        self.margins.append(margin)
        self.chosen.add(chosen_logps)

    def describe(self) -> dict[str, Any]:
        histogram = [0] * (len(EDGES) + 1)
        for margin in self.margins:
            histogram[bisect_left(EDGES, margin)] += 1
        return {
            "pairs": len(self.margins),
            "ranked_right": round(sum(margin > 0 for margin in self.margins) / len(self.margins), 6),
            "mean_margin": round(fsum(self.margins) / len(self.margins), 6),
            "histogram": histogram,
            "gate_rates": self.chosen.rates(),
        }


def reference_audit(
    pairs: Sequence[Pair], references: Sequence[Reference], prompts: Sequence[Prompt]
) -> dict[str, Any]:
    """Describe margins and gate rates of all pairs, and of the pairs of each edited operator and label.

    A margin is the log-prob of the right answer minus that of the wrong answer, end-of-turn tokens included; this holds
    for flipped pairs too. A gate rate is the share of chosen tokens whose probability is under tau. At step 0, when the
    policy equals the reference, these are the tokens that TAB-PO's barrier acts on. A pair with several edits is
    counted once for each of their operators and once for each of their labels.

    Raises:
        DataError: The references are not for these pairs in their order.
    """
    if [pair.pair_id for pair in pairs] != [reference.pair_id for reference in references]:
        raise DataError(f"{len(references)} references do not match the {len(pairs)} pairs one by one, in order")
    gold = {prompt.prompt_id: prompt.answer for prompt in prompts}
    whole, by_operator, by_label = _Group(), defaultdict(_Group), defaultdict(_Group)
    for pair, reference in zip(pairs, references, strict=True):
        margin = fsum(reference.chosen_logps) - fsum(reference.rejected_logps)
        if pair.flipped:
            margin = -margin
        groups = [whole]
        groups += [by_operator[name] for name in {edit.operator for edit in pair.edits if edit.source != CONSEQUENCE}]
        groups += [by_label[name] for name in set(edited_labels(pair, gold[pair.prompt_id]))]
        for group in groups:
            group.add(margin, reference.chosen_logps)
    return {
        "taus": list(TAUS),
        "edges": list(EDGES),
        "all": whole.describe(),
        "operators": _described(by_operator),
        "labels": _described(by_label),
    }


def gold_audit(prompts: Sequence[Prompt], references: Sequence[Reference], *, labelled: bool = True) -> dict[str, Any]:
    """Describe the gate rates of held-out gold answers: of all tokens, and by label of the answers that state it.

    Args:
        prompts: The held-out prompts.
        references: The log-probs of their gold answers.
        labelled: Whether answers have labels. The answers of preference data are free text, even if one looks like a
            labelled answer.

    Raises:
        DataError: The references are not for these prompts in their order.
    """
    if [prompt.prompt_id for prompt in prompts] != [reference.pair_id for reference in references]:
        raise DataError(f"{len(references)} log-probs do not match the {len(prompts)} prompts one by one, in order")
    whole, by_label = _Gates(), defaultdict(_Gates)
    for prompt, reference in zip(prompts, references, strict=True):
        labels = _stated_labels(prompt.answer) if labelled else ()
        for gates in (whole, *(by_label[label] for label in labels)):
            gates.add(reference.chosen_logps)
    return {"all": _gold(whole), "labels": {name: _gold(by_label[name]) for name in sorted(by_label)}}


def _gold(gates: _Gates) -> dict[str, Any]:
    return {"answers": gates.answers, "gate_rates": gates.rates()}


def _stated_labels(answer: str) -> set[str]:
    records = [record for items in json.loads(answer).values() for record in items if isinstance(record, dict)]
    return {record.get("Code") or record["label"] for record in records}


def _described(groups: Mapping[str, _Group]) -> dict[str, dict[str, Any]]:
    return {name: groups[name].describe() for name in sorted(groups)}
