"""Write the caption of a table and the notes below it, which say what its numbers mean and where to be careful."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tabpo.metrics.names import METRICS, VALIDITY
from tabpo.names import DICTIONARY, HUMAN, PREFERENCES, PROMPTED
from tabpo.tables.cells import NOT_AVAILABLE, Block, Cell, Run, Samples, metric_value
from tabpo.tables.comparisons import BLOCKS, POOLED, Comparison
from tabpo.tables.meanings import ceiling_note, in_text, meanings, quantity, title
from tabpo.tables.prompted import prompted_notes, public_notes
from tabpo.tables.significance import CLUSTERS_TO_MARK, SEEDS_TO_MARK


def describe(
    settings: Mapping[str, Any],
    samples: Samples,
    cells: Sequence[Cell],
    comparisons: Sequence[Comparison],
    withheld: Mapping[Block, str],
    differing: Sequence[str],
    left_out: Mapping[str, Mapping[str, int]],
) -> dict[str, Any]:
    """The caption and the notes of a table of scores, as keyword arguments for `to_markdown` and `to_latex`.

    Args:
        settings: The table's settings.
        samples: All runs of the table.
        cells: Its cells, marked.
        comparisons: Its differences.
        withheld: The blocks in which nothing is marked, each with the reason.
        differing: The modules whose code differed between runs.
    """
    runs = [run for row in samples.runs.values() for run in row]
    caption = [settings["caption"], f"{quantity(settings['metrics'])}, {seeds_in_words(runs)}."]
    if any(cell.mark for cell in cells):
        caption.append(_marks(settings, comparisons))
    if any(cell.best for cell in cells):
        caption.append("Bold: the best row, and rows that do not differ from it at .05, unadjusted.")
    blocks = {cell.block for cell in cells if not cell.block.pooled}
    return {
        "caption": rehearsal(withheld, blocks) + " ".join(caption),
        "notes": _notes(settings, samples, runs, cells, comparisons, withheld, differing, left_out),
    }


def rehearsal(withheld: Mapping[Block, str], blocks: Collection[Block]) -> str:
    """The beginning of the caption of a table in which nothing is marked, everywhere or on some of its blocks."""
    if not withheld:
        return ""
    where = "" if set(withheld) >= set(blocks) else f" on {', '.join(block.in_text for block in withheld)}"
    return f"REHEARSAL{where}. "


def training_notes(
    runs: Sequence[Run], cells: Sequence[Cell], quantities: Sequence[str], differing: Sequence[str]
) -> list[str]:
    """The last notes of a table of quantities of training: collapsed runs, meanings, empty cells, different code."""
    notes = []
    if any(run.collapsed for run in runs):
        notes.append(f"†: the mean includes runs that collapsed during training: {collapsed_runs(runs)}.")
    notes.append(meanings(quantities))
    notes += [f"– {reason}." for reason in sorted({cell.reason for cell in cells if cell.reason})]
    if differing:
        notes.append(f"Runs were made with different code in {', '.join(differing)}.")
    return notes


def _notes(
    settings: Mapping[str, Any],
    samples: Samples,
    runs: Sequence[Run],
    cells: Sequence[Cell],
    comparisons: Sequence[Comparison],
    withheld: Mapping[Block, str],
    differing: Sequence[str],
    left_out: Mapping[str, Mapping[str, int]],
) -> list[str]:
    notes = [f"Hyperparameters: presets “{settings['presets']}”."]
    notes += [
        f"REHEARSAL on {block.in_text}: {reason}. Nothing is marked there, since these rows are no evidence about the"
        " methods."
        for block, reason in withheld.items()
    ]
    notes += documents(runs)
    notes += not_asked(left_out)
    notes += _power(comparisons)
    notes += too_little(comparisons)
    if any(run.collapsed for run in runs):
        notes.append(f"†: the mean includes runs that collapsed during training: {collapsed_runs(runs)}.")
    if any(run.method == PROMPTED for run in runs):
        notes.append(
            f"{in_text(PROMPTED)}: a model behind an endpoint, which was not trained; one run at"
            " temperature 0, without seeds. The server may answer differently in another run."
        )
    notes += prompted_notes(runs)
    notes += public_notes(settings["public"])
    notes += imported_rows(samples)
    notes += _agreements(runs)
    notes.append(meanings(settings["metrics"]))
    notes += _ceilings(runs, settings["metrics"])
    notes += [
        f"– {reason}."
        for reason in sorted({cell.reason for cell in cells if cell.reason and not cell.block.pooled})
        if not reason.startswith(NOT_AVAILABLE)
    ]
    notes += _without_differences(settings, cells, comparisons)
    notes += models_left_out(cells)
    if differing:
        notes.append(f"Runs were made with different code in {', '.join(differing)}.")
    return notes


def _marks(settings: Mapping[str, Any], comparisons: Sequence[Comparison]) -> str:
    against = next(comparison.against for comparison in comparisons)
    families = {comparison.family: comparison.tests for comparison in comparisons if comparison.family}
    over = " and ".join(
        f"the {count} tested differences"
        + {POOLED: " of means", BLOCKS: " of single models" if len(families) > 1 else ""}[name]
        for name, count in sorted(families.items(), reverse=True)
    )
    which = "" if settings["tested"] == settings["metrics"] else f" in {', '.join(map(title, settings['tested']))}"
    if {comparison.method for comparison in comparisons} - {*settings["tested_rows"]}:
        which += f", rows {in_text(*settings['tested_rows'])}"
    return f"▲ ▼: better, worse than {in_text(against)}{which}, Holm-adjusted p < .05 over {over}, seeds × documents."


def documents(runs: Sequence[Run]) -> list[str]:
    """The number of test documents, or groups of them, of each data set."""
    counts = {
        run.dataset: next(iter(run.estimates.metrics.values())).without.shape[1] for run in runs if run.method != HUMAN
    }
    listed = ", ".join(f"{in_text(dataset)} {count}" for dataset, count in counts.items())
    return [f"Test documents, or groups of them where they are known: {listed}."]


def not_asked(left_out: Mapping[str, Mapping[str, int]]) -> list[str]:
    """What of test no prompt asks about, as prompts are about single sentences."""
    notes = []
    for dataset, counts in left_out.items():
        said = [f"{counts['relations']} relations across sentences"] * bool(counts["relations"])
        said += [f"all {counts['clusters']} clusters"] * bool(counts["clusters"])
        if said:
            notes.append(
                f"Prompts of {in_text(dataset)} are single sentences: {' and '.join(said)} of test are not asked for."
            )
    return notes


def _power(comparisons: Sequence[Comparison]) -> list[str]:
    """For each family and metric, the smallest difference that a test finds with 80 % power."""
    notes = []
    for family, what in ((POOLED, "of the means "), (BLOCKS, "")):
        largest: dict[str, float] = {}
        for comparison in comparisons:
            if comparison.family == family and comparison.markable:
                largest[comparison.metric] = max(largest.get(comparison.metric, 0.0), comparison.effect.detectable)
        if largest:
            sizes = ", ".join(f"{title(metric)} {size:.1f}" for metric, size in largest.items())
            notes.append(
                f"Smallest difference {what}that one test finds with 80 % power, for the row with the largest variance:"
                f" {sizes}."
            )
    return notes


def too_little(comparisons: Sequence[Comparison]) -> list[str]:
    """Notes that nothing is marked because there are too few seeds or documents."""
    seeds = {comparison.effect.seeds for comparison in comparisons if comparison.family}
    clusters = {min(comparison.clusters) for comparison in comparisons if comparison.family}
    notes = []
    if seeds and min(seeds) < SEEDS_TO_MARK:
        meaning = (
            "intervals are about these runs, not about the methods" if min(seeds) == 1 else "there are intervals only"
        )
        notes.append(f"Fewer than {SEEDS_TO_MARK} seeds: nothing is marked; {meaning}.")
    if clusters and min(clusters) < CLUSTERS_TO_MARK:
        notes.append(f"Fewer than {CLUSTERS_TO_MARK} test documents (or groups of them): nothing is marked.")
    return notes


def _without_differences(
    settings: Mapping[str, Any], cells: Sequence[Cell], comparisons: Sequence[Comparison]
) -> list[str]:
    compared = {comparison.block for comparison in comparisons}
    against = settings["against"]
    return [
        f"{block.in_text}: no differences, as {in_text(against)} was not run with these seeds."
        for block in dict.fromkeys(cell.block for cell in cells if cell.seeds and cell.method != against)
        if block not in compared
    ]


def models_left_out(cells: Sequence[Cell]) -> list[str]:
    """Notes on models that the means over models leave out."""
    members = {member for cell in cells if cell.block.pooled for models in cell.block.members for member in models}
    trained = dict.fromkeys(cell.block.model for cell in cells if cell.seeds and not cell.block.pooled)
    left_out = [model for model in trained if members and model not in {name for _, name in members}]
    return [f"Means leave out {in_text(model)}, which lacks a row or a seed." for model in left_out]


def seeds_in_words(runs: Sequence[Run]) -> str:
    """Over which seeds the numbers of these runs are."""
    seeds = sorted({run.seed for run in runs if run.seed is not None})
    if not seeds:
        return "one run each"
    return f"seed {seeds[0]} only" if len(seeds) == 1 else f"mean ± standard deviation over {len(seeds)} seeds"


def collapsed_runs(runs: Sequence[Run]) -> str:
    """The runs among these that collapsed during training, for a note."""
    return ", ".join(
        f"{in_text(run.method)} of seed {run.seed} on {in_text(run.dataset)} / {in_text(run.model)}"
        for run in runs
        if run.collapsed
    )


def imported_rows(samples: Samples) -> list[str]:
    """Notes on the rows from other systems."""
    notes = []
    for row in samples.imported:
        runs = [run for (_, _, method), of_row in samples.runs.items() if method == row for run in of_row]
        single = "" if runs[0].seed is not None else " It is one run without seeds, so its differences are not tested."
        notes.append(
            f"{in_text(row)}: imported answers of another system to the same prompts; this study did not train it, and"
            f" scores its answers as those of all rows.{single}"
        )
    return notes


def _agreements(runs: Sequence[Run]) -> list[str]:
    """Notes on how many test prompts the row `human` covers."""
    whole = {run.dataset: run.scores["prompts"] for run in runs if run.method == DICTIONARY}
    return [
        f"{in_text(HUMAN)}: a second annotator of {in_text(run.dataset)} against the first, on the"
        f" {run.scores['prompts']} of {whole[run.dataset]} test prompts that both have annotated."
        for run in runs
        if run.method == HUMAN
    ]


def _ceilings(runs: Sequence[Run], metrics: Sequence[str]) -> list[str]:
    """Notes on the score of gold that is written as an answer and read again, if it is below 100."""
    notes = set()
    for run in (run for run in runs if run.method != HUMAN):  # a second annotator may have read fewer prompts
        for metric in set(metrics) - {*VALIDITY, *METRICS[PREFERENCES]}:
            ceiling = metric_value({"metrics": run.scores["ceiling"]}, metric)
            if ceiling is not None and ceiling < 100 and run.estimates.gold[metric]:
                notes.add(ceiling_note(run.dataset, metric, ceiling, run.scores["ceiling"].get(metric, {})))
    return sorted(notes)


def describe_tests(settings: Mapping[str, Any], comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """The caption and the notes of a table of differences."""
    against = comparisons[0].against if comparisons else settings["against"]
    families = {comparison.family: comparison.tests for comparison in comparisons if comparison.family}
    notes = [
        "Difference: mean over seeds, with its 95 % interval over new seeds and new test documents. With one seed the"
        " interval is over new documents only, and there is no p.",
        *(
            f"p, Holm: adjusted over the {count} differences of the family “{name}”."
            for name, count in families.items()
        ),
        "Groups: the number of groups of test documents (patients, threads), or of documents if no groups are known."
        " Detectable: the smallest true difference that such a study finds with 80 % power, in one test at .05. For 1"
        " point: the fewest seeds that find a true difference of 1 point with 80 % power; – if no number of seeds is"
        " enough, or if there is one seed.",
    ]
    return {"caption": f"{settings['caption']} Differences to {in_text(against)}.", "notes": notes}
