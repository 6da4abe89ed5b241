"""Attention by tiles equals softmax attention over the whole row with an explicit mask, in values and gradients."""

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from tabpo.scoring import tiles
from tabpo.scoring.attention import Forest
from tabpo.scoring.packing import Tree

TREES = (Tree(9, ((4, 5), (0, 7), (9, 1))), Tree(1, ()), Tree(6, ((1, 2),)))
TOKENS = 9 + 5 + 7 + 1 + 1 + 6 + 2


def states(heads, seed):
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(1, heads, TOKENS, 4, generator=draw, dtype=torch.float64).requires_grad_()


def dense(query, key, value, window):
    places = torch.arange(TOKENS)
    sees = Forest(TREES).sees(window, torch.device("cpu"))
    mask = sees(None, None, places[:, None], places[None])
    return scaled_dot_product_attention(query, key, value, mask, scale=1.0, enable_gqa=True).transpose(1, 2)


@pytest.mark.parametrize("window", [None, 3])
@pytest.mark.parametrize(("tile", "grain"), [(128, 32), (4, 2), (4, 1), (1, 1), (6, 3)])
@pytest.mark.parametrize("heads", [2, 6])
def test_equals_attention_over_the_whole_row(monkeypatch, window, tile, grain, heads):
    monkeypatch.setattr(tiles, "TILE", tile)
    monkeypatch.setattr(tiles, "GRAIN", grain)
    inputs = [states(heads, 0), states(2, 1), states(2, 2)]
    forest = Forest(TREES)
    output = tiles.attend(*inputs, forest.tiles, forest.square(window, inputs[0]), window is not None)
    expected = dense(*inputs, window)
    torch.testing.assert_close(output, expected, atol=1e-12, rtol=0)
    weights = torch.randn(expected.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    pairs = zip(
        torch.autograd.grad(output, inputs, weights), torch.autograd.grad(expected, inputs, weights), strict=True
    )
    for gradient, expected_gradient in pairs:
        torch.testing.assert_close(gradient, expected_gradient, atol=1e-12, rtol=0)


def test_tiles_cover_first_sequences_and_suffixes(monkeypatch):
    monkeypatch.setattr(tiles, "TILE", 4)
    monkeypatch.setattr(tiles, "GRAIN", 2)
    cover = [(tile.start, tile.length) for tile in tiles.tiles_of(TREES)]
    # first sequence 9 = 4 + 4 + 1, suffixes 5 = 4 + 1, 7 = 4 + 3 and 1; a first sequence of 1; 6 = 4 + 2, its suffix 2
    starts = [0, 4, 8, 9, 13, 14, 18, 21, 22, 23, 27, 29]
    assert cover == list(zip(starts, [4, 4, 1, 4, 1, 4, 3, 1, 1, 4, 2, 2], strict=True))
    # the second tile of the suffix of 7, which shares no prefix: 3 tokens from position 4 on, 4 rows are computed
    assert (tiles.tiles_of(TREES)[6].position, tiles.tiles_of(TREES)[6].rows, tiles.tiles_of(TREES)[6].width) == (
        4,
        4,
        8,
    )


def test_later_tokens_do_not_change_a_tile():
    # states beyond the end of a tile have attention weights of exactly 0
    query, key, value = states(2, 0), states(2, 1), states(2, 2)
    forest = Forest(TREES)
    square = forest.square(None, query)
    before = tiles.attend(query, key, value, forest.tiles, square, windowed=False)
    changed = [states.detach().clone() for states in (query, key, value)]
    for inputs in changed:
        inputs[:, :, 9:] = 1e3
    after = tiles.attend(*changed, forest.tiles, square, windowed=False)
    assert torch.equal(before[:, :9], after[:, :9])
