r"""Measure how often the tests of tables are wrong, and which gains they find, in simulated studies.

A document has 5 to 20 gold items, and as many predicted items. All runs answer the same items, 60 % of them correctly;
two runs of one method disagree on one item in seven. Each case sets how much methods differ by seed and by document.

    formulas  for two equal methods: how often p is below .05, and how often the interval contains 0; for columns of 12
              equal methods: how often any p is below .05 after Holm
    labels    the same for one label whose gold items are in few of 100 documents, about one in each, and which is also
              written where gold lacks it (two spurious items for five of gold)
    power     how often the mean over six models finds a gain of two points
    tables    writes the files of whole studies (12 methods beside sft), runs the program of the rule `table` on each,
              and counts the marks in its Markdown

    (for part in power tables formulas labels; do python -m benchmarks.significance $part; done) \
        > benchmarks/results/significance.jsonl
"""

import argparse
import json
import logging
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
from scipy.special import ndtri

from tabpo.metrics.by_cluster import clusters_metadata
from tabpo.records import ClusterCounts, write_records
from tabpo.tables.estimates import f1, mean_f1
from tabpo.tables.files import FILES
from tabpo.tables.significance import LEVEL, Estimates, effect, holm, jackknife, pooled
from workflow_scripts import tables

METHODS = 12
RIGHT = 0.6
DENSITY = float(np.exp(-(ndtri(RIGHT) ** 2) / 2) / (2 * np.pi) ** 0.5)
"""Density at the threshold: the share of items that become right for each unit by which the threshold rises."""

AGREEMENT = 0.9
"""Correlation of two runs' latent answers to an item."""


def simulate(
    generator: np.random.Generator,
    shape: tuple[int, int],
    documents: int,
    gains: np.ndarray,
    seed_sd: float,
    document_sd: float,
    *,
    shared: bool = False,
) -> np.ndarray:
    """Simulate right items and gold items, (methods, models, seeds, documents, 2).

    Args:
        shape: Models and seeds.
        gains: Gain of each method over the first, in points.
        seed_sd: Standard deviation over seeds of the true difference of two methods, in points.
        document_sd: Standard deviation over documents of the true difference of two methods, in points.
        shared: Whether a method helps the same documents in all models.
    """
    methods, (models, seeds) = len(gains), shape
    gold = generator.integers(5, 21, documents)
    of_seeds = generator.normal(0, seed_sd / 2**0.5, (methods, models, seeds, 1))
    of_documents = generator.normal(0, document_sd / 2**0.5, (methods, 1 if shared else models, 1, documents))
    points = gains[:, None, None, None] + of_seeds + of_documents
    threshold = ndtri(RIGHT) + points / 100 / DENSITY
    item = generator.normal(size=(models, 1, gold.sum()))  # difficulty of each item for a model
    run = generator.normal(size=(methods, models, seeds, gold.sum()))
    answered = AGREEMENT**0.5 * item + (1 - AGREEMENT) ** 0.5 * run < np.repeat(threshold, gold, axis=-1)
    right = np.add.reduceat(answered, np.cumsum(gold) - gold, axis=-1)
    return np.stack(np.broadcast_arrays(right, gold), axis=-1).astype(float)


def estimates(counts: np.ndarray) -> Estimates:
    """Return F1 in percent from (seeds, documents, 2) counts."""
    parts = np.stack([counts[..., 0], counts[..., 1]] * 2, axis=-1)[..., None, :]
    fraction = jackknife(parts, mean_f1)
    return Estimates(100 * fraction.whole, 100 * fraction.without)


def formulas(studies: int, generator: np.random.Generator) -> Iterator[dict]:
    """Yield false positives and coverage of one difference, and false positives of a column of 12 after Holm."""
    for seeds, documents, seed_sd, document_sd in product((2, 3, 5, 10), (30, 100, 500), (0.7, 2.0), (0.0, 5.0)):
        case = {"seeds": seeds, "documents": documents, "seed_sd": seed_sd, "document_sd": document_sd}
        false = covered = 0
        for _ in range(studies):
            base, new = simulate(generator, (1, seeds), documents, np.zeros(2), seed_sd, document_sd)[:, 0]
            result = effect(estimates(new) - estimates(base))
            false += result.p is not None and result.p < LEVEL
            covered += result.interval[0] <= 0 <= result.interval[1]
        yield {"what": "formulas", **case, "studies": studies, "false": false / studies, "coverage": covered / studies}
        if documents == 100 and seeds > 2:
            columns = sum(marked_column(generator, case) for _ in range(studies // 4))
            yield {"what": "columns", **case, "studies": studies // 4, "false": columns / (studies // 4)}


def marked_column(generator: np.random.Generator, case: dict) -> bool:
    """Return whether any of 12 equal methods is marked."""
    sds = case["seed_sd"], case["document_sd"]
    counts = simulate(generator, (1, case["seeds"]), case["documents"], np.zeros(METHODS + 1), *sds)
    base, *others = map(estimates, counts[:, 0])
    return any(value is not None and value < LEVEL for value in holm([effect(other - base).p for other in others]))


def labels(studies: int, generator: np.random.Generator) -> Iterator[dict]:
    """Yield false positives and coverage of the difference of one label, by the mean number of documents with gold."""
    for seeds, groups in product((3, 5), (5, 10, 20)):
        false = covered = 0
        for _ in range(studies):
            base, new = simulate_label(generator, seeds, groups)
            result = effect(jackknife(new, f1) - jackknife(base, f1))
            false += result.p is not None and result.p < LEVEL
            covered += result.interval[0] <= 0 <= result.interval[1]
        case = {"seeds": seeds, "documents": 100, "groups_with_gold": groups, "studies": studies}
        yield {"what": "labels", **case, "false": false / studies, "coverage": covered / studies}


def simulate_label(generator: np.random.Generator, seeds: int, groups: int) -> np.ndarray:
    """Simulate the counts of a label under two equal methods, (2, seeds, 100, 4)."""
    rate = -np.log(1 - groups / 100)
    gold = generator.poisson(rate, 100)
    share = RIGHT + generator.normal(0, 0.1, (1, 1, 100)) + generator.normal(0, 0.08, (2, 1, 100))
    right = generator.binomial(gold, np.clip(share + generator.normal(0, 0.03, (2, seeds, 1)), 0.02, 0.98))
    predicted = right + generator.poisson(0.4 * rate, right.shape)
    return np.stack(np.broadcast_arrays(right, predicted, right, gold), axis=-1).astype(float)


def power(studies: int, generator: np.random.Generator) -> Iterator[dict]:
    """Yield how often the mean over six models finds a gain of two points, at the level of a family of 12."""
    for seed_sd, (document_sd, shared) in product((0.7, 2.0), ((0.0, False), (5.0, False), (5.0, True))):
        detected = alone = 0
        for _ in range(studies):
            gains = np.array([0.0, 2.0])
            counts = simulate(generator, (6, 5), 100, gains, seed_sd, document_sd, shared=shared)
            models = [estimates(new) - estimates(base) for base, new in zip(*counts, strict=True)]
            detected += pooled([models]).p < LEVEL / METHODS
            alone += effect(models[0]).p < LEVEL / METHODS
        yield {
            **{"what": "power", "gain": 2.0, "models": 6, "seeds": 5, "documents": 100},
            **{"seed_sd": seed_sd, "document_sd": document_sd, "same_documents_in_all_models": shared},
            **{"studies": studies, "found": detected / studies, "found_by_one_model": alone / studies},
        }


def through_the_rule(
    what: str, studies: int, generator: np.random.Generator, models: int, seeds: int, gains: np.ndarray
) -> dict:
    """Write studies as files, run the program of the rule on them, and return the shares of tables with each mark."""
    names = ["sft", *(f"m{number}" for number in range(1, METHODS + 1))]
    counted = dict.fromkeys(("false_of_means", "false_of_single_models", "found_by_the_mean"), 0)
    for _ in range(studies):
        counts = simulate(generator, (models, seeds), 100, gains, seed_sd=2.0, document_sd=5.0)
        with tempfile.TemporaryDirectory() as folder:
            for place in product(range(len(names)), range(models), range(seeds)):
                write_run(Path(folder, f"d/model{place[1]}/{names[place[0]]}/seed{place[2]}"), counts[place])
            lines = [line for line in table(Path(folder), names, models, seeds).splitlines() if line.startswith("| d")]
        better = [f"| {name} " for name, gain in zip(names, gains, strict=True) if gain]
        marked = [line for line in lines if "▲" in line or "▼" in line]
        right = [line for line in marked if "▲" in line and any(name in line for name in better)]
        false = [line for line in marked if line not in right]
        counted["false_of_means"] += any("mean of" in line for line in false)
        counted["false_of_single_models"] += any("mean of" not in line for line in false)
        counted["found_by_the_mean"] += any("mean of" in line for line in right)
    return {
        **{"what": what, "gain": gains.max(), "models": models, "seeds": seeds, "documents": 100},
        **{"seed_sd": 2.0, "document_sd": 5.0, "studies": studies},
        **{name: number / studies for name, number in counted.items()},
    }


def write_run(folder: Path, counts: np.ndarray) -> None:
    """Write the files of one run that a table reads, from (documents, 2) counts."""
    rows = [
        row
        for number, (right, gold) in enumerate(counts.tolist())
        for row in (
            ClusterCounts(f"{number:03}", "ner_strict", "set_directed", None, right, gold, right, gold),
            ClusterCounts(f"{number:03}", "valid", "set_directed", None, 1, 1, 1, 1),
        )
    ]
    write_records(folder / "scores/test.counts.parquet", ClusterCounts, rows, clusters_metadata(rows))
    right, gold = counts.sum(axis=0)
    scores = {"valid": 1.0, "prompts": 100, "metrics": {"ner_strict": {"set_directed": {"f1": right / gold}}}}
    (folder / "scores/test.json").write_text(json.dumps(scores | {"ceiling": {}}))
    (folder / "provenance.json").write_text(json.dumps({"code": {}}))


def table(folder: Path, names: list[str], models: int, seeds: int) -> str:
    """Return the Markdown that the program writes."""
    settings = {
        **{"name": "x", "layout": "main", "caption": "x", "presets": "matched", "rows": names, "generated": []},
        **{
            "metrics": ["ner_strict"],
            "tested": ["ner_strict"],
            "tested_rows": names,
            "against": "sft",
            "strict_code": False,
            "names": {},
            "private": [],
            "by_sentence": [],
            "public": {},
            "imported": [],
            "split": "test",
        },
        "runs": [
            {"dataset": "d", "model": f"model{model}", "method": name, "seeds": list(range(seeds))}
            for model in range(models)
            for name in names
        ],
    }
    arguments = ["--settings", json.dumps(settings), "--results", str(folder)]
    for ending in FILES:
        arguments += [f"--output-{ending.replace('.', '-')}", str(folder / f"x.{ending}")]
    tables.main(arguments)
    return (folder / "x.md").read_text()


def through_the_rules(generator: np.random.Generator) -> Iterator[dict]:
    """Yield 200 null studies of two models, and 30 studies of six models with one method better by two points."""
    none, planted = np.zeros(METHODS + 1), np.zeros(METHODS + 1)
    planted[1] = 2.0
    yield through_the_rule("null tables", 200, generator, models=2, seeds=3, gains=none)
    yield through_the_rule("planted tables", 30, generator, models=6, seeds=5, gains=planted)


def main() -> None:
    """Print a JSON line for each case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["power", "tables", "formulas", "labels"])
    rows = {
        "power": lambda: power(500, np.random.default_rng(0)),
        "tables": lambda: through_the_rules(np.random.default_rng(1)),
        "formulas": lambda: formulas(1000, np.random.default_rng(1)),
        "labels": lambda: labels(1000, np.random.default_rng(2)),
    }
    part = parser.parse_args().part
    logging.disable()  # the program of a table logs each one
    for row in rows[part]():
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
