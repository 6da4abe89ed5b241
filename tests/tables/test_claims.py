"""Tables of claims: studies worked by hand, comparisons counted, and what a study lacks."""

import csv
import io
from dataclasses import replace

import pandas as pd
import pytest

from tabpo.tables.cells import Run
from tabpo.tables.estimates import RunEstimates
from tabpo.tables.files import table_files
from tabpo.tables.macros import render_macros
from tabpo.tables.significance import Estimates
from tests.tables.made_runs import made_run, made_study, settings
from tests.tables.test_significance import estimates, study_b

METRIC = "semantic_label"


def runs_of(dataset: str, method: str, *, model: str = "tiny", seeded: bool = True, **metrics: Estimates) -> list[Run]:
    """One run for each seed of these estimates."""
    return [
        Run(
            dataset,
            model,
            method,
            seed + 1 if seeded else None,
            {
                "valid": 1.0,
                "metrics": {
                    name: {"set_directed": {"f1": estimate.whole[seed] / 100}} for name, estimate in metrics.items()
                },
            },
            RunEstimates(
                dataset,
                {
                    name: Estimates(estimate.whole[[seed]], estimate.without[[seed]])
                    for name, estimate in metrics.items()
                },
                dict.fromkeys(metrics, 20.0),
            ),
        )
        for seed in range(len(next(iter(metrics.values())).whole))
    ]


def study(dataset: str, new: Estimates, base: Estimates, metric: str = METRIC) -> list[Run]:
    return runs_of(dataset, "sft", **{metric: base}) + runs_of(dataset, "tab_po", **{metric: new})


def study_a() -> list[Run]:
    """F1 50, 55, 45 beside 40."""
    return study("a", estimates([[3, 2, 3, 2], [3, 3, 3, 2], [3, 2, 3, 1]], 5, 5), estimates([[2] * 4] * 3, 5, 5))


def study_without_document_variance() -> list[Run]:
    return study("c", estimates([[3, 2, 2, 3], [3, 3, 3, 2], [2, 3, 2, 2]], 5, 5), estimates([[2] * 4] * 3, 5, 5))


def files(runs: list[Run], *, metrics=(METRIC,), rivals=("sft",), **changed) -> dict[str, str]:
    rows = [*rivals, "tab_po"]
    about = {"layout": "claims", "method": "tab_po", "rivals": list(rivals), "metrics": list(metrics)}
    return table_files(settings(rows, **about, **changed), runs, [], {})


def claims(runs: list[Run], **changed) -> dict[tuple[str, str], dict[str, str]]:
    """Rows of the CSV by what a claim is against and its metric."""
    rows = csv.DictReader(io.StringIO(files(runs, **changed)["csv"]))
    return {(row["against"], row["metric"]): row for row in rows}


def numbers(row: dict[str, str], *names: str) -> list[float]:
    return [float(row[name]) for name in names]


def test_gain_over_sft_is_the_mean_over_data_sets_by_hand():
    row = claims([*study_a(), *study("b", *study_b())])["sft", METRIC]
    # differences of 10 and 11.1583; relative 25 (25, 37.5, 12.5) and 21.1668; the interval as in test_significance
    assert numbers(row, "difference", "relative") == pytest.approx([10.5791, 23.0834], abs=5e-5)
    assert numbers(row, "low", "high") == pytest.approx([-2.209, 23.367], abs=5e-4)
    assert float(row["p"]) == pytest.approx(0.07440, abs=5e-6)
    assert (row["data_sets"], row["models"], row["seeds"], row["documents"]) == ("2", "1", "3", "9")
    assert row["published"] == "11.59 %"


def test_wins_and_their_one_test_by_hand():
    runs = [*study_a(), *study("b", *study_b()), *study_without_document_variance()]
    row = claims(runs)["every rival", METRIC]
    assert [row[name] for name in ("comparisons", "wins", "ties", "losses")] == ["3", "3", "0", "0"]
    # half of p of the first, .23989, which is the largest of the three
    assert numbers(row, "difference", "p") == pytest.approx([10, 0.11994], abs=5e-6)
    assert (row["significant_wins"], row["published"]) == ("0", "100 %")  # fewer than 20 documents


def test_gain_over_a_prompted_model_is_across_models_and_to_its_one_run():
    new, base = study_b()
    runs = study("b", new, base)
    for number, model in enumerate(("hosted", "other")):
        estimate = Estimates(base.whole[[number]], base.without[[number]])
        runs += runs_of("b", "prompted", model=model, seeded=False, **{METRIC: estimate})
    rows = claims(runs)
    hosted, other = rows["prompted of hosted", METRIC], rows["prompted of other", METRIC]
    assert numbers(hosted, "difference", "low", "high") == pytest.approx([16.3513, 5.166, 27.537], abs=5e-4)
    assert float(hosted["p"]) == pytest.approx(0.01537, abs=5e-6)
    mean = rows["prompted models", METRIC]
    expected = (float(hosted["difference"]) + float(other["difference"])) / 2
    assert float(mean["difference"]) == pytest.approx(expected, abs=1e-6)
    assert (mean["published"], hosted["published"], mean["models"]) == ("14.71 %", "", "1")
    text = files(runs)["md"]
    assert "| Gain over prompted of hosted | Semantic label | +16.4 [5.2, 27.5] |" in " ".join(text.split())


def test_gain_over_prompted_models_is_of_the_data_sets_that_they_answered():
    new, base = study_b()
    runs = [*study("b", new, base), *study_a()]
    single = Estimates(base.whole[[0]], base.without[[0]])
    runs += runs_of("b", "prompted", model="hosted", seeded=False, **{METRIC: single})
    rows = claims(runs)
    assert float(rows["prompted of hosted", METRIC]["difference"]) == pytest.approx(16.3513, abs=5e-4)
    assert rows["prompted of hosted", METRIC]["data_sets"] == "1" and rows["sft", METRIC]["data_sets"] == "2"
    runs += runs_of("a", "prompted", model="other", seeded=False, **{METRIC: estimates([[2] * 4], 5, 5)})
    rows = claims(runs)
    assert float(rows["prompted of other", METRIC]["difference"]) == pytest.approx(10)  # 50, 55, 45 beside 40
    mean = rows["prompted models", METRIC]  # of their mean there is no data set that both have answered
    assert (mean["reason"], mean["difference"], mean["published"]) == ("not in this study", "", "14.71 %")


def test_gain_over_prompted_models_is_the_mean_over_models():
    runs = []
    for model, right in (("small", [3, 2, 3, 2]), ("large", [3, 3, 3, 3])):
        for method, counts in (("sft", [2] * 4), ("tab_po", right)):
            runs += runs_of("a", method, model=model, **{METRIC: estimates([counts] * 3, 5, 5)})
    runs += runs_of("a", "prompted", model="hosted", seeded=False, **{METRIC: estimates([[2, 2, 2, 1]], 5, 5)})
    row = claims(runs)["prompted of hosted", METRIC]
    assert (float(row["difference"]), row["models"]) == (pytest.approx((50 + 60) / 2 - 35), "2")


def test_notes_say_which_variant_was_asked_and_what_is_public():
    runs = study_a()
    values = {"zero-shot": 31.25, "5-shot-schema": 40.0}
    asked = {"variant": "5-shot-schema", "metric": METRIC, "split": "dev_select", "values": values}
    [prompted] = runs_of("a", "prompted", model="hosted", seeded=False, **{METRIC: estimates([[2] * 4], 5, 5)})
    runs.append(replace(prompted, asked=asked | {"demonstrations": 5, "constraint": "json_schema"}))
    text = files(runs, public={"a": 2018})["md"]
    assert "`prompted` of `hosted` on `a`: the variant 5-shot-schema (5 demonstrations, JSON schema), chosen on" in text
    assert "on dev_select by Semantic label: zero-shot 31.2, 5-shot-schema 40.0." in text
    assert "`a` since 2018. Count them as part of the pretraining data of later models" in text


def test_without_prompted_models_their_claim_is_not_in_this_study():
    made = files(study_a())
    row = claims(study_a())["prompted models", METRIC]
    assert (row["reason"], row["difference"], row["published"]) == ("not in this study", "", "14.71 %")
    assert "not in this study" in made["md"] and "not in this study" in made["tex"]


def test_all_metrics_are_the_mean_of_those_that_a_data_set_has():
    new, base = study_b()
    runs = runs_of("b", "sft", semantic_label=base, relational_linking=base)
    runs += runs_of("b", "tab_po", semantic_label=new, relational_linking=base)
    rows = claims(runs, metrics=("semantic_label", "relational_linking"))
    assert float(rows["sft", "relational_linking"]["difference"]) == 0
    # half of 11.1583 and of 21.1668, as the other metric gains nothing
    assert numbers(rows["sft", "all"], "difference", "relative") == pytest.approx([5.57915, 10.5834], abs=5e-5)
    assert (rows["sft", "all"]["published"], rows["sft", METRIC]["published"]) == ("11.59 %", "")
    assert rows["every rival", "all"]["comparisons"] == "2" and rows["every rival", "all"]["ties"] == "1"
    rows = claims([*runs, *study_a()], metrics=("semantic_label", "relational_linking"))
    assert float(rows["sft", "all"]["difference"]) == pytest.approx((10 + 5.57915) / 2, abs=5e-5)  # a: one metric
    assert rows["sft", "relational_linking"]["data_sets"] == "1"


def test_a_tie_is_equal_as_printed():
    # 50 documents of 10 items: an item is 0.2 points; one in one seed of three is 0.07, printed as the same
    def runs(method, items):
        right = [[6.0] * 49 + [6.0 + more] for more in items]
        return [made_run(method, seed, {METRIC: estimate}) for seed, estimate in enumerate(right)]

    study = [
        *runs("tab_po", (0, 0, 0)),
        *runs("sft", (-2, -2, -1)),
        *runs("dpo", (0, 0, 0)),
        *runs("simpo", (2, 1, 2)),
    ]
    row = claims(study, rivals=("sft", "dpo", "simpo"))["every rival", METRIC]
    assert [row[name] for name in ("wins", "ties", "losses")] == ["1", "1", "1"]
    assert numbers(row, "difference", "p") == pytest.approx([-1 / 3, 1], abs=1e-6)  # dpo did not vary
    assert "smallest -0.3 " in files(study, rivals=("sft", "dpo", "simpo"))["md"]


def test_a_metric_without_gold_items_is_not_in_this_study():
    right = {METRIC: [6.0] * 30, "relational_linking": [0.0] * 30}
    rows = [(method, seed) for method in ("sft", "tab_po") for seed in (1, 2, 3)]
    runs = [made_run(*row, right, without_gold=["relational_linking"]) for row in rows]
    rows = claims(runs, metrics=(METRIC, "relational_linking"))
    assert rows["sft", "relational_linking"]["reason"] == "not in this study"
    assert rows["every rival", "relational_linking"]["reason"] == "not in this study"
    assert rows["every rival", "all"]["comparisons"] == "1" and rows["sft", "all"]["difference"] == "0.000000"


def planted() -> list[Run]:
    means = {"sft": 5.0, "dpo": 8.9, "simpo": 3.0, "tab_po": 7.0}
    return made_study(means, metrics=(METRIC,), models=("small", "large"))


def test_a_planted_study_has_its_significant_wins_and_losses():
    rivals = ("sft", "dpo", "simpo")
    row = claims(planted(), rivals=rivals)["every rival", METRIC]
    assert [row[name] for name in ("comparisons", "wins", "losses")] == ["6", "4", "2"]
    assert (row["significant_wins"], row["significant_losses"]) == ("4", "2")
    gain = claims(planted(), rivals=rivals)["sft", METRIC]
    assert float(gain["low"]) > 15 and float(gain["high"]) < 25 and gain["models"] == "2"
    made = files(planted(), rivals=rivals)
    assert "| 4 / 0 / 2 (67 %) | 4 / 2 | 100 % |" in " ".join(made["md"].split())
    tests = list(csv.DictReader(io.StringIO(made["tests.csv"])))
    assert {row["against"] for row in tests} == set(rivals) and {row["tests"] for row in tests} == {"6"}
    assert "| against |" in " ".join(made["tests.md"].split())


def test_where_data_are_generated_no_difference_is_called_significant():
    made = files(planted(), rivals=("sft", "dpo"), generated=["notes"])
    assert (
        made["md"].startswith("**REHEARSAL. Notes.") and "REHEARSAL on `notes` / `small`: generated data." in made["md"]
    )
    row = claims(planted(), rivals=("sft", "dpo"), generated=["notes"])["every rival", METRIC]
    assert (row["wins"], row["significant_wins"], row["significant_losses"]) == ("2", "0", "0")


def test_the_caption_names_what_is_fixed_and_notes_what_was_not_run():
    runs = [run for run in planted() if (run.model, run.method) != ("large", "simpo")]
    made = files(runs, rivals=("sft", "dpo", "simpo"))
    assert (
        "Fixed: data sets `notes`; models `small`, `large`, their weights before SFT; the split of the data."
        in made["md"]
    )
    assert "- Not run for `large`: `simpo`." in made["md"] and "over the 5 comparisons" in made["md"]


def test_one_seed_has_intervals_and_no_p():
    runs = made_study({"sft": 5.0, "tab_po": 7.0}, metrics=(METRIC,), seeds=1)
    rows = claims(runs)
    assert rows["sft", METRIC]["low"] and rows["sft", METRIC]["p"] == rows["every rival", METRIC]["p"] == ""


def test_macros_have_the_numbers_of_claims():
    made = files(study_a())
    frames = tuple(pd.read_csv(io.StringIO(made[ending])) for ending in ("csv", "tests.csv"))
    text = render_macros({"claims": frames})
    assert rf"\csname tabpo:claims/gain/sft/{METRIC}/difference\endcsname{{10.0}}" in text
    assert rf"\csname tabpo:claims/wins/every rival/{METRIC}/wins\endcsname{{1}}" in text
    assert "nan" not in text and f"prompted models/{METRIC}" not in text


def test_latex_prints_names_and_keeps_its_label():
    made = files(planted(), names={"sft": "SFT"})
    assert (
        r"Claim & Metric & Difference & Relative, \% & p & Wins / ties / losses & Significant & Published"
        in made["tex"]
    )
    assert "Gain over SFT & Semantic label" in made["tex"] and r"\label{tab:main}" in made["tex"]
    assert r"Better than every rival & Semantic label & smallest " in made["tex"]
