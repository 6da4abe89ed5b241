"""Tables of single labels: counts worked by hand, order by frequency, and what rare labels can tell."""

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tabpo.metrics.by_cluster import clusters_metadata
from tabpo.metrics.counts import Counts
from tabpo.metrics.names import HEADLINE, LabelMetric, label_metric
from tabpo.names import WITHOUT_MODEL
from tabpo.records import ClusterCounts, write_records
from tabpo.tables.cells import Run, metric_value
from tabpo.tables.estimates import read_estimates
from tabpo.tables.files import table_files
from tabpo.tables.macros import render_macros
from tabpo.tables.meanings import printed_metric, title, unit
from tests.tables.made_runs import settings

EXPECTED = Path(__file__).parent / "expected"

Items = dict[str, list[tuple[int, int, int]]]
"""By label, (right, predicted, gold) items of each document."""


def run_of(path: Path, method: str, seed: int | None, items: dict[str, Items], **where) -> Run:
    """A run from a written file of counts, whose items are given by metric, label and document."""
    labels, metrics = {}, {}
    size = len(next(of_label for by_label in items.values() for of_label in by_label.values()))
    counts = [ClusterCounts(f"d{number:03}", "valid", HEADLINE, None, 1, 1, 1, 1) for number in range(size)]
    for metric, by_label in items.items():
        documents = [[Counts(*of_label[number]) for of_label in by_label.values()] for number in range(size)]
        for number, of_document in enumerate(documents):
            rows = {None: sum(of_document, Counts(0, 0, 0)), **dict(zip(by_label, of_document, strict=True))}
            counts += [
                ClusterCounts(f"d{number:03}", metric, HEADLINE, label, *map(float, each.parts))
                for label, each in rows.items()
                if any(each.parts)
            ]
        sums = {
            label: sum((Counts(*each) for each in of_label), Counts(0, 0, 0)) for label, of_label in by_label.items()
        }
        labels[metric] = {label: total.shown() for label, total in sums.items() if any(total.parts)}
        metrics[metric] = {HEADLINE: sum(sums.values(), Counts(0, 0, 0)).shown()}
    write_records(path, ClusterCounts, counts, clusters_metadata(counts))
    scores = {"valid": 1.0, "prompts": 9, "metrics": metrics, "labels": labels, "ceiling": {}}
    place = {"dataset": "notes", "model": None if method in WITHOUT_MODEL else "tiny"} | where
    return Run(**place, method=method, seed=seed, scores=scores, estimates=read_estimates(path, [*items], [*items]))


def files(runs: list[Run], methods: tuple[str, ...] = ("tab_po",), **changed) -> dict[str, str]:
    table = settings(["sft", *methods], **{"layout": "labels", "metrics": ["ner_strict"]} | changed)
    return table_files(table, runs, [], {})


def lines(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def rows_of(text: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")
    ]


def test_names_of_labels_and_how_they_are_printed():
    assert label_metric("ner_strict") is None and label_metric("rel@pure") is None
    for name in ("ner_strict:Method", "triple.recall:A: b / c.d"):
        assert label_metric(name).name == name
    assert label_metric("triple.recall:A: b / c.d") == LabelMetric("triple", "recall", "A: b / c.d")
    assert (title("rel:Used-for"), title("rel.precision:Used-for")) == ("Rel: Used-for", "Rel: Used-for, precision")
    assert printed_metric("rel:Used-for") == "Rel: Used-for" and unit("rel:of_drift") == "points"
    assert title("triple:CareCoordination / None") == "Triple: CareCoordination"


SFT = {"Task": [(1, 2, 2), (1, 1, 2), (0, 1, 0)], "Rare": [(0, 0, 0), (0, 1, 1), (0, 0, 0)], "Absent": [(0, 1, 0)] * 3}
BETTER = {
    "Task": [(2, 2, 2), (2, 2, 2), (0, 0, 0)],
    "Rare": [(0, 0, 0), (1, 1, 1), (0, 0, 0)],
    "Absent": [(0, 0, 0)] * 3,
}


def test_estimates_of_labels_by_hand(tmp_path):
    estimates = run_of(tmp_path / "counts.parquet", "sft", 1, {"ner_strict": SFT}).estimates
    # Task: 2 right of 4 predicted and of 4 gold; without the documents 1 of 2 and 2, 1 of 3 and 2, 2 of 3 and 4
    assert estimates.metrics["ner_strict:Task"].whole == pytest.approx([50.0])
    assert estimates.metrics["ner_strict:Task"].without[0] == pytest.approx([200 / 4, 200 / 5, 400 / 7])
    # together: 2 right of 5 predicted and of 5 gold; without the documents 1 of 3 and 3, 1 of 3 and 2, 2 of 4 and 5
    assert estimates.metrics["ner_strict:Rare + Task"].whole == pytest.approx([40.0])
    assert estimates.metrics["ner_strict:Rare + Task"].without[0] == pytest.approx([200 / 6, 200 / 5, 400 / 9])
    assert estimates.gold == {"ner_strict": 5.0} | {
        f"ner_strict{part}:{label}": gold
        for label, gold in (("Task", 4.0), ("Rare", 1.0), ("Rare + Task", 5.0))
        for part in ("", ".precision", ".recall")
    }
    assert estimates.gold_clusters == {  # Absent has no gold item
        **{"ner_strict:Task": 2, "ner_strict:Rare": 1, "ner_strict:Rare + Task": 2}
    }


def test_the_score_file_gives_the_same_numbers(tmp_path):
    run = run_of(tmp_path / "counts.parquet", "sft", 1, {"ner_strict": SFT})
    for name in run.estimates.gold_clusters:
        assert metric_value(run.scores, name) == pytest.approx(run.estimates.metrics[name].whole[0])
    assert metric_value(run.scores, "ner_strict.recall:Rare + Task") == pytest.approx(40.0)
    assert metric_value(run.scores, "ner_strict.precision:Task") == pytest.approx(50.0)
    assert metric_value(run.scores, "ner_strict:Unknown") is None and metric_value(run.scores, "rel:Task") is None


def test_a_table_of_labels_by_hand(tmp_path):
    items = {("sft", 1): SFT, ("sft", 2): SFT, ("tab_po", 1): BETTER, ("tab_po", 2): SFT}
    runs = [
        run_of(
            tmp_path / f"{row}{seed}", row, seed, {"ner_strict": {label: 3 * each for label, each in of_run.items()}}
        )
        for (row, seed), of_run in items.items()
    ]
    made = files(runs)
    assert rows_of(made["md"])[0] == ["label", "method", "Gold", "Groups", "Precision", "Recall", "F1", "Gain over SFT"]
    assert [row[:7] for row in rows_of(made["md"])[1:]] == [
        ["NER: Task", "sft", "12", "6", "50.0", "50.0", "50.0 ± 0.0"],
        ["NER: Task", "tab_po", "12", "6", "75.0", "75.0", "75.0 ± 35.4"],
        ["NER: Rare", "sft", "3", "3", "0.0", "0.0", "0.0 ± 0.0"],
        ["NER: Rare", "tab_po", "3", "3", "50.0", "50.0", "50.0 ± 70.7"],
        ["NER: 2 rare labels", "sft", "15", "6", "40.0", "40.0", "40.0 ± 0.0"],
        ["NER: 2 rare labels", "tab_po", "15", "6", "70.0", "70.0", "70.0 ± 42.4"],
    ]
    gains = [row[7] for row in rows_of(made["md"])[2::2]]
    assert gains[0].startswith("+25.0 [") and gains[1] == "–" and gains[2].startswith("+30.0 [")
    assert "fewer than 20 groups are rare and not tested one by one" in made["md"]
    assert "- NER: 2 rare labels of `notes`, counted together: Rare, Task." in made["md"]
    assert "▲" not in made["md"].splitlines()[0] and "Absent" not in made["md"]
    first = next(line for line in lines(made["csv"]) if line["metric"] == "ner_strict:Task")
    assert {key: first[key] for key in ("metric", "label", "gold", "groups", "mean")} == {
        **{"metric": "ner_strict:Task", "label": "Task", "gold": "12", "groups": "6", "mean": "50.000000"}
    }
    tests = lines(made["tests.csv"])
    assert [(test["metric"], test["difference"], test["family"]) for test in tests] == [
        ("ner_strict:Task", "25.000000", ""),
        ("ner_strict:Rare + Task", "30.000000", ""),
    ]
    frames = tuple(pd.read_csv(io.StringIO(made[ending])) for ending in ("csv", "tests.csv"))
    assert r"tabpo:notes/tiny/tab_po/ner_strict.recall:Task/mean\endcsname{75.0}" in render_macros({"labels": frames})


def test_rare_labels_together_are_tested_if_enough_documents_have_one(tmp_path):
    runs = []
    for method, right in (("sft", 0), ("tab_po", 1)):
        for seed in (1, 2, 3):
            items = {
                label: [
                    (right * (number % 7 > 0 or seed > 1), 1, 1) if number % 3 == rest else (0, 0, 0)
                    for number in range(36)
                ]
                for rest, label in enumerate(("A", "B", "C"))
            }
            runs.append(run_of(tmp_path / f"{method}{seed}", method, seed, {"ner_strict": items}))
    made = files(runs)
    assert [test["metric"] for test in lines(made["tests.csv"]) if test["family"]] == ["ner_strict:A + B + C"]
    assert "▲" in rows_of(made["md"])[-1][6] and rows_of(made["md"])[-1][:4] == [
        "NER: 3 rare labels",
        "tab_po",
        "36",
        "36",
    ]


def study(
    tmp_path: Path, gains: dict[str, float], *, seeds: int = 3, documents: int = 40, models=("tiny",)
) -> list[Run]:
    """Runs with gold of Often in every document and of Seldom in the first ten; a method gains this share of it."""
    generator = np.random.default_rng(1)
    runs = []
    for model in models:
        for method, more in (("sft", 0.0), ("tab_po", 1.0)):
            for seed in range(1, seeds + 1):
                items = {
                    label: [
                        (right, 10, 10) if label == "Often" or number < 10 else (0, 0, 0)
                        for number in range(documents)
                        for right in [int(generator.binomial(10, 0.4 + more * gains[label]))]
                    ]
                    for label in ("Seldom", "Often")
                }
                path = tmp_path / f"{model}{method}{seed}"
                runs.append(run_of(path, method, seed, {"ner_strict": items}, model=model))
    path = tmp_path / "dictionary"
    few = {"Often": [(0, 1, 10)] * documents, "Seldom": [(0, 0, 10 * (number < 10)) for number in range(documents)]}
    runs.append(run_of(path, "dictionary", None, {"ner_strict": few}))
    return runs


def test_a_gain_of_a_frequent_label_is_marked_and_the_same_of_a_rare_one_has_its_interval_alone(tmp_path):
    made = files(study(tmp_path, {"Often": 0.3, "Seldom": 0.3}))
    assert [row[0] for row in rows_of(made["md"])[1:]] == ["NER: Often", "NER: Often", "NER: Seldom", "NER: Seldom"]
    often, seldom = rows_of(made["md"])[2], rows_of(made["md"])[4]
    assert often[6].endswith("▲") and "▲" not in seldom[6] and seldom[7].startswith("+")
    assert "Holm-adjusted p < .05 over the 1 tested differences" in made["md"]
    assert [(test["metric"], test["tests"]) for test in lines(made["tests.csv"]) if test["family"]] == [
        ("ner_strict:Often", "1")
    ]
    assert r"\begin{table*}" in made["tex"] and r"$^{\uparrow}$" in made["tex"]


def test_models_are_one_mean_and_generated_data_a_rehearsal(tmp_path):
    runs = study(tmp_path, {"Often": 0.3, "Seldom": 0.0}, models=("tiny", "large"))
    made = files(runs)
    assert "`notes` / mean of 2 models." in made["md"] and len(rows_of(made["md"])) == 5
    assert {test["family"] for test in lines(made["tests.csv"])} == {"pooled", ""}
    assert rows_of(made["md"])[2][6].endswith("▲")
    rehearsal = files(runs, generated=["notes"])["md"]
    assert rehearsal.startswith("**REHEARSAL. ") and "▲" not in rehearsal


def test_two_data_sets_have_their_own_labels(tmp_path):
    runs = study(tmp_path, {"Often": 0.3, "Seldom": 0.3})
    other = {"A / b": [(1, 2, 2)] * 30}
    for method in ("sft", "tab_po"):
        for seed in (1, 2, 3):
            runs.append(run_of(tmp_path / f"phee{method}{seed}", method, seed, {"triple": other}, dataset="phee"))
    made = files(runs, metrics=["ner_strict", "triple"])
    assert rows_of(made["md"])[0][:4] == ["dataset", "model", "label", "method"]
    assert [row[:3] for row in rows_of(made["md"])[-2:]] == [["phee", "tiny", "Triple: A / b"]] * 2
    body = made["tex"].split(r"\midrule")
    assert body[2].strip().startswith(r"PHEE & tiny & Triple: A / b & SFT")  # a rule, then names that are printed once
    assert r"&  &  & TAB-PO" in body[2]


def test_a_failed_run_leaves_its_rows_with_the_reason(tmp_path):
    runs = [run for run in study(tmp_path, {"Often": 0.3, "Seldom": 0.3}) if (run.method, run.seed) != ("tab_po", 2)]
    missing = [{"dataset": "notes", "model": "tiny", "method": "tab_po", "seed": 2, "reason": "failed: out of memory"}]
    rows = rows_of(files(runs, missing=missing)["md"])
    assert rows[2][4:] == ["–", "–", "n/a (seed 2 failed: out of memory)", "–"] and rows[1][6].startswith("4")
    nothing = files([], missing=[each | {"method": method} for each in missing for method in ("sft", "tab_po")])
    assert "(none)" in nothing["md"]


def test_the_files_are_as_expected(tmp_path):
    made = files(study(tmp_path, {"Often": 0.3, "Seldom": 0.1}), name="labels")
    for ending in ("md", "tex", "csv", "tests.md"):
        assert made[ending] == (EXPECTED / f"labels.{ending}").read_text()
