"""The order of a run: complete passes, whole groups, and steps that do not depend on the number of processes."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabpo.errors import ConfigError
from tabpo.study.training import training_settings
from tabpo.training.batches import plan_batches


def plan(groups, *, lengths=None, processes=1, seed=1, **settings):
    return plan_batches(groups, lengths or [1] * len(groups), training_settings(**settings), seed, processes)


@given(
    sizes=st.lists(st.integers(1, 3), min_size=1, max_size=12),
    steps=st.integers(1, 9),
    batch_size=st.integers(1, 8),
    seed=st.integers(0, 5),
)
def test_every_pass_sees_every_example_once_and_keeps_groups_together(sizes, steps, batch_size, seed):
    groups = [number for number, size in enumerate(sizes) for _ in range(size)]
    order = plan(groups, steps=steps, batch_size=batch_size, micro_batch_size=batch_size, seed=seed).order
    assert len(order) == steps * batch_size
    for start in range(0, len(order) - len(groups) + 1, len(groups)):
        one_pass = order[start : start + len(groups)]
        assert sorted(one_pass) == list(range(len(groups)))
        changes = sum(groups[first] != groups[second] for first, second in pairwise(one_pass))
        assert changes == len(sizes) - 1


def test_batch_order_permutes_the_examples_and_order_0_depends_only_on_the_seed():
    first, second = (plan(range(64), steps=4, batch_size=16, batch_order=number).order for number in (0, 1))
    assert first != second and sorted(first) == sorted(second) == list(range(64))
    # numpy pads the numbers of a seed with zeros: order 0 equals the order of runs without batch_order
    assert (
        np.random.default_rng([1, 0]).permutation(64).tolist()
        == plan(range(64), steps=4, batch_size=64, micro_batch_size=64).order[:64]
    )


@given(micro=st.integers(1, 3), accumulation=st.integers(1, 3), processes=st.integers(1, 3), steps=st.integers(1, 4))
def test_a_step_has_the_same_examples_however_it_is_spread(micro, accumulation, processes, steps):
    batch_size = micro * accumulation * processes
    spread = plan(range(7), steps=steps, batch_size=batch_size, micro_batch_size=micro, processes=processes)
    alone = plan(range(7), steps=steps, batch_size=batch_size, micro_batch_size=batch_size)
    assert spread.accumulation == accumulation
    streams = [spread.micro_batches(process) for process in range(processes)]
    assert {len(stream) for stream in streams} == {steps * accumulation}
    for step in range(steps):
        seen = [
            index
            for number in range(step * accumulation, (step + 1) * accumulation)
            for stream in streams
            for index in stream[number]
        ]
        assert seen == alone.of_step(step) == alone.micro_batches(0)[step]


@given(batch_size=st.integers(1, 5), beyond=st.integers(1, 4), steps=st.integers(1, 4))
def test_processes_beyond_a_small_batch_take_part_without_a_share(batch_size, beyond, steps):
    processes = batch_size + beyond
    spread = plan(range(7), steps=steps, batch_size=batch_size, micro_batch_size=1, processes=processes)
    streams = [spread.micro_batches(process) for process in range(processes)]
    assert spread.accumulation == 1 and {len(stream) for stream in streams} == {steps}
    assert [spread.has_share(process) for process in range(processes)] == [True] * batch_size + [False] * beyond
    for step in range(steps):
        assert [index for stream in streams[:batch_size] for index in stream[step]] == spread.of_step(step)
        assert all(stream[step][0] in spread.of_step(step) for stream in streams)


def test_the_longest_micro_batch_of_a_pass():
    lengths = [1, 2, 9, 4, 5, 6]
    spread = plan(range(6), lengths=lengths, steps=4, batch_size=4, micro_batch_size=2)
    for number in (0, 1):
        mine = spread.longest_of_pass(number, 0, lengths)
        steps = [step for step in range(4) if spread.pass_of(step) == number]
        micro_batches = [spread.micro_batches(0)[place] for step in steps for place in (2 * step, 2 * step + 1)]
        assert mine in micro_batches
        assert sum(lengths[index] for index in mine) == max(sum(lengths[i] for i in batch) for batch in micro_batches)


def test_seeds_differ_and_passes_differ():
    first = plan(range(50), steps=10, batch_size=10, micro_batch_size=10)
    assert first.order == plan(range(50), steps=10, batch_size=10, micro_batch_size=10).order
    assert first.order != plan(range(50), steps=10, batch_size=10, micro_batch_size=10, seed=2).order
    assert first.order[:50] != first.order[50:]


def test_epochs_fill_the_last_step_from_the_next_pass():
    # 2 passes over 5 examples in steps of 4: 10 / 4 -> 3 steps, 12 places
    two_passes = plan(range(5), epochs=2.0, batch_size=4, micro_batch_size=4)
    assert (two_passes.steps, len(two_passes.order)) == (3, 12)
    # 1.1 passes over 100 are 110 steps, although 1.1 * 100 is more than 110 in floating point
    assert plan(range(100), epochs=1.1, batch_size=1, micro_batch_size=1).steps == 110


def test_a_batch_that_cannot_be_spread_is_refused():
    with pytest.raises(ConfigError, match=r"batch_size 8 is no multiple of 6, which is micro_batch_size 3 x 2 proc"):
        plan(range(5), steps=1, batch_size=8, micro_batch_size=3, processes=2)
    with pytest.raises(ConfigError, match=r"batch_size 2 is no multiple of 6, which is micro_batch_size 2 x 3 proc"):
        plan(range(5), steps=1, batch_size=2, micro_batch_size=2, processes=3)


@given(st.lists(st.integers(1, 50), min_size=20, max_size=30), st.integers(0, 5))  # no example comes twice
def test_a_step_has_the_same_examples_longest_first(lengths, seed):
    settings = {"steps": 5, "batch_size": 4, "micro_batch_size": 2, "seed": seed}
    groups = list(range(len(lengths)))
    sorted_plan, plain = plan(groups, lengths=lengths, **settings), plan(groups, **settings)
    for step in range(5):
        assert sorted(sorted_plan.of_step(step)) == sorted(plain.of_step(step))
        ordered = [lengths[index] for index in sorted_plan.of_step(step)]
        assert ordered == sorted(ordered, reverse=True)


def test_a_group_stays_in_one_micro_batch_where_it_fits():
    # longest first: a a | b b b | c | d d. Micro-batches of 4: a a fits, b b b does not, c fits as the third example;
    # no group fits the last place, so b is divided: a a c b, b b d d
    groups = ["a", "a", "b", "b", "b", "c", "d", "d"]
    lengths = [9, 1, 8, 1, 1, 7, 6, 1]
    order = plan(groups, lengths=lengths, steps=1, batch_size=8, micro_batch_size=4).order
    assert order == [0, 1, 5, 2, 3, 4, 6, 7]
    # micro-batches of 3, with another d: a a c | b b b | d d d
    order = plan([*groups, "d"], lengths=[*lengths, 1], steps=1, batch_size=9, micro_batch_size=3).order
    assert order == [0, 1, 5, 2, 3, 4, 6, 7, 8]
    # micro-batches of 2, b fits into none: a a | c b | b b | d d
    order = plan(groups, lengths=lengths, steps=1, batch_size=8, micro_batch_size=2).order
    assert order == [0, 1, 5, 2, 3, 4, 6, 7]


@given(
    sizes=st.lists(st.integers(1, 3), min_size=8, max_size=12),
    micro=st.sampled_from([1, 2, 4]),
    seed=st.integers(0, 5),
)
def test_packing_keeps_the_examples_of_a_step(sizes, micro, seed):
    groups = [number for number, size in enumerate(sizes) for _ in range(size)]
    settings = {"steps": 3, "batch_size": 8, "seed": seed}
    packed, whole = plan(groups, micro_batch_size=micro, **settings), plan(groups, micro_batch_size=8, **settings)
    for step in range(3):
        assert sorted(packed.of_step(step)) == sorted(whole.of_step(step))


def test_a_pass_has_the_steps_that_begin_in_it():
    # 5 examples in steps of 4: places 0-3, 4-7, 8-11 begin in passes 0, 0, 1
    two_passes = plan(range(5), epochs=2.0, batch_size=4, micro_batch_size=4)
    assert [two_passes.pass_of(step) for step in range(3)] == [0, 0, 1]
    assert two_passes.of_pass(0) == two_passes.order[:8]
    assert two_passes.of_pass(1) == two_passes.order[8:]
    # steps of 12 begin at examples 0 and 12, in passes 0 and 12 // 5 = 2: no step begins in pass 1
    wide = plan(range(5), steps=2, batch_size=12, micro_batch_size=12)
    assert [wide.pass_of(step) for step in range(2)] == [0, 2]
    assert wide.of_pass(1) == []
