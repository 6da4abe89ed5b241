"""Rows of unequal length, read piece by piece, against the library's forward pass over each of them alone."""

from copy import deepcopy

import pytest
import torch

from tabpo.inference.padded import Padded
from tabpo.inference.rows import Rows


@pytest.fixture(params=["cpu", "cpu, two threads", "other devices"])
def attention(request, monkeypatch):
    """That of a CPU, by one thread and by two, and that of other devices."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2 if request.param == "cpu, two threads" else 1)
    if request.param == "other devices":
        monkeypatch.setattr(Rows, "_places", lambda self, *asked: Padded.of(*asked, *self.turns))
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("attention")
def test_logits_are_those_of_each_row_alone(any_model, monkeypatch):
    monkeypatch.setattr("tabpo.inference.rows.ROOM", 2)
    torch.manual_seed(4)
    first, second, third = (torch.randint(30, (length,)).tolist() for length in (11, 17, 7))
    rows = Rows(any_model, 3, 8)
    with torch.inference_mode():
        rows.read([0, 0], [first[:4], [*second[:6], 0, 0]], [1, 1])  # the last two of the second are no part of it
        read = rows.read([4, 6, 0], [first[4:6], second[6:], third], [2, 3, 1], split=2)
        end = rows.read([6], [first[6:]], [5])
        alone = [any_model(input_ids=torch.tensor([ids])).logits[0] for ids in (first, second, third)]
    torch.testing.assert_close(read, torch.cat([alone[0][4:6], alone[1][-3:], alone[2][-1:]]), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(end, alone[0][6:], rtol=1e-5, atol=1e-5)


@pytest.mark.usefixtures("attention")
def test_under_autocast_logits_are_as_near_as_the_librarys(any_model):
    torch.manual_seed(4)
    ids, model = torch.randint(30, (11,)).tolist(), deepcopy(any_model).float()
    with torch.inference_mode():
        exact = model(input_ids=torch.tensor([ids])).logits[0]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            theirs = model(input_ids=torch.tensor([ids])).logits[0]
            rows = Rows(model, 2, 16)
            ours = torch.cat([rows.read([0], [ids[:4]], [4]), rows.read([4], [ids[4:]], [7])])
    assert 0 < (ours - exact).abs().mean() < 1.5 * (theirs - exact).abs().mean()
