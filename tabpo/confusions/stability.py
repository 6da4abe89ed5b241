"""How much the confusion tables of different seeds differ."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain, combinations
from typing import Any

import numpy as np
from scipy.spatial.distance import jensenshannon

from tabpo.records import Confusion

Rows = dict[tuple[str, str], dict[str, int]]


def stability(tables: Mapping[int, Sequence[Confusion]]) -> dict[str, Any]:
    """Return the mean Jensen-Shannon distance (base 2: 0 equal, 1 disjoint) over all pairs of seeds.

    For each gold value of a kind, the distributions of predicted values of two seeds are compared (Endres and
    Schindelin 2003, doi:10.1109/TIT.2003.813506). A mean over gold values, or over kinds, is weighted by the number of
    cases in both tables. A gold value that has cases in only one of the two tables is left out.

    Args:
        tables: The confusion table of each seed.

    Returns:
        `seeds`, `mean` and `kinds`; a distance is None if there are no two tables to compare.
    """
    rows = {seed: _rows(table) for seed, table in sorted(tables.items())}
    distances: dict[str, list[float]] = defaultdict(list)
    weights: dict[str, list[int]] = defaultdict(list)
    for first, second in combinations(rows.values(), 2):
        for kind, gold in sorted(first.keys() & second.keys()):
            row, other_row = first[kind, gold], second[kind, gold]
            values = sorted(row | other_row)
            counts = [[table.get(value, 0) for value in values] for table in (row, other_row)]
            distances[kind].append(float(jensenshannon(*counts, base=2)))
            weights[kind].append(sum(map(sum, counts)))
    kinds = sorted({kind for table in rows.values() for kind, _ in table})
    return {
        "seeds": list(rows),
        "mean": _mean([*chain(*distances.values())], [*chain(*weights.values())]),
        "kinds": {kind: _mean(distances[kind], weights[kind]) for kind in kinds},
    }


def _rows(table: Sequence[Confusion]) -> Rows:
    rows: Rows = defaultdict(dict)
    for row in table:
        rows[row.kind, row.gold][row.predicted] = row.count
    return dict(rows)


def _mean(values: Sequence[float], weights: Sequence[int]) -> float | None:
    return round(float(np.average(values, weights=weights)), 6) if values else None
