"""Tables made from runs with invented counts: means, marks, best cells, captions and files."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tabpo.code_version import module_names
from tabpo.errors import ConfigError, DataError
from tabpo.tables.cells import RENAMED, arrange, build_cells, code_differences, metric_value, single_blocks
from tabpo.tables.comparisons import compare, mark, rehearsals
from tabpo.tables.files import FILES, table_files
from tests.tables.made_runs import made_run, made_study, settings

ROWS = ("sft", "dpo", "tab_po", "dictionary")
MEANS = {"sft": 5.0, "dpo": 5.0, "tab_po": 7.0}


def files(runs, differing=(), left_out=None, **changed) -> dict[str, str]:
    return table_files(settings(ROWS, **changed), runs, differing, left_out or {})


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def differences_of(runs, **changed) -> dict[str, dict[str, str]]:
    return {row["method"]: row for row in rows_of(files(runs, **changed)["tests.csv"])}


def by_hand() -> list:
    """Runs with F1 60, 62, 64 of sft and 63, 66, 66 of dpo on 50 documents; only one document varies."""

    def right(percent):  # 50 documents of 10 items: an item is 0.2 points
        return {"ner_strict": [6.0] * 49 + [6.0 + (percent - 60) * 5]}

    runs = [made_run("sft", seed, right(f1)) for seed, f1 in ((1, 60), (2, 62), (3, 64))]
    return runs + [made_run("dpo", seed, right(f1)) for seed, f1 in ((1, 63), (2, 66), (3, 66))]


def test_means_and_deviations_by_hand():
    csv_rows = rows_of(files(by_hand())["csv"])
    shown = {row["method"]: (row["mean"], row["sd"], row["seeds"]) for row in csv_rows}
    # the sample deviation of 60, 62, 64 is 2; of 63, 66, 66 sqrt(3)
    assert shown["sft"] == ("62.000000", "2.000000", "3") and shown["dpo"] == ("65.000000", "1.732051", "3")
    assert list(csv_rows[0])[:7] == ["dataset", "model", "method", "metric", "seeds", "mean", "sd"]
    row = differences_of(by_hand())["dpo"]
    assert (row["difference"], row["sd_seeds"]) == ("3.000000", "1.000000")  # differences 3, 4, 2


def test_a_metric_without_gold_items_is_an_empty_cell_with_its_reason():
    right = {"ner_strict": [6.0] * 30, "rel": [0.0] * 30}
    rows = [(method, seed) for method in ("sft", "dpo") for seed in (1, 2, 3)]
    runs = [made_run(*row, right, dataset="bare", without_gold=["rel"]) for row in rows]
    runs += [made_run("dictionary", None, right, dataset="bare", without_gold=["rel"])]
    made = files(runs, metrics=["ner_strict", "rel"])
    cells = {(row["method"], row["metric"]): row["mean"] for row in rows_of(made["csv"])}
    assert cells["dpo", "ner_strict"] == "60.000000" and cells["dpo", "rel"] == cells["dictionary", "rel"] == ""
    assert "– no gold items in test." in made["md"] and not differences_of(runs, metrics=["rel"], tested=[])
    others = [made_run(*row, right) for row in rows] + [made_run("dictionary", None, right)]
    means = rows_of(files(runs + others, metrics=["ner_strict", "rel"])["csv"])  # of rel, notes alone has one
    assert {row["metric"] for row in means if row["dataset"].startswith("mean of")} == {"ner_strict"}


def test_a_note_says_what_prompts_about_sentences_leave_out():
    left_out = {"notes": {"relations": 3, "clusters": 20}, "others": {"relations": 0, "clusters": 0}}
    made = files(by_hand(), left_out=left_out)["md"]
    said = "3 relations across sentences and all 20 clusters of test are not asked for."
    assert f"Prompts of `notes` are single sentences: {said}" in made and "Prompts of others" not in made


def test_a_large_gain_is_marked_and_no_gain_is_not():
    made = files(made_study(MEANS))
    lines = {line.split("|")[1].strip(): line for line in made["md"].splitlines() if line.startswith("|")}
    assert "▲" in lines["tab_po"] and "**" in lines["tab_po"]
    assert "▲" not in lines["dpo"] and "▼" not in lines["dpo"] and "**" not in lines["dpo"]
    assert r"$^{\uparrow}$" in made["tex"] and r"\textbf{" in made["tex"]
    worse = files(made_study({"sft": 7.0, "dpo": 7.0, "tab_po": 5.0}))["md"]
    assert worse.count("▼") == 2 and worse.count("▲") == 1  # ▼ in one row; both marks in the caption


def test_the_family_is_every_tested_difference_and_the_caption_counts_it():
    runs = made_study(MEANS, metrics=("ner_strict", "rel", "ner_boundary"))
    table = {"metrics": ["ner_strict", "rel", "ner_boundary"], "tested": ["ner_strict", "rel"]}
    rows = rows_of(files(runs, **table)["tests.csv"])
    tested = [row for row in rows if row["family"] == "blocks"]
    assert [(row["method"], row["metric"]) for row in tested] == [
        *(("dpo", "ner_strict"), ("tab_po", "ner_strict"), ("dpo", "rel"), ("tab_po", "rel"))
    ]
    assert {row["tests"] for row in tested} == {"4"}
    assert all(row["p_holm"] == "" for row in rows if row["metric"] == "ner_boundary")
    smallest = min(tested, key=lambda row: float(row["p"]))
    assert float(smallest["p_holm"]) == pytest.approx(min(1, 4 * float(smallest["p"])), abs=1e-5)
    made = files(runs, **table)
    assert "in NER, Rel, Holm-adjusted p < .05 over the 4 tested differences, seeds × documents." in made["md"]
    (line,) = [row for row in made["md"].splitlines() if row.startswith("| tab_po")]
    assert "▲" not in line.split("|")[4]


def test_a_family_can_be_some_of_the_rows():
    runs = made_study(MEANS)
    rows = rows_of(files(runs, against="tab_po", tested_rows=["dpo"])["tests.csv"])
    assert [(row["method"], row["family"], row["tests"]) for row in rows] == [("sft", "", "0"), ("dpo", "blocks", "1")]
    assert rows[1]["p_holm"] == rows[1]["p"] and rows[0]["p_holm"] == "" and rows[0]["low"]
    assert "than `tab_po`, rows `dpo`, Holm" in files(runs, against="tab_po", tested_rows=["dpo"])["md"]


@pytest.mark.parametrize(
    ("seeds", "documents", "note"),
    [
        (1, 40, "Fewer than 3 seeds: nothing is marked; intervals are about these runs, not about the methods."),
        (2, 40, "Fewer than 3 seeds: nothing is marked; there are intervals only."),
        (3, 19, "Fewer than 20 test documents (or groups of them): nothing is marked."),
    ],
)
def test_too_few_seeds_or_documents_give_no_marks(seeds, documents, note):
    made = files(made_study({"sft": 2.0, "dpo": 2.0, "tab_po": 9.0}, seeds=seeds, documents=documents))
    assert "▲" not in made["md"] and f"- {note}" in made["md"]
    row = rows_of(made["tests.csv"])[1]
    assert float(row["low"]) > 0 and row["p_holm"] == "" and (row["p"] == "") == (seeds == 1)


def test_equal_runs_have_no_p_and_no_mark():
    runs = [
        replace(run, method=method)
        for run in made_study({"sft": 5.0})
        for method in ("sft", "dpo")
        if run.method == "sft"
    ]
    row = differences_of(runs)["dpo"]
    assert (row["difference"], row["p"], row["p_holm"]) == ("0.000000", "", "")
    assert "▲" not in files(runs)["md"]


def test_an_interval_combines_seeds_and_documents():
    row = differences_of(made_study(MEANS))["tab_po"]
    se = (float(row["se_seeds"]) ** 2 + float(row["se_documents"]) ** 2) ** 0.5
    half = float(row["high"]) - float(row["difference"])
    assert stats.t.ppf(0.975, 39) * se - 1e-4 <= half <= stats.t.ppf(0.975, 2) * se + 1e-4
    assert float(row["relative"]) == pytest.approx(100 * (7 / 5 - 1), abs=6)
    assert (row["seeds"], row["documents"], row["unit"], row["against"]) == ("3", "40", "points", "sft")


def test_the_best_row_and_rows_not_different_from_it_are_bold():
    runs = [run for run in made_study({"sft": 3.0, "dpo": 8.0, "tab_po": 8.0}) if run.method != "dictionary"]
    runs.append(made_run("dictionary", None, {"ner_strict": np.full(40, 1.0)}))
    samples = arrange(runs)
    cells = build_cells(samples, {"ner_strict": single_blocks(samples)}, ROWS)
    marked = {cell.method: cell.best for cell in mark(samples, cells, [], {})}
    assert marked == {"sft": False, "dpo": True, "tab_po": True, "dictionary": False}
    best = [run for run in runs if run.method != "dictionary"]
    best.append(made_run("dictionary", None, {"ner_strict": np.full(40, 10.0)}))
    samples = arrange(best)
    cells = build_cells(samples, {"ner_strict": single_blocks(samples)}, ROWS)
    assert [cell.method for cell in mark(samples, cells, [], {}) if cell.best] == ["dictionary"]


def test_where_all_rows_are_equal_none_is_bold():
    runs = [made_run(method, seed, {"ner_strict": [5.0] * 40}) for method in ("sft", "dpo") for seed in (1, 2, 3)]
    assert "**5" not in files(runs)["md"]


def test_a_mean_over_models_is_a_family_of_its_own():
    runs = made_study(MEANS, models=("small", "large", "tiny"), spread=2.0)
    made = files(runs)
    pooled = [row for row in rows_of(made["tests.csv"]) if row["family"] == "pooled"]
    assert [(row["dataset"], row["model"], row["method"]) for row in pooled] == [
        ("notes", "mean of 3 models", "dpo"),
        ("notes", "mean of 3 models", "tab_po"),
    ]
    assert {row["tests"] for row in pooled} == {"2"}
    assert {row["tests"] for row in rows_of(made["tests.csv"]) if row["family"] == "blocks"} == {"6"}
    by_model = [float(row["mean"]) for row in rows_of(made["csv"]) if row["method"] == "tab_po"]
    assert by_model[3] == pytest.approx(np.mean(by_model[:3]))
    assert "over the 2 tested differences of means and the 6 tested differences of single models" in made["md"]


def test_data_sets_have_equal_weight_and_a_model_that_lacks_a_row_is_left_out():
    runs = made_study(MEANS, models=("small", "large", "huge"), datasets=("notes", "mails"))
    runs = [run for run in runs if (run.model, run.method) != ("huge", "tab_po")]
    made = files(runs)
    (row,) = [row for row in rows_of(made["csv"]) if row["dataset"].startswith("mean") and row["method"] == "dpo"]
    assert (row["dataset"], row["model"]) == ("mean of 2 data sets", "mean of 2 models")
    singles = [
        float(single["mean"])
        for single in rows_of(made["csv"])
        if single["method"] == "dpo" and single["model"] in ("small", "large")
    ]
    assert float(row["mean"]) == pytest.approx(np.mean(singles), abs=1e-5)
    assert "Means leave out `huge`, which lacks a row or a seed." in made["md"]


def test_a_rehearsal_is_one_block_and_only_that_block_has_no_marks():
    runs = made_study(MEANS, models=("small", "large"))
    runs = [
        made_run(run.method, run.seed, {"ner_strict": [0.0] * 40}, model="small")
        if (run.model, run.method) == ("small", "sft")
        else run
        for run in runs
    ]
    made = files(runs)
    assert made["md"].startswith("**REHEARSAL on `notes` / `small`. Notes.")
    note = "REHEARSAL on `notes` / `small`: SFT is not significantly above the dictionary. Nothing is marked there"
    assert note in made["md"]
    lines = [line for line in made["md"].splitlines() if line.startswith("| notes")]
    marked = [line.split("|")[2].strip() for line in lines if "▲" in line or "**" in line]
    assert set(marked) == {"large"}


@pytest.mark.parametrize(("sft", "dictionary", "expected"), [(0, 0, True), (5, 1, False), (1, 5, True), (5, 5, True)])
@pytest.mark.parametrize("seeds", [1, 3])
def test_rehearsal_is_where_sft_is_not_above_the_dictionary(sft, dictionary, expected, seeds):
    generator = np.random.default_rng(0)

    def right(mean):
        noise = generator.normal(0, 1, 40) if mean else 0.0
        return {"triple": np.clip(mean + noise, 0, 10) * np.ones(40)}

    runs = [made_run("sft", seed, right(sft)) for seed in range(seeds)]
    samples = arrange([*runs, made_run("dictionary", None, right(dictionary))])
    assert bool(rehearsals(samples, single_blocks(samples), [])) == expected


def test_generated_data_are_a_rehearsal():
    made = files(made_study(MEANS), generated=["notes"])
    assert made["md"].startswith("**REHEARSAL. Notes.") and "▲" not in made["md"] and "**7" not in made["md"]
    assert "REHEARSAL on `notes` / `tiny`: generated data." in made["md"]
    assert rows_of(made["tests.csv"])[1]["p_holm"]  # the files of tests keep the numbers


def test_a_baseline_without_seeds_is_compared_by_its_one_run():
    runs = made_study(MEANS)
    rows = differences_of(runs, against="dictionary")
    assert set(rows) == {"sft", "dpo", "tab_po"}
    means = {row["method"]: float(row["mean"]) for row in rows_of(files(runs)["csv"])}
    assert float(rows["sft"]["difference"]) == pytest.approx(means["sft"] - 10, abs=1e-5)


def test_all_models_can_be_compared_with_one_row_of_another_model():
    runs = [*made_study(MEANS), made_run("prompted", None, {"ner_strict": [6.0] * 40}, model="hosted")]
    rows = [*ROWS, "prompted"]
    made = table_files(settings(rows, against={"model": "hosted", "method": "prompted"}), runs, [], {})
    differences = {row["method"]: row for row in rows_of(made["tests.csv"])}
    assert set(differences) == {"sft", "dpo", "tab_po"}
    assert {row["model"] for row in differences.values()} == {"tiny"}
    assert float(differences["tab_po"]["difference"]) > 0 > float(differences["sft"]["difference"])
    assert differences["sft"]["against"] == "prompted of hosted"


def test_a_prompted_model_has_one_run_and_the_baselines():
    runs = [*made_study(MEANS), made_run("prompted", None, {"ner_strict": [9.0] * 40}, model="gpt")]
    rows = rows_of(table_files(settings([*ROWS, "prompted"]), runs, [], {})["csv"])
    assert [row["method"] for row in rows if row["model"] == "tiny"] == ["sft", "dpo", "tab_po", "dictionary"]
    assert [row["method"] for row in rows if row["model"] == "gpt"] == ["dictionary", "prompted"]
    (prompted,) = [row for row in rows if row["method"] == "prompted"]
    assert (prompted["mean"], prompted["sd"], prompted["seeds"]) == ("90.000000", "", "0")


def imported_study(**models) -> dict[str, str]:
    """A table of two models with three seeds, and imported rows: `grpo` of tiny, `gliner` and `spert` of no model."""
    runs = made_study(MEANS, models=("tiny", "small"))
    runs += [made_run("grpo", seed, {"ner_strict": [7.0 + seed / 10] * 40}) for seed in (1, 2, 3)]
    runs += [made_run("spert", seed, {"ner_strict": [8.0] * 40}, model=None) for seed in (1, 2, 3)]
    runs += [made_run("gliner", None, {"ner_strict": [9.0] * 40}, model=None)]
    imported = ["grpo", "spert", "gliner"]
    return table_files(settings([*ROWS[:3], *imported, "dictionary"], imported=imported), runs, [], {})


def test_an_imported_row_stands_beside_its_model_and_is_compared_if_it_has_seeds():
    made = imported_study()
    shown = {(row["model"], row["method"]): row for row in rows_of(made["csv"])}
    assert {model for model, method in shown if method == "grpo"} == {"tiny"}
    assert {model for model, method in shown if method == "gliner"} == {"tiny", "small"}
    assert float(shown["tiny", "grpo"]["mean"]) == pytest.approx(72) and shown["small", "gliner"]["sd"] == ""
    tests = {(row["model"], row["method"]): row for row in rows_of(made["tests.csv"])}
    assert {method for model, method in tests if model == "tiny"} == {"dpo", "tab_po", "grpo", "spert"}
    difference = 72 - float(shown["tiny", "sft"]["mean"])
    assert float(tests["tiny", "grpo"]["difference"]) == pytest.approx(difference, abs=1e-5)
    assert tests["tiny", "grpo"]["p_holm"] and tests["tiny", "grpo"]["family"] == tests["tiny", "dpo"]["family"]


def test_an_imported_row_of_one_model_takes_no_model_out_of_a_mean():
    made = imported_study()
    means = [row["method"] for row in rows_of(made["csv"]) if row["model"] == "mean of 2 models"]
    assert means == ["sft", "dpo", "tab_po", "dictionary"]
    assert "Means leave out" not in made["md"]


def test_a_mean_over_data_sets_has_the_imported_rows_that_have_all_of_them():
    datasets = ("notes", "letters")
    runs = made_study(MEANS, datasets=datasets)
    runs += [
        made_run("grpo", seed, {"ner_strict": [7.0] * 40}, dataset=name) for name in datasets for seed in (1, 2, 3)
    ]
    runs += [made_run("gliner", None, {"ner_strict": [9.0] * 40}, model=None)]
    rows = [*ROWS, "grpo", "gliner"]
    made = table_files(settings(rows, imported=["grpo", "gliner"]), runs, [], {})
    means = {row["method"]: row for row in rows_of(made["csv"]) if row["dataset"] == "mean of 2 data sets"}
    assert set(means) == {*ROWS, "grpo"} and float(means["grpo"]["mean"]) == pytest.approx(70)


def test_the_note_says_which_rows_are_imported():
    notes = [line for line in imported_study()["md"].splitlines() if "imported answers" in line]
    assert [line.split(":")[0] for line in notes] == ["- `grpo`", "- `spert`", "- `gliner`"]
    assert [line.endswith("so its differences are not tested.") for line in notes] == [False, False, True]


def test_runs_on_other_documents_are_refused_except_a_second_annotator():
    runs = made_study(MEANS)
    other = made_run("majority", None, {"ner_strict": [1.0] * 30}, clusters="others")
    with pytest.raises(DataError, match="majority on notes / None, seed None, was scored on other documents"):
        arrange([*runs, other])
    human = made_run("human", None, {"ner_strict": [9.0] * 30}, clusters="others")
    rows = rows_of(table_files(settings([*ROWS, "human"]), [*runs, human], [], {})["csv"])
    assert [row["mean"] for row in rows if row["method"] == "human"] == ["90.000000"]


def test_the_same_run_twice_is_refused():
    runs = made_study(MEANS)
    with pytest.raises(DataError, match="sft on notes / tiny, seed 1, is given twice"):
        arrange([*runs, runs[0]])


def test_a_line_of_the_csv_has_the_values_and_folders_of_its_runs():
    runs = made_study(MEANS, seeds=2, models=["tiny", "small"])
    rows = {(row["model"], row["method"]): row for row in rows_of(files(runs)["csv"])}
    values = {
        (run.model, run.seed): 100 * run.scores["metrics"]["ner_strict"]["set_directed"]["f1"]
        for run in runs
        if run.method == "dpo"
    }
    assert rows["tiny", "dpo"]["by_seed"] == f"{values['tiny', 1]:.6f} {values['tiny', 2]:.6f}"
    assert rows["tiny", "dpo"]["runs"] == "notes/tiny/dpo/seed1 notes/tiny/dpo/seed2"
    means = [(values["tiny", seed] + values["small", seed]) / 2 for seed in (1, 2)]
    assert rows["mean of 2 models", "dpo"]["by_seed"] == " ".join(f"{mean:.6f}" for mean in means)
    assert rows["mean of 2 models", "dpo"]["runs"].split() == [
        f"notes/{model}/dpo/seed{seed}" for model in ("tiny", "small") for seed in (1, 2)
    ]
    assert rows["mean of 2 models", "dictionary"]["runs"] == "notes/dictionary"


def test_a_missing_seed_leaves_the_cell_empty_and_is_named():
    runs = [run for run in made_study(MEANS) if (run.method, run.seed) != ("dpo", 2)]
    row = rows_of(files(runs)["csv"])[1]
    assert (row["method"], row["mean"], row["reason"]) == ("dpo", "", "no score for seed 2")
    assert set(differences_of(runs)) == {"tab_po"}


def test_missing_rows_and_undefined_metrics_have_a_reason():
    runs = made_study({"sft": 5.0})
    made = files(runs, metrics=["ner_strict", "code"])
    reasons = {(row["method"], row["metric"]): row["reason"] for row in rows_of(made["csv"])}
    assert reasons["tab_po", "ner_strict"] == "not run for this model"
    assert reasons["sft", "code"] == "not defined for this dataset"
    assert "- – not run for this model." in made["md"]


def test_a_model_without_the_baseline_has_no_differences_and_a_note():
    runs = [*made_study({"sft": 5.0, "dpo": 5.0}), *made_study({"sft": 5.0}, models=["large"])[:-1]]
    made = files(runs, against="dpo")
    assert "`notes` / `large`: no differences, as `dpo` was not run with these seeds." in made["md"]


def test_a_collapsed_run_counts_and_is_marked():
    runs = [replace(run, collapsed=(run.method, run.seed) == ("dpo", 2)) for run in made_study(MEANS)]
    made = files(runs)
    assert (
        "†: the mean includes runs that collapsed during training: `dpo` of seed 2 on `notes` / `tiny`." in made["md"]
    )
    assert [line.count("†") for line in made["md"].splitlines() if line.startswith("| dpo")] == [1]
    assert r"$^{\dagger}$" in made["tex"]
    assert [row["mean"] for row in rows_of(made["csv"])] == [
        row["mean"] for row in rows_of(files(made_study(MEANS))["csv"])
    ]


def test_conventions_are_named_or_headline():
    scores = {"valid": 0.9, "metrics": {"rel": {"set_directed": {"f1": 0.5}, "set_canonical": {"f1": 0.6}}}}
    assert metric_value(scores, "rel") == pytest.approx(50)
    assert metric_value(scores, "rel@set_canonical") == pytest.approx(60)
    assert metric_value(scores, "valid") == pytest.approx(90)
    with pytest.raises(DataError, match="set_canonical, set_directed"):
        metric_value(scores, "rel@pure")


def test_per_metric_layout_has_a_column_per_dataset_and_model():
    runs = made_study(MEANS, models=("small", "large"))
    header = files(runs, layout="per_metric", tested=[])["md"].splitlines()[2]
    assert [part.strip() for part in header.strip("|").split("|")] == [
        *("method", "notes / small", "notes / large", "notes / mean of 2 models")
    ]


def test_ceilings_below_100_are_printed_for_the_metrics_shown():
    gold = {"ner_strict": {"set_directed": {"f1": 0.9175}, "in_order": {"f1": 0.9923}}}
    runs = [replace(run, scores=run.scores | {"ceiling": gold}) for run in made_study(MEANS)]
    (note,) = [line for line in files(runs)["md"].splitlines() if "Gold" in line]
    assert note == (
        "- Gold, written as an answer and read again, scores 91.75 in NER on `notes` with each text at its leftmost"
        " free place, and 99.23 in the order of the answer (in_order)."
    )


def test_a_note_says_how_many_prompts_a_second_annotator_has_read():
    human = made_run("human", None, {"ner_strict": [9.0] * 30}, clusters="others")
    human = replace(human, scores=human.scores | {"prompts": 20})
    made = table_files(settings([*ROWS, "human"]), [*made_study(MEANS), human], [], {})
    assert "on the 20 of 90 test prompts that both have annotated." in made["md"]


def test_code_differences_are_named_or_refused():
    provenance = [{"code": {"tabpo.errors": "1", "tabpo.names": "1"}}, {"code": {"tabpo.errors": "2"}}]
    assert code_differences(provenance, strict=False) == ["tabpo.errors"]
    with pytest.raises(ConfigError, match=r"tabpo\.errors"):
        code_differences(provenance, strict=True)
    assert "- Runs were made with different code in a, b." in files(made_study(MEANS), ["a", "b"])["md"]


def test_runs_from_before_a_module_was_renamed_have_other_code():
    now, before = {"code": {"tabpo.errors": "1"}}, {"code": {"tabpo.errors": "1", "tabpo.gone": "1"}}
    assert "tabpo.errors" in module_names() and "tabpo.gone" not in module_names()
    assert code_differences([now, now], strict=True) == []
    assert code_differences([before, before], strict=True) == []
    assert code_differences([now, before], strict=False) == [RENAMED]


def test_the_same_runs_give_the_same_bytes_in_any_order_of_seeds():
    runs = made_study(MEANS, models=("small", "large"))
    backwards = sorted(runs, key=lambda run: -(run.seed or 0))
    assert backwards != runs and files(backwards) == files(runs)
    assert list(files(runs)) == list(FILES)


def test_files_of_private_data_have_the_notice():
    made, public = files(made_study(MEANS), private=["notes"]), files(made_study(MEANS))
    for ending, comment in (("md", ""), ("tests.md", ""), ("tex", "% "), ("tests.tex", "% ")):
        assert made[ending].startswith(f"{comment}INSIDE ONLY: ") and made[ending].endswith(public[ending])
    assert made["csv"] == public["csv"]


def test_null_studies_are_rarely_marked():
    equal = dict.fromkeys(MEANS, 5.0)
    studies = (made_study(equal, documents=30, number=number, spread=2.0) for number in range(100))
    marked = sum("▲" in text or "▼" in text for text in (files(runs)["md"] for runs in studies))
    assert marked <= 8  # 5 % and 1.5 standard errors; docs/statistics.md has the measured rate


def test_only_the_given_metrics_are_tested():
    samples = arrange(made_study(MEANS))
    cells = build_cells(samples, {"ner_strict": single_blocks(samples)}, ROWS)
    (dpo, tab_po) = compare(samples, cells, against="sft", tested=[], rows=[])
    assert (dpo.family, dpo.p_holm, tab_po.tests) == ("", None, 0) and tab_po.p < 0.05


def failed(method: str, seed: int | None, reason: str, **axes) -> dict:
    return {"dataset": "notes", "model": "tiny", "method": method, "seed": seed, "reason": reason} | axes


def test_a_failed_seed_empties_its_row_alone_and_the_cell_says_why():
    runs = [run for run in made_study(MEANS) if (run.method, run.seed) != ("dpo", 3)]
    made = files(runs, missing=[failed("dpo", 3, "failed: out of memory")])
    complete = rows_of(files(made_study(MEANS))["csv"])
    rows = rows_of(made["csv"])
    assert rows[1]["mean"] == "" and rows[1]["reason"] == "n/a (seed 3 failed: out of memory)"
    assert [row["mean"] for row in rows if row["method"] != "dpo"] == [
        row["mean"] for row in complete if row["method"] != "dpo"
    ]
    assert "| n/a (seed 3 failed: out of memory)" in made["md"] and "- – n/a" not in made["md"]
    assert "n/a (seed 3 failed: out of memory)" in made["tex"]
    assert {row["method"] for row in rows_of(made["tests.csv"])} == {"tab_po"}


def test_a_seed_that_failed_in_all_rows_is_no_mean_of_the_others():
    runs = [run for run in made_study(MEANS) if run.seed != 2]
    rows = rows_of(files(runs, missing=[failed(method, 2, "failed: sft, time limit") for method in MEANS])["csv"])
    assert {row["reason"] for row in rows if row["method"] in MEANS} == {"n/a (seed 2 failed: sft, time limit)"}
    assert not any(row["mean"] for row in rows if row["method"] in MEANS)


def test_a_table_without_any_finished_run_says_why_in_each_cell():
    missing = [failed(method, 1, "failed: documents, DataError: a_b") for method in MEANS]
    missing.append(failed("dictionary", None, "was not run", model=None))
    made = files([], missing=missing)
    reasons = {row["method"]: row["reason"] for row in rows_of(made["csv"])}
    assert reasons["dictionary"] == "n/a (was not run)"
    assert reasons["dpo"] == "n/a (seed 1 failed: documents, DataError: a_b)" and r"a\_b" in made["tex"]
    claims = files([], missing=missing, layout="claims", method="tab_po", rivals=["sft", "dpo"])
    assert "REHEARSAL" not in claims["md"]


def test_a_mean_over_models_leaves_a_model_with_a_failed_run_out():
    runs = [
        run
        for run in made_study(MEANS, models=("one", "two", "three"))
        if (run.model, run.method, run.seed) != ("two", "dpo", 1)
    ]
    rows = rows_of(files(runs, missing=[failed("dpo", 1, "was not run", model="two")])["csv"])
    assert {row["model"] for row in rows} == {"one", "two", "three", "mean of 2 models"}
