"""Rows of unequal length, read piece by piece, against the library's forward pass over each of them alone."""

import torch

from tabpo.inference.rows import Rows


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
