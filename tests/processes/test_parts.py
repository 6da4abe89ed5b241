"""Results of batches are kept as they come, and computed once over all starts."""

import os
import signal

import pytest

from tabpo.processes.parts import kept_parts, parts_of
from tabpo.processes.warnings import STOPPED

BATCHES = [[1, 2], [3], [4, 5, 6]]


@pytest.fixture
def computed():
    return []


@pytest.fixture
def squares(computed):
    def compute(batch):
        computed.append(batch)
        return [value * value / 3 for value in batch]

    return compute


EXPECTED = [[1 / 3, 4 / 3], [3.0], [16 / 3, 25 / 3, 12.0]]


def test_results_are_those_of_map(tmp_path, squares):
    assert list(kept_parts(tmp_path / "parts", "key")(squares, BATCHES)) == EXPECTED == list(map(squares, BATCHES))


def test_the_next_start_computes_what_is_missing(tmp_path, squares, computed):
    each = kept_parts(tmp_path / "parts", "key")
    first = each(squares, BATCHES)
    assert [next(first), next(first)] == EXPECTED[:2]
    del first  # killed
    computed.clear()
    assert list(each(squares, BATCHES)) == EXPECTED and computed == BATCHES[2:]


def test_half_a_line_is_computed_again(tmp_path, squares, computed):
    file = tmp_path / "parts"
    list(kept_parts(file, "key")(squares, BATCHES))
    os.truncate(file, file.stat().st_size - 4)
    computed.clear()
    assert list(kept_parts(file, "key")(squares, BATCHES)) == EXPECTED and computed == BATCHES[2:]


def test_parts_of_other_inputs_are_not_used(tmp_path, squares, computed):
    list(kept_parts(tmp_path / "parts", "key")(squares, BATCHES))
    computed.clear()
    assert list(kept_parts(tmp_path / "parts", "other")(squares, BATCHES)) == EXPECTED and computed == BATCHES


def test_a_warning_ends_the_start_after_its_batch(tmp_path, squares, computed, monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    each, taken = kept_parts(tmp_path / "parts", "key"), []

    def warned(batch):
        if batch == [3]:
            os.kill(os.getpid(), signal.SIGUSR1)
        return squares(batch)

    with pytest.raises(SystemExit) as end:
        taken.extend(each(warned, BATCHES))
    assert end.value.code == STOPPED and computed == BATCHES[:2]
    assert list(each(squares, BATCHES)) == EXPECTED and computed == BATCHES


def test_no_batches_give_no_results(tmp_path, squares):
    assert list(kept_parts(tmp_path / "parts", "key")(squares, [])) == []


def test_parts_are_beside_their_output_and_no_output(tmp_path):
    assert parts_of(tmp_path / "test.parquet") == tmp_path / ".test.parquet.parts"
