"""Tables of mechanisms: drift worked by hand, planted erosion that one method stops, and what cannot be told."""

import csv
import io

import numpy as np
import pandas as pd
import pytest

from tabpo.records import TrainingStep
from tabpo.tables.cells import Run
from tabpo.tables.files import rehearsal_reasons, table_files
from tabpo.tables.macros import render_macros
from tabpo.tables.mechanism import mechanism_run
from tests.tables.made_runs import made_study, settings

METHODS = ("dpo", "tab_po")


def step(number: int, chosen: float, rejected: float, share: float | None) -> TrainingStep:
    drift = {"chosen_drift": chosen, "rejected_drift": rejected}
    return TrainingStep(number, 0.0, 0.1, 1.0, 0.5, share_edited=share, **drift)


def row(document: str, field: str, rare: bool, unsure: bool, tokens: int, drift: float) -> dict:
    return {"document": document, "field": field, "rare": rare, "unsure": unsure, "tokens": tokens, "drift": drift}


def of_run(method: str = "dpo", seed: int = 1) -> dict:
    return {"dataset": "notes", "model": "tiny", "method": method, "seed": seed}


def test_the_quantities_of_a_run_by_hand():
    steps = [step(number, 0.0, 0.0, 0.25) for number in range(1, 10)]
    # a tenth of eleven steps is two of them; the tenth has no gradient
    steps += [step(10, 1.0, -2.0, None), step(11, 2.0, -5.0, 0.75)]
    rows = [
        row("a", "label", True, True, 2, -0.5),
        row("a", "sublabel", True, False, 1, 0.1),
        row("a", "link", True, False, 4, -9.0),  # no label
        row("b", "label", True, False, 3, -0.1),
        row("b", "label", False, False, 5, 0.2),
        row("b", "span", False, True, 2, 1.0),
    ]
    run = mechanism_run(of_run(), steps, {"health": [{"collapsed": False}], "by_document": rows})
    assert run.scores == pytest.approx(
        {
            "gradient_edited": 100 * (9 * 0.25 + 0.75) / 10,
            "chosen_drift": 1.5,
            "rejected_drift": -3.5,
            "pair_margin": 5.0,
            "rare_drift": (2 * -0.5 + 0.1 + 3 * -0.1) / 6,
            "label_drift": 0.2,
            "unsure_drift": (2 * -0.5 + 2 * 1.0) / 4,
        }
    )
    rare = run.estimates.metrics["rare_drift"]
    assert rare.without[0] == pytest.approx([-0.1, -0.3])  # without a: three tokens of b; without b: -.9 over three
    assert run.estimates.gold["rare_drift"] == 6 and not run.collapsed


def made(rare: dict[str, float], seeds: int = 3, documents: int = 30, spread: float = 0.02) -> list[Run]:
    """Runs of two methods whose rare labels drift by about these values; other labels and unsure tokens stay."""
    generator = np.random.default_rng(1)
    runs = []
    for method, drift in rare.items():
        for seed in range(1, seeds + 1):
            rows = [
                each
                for document in range(documents)
                for each in (
                    row(f"d{document}", "label", True, False, 2, drift + generator.normal(0, spread)),
                    row(f"d{document}", "label", False, False, 2, generator.normal(0, spread)),
                    row(f"d{document}", "span", False, True, 2, generator.normal(0, spread)),
                )
            ]
            steps = [step(1, generator.normal(3, 0.1), generator.normal(-3, 0.1), 0.4)]
            runs.append(mechanism_run(of_run(method, seed), steps, {"health": [{}], "by_document": rows}))
    return runs


def files(runs: list[Run], **changed) -> dict[str, str]:
    about = {"layout": "mechanism", "method": "tab_po", "against": "dpo", "metrics": [], "imported": []}
    about["rehearsals"] = {}
    return table_files(settings(METHODS, **about | changed), runs, [], {})


def differences_of(runs: list[Run], **changed) -> dict[tuple[str, str, str], dict[str, str]]:
    rows = csv.DictReader(io.StringIO(files(runs, **changed)["tests.csv"]))
    return {(one["method"], one["against"], one["metric"]): one for one in rows}


def test_planted_erosion_is_seen_and_so_is_the_method_that_stops_it():
    runs = made({"dpo": -0.4, "tab_po": 0.1})
    text = files(runs)["md"]
    assert "Does `dpo` erode the tokens of rare labels on `notes` / `tiny`? Yes: -0.4" in text
    assert "Does `tab_po` stop it? Yes, as far as this study can see: its drift is +0." in text
    tests = differences_of(runs)
    eroded, stopped = tests["dpo", "sft", "rare_drift"], tests["tab_po", "dpo", "rare_drift"]
    assert float(eroded["high"]) < -0.3 and float(stopped["low"]) > 0.4 and float(stopped["p_holm"]) < 0.01
    assert {eroded["tests"], stopped["tests"]} == {"5"}  # two rows with two quantities against SFT, and the two rows
    assert (eroded["documents"], eroded["unit"], tests["tab_po", "dpo", "chosen_drift"]["documents"]) == (
        *("30", "nats"),
        "0",  # over seeds alone
    )
    line = next(line for line in text.splitlines() if line.startswith("| dpo"))
    assert line.count("▼") == 1 and line.count("▲") == 0


@pytest.mark.parametrize(
    ("rare", "answers"),
    [
        ({"dpo": -0.4, "tab_po": -0.2}, ("? Yes: -0.4", "Does `tab_po` stop it? In part: ")),
        ({"dpo": -0.4, "tab_po": -0.4}, ("? Yes: -0.4", "stop it? Not that this study can see: ")),
        ({"dpo": -0.4, "tab_po": -0.9}, ("? Yes: -0.4", "stop it? No, it erodes them more: ")),
        ({"dpo": 0.4, "tab_po": 0.0}, ("? No, they gain: +0.4", "There is nothing to stop.")),
        ({"dpo": 0.0, "tab_po": 0.0}, ("Not that this study can see: ", "in 80 % of such studies. Does `tab_po` stop")),
    ],
)
def test_other_answers(rare, answers):
    text = files(made(rare))["md"]
    assert all(answer in text for answer in answers)


def test_the_test_over_seeds_is_a_paired_t_test():
    from scipy.stats import ttest_rel

    runs = made({"dpo": 0.0, "tab_po": 0.0})
    margins = {method: [run.scores["pair_margin"] for run in runs if run.method == method] for method in METHODS}
    expected = ttest_rel(margins["tab_po"], margins["dpo"])
    test = differences_of(runs)["tab_po", "dpo", "pair_margin"]
    assert float(test["p"]) == pytest.approx(expected.pvalue, rel=1e-5) and test["p_holm"] == ""
    assert [float(test["low"]), float(test["high"])] == pytest.approx(list(expected.confidence_interval()), abs=1e-5)


@pytest.mark.parametrize("few", [{"seeds": 1}, {"documents": 19}])
def test_with_too_little_nothing_is_told(few):
    text = files(made({"dpo": -0.4, "tab_po": 0.1}, **few))["md"]
    assert "This cannot be told here: -0.4" in text and "nothing is marked" in text and "▼" not in text


def test_one_seed_has_no_interval_of_what_steps_log():
    assert {metric for *_, metric in differences_of(made({"dpo": -0.4, "tab_po": 0.1}, seeds=1))} == {
        *("rare_drift", "label_drift", "unsure_drift")
    }


@pytest.mark.parametrize(
    ("right", "generated", "reason"),
    [
        (1, [], "SFT is not significantly above the dictionary"),  # the dictionary has 1 of 10 right
        (5, ["notes"], "generated data"),
        (5, [], None),
    ],
)
def test_a_block_is_a_rehearsal_as_in_tables_of_scores(right, generated, reason):
    scored = [run for run in made_study({"sft": right}) if run.method in ("sft", "dictionary")]
    reasons = rehearsal_reasons({"generated": generated}, scored)
    assert reasons == ({"notes / tiny": reason} if reason else {})
    text = files(made({"dpo": -0.4, "tab_po": 0.1}), rehearsals=reasons)["md"]
    assert (text.startswith("**REHEARSAL. Notes."), "▼" in text) == (bool(reason), not reason)
    assert ("This cannot be told here" in text) == bool(reason)
    assert reason is None or f"REHEARSAL on `notes` / `tiny`: {reason}. Nothing is marked there." in text


def test_a_class_without_tokens_and_preferences_have_empty_cells():
    runs = made({"dpo": -0.4, "tab_po": 0.1})
    steps = [step(1, 1.0, -1.0, 0.5)]
    rows = [row("d0", "label", False, False, 2, 0.1), row("d1", "span", False, False, 2, 0.1)]
    plain = [mechanism_run(of_run(run.method, run.seed), steps, {"health": [{}], "by_document": rows}) for run in runs]
    cells = list(csv.DictReader(io.StringIO(files(plain)["csv"])))
    empty = {cell["metric"]: cell["reason"] for cell in cells if not cell["mean"]}
    assert empty == dict.fromkeys(("rare_drift", "unsure_drift"), "no such tokens in the held-out answers")
    pairs = [mechanism_run(of_run(run.method, run.seed), steps, {"health": [{}]}) for run in runs]
    cells = list(csv.DictReader(io.StringIO(files(pairs)["csv"])))
    assert {cell["metric"] for cell in cells if not cell["mean"]} == {"rare_drift", "label_drift", "unsure_drift"}


def test_macros_have_two_decimals_of_nats_a_token():
    made_files = files(made({"dpo": -0.4, "tab_po": 0.1}))
    frames = tuple(pd.read_csv(io.StringIO(made_files[ending])) for ending in ("csv", "tests.csv"))
    text = render_macros({"mechanism": frames})
    assert r"tabpo:notes/tiny/dpo/rare_drift/mean\endcsname{-0.40}" in text
    assert r"tabpo:notes/tiny/dpo/rare_drift/against/sft/difference\endcsname{-0.40}" in text
    assert r"tabpo:notes/tiny/tab_po/gradient_edited/mean\endcsname{40.0}" in text
    assert "Gradient on edits" in made_files["tex"] and r"\label{tab:main}" in made_files["tex"]
