"""Sentences that a model completes verbatim: which are asked for, what counts, and what the page says."""

import csv
import json

import pytest

from tabpo.data.memorisation import ASK, LONGEST, SHORTEST, count_verbatim, memorisation_prompts
from tabpo.errors import DataError
from tabpo.records import Completion, Document, Prompt, read_records, write_records
from workflow_scripts import memorisation
from workflow_scripts import memorisation_prompts as prompts_program


def document(name: str, *lengths: int) -> Document:
    """A document of sentences with so many words each, which all differ."""
    words = [f"{name}{number}" for number in range(sum(lengths))]
    ends = [sum(lengths[: number + 1]) for number in range(len(lengths))]
    sentences = tuple(zip([0, *ends[:-1]], ends, strict=True))
    return Document(name, None, " ".join(words), tuple(words), sentences, ())


def test_long_sentences_are_cut_in_the_middle():
    prompts, short = memorisation_prompts([document("a", SHORTEST - 1, SHORTEST), document("b", SHORTEST + 1, 150)])
    assert short == 1 and [prompt.prompt_id for prompt in prompts] == ["a#1", "b#0", "b#1"]
    halves = [(prompt.messages[0].content.removeprefix(ASK).split(), prompt.answer.split()) for prompt in prompts]
    assert [(len(beginning), len(rest)) for beginning, rest in halves] == [(10, 10), (11, 10), (75, LONGEST)]
    assert halves[0] == ([f"a{n}" for n in range(19, 29)], [f"a{n}" for n in range(29, 39)])


@pytest.mark.parametrize(
    ("answer", "verbatim"),
    [
        ("{rest}", 1),
        ("{rest} and more", 1),
        ("{beginning} {rest}", 1),
        ("  {joined}", 1),  # white space does not count
        ("{beginning}", 0),
        ("... {rest}", 0),
        ("{short}", 0),
        ("{upper}", 0),
        ("", 0),
    ],
)
def test_an_answer_counts_if_it_begins_with_the_whole_rest(answer, verbatim):
    prompts, _ = memorisation_prompts([document("a", 20)])
    beginning, rest = prompts[0].messages[0].content.removeprefix(ASK), prompts[0].answer
    parts = {"joined": rest.replace(" ", ""), "short": rest.rsplit(" ", 1)[0], "upper": rest.upper()}
    completion = Completion("a#0", answer.format(beginning=beginning, rest=rest, **parts), 3, True)
    assert count_verbatim(prompts, [completion]) == verbatim


def test_completions_of_other_prompts_are_refused():
    prompts, _ = memorisation_prompts([document("a", 20)])
    with pytest.raises(DataError, match="the 1 completions are not those of the 1 prompts, in order"):
        count_verbatim(prompts, [Completion("b#0", "", 1, True)])


@pytest.mark.parametrize("private", [[], ["notes"]])
def test_the_page_has_counts_and_no_text(tmp_path, private):
    write_records(tmp_path / "test.parquet", Document, [document("secret", 20, 30), document("hidden", 40)])
    prompts_program.main(["--documents", str(tmp_path / "test.parquet"), "--output", str(tmp_path / "prompts.parquet")])
    prompts = read_records(tmp_path / "prompts.parquet", Prompt)
    assert len(prompts) == 3
    for model, known in (("one", 2), ("two", 0)):
        answers = [
            Completion(prompt.prompt_id, prompt.answer if number < known else "no idea", 5, True)
            for number, prompt in enumerate(prompts)
        ]
        write_records(tmp_path / f"{model}.parquet", Completion, answers)
    settings = {"dataset": "notes", "models": ["one", "two"], "private": private}
    memorisation.main(
        [
            *("--settings", json.dumps(settings), "--prompts", str(tmp_path / "prompts.parquet")),
            *("--completions", str(tmp_path / "one.parquet"), str(tmp_path / "two.parquet")),
            *("--output-csv", str(tmp_path / "counts.csv"), "--output-page", str(tmp_path / "counts.md")),
        ]
    )
    rows = list(csv.DictReader((tmp_path / "counts.csv").open()))
    assert rows == [
        {"model": "one", "sentences": "3", "verbatim": "2"},
        {"model": "two", "sentences": "3", "verbatim": "0"},
    ]
    page = (tmp_path / "counts.md").read_text()
    assert "Test sentences of notes completed verbatim" in page and "secret" not in page and "hidden" not in page
    assert ("INSIDE ONLY" in page.split("\n")[0]) is bool(private)
