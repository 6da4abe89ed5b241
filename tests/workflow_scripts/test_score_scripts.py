"""The programs of the rules `score` and `dictionary` on small files."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tabpo.answers.ontology import read_ontology
from tabpo.data.prompts import Style, build_prompts
from tabpo.errors import DataError
from tabpo.metrics.looks import count_looks
from tabpo.records import Completion, Document, Prediction, Prompt, Relation, Span, read_records, write_records
from workflow_scripts import dictionary, import_answers, score

ONTOLOGY = """
answer: entities
labels: {Task: {definition: a task}, Method: {definition: a method}}
relations: {USED-FOR: {definition: a link}}
"""


def documents(names):
    """Documents "a parser for parsing ." with both mentions and their relation."""
    spans = (Span(1, "Method", None, 2, 8), Span(2, "Task", None, 13, 20))
    tokens = ("a", "parser", "for", "parsing", ".")
    links = (Relation(1, 2, "USED-FOR"),)
    return [Document(name, None, " ".join(tokens), tokens, ((0, 5),), spans, links) for name in names]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "ontology.yaml").write_text(ONTOLOGY)
    for split, names in {"train": "ab", "dev": "cd", "test": "ef"}.items():
        write_records(tmp_path / f"documents/{split}.parquet", Document, documents(names))
        prompts = build_prompts(documents(names), read_ontology(tmp_path / "ontology.yaml"), Style("sentence", "bare"))
        write_records(tmp_path / f"prompts/{split}.parquet", Prompt, prompts)
    return tmp_path


def score_arguments(folder, completions):
    write_records(folder / "completions.parquet", Completion, completions)
    return [
        *("--completions", str(folder / "completions.parquet")),
        *("--prompts", str(folder / "prompts/test.parquet")),
        *("--documents", str(folder / "documents/test.parquet")),
        *("--ontology", str(folder / "ontology.yaml")),
        *("--output-predictions", str(folder / "predictions/test.parquet")),
        *("--output-scores", str(folder / "scores/test.json")),
        *("--output-counts", str(folder / "scores/test.counts.parquet")),
    ]


def test_scores_of_test_are_recorded_as_a_look_and_others_are_not(folder):
    completions = [
        Completion(row.prompt_id, "", 1, True) for row in read_records(folder / "prompts/test.parquet", Prompt)
    ]
    score.main([*score_arguments(folder, completions), "--look"])
    assert count_looks(folder / "looks") == {}
    for name in ("1", "2", "1"):
        score.main([*score_arguments(folder, completions), "--look", str(folder / f"looks/notes/tiny/dpo/{name}")])
    assert count_looks(folder / "looks") == {"notes": 2}


def test_imported_answers_are_scored_like_a_models(folder):
    gold = read_records(folder / "prompts/test.parquet", Prompt)
    texts = {prompt.prompt_id: prompt.answer for prompt in gold} | {gold[1].prompt_id: gold[1].answer[:30]}
    rows = [json.dumps({"prompt_id": prompt_id, "answer": text}) for prompt_id, text in reversed(texts.items())]
    (folder / "answers.jsonl").write_text("\n".join(rows))
    score.main(score_arguments(folder, [Completion(*item, 10, True) for item in texts.items()]))
    of_model = json.loads((folder / "scores/test.json").read_text())

    import_answers.main(
        [
            *("--answers", str(folder / "answers.jsonl"), "--prompts", str(folder / "prompts/test.parquet")),
            *("--output-completions", str(folder / "imported.parquet")),
            *("--output-provenance", str(folder / "provenance.json")),
        ]
    )
    score.main(score_arguments(folder, read_records(folder / "imported.parquet", Completion)))
    imported = json.loads((folder / "scores/test.json").read_text())
    assert imported == of_model | {"mean_tokens": None, "finished": None}
    provenance = json.loads((folder / "provenance.json").read_text())
    assert provenance["inputs"]["answers"] == hashlib.sha256((folder / "answers.jsonl").read_bytes()).hexdigest()
    assert "tabpo.data.imported" in provenance["code"]


def test_score(folder, caplog):
    caplog.set_level("INFO")
    gold = read_records(folder / "prompts/test.parquet", Prompt)
    completions = [
        Completion(gold[0].prompt_id, gold[0].answer, 10, True),
        Completion(gold[1].prompt_id, gold[1].answer[:30], 5, False),
    ]
    score.main(score_arguments(folder, completions))
    scores = json.loads((folder / "scores/test.json").read_text())
    assert (scores["split"], scores["valid"], scores["mean_tokens"]) == ("test", 0.5, 7.5)
    assert scores["metrics"]["rel_plus"]["set_directed"] == {
        "precision": 1.0,
        "recall": 0.5,
        "f1": pytest.approx(2 / 3),
        "tp": 1,
        "predicted": 1,
        "gold": 2,
    }
    # Only one answer is readable; the log does not say so, since logs may be shared.
    assert caplog.messages == [f"2 answers scored: {folder / 'scores/test.json'}"]
    assert scores["ceiling"]["rel_plus"]["set_directed"]["f1"] == 1
    predictions = read_records(folder / "predictions/test.parquet", Prediction)
    assert [item.answer_class for item in predictions] == ["ok", "truncated"]
    assert (predictions[0].spans[1].start, predictions[0].spans[1].end) == (13, 20)

    first = (folder / "predictions/test.parquet").read_bytes(), (folder / "scores/test.json").read_bytes()
    score.main(score_arguments(folder, completions))
    assert first == ((folder / "predictions/test.parquet").read_bytes(), (folder / "scores/test.json").read_bytes())


def test_scores_do_not_depend_on_how_a_process_orders_its_sets(folder):
    gold = read_records(folder / "prompts/test.parquet", Prompt)
    answer = gold[1].answer.replace("parsing", "parser")
    completions = [
        Completion(gold[0].prompt_id, gold[0].answer, 10, True),
        Completion(gold[1].prompt_id, answer, 9, True),
    ]
    command = [sys.executable, "-m", "workflow_scripts.score", *score_arguments(folder, completions)]
    written = set()
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        subprocess.run(command, cwd=Path(__file__).parents[2], env=environment, check=True, capture_output=True)
        written.add((folder / "scores/test.json").read_bytes())
    assert len(written) == 1


def test_score_refuses_completions_of_other_prompts(folder):
    with pytest.raises(
        DataError,
        match=r"completions.parquet: 1 completions do not answer the 2 prompts.*without completion: \['f#0'\]",
    ):
        score.main(score_arguments(folder, [Completion("e#0", "", 1, True)]))
    assert not (folder / "scores").exists()


def test_dictionary(folder):
    arguments = [
        argument
        for part, split in (("train", "train"), ("select", "dev"), ("test", "test"))
        for kind in ("prompts", "documents")
        for argument in (f"--{part}-{kind}", str(folder / kind / f"{split}.parquet"))
    ]
    for row in ("dictionary", "majority"):
        arguments += [f"--output-{row}-predictions", str(folder / f"{row}.parquet")]
        arguments += [f"--output-{row}-scores", str(folder / f"{row}.json")]
        arguments += [f"--output-{row}-counts", str(folder / f"{row}.counts.parquet")]
    dictionary.main([*arguments, "--ontology", str(folder / "ontology.yaml")])
    scores = json.loads((folder / "dictionary.json").read_text())
    assert (scores["split"], scores["valid"], scores["mean_tokens"]) == ("test", 1.0, None)
    assert scores["metrics"]["ner_strict"]["set_directed"]["f1"] == 1
    assert scores["metrics"]["rel"]["set_directed"]["predicted"] == 0
    assert [len(item.spans) for item in read_records(folder / "dictionary.parquet", Prediction)] == [2, 2]

    majority = json.loads((folder / "majority.json").read_text())["metrics"]
    assert majority["ner_boundary"]["set_directed"]["f1"] == 1
    assert (
        majority["ner_strict"]["set_directed"]["f1"] == 0.5
    )  # all are Method: of equally frequent labels, the first by name
    assert [len(item.spans) for item in read_records(folder / "majority.parquet", Prediction)] == [2, 2]


@pytest.mark.parametrize("script", ["score", "dictionary"])
def test_no_torch_is_imported(script):
    code = f"import sys, workflow_scripts.{script}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == 0
