from dataclasses import replace

import pytest

from tabpo.captions import describe
from tabpo.errors import ConfigError, DataError
from tabpo.names import WITHOUT_MODEL
from tabpo.tables import Run, build_cells, code_differences, metric_value
from tabpo.typeset import to_csv, to_latex, to_markdown


def scores(ner: float, rel: float = 0.5, canonical: float = 0.6, valid: float = 0.9) -> dict:
    return {
        "prompts": 90,
        "valid": valid,
        "metrics": {
            "ner_strict": {"set_directed": {"f1": ner}},
            "rel": {"set_directed": {"f1": rel}, "set_canonical": {"f1": canonical}},
        },
        "ceiling": {},
    }


def run(method: str, seed: int | None, ner: float, model: str | None = "tiny", dataset: str = "scierc") -> Run:
    return Run(dataset, None if method in WITHOUT_MODEL else model, method, seed, scores(ner))


def three_seeds() -> list[Run]:
    return [
        *(run("sft", seed, ner) for seed, ner in [(1, 0.60), (2, 0.62), (3, 0.64)]),
        *(run("dpo", seed, ner) for seed, ner in [(1, 0.63), (2, 0.66), (3, 0.66)]),
        run("dictionary", None, 0.2),
    ]


def cells_by_row(runs: list[Run], rows: list[str], metric: str = "ner_strict") -> dict:
    return {cell.method: cell for cell in build_cells(runs, rows=rows, metrics=[metric], baseline="sft")}


def test_mean_deviation_and_paired_interval_by_hand():
    cells = cells_by_row(three_seeds(), ["dictionary", "sft", "dpo"])
    assert cells["sft"].mean == pytest.approx(62.0)
    assert cells["sft"].sd == pytest.approx(2.0)  # sample deviation of 60, 62, 64
    # Differences 3, 4, 2: mean 3, sd 1; t(.975, 2) = 4.302653; half width 4.302653 / sqrt(3) = 2.484138
    assert cells["dpo"].difference == pytest.approx(3.0)
    assert (cells["dpo"].low, cells["dpo"].high) == pytest.approx((3 - 2.484138, 3 + 2.484138), abs=1e-6)
    assert cells["dpo"].significant
    assert cells["sft"].difference is None
    assert (cells["dictionary"].mean, cells["dictionary"].sd) == (pytest.approx(20.0), None)
    assert [cells[row].rank for row in ("dpo", "sft", "dictionary")] == [1, 2, 0]


def test_differences_to_a_row_without_seeds_are_to_its_one_run():
    cells = build_cells(three_seeds(), rows=["dictionary", "sft", "dpo"], metrics=["ner_strict"], baseline="dictionary")
    by_row = {cell.method: cell for cell in cells}
    # sft 60, 62, 64 over the dictionary's 20: 40, 42, 44; sd 2; half width 4.302653 * 2 / sqrt(3) = 4.968276
    assert by_row["sft"].difference == pytest.approx(42.0)
    assert (by_row["sft"].low, by_row["sft"].high) == pytest.approx((42 - 4.968276, 42 + 4.968276), abs=1e-6)
    assert by_row["dictionary"].difference is None


def test_a_collapsed_run_counts_and_is_marked():
    runs = [replace(one, collapsed=(one.method, one.seed) == ("dpo", 2)) for one in three_seeds()]
    rows, metrics = ["dictionary", "sft", "dpo"], ["ner_strict"]
    cells = build_cells(runs, rows=rows, metrics=metrics, baseline="sft")
    unmarked = build_cells(three_seeds(), rows=rows, metrics=metrics, baseline="sft")
    assert [cell.collapsed for cell in cells] == [0, 0, 1]
    assert [replace(cell, collapsed=0) for cell in cells] == unmarked  # the same means and differences
    settings = {"presets": "matched", "baseline": "sft", "caption": "C.", "metrics": metrics}
    text = describe(settings, runs, cells, [])
    assert "†: collapsed while trained, and counts: dpo of seed 2 on scierc / tiny." in text["notes"]
    assert "**65.0 ± 1.7**\\*†" in to_markdown(cells, layout="main", **text)
    latex = to_latex(cells, layout="main", **text)
    assert r"\textbf{65.0 $\pm$ 1.7}$^{*}$$^{\dagger}$" in latex and r"$\dagger$: collapsed while" in latex
    assert to_csv(cells).splitlines()[3].endswith(",,1") and to_csv(cells).splitlines()[2].endswith(",,0")
    assert not any("†" in note for note in describe(settings, three_seeds(), unmarked, [])["notes"])


def test_one_seed_has_neither_deviation_nor_significance():
    cells = cells_by_row([run("sft", 1, 0.6), run("dpo", 1, 0.7)], ["sft", "dpo"])
    assert cells["dpo"].sd is None and cells["dpo"].difference == pytest.approx(10.0)
    assert not cells["dpo"].significant


def test_a_missing_seed_empties_the_cell_and_is_named():
    runs = [one for one in three_seeds() if (one.method, one.seed) != ("dpo", 2)]
    cell = cells_by_row(runs, ["sft", "dpo"])["dpo"]
    assert cell.mean is None and cell.reason == "no score for seed 2"


def test_a_row_that_was_not_run_says_so():
    assert cells_by_row(three_seeds(), ["sft", "tab_po"])["tab_po"].reason == "not run for this model"
    assert cells_by_row(three_seeds(), ["sft"], "code")["sft"].reason == "not defined for this dataset"


def test_a_model_without_the_baseline_has_no_differences_and_says_so():
    runs = [*three_seeds(), *(run("sft", seed, 0.7, model="large") for seed in (1, 2, 3))]
    cells = build_cells(runs, rows=["sft", "dpo"], metrics=["ner_strict"], baseline="dpo")
    reason = "no differences, as the baseline was not run with these seeds"
    assert {(cell.model, cell.method): cell.reason for cell in cells} == {
        **{("tiny", "sft"): "", ("tiny", "dpo"): "", ("large", "sft"): reason},
        ("large", "dpo"): "not run for this model",
    }
    settings = {"caption": "All.", "presets": "matched", "baseline": "dpo", "metrics": ["ner_strict"]}
    notes = describe(settings, runs, cells, [])["notes"]
    assert f"scierc / large: {reason}." in notes and f"– {reason}." not in notes


def test_the_same_run_twice_is_refused():
    with pytest.raises(DataError, match="given twice"):
        cells_by_row([run("sft", 1, 0.6), run("sft", 1, 0.7)], ["sft"])


def test_conventions_are_named_or_headline():
    assert metric_value(scores(0.1), "rel") == pytest.approx(50)
    assert metric_value(scores(0.1), "rel@set_canonical") == pytest.approx(60)
    assert metric_value(scores(0.1), "valid") == pytest.approx(90)
    with pytest.raises(DataError, match="set_canonical, set_directed"):
        metric_value(scores(0.1), "rel@pure")


def test_baselines_are_not_in_the_running():
    runs = [*three_seeds(), run("majority", None, 0.9)]
    cells = {
        cell.method: cell
        for cell in build_cells(runs, rows=["sft", "dpo", "majority"], metrics=["ner_strict"], baseline="sft")
    }
    assert [cells[row].rank for row in ("dpo", "sft", "majority")] == [1, 2, 0]
    assert (cells["majority"].mean, cells["majority"].sd) == (pytest.approx(90.0), None)


def with_an_endpoint() -> list[Run]:
    return [*three_seeds(), run("prompted", None, 0.9, model="gpt"), run("majority", None, 0.1)]


def test_a_prompted_model_has_one_run_and_no_row_beside_it_but_baselines():
    rows = ["sft", "dpo", "prompted", "dictionary", "majority"]
    cells = build_cells(with_an_endpoint(), rows=rows, metrics=["ner_strict"], baseline="sft")
    by_model = {model: [cell for cell in cells if cell.model == model] for model in ("tiny", "gpt")}
    assert [cell.method for cell in by_model["tiny"]] == ["sft", "dpo", "dictionary", "majority"]
    assert [cell.method for cell in by_model["gpt"]] == ["prompted", "dictionary", "majority"]
    (prompted, *_), reasons = by_model["gpt"], {cell.reason for cell in cells}
    assert (prompted.mean, prompted.sd, prompted.seeds, prompted.difference) == (pytest.approx(90), None, 0, None)
    assert prompted.rank == 0 and reasons == {""}


def test_code_differences_are_named_or_refused():
    provenance = [{"code": {"tabpo.a": "1", "tabpo.b": "1"}}, {"code": {"tabpo.a": "2", "tabpo.c": "1"}}]
    assert code_differences(provenance, strict=False) == ["tabpo.a"]
    with pytest.raises(ConfigError, match=r"tabpo\.a"):
        code_differences(provenance, strict=True)


def test_three_formats_hold_the_same_cells():
    cells = build_cells(three_seeds(), rows=["dictionary", "sft", "dpo"], metrics=["ner_strict", "rel"], baseline="sft")
    text = {"caption": "A_1 & more.", "notes": ["50 % of it."], "marks": True}
    markdown = to_markdown(cells, layout="main", **text)
    (row,) = [line for line in markdown.splitlines() if line.startswith("| dpo")]
    assert [part.strip() for part in row.strip("|").split("|")] == ["dpo", r"**65.0 ± 1.7**\*", "**50.0 ± 0.0**"]
    latex = to_latex(cells, layout="main", **text)
    assert r"dpo & \textbf{65.0 $\pm$ 1.7}$^{*}$ & \textbf{50.0 $\pm$ 0.0} \\" in latex
    assert r"A\_1 \& more. 50 \% of it." in latex
    assert "scierc,tiny,dpo,ner_strict,65.000000,1.732051,3,3.000000,0.515862,5.484138," in to_csv(cells)


def test_per_metric_layout_has_a_column_per_dataset_and_model():
    runs = [run("sft", 1, 0.6), run("sft", 1, 0.7, model="small"), run("sft", 1, 0.8, dataset="phee")]
    cells = build_cells(runs, rows=["sft"], metrics=["ner_strict"], baseline="sft")
    header = to_markdown(cells, layout="per_metric", caption="c", notes=[], marks=False).splitlines()[2]
    assert [part.strip() for part in header.strip("|").split("|")] == [
        "method",
        "scierc / tiny",
        "scierc / small",
        "phee / tiny",
    ]


def test_preferences_are_shares_and_nats_of_pairs_without_ceilings():
    values = {"sft": (0.5, 0.0), "dpo": (0.75, -0.01)}
    runs = [
        Run(
            "ours",
            "tiny",
            method,
            1,
            {"metrics": {}, "pairs": 40, "reward_accuracy": accuracy, "reward_margin": margin},
        )
        for method, (accuracy, margin) in values.items()
    ]
    metrics = ["reward_accuracy", "reward_margin"]
    cells = build_cells(runs, rows=["sft", "dpo"], metrics=metrics, baseline="sft")
    assert [cell.mean for cell in cells] == [50, 75, 0, -0.01]
    settings = {"caption": "Ours.", "presets": "matched", "baseline": "sft", "metrics": metrics}
    described = describe(settings, runs, cells, [])
    assert described["notes"][0].startswith("Shares of test pairs in percent, seed 1 alone;")
    table = to_markdown(cells, layout="main", **described)
    assert "-0.0" not in table and "ceiling" not in table
    margins = describe(settings | {"metrics": metrics[1:]}, runs, cells[2:], [])["notes"]
    assert margins[0].startswith("Means over test pairs in nats, seed 1 alone;")
