"""Weights by labels, worked by hand, and pairs whose losses they multiply in training."""

import json
from dataclasses import replace

import pytest

from tabpo.errors import DataError
from tabpo.study.methods import ExampleWeights
from tabpo.training.example_weights import class_weights, example_weights, labels_of, weighted_by_labels


def settings(**values):
    return ExampleWeights(**{"strategy": "inverse_frequency"} | values)


def examples(*labels, below=""):
    """Examples whose labels are letters; `below` has the letters of the second kind, one example after another."""
    lower = below.split() or [""] * len(labels)
    return [(frozenset(first), frozenset(second)) for first, second in zip(labels, lower, strict=True)]


COUNTED = [frozenset(labels) for labels in ("ab", "a", "a", "ac")]  # a in 4 examples, b and c in 1 each: N = 6


@pytest.mark.parametrize(
    ("strategy", "raw"),
    [
        # (N / n)^a with a = 1, its root, and (1 - b) / (1 - b^n) with b = 0.5: 0.5 / 0.9375 and 0.5 / 0.5
        ("inverse_frequency", {"a": 1.5, "b": 6, "c": 6}),
        ("inverse_square_root", {"a": 1.5**0.5, "b": 6**0.5, "c": 6**0.5}),
        ("effective_number", {"a": 8 / 15, "b": 1, "c": 1}),
    ],
)
def test_weights_of_labels(strategy, raw):
    mean = sum(raw.values()) / 3
    expected = {label: weight / mean for label, weight in raw.items()}
    assert class_weights(COUNTED, settings(strategy=strategy, b=0.5)) == pytest.approx(expected)


def test_an_example_has_the_weight_of_its_rarest_label_and_the_mean_is_1():
    # labels: 1.5 / 4.5, 6 / 4.5, 6 / 4.5; the mean over examples of 4/3, 1/3, 1/3, 4/3 is 5/6
    assert example_weights(examples("ab", "a", "a", "ac"), settings()) == pytest.approx([1.6, 0.4, 0.4, 1.6])


@pytest.mark.parametrize(("combine", "first"), [("mean", 0.75), ("max", 1), ("geometric_mean", 0.5**0.5)])
def test_two_kinds_of_labels_are_combined(combine, first):
    # first kind: a and b once each, 1 and 1; second kind: x three times, y once of N = 4: 4/3 and 4, made 1/2 and 3/2
    both = [(frozenset("a"), frozenset("x")), (frozenset("b"), frozenset("xy"))]
    both += [(frozenset(), frozenset("x"))]
    weights = {"mean": [0.75, 1.25, 0.75], "max": [1, 1.5, 1], "geometric_mean": [0.5**0.5, 1.5**0.5, 0.5**0.5]}[
        combine
    ]
    mean = sum(weights) / 3
    assert weights[0] == first
    assert example_weights(both, settings(combine=combine)) == pytest.approx([weight / mean for weight in weights])


def test_the_cap_is_applied_before_and_after_the_mean_is_made_1():
    # a 9 times, b once of N = 10: 10/9 and 10, made 0.2 and 1.8; cap 1.5; the mean of nine 0.2 and 1.5 is 0.33;
    # 1.5 / 0.33 is above the cap again
    weights = example_weights(examples(*["a"] * 9, "b"), settings(cap=1.5))
    assert weights == pytest.approx([0.2 / 0.33] * 9 + [1.5])


def test_without_labels_all_examples_weigh_1():
    assert example_weights(examples("", ""), settings()) == [1, 1]


def test_equal_counts_give_equal_weights():
    for strategy in ("effective_number", "inverse_frequency", "inverse_square_root"):
        assert example_weights(examples("a", "b", "c"), settings(strategy=strategy)) == pytest.approx([1, 1, 1])


def test_labels_of_both_formats():
    entities = {"entities": [{"id": 1, "label": "Task", "span": "x"}, {"id": 2, "label": "Task", "span": "y"}]}
    entities["relations"] = [{"head": 1, "label": "USED-FOR", "tail": 2}]
    assert labels_of(json.dumps(entities)) == (frozenset({"Task"}), frozenset({"USED-FOR"}))
    assert labels_of(json.dumps(entities | {"coreference": [[1, 2]]}))[0] == frozenset({"Task"})
    results = {"results": [{"Code": "Care", "Sub-code": "salutation", "Span": "hi"}]}
    assert labels_of(json.dumps(results)) == (frozenset({"Care"}), frozenset({"salutation"}))


def test_pairs_take_the_weight_of_their_prompts_answer(pair_examples, prompts):
    rare = json.dumps({"entities": [{"id": 1, "label": "Metric", "span": "x"}], "relations": []})
    changed = [replace(prompts[0], answer=rare), *prompts[1:]]
    weighted = weighted_by_labels(pair_examples, changed, settings())
    by_pair = {pair.pair_id: pair.weight for pair in weighted}
    assert by_pair["d#0/0"] == by_pair["d#0/1"] > by_pair["d#1/0"] == by_pair["d#2/0"]
    doubled = weighted_by_labels([replace(pair, weight=2.0) for pair in pair_examples], changed, settings())
    assert [pair.weight for pair in doubled] == [2 * pair.weight for pair in weighted]


def trained(make_trainer, preference, make_model, folder, pairs, loss="dpo"):
    trainer = make_trainer(preference(loss), make_model(), pairs, folder, steps=1, learning_rate=1e-2, weight_decay=0)
    trainer.run(None)
    return trainer.steps[0]


def test_a_step_minimises_the_mean_of_weighted_losses(make_trainer, preference, make_model, pair_examples, tmp_path):
    def step(*weights):
        pairs = [replace(pair, weight=weight) for pair, weight in zip(pair_examples, weights, strict=True)]
        return trained(make_trainer, preference, make_model, tmp_path, pairs, "sft_continued")

    single = [step(*(float(place == number) for place in range(4))) for number in range(4)]
    mixed = step(0.5, 2.0, 0.0, 3.0)
    expected = 0.5 * single[0].loss + 2 * single[1].loss + 3 * single[3].loss
    assert mixed.loss == pytest.approx(expected, rel=1e-5)
    assert step(2, 2, 2, 2).grad_norm == pytest.approx(2 * step(1, 1, 1, 1).grad_norm, rel=1e-4)


def test_a_loss_that_needs_weights_of_tokens_is_refused_without_them(
    make_trainer, preference, make_model, pair_examples, tmp_path
):
    build = preference("dpo")
    build.keywords["loss"] = replace(build.keywords["loss"])
    object.__setattr__(build.keywords["loss"], "needs", frozenset({"token_weights"}))
    with pytest.raises(DataError, match="the loss needs token_weights, which these pairs do not have; accepted: tok"):
        plain = [replace(pair, chosen_values={}, rejected_values={}) for pair in pair_examples]
        make_trainer(build, make_model(), plain, tmp_path)
