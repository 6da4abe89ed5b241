"""Splits by group: the halves of dev, a dev taken from train, and folds of train."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabpo.data.splitting import carve_dev, fold_prompts, halve_dev
from tabpo.errors import DataError
from tabpo.records import Document, Message, Prompt, read_records, write_records
from workflow_scripts import folds as folds_script


def dev(groups: list[tuple[str, str | None]]) -> list[Document]:
    return [Document(doc_id, group, "word", ("word",), ((0, 1),), ()) for doc_id, group in groups]


documents_of_dev = st.lists(
    st.tuples(st.text("abcdef0123", min_size=1, max_size=6), st.none() | st.sampled_from(["g1", "g2", "g3"])),
    unique_by=lambda item: item[0],
    max_size=30,
)


@given(documents_of_dev, st.randoms())
def test_halves_of_dev(groups, random):
    documents = dev(groups)
    group_of = {doc_id: doc_id if group is None else group for doc_id, group in groups}
    if len(set(group_of.values())) < 2:
        with pytest.raises(DataError, match=r"\(by group_id; .* cannot be halved; accepted: two or more"):
            halve_dev(documents)
        return
    halves = halve_dev(documents)
    ids = [[document.doc_id for document in half] for half in halves]
    assert all(ids), "both halves have documents"
    assert sorted(ids[0] + ids[1]) == sorted(group_of)
    assert not {group_of[doc_id] for doc_id in ids[0]} & {group_of[doc_id] for doc_id in ids[1]}
    assert [document for document in documents if document in halves[0]] == halves[0], "the order is kept"
    sizes = [list(group_of.values()).count(group) for group in group_of.values()]
    assert abs(len(ids[0]) - len(ids[1])) <= max(sizes)
    shuffled = random.sample(documents, len(documents))
    again = halve_dev(shuffled)
    assert [{item.doc_id for item in half} for half in again] == [set(half) for half in ids]


def test_halves_do_not_change_between_versions():
    # sha256 in hex: d 18ac.., c 2e7d.., b 3e23.., a ca97..; they go to the halves alternately
    confusion, select = halve_dev(dev([("a", None), ("b", None), ("c", None), ("d", None)]))
    assert [document.doc_id for document in confusion] == ["b", "d"]
    assert [document.doc_id for document in select] == ["a", "c"]


@given(documents_of_dev, st.floats(0.05, 0.95), st.randoms())
def test_dev_carved_from_train(groups, share, random):
    documents = dev(groups)
    group_of = {doc_id: doc_id if group is None else group for doc_id, group in groups}
    number = len(set(group_of.values()))
    if max(1, round(share * number)) >= number:
        with pytest.raises(DataError, match=r"^train has \d+ group \(by group_id; .*; accepted: more groups, or a sm"):
            carve_dev(documents, share)
        return
    parts = carve_dev(documents, share)
    ids = [[document.doc_id for document in part] for part in parts]
    assert all(ids) and sorted(ids[0] + ids[1]) == sorted(group_of)
    taken = {group_of[doc_id] for doc_id in ids[1]}
    assert not {group_of[doc_id] for doc_id in ids[0]} & taken
    assert len(taken) == max(1, round(share * number))
    again = carve_dev(random.sample(documents, len(documents)), share)
    assert [{item.doc_id for item in part} for part in again] == [set(part) for part in ids]


def test_the_carved_dev_does_not_change_between_versions():
    # sha256 in hex: d 18ac.., c 2e7d.., b 3e23.., a ca97..; half of four
    train, carved = carve_dev(dev([("a", None), ("b", None), ("c", None), ("d", None)]), 0.5)
    assert [document.doc_id for document in train] == ["a", "b"]
    assert [document.doc_id for document in carved] == ["c", "d"]


def document(number):
    """Documents 3k, 3k + 1 and 3k + 2 are of one group; those from 24 on have no group."""
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


def test_the_order_of_documents_and_prompts_does_not_change_folds():
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
    written = [[read_records(path, Prompt) for path in paths[part]] for part in ("train", "held-out")]
    assert list(zip(*written, strict=True)) == fold_prompts(PROMPTS, DOCUMENTS, 2)
