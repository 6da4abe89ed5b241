"""The packed row that a model reads for several completions, and the state that predicts each completion token.

The completions of one prompt form a tree. The model reads the prompt and the first completion in full: this is the
tree's first sequence. Every other completion shares a prefix with the first sequence, up to the first token that
differs. Only its suffix, from that token on, is read in addition. The positions of a suffix continue those of the
shared prefix, and its tokens attend to the shared prefix and to the suffix itself. The last token of a completion
predicts nothing and is not read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

Tokens = tuple[int, ...]


@dataclass(frozen=True)
class Tree:
    """Tokens of one prompt in the packed row: the first sequence, then the suffixes.

    Attributes:
        first: Number of tokens of the first sequence.
        suffixes: For each suffix, the length of the shared prefix before it and the length of the suffix.
    """

    first: int
    suffixes: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Packed:
    """All completions in one row without padding.

    Attributes:
        token_ids: Tokens of all trees, one tree after another.
        position_ids: Position of each token; each tree starts at 0.
        trees: One tree for each distinct prompt, in order of appearance.
        states: For each completion, the indices in the row of the states that predict its tokens.
    """

    token_ids: list[int]
    position_ids: list[int]
    trees: tuple[Tree, ...]
    states: list[list[int]]


def pack(prompts: Sequence[Tokens], completions: Sequence[Tokens]) -> Packed:
    """Pack completions and their prompts into one row.

    Equal prompts share a tree. Equal completions of one prompt share all their states.

    Args:
        prompts: The prompt of each completion, at least one token each.
        completions: At least one token each.
    """
    rows: dict[Tokens, list[int]] = {}
    for row, prompt in enumerate(prompts):
        rows.setdefault(prompt, []).append(row)
    packed = Packed([], [], (), [[] for _ in completions])
    trees = []
    for prompt, members in rows.items():
        first = (prompt + completions[members[0]])[:-1]
        base = _append(packed, first, 0)
        places: dict[Tokens, list[int]] = {}
        suffixes = []
        for row in members:
            completion = completions[row]
            if completion not in places:
                read = (prompt + completion)[:-1]
                shared = _common_prefix(first, read)
                start = _append(packed, read[shared:], shared)
                places[completion] = [*range(base, base + shared), *range(start, start + len(read) - shared)]
                if len(read) > shared:
                    suffixes.append((shared, len(read) - shared))
            packed.states[row].extend(places[completion][len(prompt) - 1 :])
        trees.append(Tree(len(first), tuple(suffixes)))
    return Packed(packed.token_ids, packed.position_ids, tuple(trees), packed.states)


def lengthened(trees: tuple[Tree, ...], beyond: int) -> tuple[Tree, ...]:
    """Add `beyond` padding tokens to the last block of the row; no other token attends to them."""
    *before, last = trees
    if not last.suffixes:
        return (*before, Tree(last.first + beyond, ()))
    *suffixes, (shared, length) = last.suffixes
    return (*before, Tree(last.first, (*suffixes, (shared, length + beyond))))


def _append(packed: Packed, tokens: Tokens, position: int) -> int:
    start = len(packed.token_ids)
    packed.token_ids.extend(tokens)
    packed.position_ids.extend(range(position, position + len(tokens)))
    return start


def _common_prefix(left: Tokens, right: Tokens) -> int:
    length = min(len(left), len(right))
    return next((place for place in range(length) if left[place] != right[place]), length)
