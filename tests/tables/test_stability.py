"""Tables of stability: spikes and variance by hand, and what the table says of SFT and of short runs."""

import csv
import io
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabpo.metrics.diversity import DIVERSITY
from tabpo.records import TrainingStep
from tabpo.tables.estimates import RunEstimates
from tabpo.tables.files import table_files
from tabpo.tables.macros import render_macros
from tabpo.tables.significance import Estimates
from tabpo.tables.stability import WARM_UP, margin_variance, spike_share, stability_run
from tests.tables.made_runs import settings

WARM = [1.0, 3.0] * 12 + [2.0]
"""25 norms with mean 2 and variance 24 / 25."""


def steps(margins, norms=None):
    norms = norms or [1.0] * len(margins)
    return [
        TrainingStep(number, 0.0, 0.1, norm, 0.5, chosen_drift=margin + 1.0, rejected_drift=1.0)
        for number, (margin, norm) in enumerate(zip(margins, norms, strict=True), start=1)
    ]


def test_the_variance_of_the_margin_by_hand():
    # differences 1, 2, -3: half of (1 + 4 + 9) / 3
    assert margin_variance(steps([0.0, 1.0, 3.0, 0.0])) == pytest.approx(14 / 6)
    assert margin_variance(steps([1.0])) is None


def test_a_margin_that_grows_evenly_has_little_variance():
    assert margin_variance(steps([0.1 * number for number in range(50)])) == pytest.approx(0.1**2 / 2)


def test_independent_margins_have_their_variance():
    drawn = np.random.default_rng(1).normal(5, 2, 20_000).tolist()
    assert margin_variance(steps(drawn)) == pytest.approx(4, rel=0.03)


def test_spikes_by_hand():
    limit = 2 + 2.5 * math.sqrt(24 / 25)  # 4.449
    assert spike_share([*WARM, limit - 0.01]) == 0
    assert spike_share([*WARM, limit + 0.01]) == 100
    assert spike_share([*WARM, limit + 0.01, 2.0, 2.0, 2.0]) == 25


def test_a_spike_enters_the_moving_averages_as_zclip_clips_it():
    # z of 12 is 10 / sqrt(.96) = 10.206; clipped to 2 + 2.5^2 * .9798 / 10.206 = 2.6: mean 2.018, variance .94138
    mean = 0.97 * 2 + 0.03 * 2.6
    limit = mean + 2.5 * math.sqrt(0.97 * 24 / 25 + 0.03 * (2.6 - mean) ** 2)
    assert spike_share([*WARM, 12.0, limit - 0.01]) == 50
    assert spike_share([*WARM, 12.0, limit + 0.01]) == 100


def test_there_are_no_spikes_in_the_warm_up():
    assert spike_share([1.0] * (WARM_UP - 1) + [1e9]) is None
    assert spike_share([]) is None


@given(st.lists(st.floats(0.1, 10), min_size=30, max_size=60), st.sampled_from([0.25, 0.5, 8, 64]))
def test_the_scale_of_norms_does_not_matter(norms, scale):
    # the rounding term is far below the deviations here, unless all norms are nearly equal
    if np.std(norms) > 0.1:
        assert spike_share([scale * norm for norm in norms]) == pytest.approx(spike_share(norms), abs=4)


def made(method, seed, distinct, length=40):
    generator = np.random.default_rng([seed, distinct])
    documents = distinct + generator.normal(0, 1, 30)
    whole = np.array([documents.mean()])
    without = ((documents.sum() - documents) / 29)[None]
    samples = RunEstimates("same", dict.fromkeys(DIVERSITY, Estimates(whole, without)), dict.fromkeys(DIVERSITY, 30.0))
    of_run = {"dataset": "notes", "model": "tiny", "method": method, "seed": seed}
    margins = generator.normal(0, 2, length).tolist()
    return stability_run(of_run, steps(margins), samples, collapsed=False)


def table(runs, **changed):
    about = {"layout": "stability", "against": "dpo", "samples": 8, "generated": [], "metrics": [], **changed}
    return table_files(settings(["dpo", "tab_po"], **about), runs, [], {})


RUNS = [
    made(method, seed, distinct)
    for method, distinct in {"sft": 50, "dpo": 40, "tab_po": 60}.items()
    for seed in (1, 2, 3)
]


def test_a_table_shows_samples_of_sft_and_no_steps_of_it():
    files = table(RUNS)
    rows = {(row["method"], row["metric"]): row for row in csv.DictReader(io.StringIO(files["csv"]))}
    assert float(rows["tab_po", "distinct"]["mean"]) == pytest.approx(60, abs=1)
    assert rows["sft", "spikes"]["reason"] == "sft trains without pairs"
    assert float(rows["dpo", "margin_variance"]["mean"]) == pytest.approx(4, rel=0.5)
    assert float(rows["dpo", "spikes"]["mean"]) == 0  # all norms are 1
    assert "8 samples at temperature 1" in files["md"] and "von Neumann" in files["md"]
    assert "| sft" in files["md"] and "Oracle F1" in files["md"]


def test_differences_in_samples_are_tested_and_those_of_steps_are_over_seeds():
    tests = list(csv.DictReader(io.StringIO(table(RUNS)["tests.csv"])))
    by_name = {(row["method"], row["metric"]): row for row in tests}
    assert {row["metric"] for row in tests if row["family"]} == {"distinct", "oracle_f1"}
    assert {row["tests"] for row in tests if row["family"]} == {"4"}  # two rows against dpo in two quantities
    assert float(by_name["tab_po", "distinct"]["difference"]) == pytest.approx(20, abs=1)
    assert by_name["tab_po", "margin_variance"]["documents"] == "0"
    assert by_name["tab_po", "margin_variance"]["unit"] == "squared nats"
    assert ("sft", "spikes") not in by_name


def test_generated_data_are_a_rehearsal_without_marks():
    files = table(RUNS, generated=["notes"])
    assert files["md"].startswith("**REHEARSAL.") and "▲" not in files["md"]
    assert "▲" in table(RUNS)["md"]


def test_short_runs_have_no_spikes_and_the_table_says_so():
    files = table([made(method, seed, 50, length=20) for method in ("sft", "dpo", "tab_po") for seed in (1, 2)])
    assert "no spikes are counted in the first 25 steps" in files["md"]


def test_its_numbers_become_macros():
    files = table(RUNS)
    cells, tests = (pd.read_csv(io.StringIO(files[name])) for name in ("csv", "tests.csv"))
    assert "tabpo:notes/tiny/dpo/margin_variance/mean" in render_macros({"stability": (cells, tests)})
