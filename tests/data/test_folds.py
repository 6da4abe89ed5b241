"""Folds: every prompt is held out once, groups stay whole, and no order matters."""

from random import Random

import pytest

from tabpo.data.folds import fold_prompts
from tabpo.errors import DataError
from tabpo.records import Document, Message, Prompt, read_records, write_records
from workflow_scripts import folds as folds_script


def document(number):
    """Documents 3k, 3k + 1 and 3k + 2 are of one group, but the last six are of none."""
    group = f"g{number // 3}" if number < 24 else None
    return Document(f"d{number}", group, "a", ("a",), ((0, 1),), ())


DOCUMENTS = [document(number) for number in range(30)]
PROMPTS = [
    Prompt(f"{item.doc_id}#{sentence}", item.doc_id, (Message("user", "a"),), "{}")
    for number, item in enumerate(DOCUMENTS)
    for sentence in range(1 + number % 4)
]


def test_every_prompt_is_held_out_once_by_a_model_that_saw_the_others():
    folds = fold_prompts(PROMPTS, DOCUMENTS, 5)
    assert sorted(prompt.prompt_id for _, held_out in folds for prompt in held_out) == sorted(
        prompt.prompt_id for prompt in PROMPTS
    )
    for train, held_out in folds:
        assert sorted(train + held_out, key=PROMPTS.index) == PROMPTS
        groups = [
            {document(int(item.doc_id[1:])).group_id or item.doc_id for item in part} for part in (train, held_out)
        ]
        assert not groups[0] & groups[1]
    sizes = [len(held_out) for _, held_out in folds]
    assert max(sizes) - min(sizes) <= 9  # the largest group has nine prompts


def test_no_order_matters():
    documents, prompts = DOCUMENTS[:], PROMPTS[:]
    Random(1).shuffle(documents)
    Random(2).shuffle(prompts)
    expected = [{prompt.prompt_id for prompt in held_out} for _, held_out in fold_prompts(PROMPTS, DOCUMENTS, 5)]
    assert [
        {prompt.prompt_id for prompt in held_out} for _, held_out in fold_prompts(prompts, documents, 5)
    ] == expected


def test_more_folds_than_groups_are_refused():
    with pytest.raises(DataError, match="train has 1 groups of documents; 2 folds need at least as many"):
        fold_prompts(PROMPTS[:1], DOCUMENTS[:3], 2)


def test_the_program_writes_two_files_a_fold(tmp_path):
    write_records(tmp_path / "prompts.parquet", Prompt, PROMPTS)
    write_records(tmp_path / "documents.parquet", Document, DOCUMENTS)
    paths = {part: [str(tmp_path / f"{fold}.{part}.parquet") for fold in range(2)] for part in ("train", "held-out")}
    inputs = ["--prompts", str(tmp_path / "prompts.parquet"), "--documents", str(tmp_path / "documents.parquet")]
    folds_script.main([*inputs, "--output-train", *paths["train"], "--output-held-out", *paths["held-out"]])
    found = [[read_records(path, Prompt) for path in paths[part]] for part in ("train", "held-out")]
    assert list(zip(*found, strict=True)) == fold_prompts(PROMPTS, DOCUMENTS, 2)
