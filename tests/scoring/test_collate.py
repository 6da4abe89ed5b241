"""Padding, masks and the one-token shift."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tabpo.scoring import collate
from tabpo.scoring.collate import collate_examples, collate_pairs
from tabpo.scoring.packing import Tree
from tabpo.scoring.tokenise import Example, PairExample


@pytest.fixture(autouse=True, scope="module")
def nothing_filled_up():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collate, "GRAIN", 1)
        yield


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
    pairs = [pair(0, [1, 2, 3], [4, 5], [6]), pair(1, [7, 8], [9, 10], [11, 12, 13])]
    batch = collate_pairs(pairs, pad_id=0, shared=False)
    assert batch["input_ids"].tolist() == [[1, 2, 3, 4, 5], [7, 8, 9, 10, 0], [1, 2, 3, 6, 0], [7, 8, 11, 12, 13]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 1, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]
    # TRL's completion masks, shifted one token to the left: the state that predicts each token
    assert batch["states"].tolist() == [2, 3, 6, 7, 12, 16, 17, 18]
    assert batch["target_states"].tolist() == list(range(8))
    assert batch["target_ids"].tolist() == [4, 5, 9, 10, 6, 11, 12, 13]
    assert batch["target_of"].tolist() == [[0, 1, 0], [2, 3, 0], [4, 0, 0], [5, 6, 7]]
    assert batch["completion_ids"].tolist() == [[4, 5, 0], [9, 10, 0], [6, 0, 0], [11, 12, 13]]
    assert batch["completion_mask"].int().tolist() == [[1, 1, 0], [1, 1, 0], [1, 0, 0], [1, 1, 1]]
    assert batch["token_fields"].tolist() == [[1, 1, 0], [1, 1, 0], [3, 0, 0], [3, 3, 3]]
    assert batch["differs"].int().tolist() == [[1, 1, 0], [1, 1, 0], [1, 0, 0], [1, 1, 1]]
    assert batch["reference_logps"].tolist() == [[-4, -5, 0], [-9, -10, 0], [-6, 0, 0], [-11, -12, -13]]
    assert batch["token_fields"].dtype == torch.int8
    assert batch["reference_logps"].dtype == torch.float32


def test_packed_rows():
    # one prompt: chosen 4 5 6, rejected 4 7 6 and, with 4 5 9, only another last token; then another prompt
    pairs = [pair(0, [1, 2], [4, 5, 6], [4, 7, 6]), pair(1, [1, 2], [4, 5, 6], [4, 5, 9]), pair(2, [3], [8], [9])]
    batch = collate_pairs(pairs, pad_id=0)
    # first sequence 1 2 4 5 without the last token, the suffix 7 after a shared prefix of three, first sequence 3
    assert batch["input_ids"].tolist() == [[1, 2, 4, 5, 7, 3]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 3, 3, 0]]
    assert batch["trees"] == (Tree(4, ((3, 1),)), Tree(1, ()))
    assert batch["attention_mask"].tolist() == [[1] * 6]
    assert batch["states"].tolist() == [1, 2, 3, 4, 5]
    targets = list(zip(batch["target_states"].tolist(), batch["target_ids"].tolist(), strict=True))
    assert targets == [(0, 4), (1, 5), (1, 7), (2, 6), (2, 9), (3, 6), (4, 8), (4, 9)]
    chosen = [[0, 1, 3], [0, 1, 3], [6, 0, 0]]
    assert batch["target_of"].tolist() == [*chosen, [0, 2, 5], [0, 1, 4], [7, 0, 0]]
    assert batch["completion_mask"].sum(-1).tolist() == [3, 3, 1, 3, 3, 1]


def test_anchors_are_further_completions():
    pairs = [pair(0, [1, 2], [4, 5], [4, 6]), pair(1, [3], [8], [9])]
    batch = collate_pairs(pairs, 0, anchors=[(4, 6), (7, 7, 7)])
    assert batch["completion_ids"][4:].tolist() == [[4, 6, 0], [7, 7, 7]]
    assert batch["trees"] == (Tree(3, ()), Tree(1, ((1, 2),)))  # the first anchor equals the rejected answer
    assert not batch["differs"][4:].any() and not batch["token_fields"][4:].any()
    assert not batch["reference_logps"][4:].any()


def test_pairs_without_reference_give_no_reference_log_probs():
    batch = collate_pairs([pair(0, [1], [2], [3, 4], reference=False)], pad_id=0)
    assert "reference_logps" not in batch


def test_rows_and_states_are_filled_up(monkeypatch):
    monkeypatch.setattr(collate, "GRAIN", 4)
    batch = collate_pairs([pair(0, [1, 2], [4, 5, 6], [4, 7, 6])], pad_id=99)
    # first sequence 1 2 4 5 and the suffix 7, lengthened by padding; no completion uses the last state
    assert batch["input_ids"].tolist() == [[1, 2, 4, 5, 7, 99, 99, 99]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1, 1, 0, 0, 0]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 3, 3, 0, 0, 0]]
    assert batch["trees"] == (Tree(4, ((3, 4),)),)
    assert batch["states"].tolist() == [1, 2, 3, 4]
    batch = collate_examples(examples_of([((1, 2), (3, 4)), ((5,), (6,))]), pad_id=99)
    assert batch["input_ids"].tolist() == [[1, 2, 3, 5]]
    assert batch["states"].tolist() == [1, 2, 3, 3]
    assert batch["target_states"].tolist() == [0, 1, 2]
    batch = collate_examples(examples_of([((1, 2), (3, 4, 5)), ((5,), (6,))]), pad_id=99)
    assert batch["trees"] == (Tree(4, ()), Tree(4, ()))


ids = st.lists(st.integers(1, 99), min_size=1, max_size=6).map(tuple)


def examples_of(rows) -> list[Example]:
    return [Example(f"d#{n}", *row, (0,) * len(row[1])) for n, row in enumerate(rows)]


def test_packed_examples():
    batch = collate_examples(examples_of([((1, 2), (3, 4)), ((5,), (6,)), ((7, 8, 9), (2, 3, 4))]), pad_id=0)
    # the last token of each example is not read: 1 2 3, then 5, then 7 8 9 2 3, each from position 0
    assert batch["input_ids"].tolist() == [[1, 2, 3, 5, 7, 8, 9, 2, 3]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 0, 1, 2, 3, 4]]
    assert batch["trees"] == (Tree(3, ()), Tree(1, ()), Tree(5, ()))
    assert batch["states"].tolist() == [1, 2, 3, 6, 7, 8]
    assert batch["target_ids"].tolist() == [3, 4, 6, 2, 3, 4]
    assert batch["target_of"].tolist() == [[0, 1, 0], [2, 0, 0], [3, 4, 5]]
    assert batch["completion_mask"].sum(-1).tolist() == [2, 1, 3]


@given(st.lists(st.tuples(ids, ids), min_size=1, max_size=5))
def test_each_state_is_one_before_its_token(rows):
    batch = collate_examples(examples_of(rows), pad_id=0, packed=False)
    read, mask = batch["input_ids"].flatten(), batch["completion_mask"]
    after = read[batch["states"] + 1]
    assert torch.equal(after, batch["target_ids"])
    assert torch.equal(after[batch["target_of"]][mask], batch["completion_ids"][mask])
    for row, (prompt, completion) in enumerate(rows):
        kept = batch["input_ids"][row][batch["attention_mask"][row].bool()]
        assert tuple(kept.tolist()) == prompt + completion
        assert tuple(batch["completion_ids"][row][mask[row]].tolist()) == completion


few = st.lists(st.integers(1, 3), min_size=1, max_size=5).map(tuple)


@given(st.lists(st.tuples(few, few, few), min_size=1, max_size=4))
def test_each_state_of_a_tree_has_read_all_before_its_token(rows):
    batch = collate_pairs([pair(n, *row) for n, row in enumerate(rows)], pad_id=0)
    read, positions = batch["input_ids"][0].tolist(), batch["position_ids"][0].tolist()
    seen = {}  # the tokens that each index of the row has read, its token included
    start = 0
    for tree in batch["trees"]:
        for place in range(start, start + tree.first):
            seen[place] = (*seen[place - 1], read[place]) if place > start else (read[place],)
        end = start + tree.first
        for shared, length in tree.suffixes:
            for place in range(end, end + length):
                before = seen[start + shared - 1] if place == end else seen[place - 1]
                seen[place] = (*before, read[place])
            end += length
        start = end
    assert start == len(read)
    assert positions == [len(seen[place]) - 1 for place in range(start)]
    targets = list(zip(batch["target_states"].tolist(), batch["target_ids"].tolist(), strict=True))
    assert len(set(targets)) == len(targets)
    sides = [(prompt, chosen) for prompt, chosen, _ in rows] + [(prompt, rejected) for prompt, _, rejected in rows]
    for row, (prompt, completion) in enumerate(sides):
        for place, token in enumerate(completion):
            state, scored = targets[batch["target_of"][row, place]]
            assert scored == token
            assert seen[batch["states"][state].item()] == prompt + completion[:place]


def test_weights_are_padded_like_log_probs():
    first, second = pair(0, [1], [2], [3, 4]), pair(1, [1], [5, 6], [7])
    first = replace(
        first, weight=2.0, chosen_values={"token_weights": (0.5,)}, rejected_values={"token_weights": (1, 3)}
    )
    second = replace(second, chosen_values={"token_weights": (1, 2)}, rejected_values={"token_weights": (4,)})
    batch = collate_pairs([first, second], 0, anchors=[(8, 9, 9), (8,)])
    assert batch["weights"].tolist() == [2, 1] and batch["weights"].dtype == torch.float32
    assert batch["token_weights"].tolist() == [[0.5, 0, 0], [1, 2, 0], [1, 3, 0], [4, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert "token_weights" not in collate_pairs([pair(0, [1], [2], [3])], 0)
