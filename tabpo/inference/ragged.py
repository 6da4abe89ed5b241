"""Keys, values and attention of tokens in rows of unequal length, compiled by Numba: on a CPU.

SDPA wants rows filled up to the longest, with as many tokens each as that with most. Where a row reads a few tokens at
a time, on a CPU, this filling and the way into the grid and back take longer than the attention.
"""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise

import numpy as np
import torch
from numba import njit
from torch import Tensor

compiled = partial(njit, nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract", "arcp", "nsz"})
"""Sums may be taken in another order, as by any kernel; a NaN and an infinity stay what they are."""


@dataclass(frozen=True)
class Ragged:
    """Tokens of some rows, as `Padded` has them.

    Attributes:
        row: (tokens,) of each.
        place: (tokens,) in it.
        cosine: (places, size) of all places.
        sine: Likewise, the first half with the other sign.
    """

    row: np.ndarray
    place: np.ndarray
    cosine: np.ndarray
    sine: np.ndarray

    def keep(self, key: Tensor, value: Tensor, kept: Tensor) -> None:
        """Put keys, turned, and values in their places."""
        new = key.to(kept.dtype).numpy(), value.to(kept.dtype).numpy()
        _keep(*new, self.row, self.place, self.cosine, self.sine, *kept.numpy())

    def attend(self, query: Tensor, kept: Tensor, window: int | None, scale: float) -> Tensor:
        """What each token sees of its row up to itself; torch's threads share the tokens."""
        queries, (keys, values) = query.to(kept.dtype).numpy(), kept.numpy()
        seen = np.empty_like(queries)
        first = np.maximum(self.place + 1 - (window or kept.shape[3]), 0)

        def attend(bounds: tuple[int, int]) -> None:
            own = slice(*bounds)
            row, start, last = self.row[own], first[own], self.place[own]
            _attend(queries[own], row, start, last, self.cosine, self.sine, scale, keys, values, seen[own])

        threads = torch.get_num_threads()
        for _ in _each(threads)(attend, pairwise(len(queries) * part // threads for part in range(threads + 1))):
            pass
        return torch.from_numpy(seen).flatten(1).to(query.dtype)


@cache
def _each(threads: int) -> Callable:
    """`map`, side by side."""
    return map if threads == 1 else ThreadPoolExecutor(threads).map


@compiled()
def _turn(states: np.ndarray, cosine: np.ndarray, sine: np.ndarray, turned: np.ndarray) -> None:
    """Rotary embedding of one head, whose halves are turned against each other."""
    half = len(states) // 2
    for i in range(half):
        turned[i] = states[i] * cosine[i] + states[half + i] * sine[i]
        turned[half + i] = states[half + i] * cosine[half + i] + states[i] * sine[half + i]


@compiled()
def _keep(
    key: np.ndarray,
    value: np.ndarray,
    row: np.ndarray,
    place: np.ndarray,
    cosine: np.ndarray,
    sine: np.ndarray,
    keys: np.ndarray,
    values: np.ndarray,
) -> None:
    """Put (tokens, heads, size) keys and values in their rows' places."""
    for token in range(len(row)):
        here = place[token]
        for head in range(key.shape[1]):
            _turn(key[token, head], cosine[here], sine[here], keys[row[token], head, here])
            values[row[token], head, here, :] = value[token, head]


@compiled()
def _attend(
    queries: np.ndarray,
    row: np.ndarray,
    first: np.ndarray,
    last: np.ndarray,
    cosine: np.ndarray,
    sine: np.ndarray,
    scale: float,
    keys: np.ndarray,
    values: np.ndarray,
    seen: np.ndarray,
) -> None:
    """Softmax attention of (tokens, heads, size) queries over places `first` to `last` of their rows, into `seen`."""
    tokens, heads, size = queries.shape
    groups = heads // keys.shape[1]
    query, scores = np.empty(size, queries.dtype), np.empty(keys.shape[2], queries.dtype)
    zero, factor = queries.dtype.type(0), queries.dtype.type(scale)
    for token in range(tokens):
        start, end = first[token], last[token] + 1
        for head in range(heads):
            key, value = keys[row[token], head // groups], values[row[token], head // groups]
            _turn(queries[token, head], cosine[end - 1], sine[end - 1], query)
            highest = queries.dtype.type(-np.inf)
            for place in range(start, end):
                score = zero
                for i in range(size):
                    score += query[i] * key[place, i]
                scores[place] = score * factor
                highest = max(highest, scores[place])
            total = zero
            for place in range(start, end):
                scores[place] = math.exp(scores[place] - highest)
                total += scores[place]
            query[:] = zero
            for place in range(start, end):
                weight = scores[place]
                for i in range(size):
                    query[i] += weight * value[place, i]
            for i in range(size):
                seen[token, head, i] = query[i] / total
