"""Where the tokens of completions stand in the rows that a model reads, and which state predicts which of them.

Completions of one prompt are a tree. Its trunk is the prompt and the first of them; every other completion leaves the
trunk at the first token that differs, its fork, and only what follows is read again, on a branch. A branch's positions
go on from its fork, and its tokens see the trunk up to there. A completion's last token predicts nothing and is not
read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

Tokens = tuple[int, ...]


@dataclass(frozen=True)
class Tree:
    """Tokens of one prompt in the packed row, trunk first, then its branches.

    Attributes:
        trunk: Its length.
        branches: Fork (tokens of the trunk that are seen) and length of each.
    """

    trunk: int
    branches: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Packed:
    """All completions in one row without padding.

    Attributes:
        token_ids: Tree after tree.
        position_ids: Of each token, from 0 in each tree.
        trees: One for each distinct prompt, in order of appearance.
        states: For each completion the places of the tokens that predict its own.
    """

    token_ids: list[int]
    position_ids: list[int]
    trees: tuple[Tree, ...]
    states: list[list[int]]


def pack(prompts: Sequence[Tokens], completions: Sequence[Tokens]) -> Packed:
    """Lay out completions, each with its prompt; equal prompts share a tree, equal completions of it all their states.

    Args:
        prompts: Of one token at least.
        completions: Likewise.
    """
    rows: dict[Tokens, list[int]] = {}
    for row, prompt in enumerate(prompts):
        rows.setdefault(prompt, []).append(row)
    packed = Packed([], [], (), [[] for _ in completions])
    trees = []
    for prompt, members in rows.items():
        trunk = (prompt + completions[members[0]])[:-1]
        base = _append(packed, trunk, 0)
        places: dict[Tokens, list[int]] = {}
        branches = []
        for row in members:
            completion = completions[row]
            if completion not in places:
                read = (prompt + completion)[:-1]
                fork = _common_prefix(trunk, read)
                start = _append(packed, read[fork:], fork)
                places[completion] = [*range(base, base + fork), *range(start, start + len(read) - fork)]
                if len(read) > fork:
                    branches.append((fork, len(read) - fork))
            packed.states[row].extend(places[completion][len(prompt) - 1 :])
        trees.append(Tree(len(trunk), tuple(branches)))
    return Packed(packed.token_ids, packed.position_ids, tuple(trees), packed.states)


def lengthened(trees: tuple[Tree, ...], beyond: int) -> tuple[Tree, ...]:
    """With so many more tokens in the row's last block, where they come after all that sees them."""
    *before, last = trees
    if not last.branches:
        return (*before, Tree(last.trunk + beyond, ()))
    *branches, (fork, length) = last.branches
    return (*before, Tree(last.trunk, (*branches, (fork, length + beyond))))


def _append(packed: Packed, tokens: Tokens, position: int) -> int:
    start = len(packed.token_ids)
    packed.token_ids.extend(tokens)
    packed.position_ids.extend(range(position, position + len(tokens)))
    return start


def _common_prefix(one: Tokens, other: Tokens) -> int:
    length = min(len(one), len(other))
    return next((place for place in range(length) if one[place] != other[place]), length)
