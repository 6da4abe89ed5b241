"""Which training texts are chosen as the most similar to a prompt's text."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabpo.data.demonstrations import most_similar
from tabpo.errors import DataError

POOL = ["red fox", "blue fox", "red hen", "stone", "red fox"]
NAMES = ["e", "d", "c", "b", "a"]


def test_the_most_similar_texts_of_a_small_pool():
    # "red fox" is in the pool twice; of equal texts name a is ranked before e; the most similar text comes last
    groups = list("12345")
    assert most_similar(["Red fox"], ["0"], POOL, groups, NAMES, 2) == [(0, 4)]
    # without group 5, one "red fox" is left; "red" and "fox" are equally frequent, so of d and c name c is taken
    assert most_similar(["Red fox"], ["5"], POOL, groups, NAMES, 2) == [(2, 0)]


texts = st.lists(st.text("ab c", min_size=1).filter(str.strip), min_size=4, max_size=8)


@given(texts, texts, st.randoms())
def test_the_order_of_the_pool_does_not_matter(asked, pool, rng):
    names = [f"n{number}" for number in range(len(pool))]
    groups = [f"g{number % 3}" for number in range(len(pool))]
    order = list(range(len(pool)))
    random.Random(rng.random()).shuffle(order)

    def chosen(order: list[int]) -> list[list[str]]:
        columns = ([items[position] for position in order] for items in (pool, groups, names))
        examples = most_similar(asked, ["g0"] * len(asked), *columns, 2)
        return [[names[order[position]] for position in positions] for positions in examples]

    unshuffled = chosen(list(range(len(pool))))
    assert chosen(order) == unshuffled
    own_group = {names[number] for number in range(0, len(pool), 3)}
    assert not own_group & {name for examples in unshuffled for name in examples}


def test_too_few_other_groups():
    with pytest.raises(DataError, match="train has 2 texts of other groups for a prompt; demonstrations: 3"):
        most_similar(["red"], ["2"], POOL[:3], list("121"), NAMES[:3], 3)
