"""Larger weights for examples with rare labels, as in later code of TAB-PO's authors (SFT_PV, tab_dpo_ablation.py)."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean, geometric_mean

from tabpo.answers.render import parse
from tabpo.records import Prompt
from tabpo.scoring.tokenise import PairExample
from tabpo.study.methods import ExampleWeights

Labels = tuple[frozenset[str], frozenset[str]]
"""The labels of one answer in two families: codes and sub-codes, or labels of entities and of relations."""


_COMBINED = {"mean": fmean, "max": max, "geometric_mean": geometric_mean}


def weighted_by_labels(
    examples: Sequence[PairExample], prompts: Sequence[Prompt], settings: ExampleWeights
) -> list[PairExample]:
    """Multiply the weight of each pair by that of the gold answer of its prompt, among the gold answers of all pairs.

    Args:
        examples: At least one.
        prompts: The prompts of the pairs; further prompts are ignored.
        settings: How labels are weighted.
    """
    labels = {prompt.prompt_id: labels_of(prompt.answer) for prompt in prompts}
    by_prompt = dict.fromkeys(example.prompt_id for example in examples)
    weights = example_weights([labels[prompt_id] for prompt_id in by_prompt], settings)
    factors = dict(zip(by_prompt, weights, strict=True))
    return [replace(example, weight=example.weight * factors[example.prompt_id]) for example in examples]


def labels_of(text: str) -> Labels:
    """Return the labels of a gold answer, each once."""
    keys = json.loads(text)
    answer = parse(text, "results" if "results" in keys else "entities", clusters="coreference" in keys).answer
    below = [span.sublabel for span in answer.spans if span.sublabel is not None]
    return (
        frozenset(span.label for span in answer.spans),
        frozenset([*below, *(relation.label for relation in answer.relations)]),
    )


def class_weights(examples: Iterable[Iterable[str]], settings: ExampleWeights) -> dict[str, float]:
    """Return the weight of each label, with mean 1 over the labels.

    With N the sum of all counts, a label that n examples have weighs (1 - b) / (1 - b^n) as `effective_number`,
    (N / n)^a as `inverse_frequency`, and (N / n)^(a / 2) as `inverse_square_root`, before the mean is made 1.

    Args:
        examples: The labels of each example, each once.
        settings: The strategy with b and a.
    """
    counts = Counter(label for labels in examples for label in labels)
    if settings.strategy == "effective_number":
        weights = {label: (1 - settings.b) / (1 - settings.b**n) for label, n in counts.items()}
    else:
        exponent = settings.a / (2 if settings.strategy == "inverse_square_root" else 1)
        weights = {label: (counts.total() / n) ** exponent for label, n in counts.items()}
    return {label: weight / fmean(weights.values()) for label, weight in weights.items()}


def example_weights(examples: Sequence[Labels], settings: ExampleWeights) -> list[float]:
    """Return the weight of each example.

    In each family of labels an example has the largest weight of its labels, or 1 without labels. Both are combined,
    capped, divided by their mean over the examples, and capped again, as in the authors' code; so the mean is 1, or
    less where the second cap applies. A family without any label, as in answers without sub-codes or relations, is left
    out; there the authors' code combines with 1.

    Args:
        examples: The labels of the gold answer of each example, at least one.
        settings: The strategy, how families are combined, and the cap.
    """
    families = [family for family in zip(*examples, strict=True) if any(family)]
    by_family = [_largest(family, class_weights(family, settings)) for family in families]
    if not by_family:
        return [1.0] * len(examples)
    combined = [min(_COMBINED[settings.combine](both), settings.cap) for both in zip(*by_family, strict=True)]
    mean = fmean(combined)
    return [min(weight / mean, settings.cap) for weight in combined]


def _largest(family: Sequence[frozenset[str]], weights: Mapping[str, float]) -> list[float]:
    return [max((weights[label] for label in labels), default=1.0) for labels in family]
