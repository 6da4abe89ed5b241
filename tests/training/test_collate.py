"""Padding, masks and the one-token shift."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from tabpo.training.collate import collate_examples, collate_pairs
from tabpo.training.tokenise import Example, PairExample


def pair(number, prompt, chosen, rejected, reference=True) -> PairExample:
    return PairExample(
        pair_id=f"d#{number}/0",
        prompt_ids=tuple(prompt),
        chosen_ids=tuple(chosen),
        rejected_ids=tuple(rejected),
        chosen_fields=(1,) * len(chosen),
        rejected_fields=(3,) * len(rejected),
        chosen_differs=(True,) * len(chosen),
        rejected_differs=(True,) * len(rejected),
        chosen_reference=tuple(-float(i) for i in chosen) if reference else None,
        rejected_reference=tuple(-float(i) for i in rejected) if reference else None,
    )


def test_published_rows():
    # inputs of TRL's TestDataCollatorForPreference
    batch = collate_pairs([pair(0, [1, 2, 3], [4, 5], [6]), pair(1, [7, 8], [9, 10], [11, 12, 13])], pad_id=0)
    assert batch["input_ids"].tolist() == [[1, 2, 3, 4, 5], [7, 8, 9, 10, 0], [1, 2, 3, 6, 0], [7, 8, 11, 12, 13]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 1, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]
    # TRL's completion masks, each one token earlier: the state that predicts it
    shifted = [[0, 0, 1, 1, 0], [0, 1, 1, 0, 0], [0, 0, 1, 0, 0], [0, 1, 1, 1, 0]]
    assert batch["predicts"].int().tolist() == shifted
    assert batch["completion_ids"].tolist() == [[4, 5, 0], [9, 10, 0], [6, 0, 0], [11, 12, 13]]
    assert batch["completion_mask"].int().tolist() == [[1, 1, 0], [1, 1, 0], [1, 0, 0], [1, 1, 1]]
    assert batch["token_fields"].tolist() == [[1, 1, 0], [1, 1, 0], [3, 0, 0], [3, 3, 3]]
    assert batch["differs"].int().tolist() == [[1, 1, 0], [1, 1, 0], [1, 0, 0], [1, 1, 1]]
    assert batch["reference_logps"].tolist() == [[-4, -5, 0], [-9, -10, 0], [-6, 0, 0], [-11, -12, -13]]
    assert batch["token_fields"].dtype == torch.int8
    assert batch["reference_logps"].dtype == torch.float32


def test_no_reference_no_column():
    batch = collate_pairs([pair(0, [1], [2], [3, 4], reference=False)], pad_id=0)
    assert "reference_logps" not in batch


ids = st.lists(st.integers(1, 99), min_size=1, max_size=6).map(tuple)


@given(st.lists(st.tuples(ids, ids), min_size=1, max_size=5))
def test_each_marked_state_is_one_before_its_token(rows):
    batch = collate_examples([Example(f"d#{n}", *row) for n, row in enumerate(rows)], pad_id=0)
    assert set(batch) == {"input_ids", "attention_mask", "predicts", "completion_ids", "completion_mask"}
    targets = batch["input_ids"][:, 1:][batch["predicts"][:, :-1]]
    assert not batch["predicts"][:, -1].any()
    assert torch.equal(targets, batch["completion_ids"][batch["completion_mask"]])
    for row, (prompt, completion) in enumerate(rows):
        kept = batch["input_ids"][row][batch["attention_mask"][row].bool()]
        assert tuple(kept.tolist()) == prompt + completion
        assert tuple(batch["completion_ids"][row][batch["completion_mask"][row]].tolist()) == completion
