"""The significance test: values worked out by hand, a slow program that follows the formulas, and known identities."""

from itertools import product

import numpy as np
import pytest
from scipy import optimize, stats

from tabpo.tables.significance import (
    Component,
    Effect,
    Estimates,
    all_above,
    effect,
    holm,
    jackknife,
    over_documents,
    pooled,
    stack,
)


def f1(sums: np.ndarray) -> np.ndarray:
    return 200 * sums[..., 0] / (sums[..., 1] + sums[..., 2])


def estimates(right, predicted, gold) -> Estimates:
    right = np.array(right, dtype=float)
    return jackknife(np.stack(np.broadcast_arrays(right, predicted, gold), axis=-1).astype(float), f1)


def study_a() -> Estimates:
    """Three seeds, four documents of 5 predicted and 5 gold items; differences 10, 15, 5."""
    return estimates([[3, 2, 3, 2], [3, 3, 3, 2], [3, 2, 3, 1]], 5, 5) - estimates([[2] * 4] * 3, 5, 5)


def study_without_document_variance() -> Estimates:
    return estimates([[3, 2, 2, 3], [3, 3, 3, 2], [2, 3, 2, 2]], 5, 5) - estimates([[2] * 4] * 3, 5, 5)


GOLD = [4, 6, 5, 3, 8]
BASE = [[(2, 4), (3, 6), (3, 5), (1, 3), (4, 9)], [(2, 3), (4, 6), (2, 5), (2, 4), (5, 8)]]
BASE += [[(3, 4), (3, 5), (3, 6), (1, 2), (4, 7)]]
NEW = [[(3, 4), (4, 6), (3, 5), (2, 3), (5, 8)]] * 2 + [[(3, 4), (5, 7), (3, 5), (2, 4), (5, 9)]]


def study_b() -> tuple[Estimates, Estimates]:
    """The estimates of a method and of its baseline, on five documents of different sizes."""
    new, base = np.array(NEW), np.array(BASE)
    return estimates(new[..., 0], new[..., 1], GOLD), estimates(base[..., 0], base[..., 1], GOLD)


def reference(w: list[list[list[float]]], estimate: float) -> dict[str, float]:
    """The formulas in plain loops, for pseudovalues w[model][seed][document] of one data set."""
    models, seeds, groups = len(w), len(w[0]), len(w[0][0])
    everything = [w[m][s][d] for m, s, d in product(range(models), range(seeds), range(groups))]
    grand = sum(everything) / len(everything)
    v_seeds, squares = 0.0, 0.0
    ms_error = 0.0
    for m in range(models):
        seed_means = [sum(w[m][s]) / groups for s in range(seeds)]
        document_means = [sum(w[m][s][d] for s in range(seeds)) / seeds for d in range(groups)]
        mean = sum(seed_means) / seeds
        ms_seeds = groups * sum((value - mean) ** 2 for value in seed_means) / (seeds - 1)
        v_m = ms_seeds / (seeds * groups) / models**2
        v_seeds += v_m
        squares += v_m**2 / (seeds - 1)
        for s, d in product(range(seeds), range(groups)):
            ms_error += (w[m][s][d] - seed_means[s] - document_means[d] + mean) ** 2
    ms_error /= models * (seeds - 1) * (groups - 1)
    by_document = [sum(w[m][s][d] for m in range(models) for s in range(seeds)) / models / seeds for d in range(groups)]
    ms_documents = models * seeds * sum((value - grand) ** 2 for value in by_document) / (groups - 1)
    v_documents = max(ms_documents - ms_error, 0) / (models * seeds * groups)
    df = v_seeds**2 / squares
    se = (v_seeds + v_documents) ** 0.5

    def critical(tail: float) -> float:
        squares = v_seeds * stats.t.isf(tail, df) ** 2 + v_documents * stats.t.isf(tail, groups - 1) ** 2
        return (squares / (v_seeds + v_documents)) ** 0.5

    return {
        "v_seeds": v_seeds,
        "v_documents": v_documents,
        "se": se,
        "half": critical(0.025) * se,
        "p": optimize.brentq(lambda level: critical(level / 2) - abs(estimate) / se, 1e-12, 1, xtol=1e-15),
        "detectable": (critical(0.025) + critical(0.2)) * se,
    }


def test_study_by_hand():
    # Means by seed 10, 15, 5: MS_S 100. MS_D 4400/9, MS_E 500/9. v_S = 100/12, v_D = (3900/9)/12
    result = effect(study_a())
    assert result.estimate == pytest.approx(10)
    assert [part.variance for part in result.components] == pytest.approx([25 / 3, 325 / 9], abs=1e-9)
    assert result.se == pytest.approx(20 / 3, abs=1e-9)
    half = (25 / 3 * 4.302653**2 + 325 / 9 * 3.182446**2) ** 0.5
    assert result.interval == pytest.approx((10 - half, 10 + half), abs=1e-5)
    assert (result.p, result.detectable) == (pytest.approx(0.23989, abs=5e-6), pytest.approx(29.433, abs=5e-4))


def test_without_variance_of_documents_it_equals_the_paired_t_test():
    result = effect(study_without_document_variance())
    assert result.components[1].variance == 0
    assert result.p == pytest.approx(stats.ttest_1samp([10, 15, 5], 0).pvalue, abs=1e-12)


def test_with_many_seeds_it_equals_the_t_test_over_documents():
    generator = np.random.default_rng(0)
    by_document = generator.normal(1, 5, 30)
    w = by_document + generator.normal(0, 1e-3, (400, 30))
    runs = Estimates(w.mean(axis=1), (w.sum(axis=1, keepdims=True) - w) / 29)
    assert effect(runs).p == pytest.approx(stats.ttest_1samp(by_document, 0).pvalue, rel=1e-3)


def test_documents_of_unequal_size():
    new, base = study_b()
    differences = new - base
    assert differences.whole == pytest.approx([16.3280, 7.6923, 9.4545], abs=5e-5)
    assert differences.pseudovalues[0] == pytest.approx([22.6502, 16.7620, 1.0199, 25.0258, 14.9734], abs=5e-5)
    result = effect(differences)
    # MS 108.6494, 63.8170, 117.7980: v_S = 108.6494 / 15, v_D is clipped to 0
    assert [part.variance for part in result.components] == pytest.approx([108.6494 / 15, 0], abs=1e-5)
    assert (result.estimate, result.se) == pytest.approx((11.1583, 2.6913), abs=5e-5)
    assert result.interval == pytest.approx((-0.422, 22.738), abs=5e-4)
    assert (result.p, result.detectable) == (pytest.approx(0.05355, abs=5e-6), pytest.approx(14.434, abs=5e-4))
    assert (result.seeds_for(10), result.seeds_for(5)) == (4, 9)


def test_relative_gain_and_a_baseline_with_one_run():
    new, base = study_b()
    gain = effect(new.gain(base))
    assert new.gain(base).whole == pytest.approx([33.2840, 13.3333, 16.8831], abs=5e-5)
    assert (gain.estimate, gain.se) == pytest.approx((21.1668, 6.2177), abs=5e-5)
    assert gain.p == pytest.approx(0.07652, abs=5e-6)
    once = effect(new - Estimates(base.whole[:1], base.without[:1]))
    assert (once.estimate, once.se) == pytest.approx((16.3513, 4.0284), abs=5e-5)
    assert once.interval == pytest.approx((5.166, 27.537), abs=5e-4)
    assert once.p == pytest.approx(0.01537, abs=5e-6)
    nothing = estimates([[0, 0], [1, 1]], 5, 5)
    assert new.gain(Estimates(nothing.whole, np.zeros((2, 5)))) is None


def test_mean_over_data_sets():
    new, base = study_b()
    result = pooled([[study_a()], [new - base]])
    assert (result.estimate, result.se) == pytest.approx((10.5791, 3.5947), abs=5e-5)
    assert result.interval == pytest.approx((-2.209, 23.367), abs=5e-4)
    assert result.p == pytest.approx(0.07440, abs=5e-6)
    assert result.documents == 9


def test_mean_over_models():
    new, base = study_b()
    again = new - Estimates(base.whole[::-1], base.without[::-1])
    result = pooled([[new - base, again]])
    assert result.estimate == pytest.approx(11.1583, abs=5e-5)
    assert result.components[0][1:] == (pytest.approx(3.6831, abs=5e-5), pytest.approx(4, abs=2e-3))
    assert result.p == pytest.approx(
        reference([(new - base).pseudovalues, again.pseudovalues], result.estimate)["p"], abs=1e-9
    )


@pytest.mark.parametrize("models", [1, 3])
@pytest.mark.parametrize("number", range(5))
def test_a_slow_program_agrees_to_nine_digits(models, number):
    generator = np.random.default_rng(number)
    runs = []
    for _ in range(models):
        counts = generator.integers(1, 9, (4, 12, 3)).astype(float)
        base = generator.integers(1, 9, (4, 12, 3)).astype(float)
        runs.append(jackknife(counts, f1) - jackknife(base, f1))
    result = pooled([runs])
    slow = reference([differences.pseudovalues.tolist() for differences in runs], result.estimate)
    ours = {
        "v_seeds": result.components[0].variance,
        "v_documents": result.components[1].variance,
        "se": result.se,
        "half": result.interval[1] - result.estimate,
        "p": result.p,
        "detectable": result.detectable,
    }
    assert ours == {name: pytest.approx(value, rel=1e-9, abs=1e-9) for name, value in slow.items()}


def test_variation_of_models_over_documents_gives_no_false_differences():
    """The true mean difference is 0, but single models differ on single documents."""
    generator = np.random.default_rng(1)
    false = 0
    for _ in range(400):
        w = generator.normal(0, 15, (6, 1, 100)) + generator.normal(0, 5, (6, 3, 100))
        models = [
            Estimates(of_model.mean(axis=1), (of_model.sum(axis=1, keepdims=True) - of_model) / 99) for of_model in w
        ]
        false += pooled([models]).p < 0.05
    assert false / 400 <= 0.072  # 5 % and two standard errors; a residual pooled over models gave 10 %


def test_the_level_of_a_family_holds_with_three_seeds():
    """At .05 / 24, with much variance of seeds (two degrees of freedom) and little variance of documents."""
    generator, level, draws = np.random.default_rng(0), 0.05 / 24, 20000
    of_seeds = 1.2 * generator.chisquare(2, draws) / 2
    of_documents = np.maximum(0.3 * generator.chisquare(99, draws) / 99 - 0.2, 0)
    estimates = generator.normal(0, 1.3**0.5, draws)
    false = 0
    for estimate, seeds, documents in zip(estimates, of_seeds, of_documents, strict=True):
        if abs(estimate) > 3 * (seeds + documents) ** 0.5:
            parts = (Component("seeds", seeds, 2), Component("documents", documents, 99))
            false += Effect(estimate, parts, seeds=3, documents=100).p < level
    assert false / draws <= 1.2 * level  # the weighted mean of the two quantiles gave 1.6 times the level


def test_pseudovalues_leave_out_each_group():
    sums = np.arange(24, dtype=float).reshape(1, 8, 3) + 1
    left_out = [f1(np.delete(sums, group, axis=1).sum(axis=1)) for group in range(8)]
    whole = f1(sums.sum(axis=1))
    expected = [8 * whole[0] - 7 * without[0] for without in left_out]
    assert jackknife(sums, f1).pseudovalues[0] == pytest.approx(expected)


def test_equal_runs_have_no_p():
    base = estimates([[2, 3, 1], [3, 2, 2]], 5, 5)
    same = effect(base - base)
    assert (same.se, same.p, same.interval) == (0, None, (0, 0))
    # One more right item in every document and seed gives equal differences, too.
    constant = effect(estimates([[3, 3, 3]] * 2, 5, 5) - estimates([[2, 2, 2]] * 2, 5, 5))
    assert (constant.estimate, constant.p) == (pytest.approx(20), None)
    assert all_above([constant]) == 1


def test_one_seed_gives_a_component_of_documents_only():
    differences = study_a()
    result = effect(Estimates(differences.whole[:1], differences.without[:1]))
    # Pseudovalues 20, 0, 20, 0: mean 10, variance 400/3, divided by 4 documents 100/3
    assert [part.source for part in result.components] == ["documents"]
    assert result.se == pytest.approx((100 / 3) ** 0.5)
    assert result.p == pytest.approx(stats.ttest_1samp([20, 0, 20, 0], 0).pvalue)
    assert result.seeds_for(10) is None


def test_over_documents_leaves_seeds_out():
    result = over_documents(study_a())
    # The means of the documents are 20, 20/3, 20, -20/3
    assert result.p == pytest.approx(stats.ttest_1samp([20, 20 / 3, 20, -20 / 3], 0).pvalue)
    assert (result.estimate, result.seeds) == (pytest.approx(10), 3)


def test_seeds_are_planned_for_the_smallest_study_that_finds_the_difference():
    result = effect(study_without_document_variance())
    for points in (3.0, 6.0, 12.0):
        seeds = result.seeds_for(points)
        assert result.with_seeds(seeds).detectable <= points < result.with_seeds(seeds - 1).detectable
    assert result.with_seeds(3).detectable == pytest.approx(result.detectable)
    documents = effect(study_a())
    assert documents.seeds_for(documents.of_documents().detectable * 0.99) is None


def test_stacked_runs_equal_the_runs_of_all_seeds():
    runs = study_a()
    parts = [Estimates(runs.whole[[seed]], runs.without[[seed]]) for seed in range(3)]
    assert effect(stack(parts)).p == effect(runs).p


def test_holm():
    assert holm([0.04, 0.001, 0.3, 0.012, 0.02]) == pytest.approx([0.08, 0.005, 0.3, 0.048, 0.06])
    assert holm([0.01, None, 0.5]) == [pytest.approx(0.03), None, 1.0]
    assert holm([]) == []


def test_all_above_is_the_largest_one_sided_p():
    new, base = study_b()
    effects = [effect(study_a()), effect(new - base), effect(study_without_document_variance())]
    assert all_above(effects) == pytest.approx(0.11994, abs=5e-6)
    assert all_above([effect(base - new)]) == pytest.approx(1 - 0.05354586509 / 2)
