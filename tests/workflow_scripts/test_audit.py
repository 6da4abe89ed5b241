"""The audit proves and describes pairs, or names the first id that breaks a rule."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tabpo.artefacts import write_json
from tabpo.errors import DataError
from tabpo.pairs.isolation import prove_isolation
from tabpo.records import PROMPT_SPLITS, Document, Edit, Message, Pair, Prompt, Reference, write_records
from workflow_scripts import audit

ROOT = Path(__file__).parents[2]
RECORD = '{"id":1,"label":"Task","span":"net"}'


def prompt(prompt_id: str) -> Prompt:
    return Prompt(prompt_id, prompt_id.split("#")[0], (Message("user", "text"),), "{}")


def pair(prompt_id: str) -> Pair:
    return Pair(f"{prompt_id}/0", prompt_id, "a", "b", (Edit("label", "entities/1/label", "A", "B", "uniform"),), 1)


@pytest.fixture
def prompts() -> dict[str, list[Prompt]]:
    return {
        "train": [prompt("A#0"), prompt("A#1"), prompt("B#0")],
        "dev_confusion": [prompt("C#0"), prompt("C#1")],
        "dev_select": [prompt("D#0")],
        "test": [prompt("E#0")],
    }


def test_counts(prompts):
    proof = prove_isolation("dev_confusion", ["C#0"], [pair("A#0"), pair("A#1")], prompts)
    assert proof["splits"]["train"] == {"prompts": 3, "documents": 2}
    assert proof["confusions"] == {"prompts": 1, "of": "dev_confusion"}
    assert proof["pairs"] == {"pairs": 2, "prompts": 2, "of": "train"}
    assert proof["choices"] == {"of": "dev_select"}


@pytest.mark.parametrize(
    ("heldout", "ids", "choices", "refused"),
    [
        ("dev", ["C#0", "D#0"], None, ("A#0", "and dev_select only: 1 prompts do not, the first is in train")),
        (
            "crossfit",
            ["A#0", "B#0"],
            "dev_select",
            ("C#0", "confusions must come from train only: 1 prompts do not, the first is in dev_confusion"),
        ),
        (
            None,
            [],
            "dev_select",
            ("A#0", "confusions must come from nothing only: 1 prompts do not, the first is in train"),
        ),
    ],
)
def test_each_heldout_accepts_its_prompts_only(prompts, heldout, ids, choices, refused):
    proof = prove_isolation(heldout, ids, [pair("A#0")], prompts)
    assert proof["confusions"] == {"prompts": len(ids), "of": heldout}
    assert proof["choices"] == {"of": choices}
    with pytest.raises(DataError, match=refused[1]):
        prove_isolation(heldout, [*ids, refused[0]], [pair("A#0")], prompts)


@pytest.mark.parametrize(
    ("ids", "pairs", "message"),
    [
        (
            ["C#0", "D#0"],
            [],
            "confusions must come from dev_confusion only: 1 prompts do not, the first is in dev_select",
        ),
        (["E#0"], [], "confusions must come from dev_confusion only: 1 prompts do not, the first is in test"),
        (["A#1"], [], "confusions must come from dev_confusion only: 1 prompts do not, the first is in train"),
        (["Z#9"], [], "confusions must come from dev_confusion only: 1 prompts do not, the first is in no split"),
        ([], ["A#0", "E#0"], "pairs must come from train only: 1 prompts do not, the first is in test"),
        ([], ["C#1"], "pairs must come from train only: 1 prompts do not, the first is in dev_confusion"),
    ],
)
def test_confusions_and_pairs_of_other_splits_are_refused(prompts, ids, pairs, message):
    with pytest.raises(DataError, match=message):
        prove_isolation("dev_confusion", ids, [pair(prompt_id) for prompt_id in pairs], prompts)


def test_splits_that_share_a_prompt_or_a_document_are_refused(prompts):
    with pytest.raises(DataError, match="splits must share no document: dev_confusion and dev_select have 1 in common"):
        prove_isolation("dev_confusion", [], [], {**prompts, "dev_select": [prompt("C#7")]})
    with pytest.raises(DataError, match="splits must share no prompt: train and test have 1 in common"):
        prove_isolation("dev_confusion", [], [], {**prompts, "test": [prompt("A#1")]})


SPREADS = dict.fromkeys(("token_edit_distance", "character_edit_distance", "share_of_differing_tokens"))
OF_PREFERENCES = {"pairs": 1, "pairs_flipped": 1} | SPREADS
OF_ANNOTATIONS = OF_PREFERENCES | {
    **{name: {} for name in ("examples_without_pair", "refusals", "kinds", "sources", "labels")},
    **dict.fromkeys(("examples", "pairs_wanted"), 1),
    "token_edits": {"1": 1},
}


@pytest.fixture
def audited(tmp_path: Path, prompts) -> Callable[..., tuple[dict, str]]:
    """Return a function that runs the program on one pair and returns audit and page."""

    def run(pair: Pair, drawn: dict, ids: str = "", *, private: bool = False, **settings) -> tuple[dict, str]:
        write_records(tmp_path / "pairs.parquet", Pair, [pair])
        write_records(tmp_path / "reference.parquet", Reference, [Reference(pair.pair_id, (-1,), (-2,))])
        write_records(tmp_path / "gold.parquet", Reference, [Reference("D#0", (-1, -0.01), ())])
        write_records(tmp_path / "documents.parquet", Document, [Document("B", None, "net", ("net",), ((0, 1),), ())])
        write_json(tmp_path / "drawn.json", {"pairing": {"private": private}} | drawn)
        (tmp_path / "ids.txt").write_text(ids)
        annotated = settings["confusions"] != "given"
        arguments = ["--settings", json.dumps(settings), "--title", "Pairs of d"]
        for name in ("pairs", "reference", "gold"):
            arguments += [f"--{name}", str(tmp_path / f"{name}.parquet")]
        for split in PROMPT_SPLITS:
            flag = f"--{split.replace('_', '-')}"
            write_records(tmp_path / f"{split}.parquet", Prompt, prompts[split])
            arguments += [flag, *[str(tmp_path / f"{split}.parquet")] * (annotated or split != "dev_confusion")]
        arguments += ["--ids", *[str(tmp_path / "ids.txt")] * annotated]
        arguments += ["--documents", *[str(tmp_path / "documents.parquet")] * annotated]
        arguments += ["--ontology", *[str(ROOT / "config/ontologies/scierc.yaml")] * annotated]
        output, page = tmp_path / "audit.json", tmp_path / "page.md"
        output.unlink(missing_ok=True)
        arguments += ["--drawn", str(tmp_path / "drawn.json"), "--output", str(output), "--output-page", str(page)]
        audit.main(arguments)
        return json.loads(output.read_text()), page.read_text()

    return run


def test_audit_of_preferences_needs_no_documents_and_no_labels(audited):
    flipped = Pair("A#0/0", "A#0", "no", "{}", (), 1, flipped=True)
    report, page = audited(flipped, OF_PREFERENCES, heldout=None, confusions="given")
    assert report["proof"]["answers"] == {"answers": 2}
    assert set(report["proof"]["splits"]) == {"train", "dev_select", "test"}
    assert report["reference"]["held_out"] == {
        "all": {"answers": 1, "gate_rates": [0.5, 0.5, 0.5, 0.5, 0.5]},
        "labels": {},
    }
    assert "# Pairs of d\n" in page and "## Examples" in page
    with pytest.raises(DataError, match="pair 1: its right answer must be gold, and its wrong answer must not"):
        audited(Pair("A#0/0", "A#0", "no", "yes", (), 1), OF_PREFERENCES, heldout=None, confusions="given")


def test_the_program_reads_and_writes_files(tmp_path: Path, prompts, audited):
    gold, wrong = (f'{{"entities":[{record}],"relations":[]}}' for record in ("", RECORD))
    prompts["train"] = [Prompt("B#0", "B", (Message("user", "net"),), gold)]
    prompts["dev_select"] = [Prompt("D#0", "D", (Message("user", "net"),), wrong)]
    edits = (Edit("insert", "entities/-", "", RECORD, "uniform"),)
    right, odd = (Pair("B#0/0", "B#0", gold, text, edits, 1) for text in (wrong, wrong.replace(":[", ": [")))
    settings = {"heldout": "dev_confusion", "confusions": "mixed"}

    report, page = audited(right, OF_ANNOTATIONS, "C#0\nC#1\n", **settings)
    assert report["drawn"] == {"pairing": {"private": False}} | OF_ANNOTATIONS
    assert report["proof"]["confusions"]["prompts"] == 2
    assert report["proof"]["answers"] == {"answers": 2, "records": 1}
    assert report["reference"]["all"] == report["reference"]["labels"]["Task"]
    assert report["reference"]["all"]["mean_margin"] == 1.0
    assert set(report["reference"]["held_out"]["labels"]) == {"Task"}
    assert "# Pairs of d\n" in page and "## Examples" in page
    assert "## Examples" not in audited(right, OF_ANNOTATIONS, private=True, **settings)[1]

    with pytest.raises(DataError, match="1 prompts do not, the first is in test"):
        audited(right, OF_ANNOTATIONS, "C#0\nE#0\n", **settings)
    with pytest.raises(DataError, match="pair 1: its rejected answer is refused: it is not rendered as gold"):
        audited(odd, OF_ANNOTATIONS, **settings)
    assert not (tmp_path / "audit.json").exists()
