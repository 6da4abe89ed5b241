"""The export of a study worked out by hand, and random data of which no text, name or small count is exported."""

import csv
import io
import re
from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from tabpo.records import ClusterCounts
from tabpo.tables.export import FEW, RARE, export_files, fold, gold_groups, is_few

CONVENTION = "set_directed"


def counts(metric: str, label: str | None, clusters: dict[str, tuple[int, int, int]]) -> list[ClusterCounts]:
    """The rows of one label, from (right, predicted, gold) items by cluster."""
    return [
        ClusterCounts(cluster, metric, CONVENTION, label, right, predicted, right, gold)
        for cluster, (right, predicted, gold) in clusters.items()
    ]


def run(by_label: dict[str, dict[str, tuple[int, int, int]]], metric: str = "ner_strict") -> list[ClusterCounts]:
    """The rows of a run: those of each label, and those of all labels together."""
    whole: dict[str, tuple[int, int, int]] = defaultdict(lambda: (0, 0, 0))
    for clusters in by_label.values():
        for cluster, parts in clusters.items():
            whole[cluster] = tuple(sum(pair) for pair in zip(whole[cluster], parts, strict=True))
    labelled = [row for label, clusters in by_label.items() for row in counts(metric, label, clusters)]
    return labelled + counts(metric, None, whole)


def patients(number: int, parts: tuple[int, int, int], first: int = 0) -> dict[str, tuple[int, int, int]]:
    return {f"patient-{first + place}": parts for place in range(number)}


def rows(files: dict[str, str], name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(files[f"{name}.csv"])))


TABLE = """dataset,model,method,metric,mean,sd,seeds,difference,low,high,reason,collapsed
notes,tiny,sft,ner_strict,61.234567,1.049,2,,,,,0
notes,tiny,dpo,ner_strict,59.98,,1,-0.049,-2.5,2.44,,1
notes,tiny,sft,rel,66.666667,,1,,,,,0
notes,tiny,sft,ner_strict@macro_label,70.5,,1,,,,,0
mean of 2 data sets,tiny,sft,rel,70.1,,1,,,,,0
mean of 2 data sets,tiny,sft,ner_strict,70.1,,1,,,,,0
notes,tiny,human,ner_strict,88.8,,1,,,,Mrs Smith has read few,0
"""
TESTS = """dataset,model,method,against,metric,seeds,documents,difference,low,high,relative,p,p_holm,sd_seeds
notes,tiny,dpo,sft,ner_strict,3,23,-1.254321,-3.0,0.51,-2.04,0.0414444,0.0828888,1.23456
"""
NOTES = run({"Drug": patients(9, (1, 3, 2)), "Cough": patients(6, (0, 1, 1)), "Rare": patients(2, (1, 1, 1))})
NOTES += run({"CAUSES": patients(3, (2, 3, 3))}, "rel")
OTHER = run({"Drug": patients(9, (1, 3, 2))}) + run({"CAUSES": patients(9, (2, 3, 3))}, "rel")
RUNS = {
    **{("notes", "tiny", "sft"): [NOTES, NOTES], ("notes", "tiny", "dpo"): [NOTES]},
    **{("other", "tiny", "sft"): [OTHER], ("notes", None, "human"): [run({"Drug": patients(4, (1, 1, 1))})]},
}


def test_a_study_by_hand():
    files = export_files({"main": TABLE, "main.tests": TESTS}, RUNS)
    assert files["tables/main.csv"].splitlines() == [
        "dataset,model,method,metric,seeds,mean,sd,difference,low,high",
        "notes,tiny,sft,ner_strict,2,61.2,1.0,,,",
        "notes,tiny,dpo,ner_strict,1,60.0,,0.0,-2.5,2.4",
        "notes,tiny,sft,rel,,,,,,",  # only three patients have relations
        "notes,tiny,sft,ner_strict@macro_label,,,,,,",  # only two patients have the label Rare
        "mean of 2 data sets,tiny,sft,rel,,,,,,",  # with the other data set it would reveal the blank value
        "mean of 2 data sets,tiny,sft,ner_strict,1,70.1,,,,",
        "notes,tiny,human,ner_strict,,,,,,",  # the second annotator has read texts of four patients
    ]
    assert files["tables/main.tests.csv"].splitlines() == [
        "dataset,model,method,against,metric,seeds,difference,low,high,relative,p,p_holm,documents",
        "notes,tiny,dpo,sft,ner_strict,3,-1.3,-3.0,0.5,-2.0,0.041,0.083,25",
    ]
    # Drug: 2 * 9 / (27 + 18) = 40.0; Rare, of two patients, is combined with Cough, of six: 2 * 2 / (8 + 8) = 25.0
    assert [row for row in rows(files, "labels") if (row["dataset"], row["method"]) == ("notes", "sft")] == [
        {**LABEL, "label": "Drug", "f1": "40.0", "groups": "10", "gold": "20"},
        {**LABEL, "label": RARE, "f1": "25.0", "groups": "5", "gold": "10"},
    ]
    assert {row["method"] for row in rows(files, "labels")} == {"sft", "dpo"}
    assert r"\csname tabpo:notes/tiny/sft/ner_strict/mean\endcsname{61.2}" in files["macros.tex"]
    assert r"dpo/ner_strict/against/sft/difference\endcsname{-1.3}" in files["macros.tex"]
    assert "tabpo:notes/tiny/sft/rel" not in files["macros.tex"] and "nan" not in files["macros.tex"]
    assert "61.2 ± 1.0" in files["tables/main.md"] and r"ner\_strict" in files["tables/main.tex"]


LABEL = {"dataset": "notes", "model": "tiny", "method": "sft", "metric": "ner_strict", "seeds": "2"}


def test_labels_are_combined_until_enough_groups_have_them():
    groups = {"A": set("abcdefghi"), "B": set("abcdef"), "C": set("ab"), "D": set()}
    assert fold(groups) == (["A"], ["B", "C", "D"])
    assert fold(groups | {"E": set("cdef")}) == (["A", "B"], ["C", "D", "E"])
    assert fold({"A": set("abcdef"), "D": set()}) == (["A"], ["D"])  # a label of no patient reveals nothing
    assert fold({"C": set("ab")}) == ([], ["C"])


def test_a_mean_of_metrics_needs_groups_in_each_of_them_that_has_gold():
    clusters = patients(6, (1, 1, 1))
    groups = gold_groups(counts("muc", None, clusters) + counts("ceaf_e", None, patients(2, (1, 1, 1))))
    assert not is_few(groups, "muc@in_order") and is_few(groups, "conll")
    assert is_few(groups, "label_and_link")
    assert not is_few(gold_groups(counts("semantic_label", None, clusters)), "label_and_link")
    assert not is_few(
        gold_groups([row for name in ("muc", "b_cubed", "ceaf_e") for row in counts(name, None, clusters)]), "conll"
    )


PATIENT = st.from_regex(r"Mrs [A-Z][a-z]{6}-[0-9]{5}", fullmatch=True)
SECRET = st.from_regex(r"[a-z]{5} [a-z]{7} [a-z]{6}", fullmatch=True)
PARTS = st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from([1, 2, 4, 0]))
NAMES = [f"label{letter}" for letter in "ABCD"]


@given(st.data())
def test_no_text_name_or_small_count_is_exported(data):
    people = data.draw(st.lists(PATIENT, min_size=4, max_size=12, unique=True))
    secrets = data.draw(st.lists(SECRET, min_size=3, max_size=3))
    by_label = {}
    for label in NAMES:  # each label has a range of neighbouring people
        first, number = data.draw(st.integers(0, 11)), data.draw(st.sampled_from([9, 6, 5, 4, 2, 1, 0]))
        by_label[label] = {people[(first + place) % len(people)]: data.draw(PARTS) for place in range(number)}
    table = io.StringIO()
    lines = csv.writer(table)
    lines.writerow(["dataset", "model", "method", "metric", "mean", "sd", "reason", "text", "count", "prompt_id"])
    share = data.draw(st.floats(0, 100))
    lines.writerow(["notes", "tiny", "sft", "ner_strict", share, "", *secrets[:2], 3, people[0]])
    lines.writerow(["notes", "tiny", "sft", "ner_strict@macro_label", share, "", *secrets[:2], 3, people[0]])
    files = export_files({"main": table.getvalue()}, {("notes", "tiny", "sft"): [run(by_label)]})

    whole = "\n".join([*files, *files.values()])
    assert not [name for name in [*people, *secrets] if name in whole]
    having = {label: {person for person, parts in by_label.get(label, {}).items() if parts[2]} for label in NAMES}
    assert not [label for label in NAMES if len(having[label]) < FEW and label in whole]

    shown = rows(files, "labels")
    single = {row["label"] for row in shown} - {RARE}
    folded = set().union(*(having[label] for label in set(NAMES) - single))
    assert len(folded) >= FEW or not folded or not single  # the total minus the shown rows rests on enough groups
    for row in shown:
        assert all(int(row[name]) % FEW == 0 and int(row[name]) >= FEW for name in ("groups", "gold"))
        assert re.fullmatch(r"\d+\.\d", row["f1"])
    everybody = set().union(*having.values())
    micro, macro = rows(files, "tables/main")
    assert micro["mean"] == (f"{share:.1f}" if len(everybody) >= FEW else "")
    present = [people for people in having.values() if people]
    assert bool(macro["mean"]) == (bool(present) and min(map(len, present)) >= FEW)
