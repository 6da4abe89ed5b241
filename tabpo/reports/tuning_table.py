"""Report the search for settings: budget, choice, and the best that other budgets would have found, for each method."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from tabpo.tables.meanings import in_text
from tabpo.tables.typeset import KEYS, escape, latex_table, markdown_table

CAPTION = "Tuning."

Choice = Mapping[str, Any]
"""The content of a file of `tuning/` (`tuning.choice.choose`), and the `dataset`."""


def tuning_csv(choices: Sequence[Choice]) -> str:
    """A line for each trial: its point, its mean on dev_select, whether it was chosen; and the expected best of n.

    The column `expected_best` of the n-th trial of a method holds that of n trials.
    """
    lines = [
        {
            "dataset": choice["dataset"],
            "model": choice["model"],
            "method": choice["method"],
            "trial": number,
            "learning_rate": trial["learning_rate"],
            "steps": trial["steps"],
            "params": _params(trial["params"]),
            "metric": choice["metric"],
            "mean": trial["mean"],
            "by_seed": " ".join(f"{value:.6g}" for value in trial["values"]),
            "chosen": number == choice["number"],
            "trials": number + 1,
            "expected_best": choice["expected_best"][number],
        }
        for choice in choices
        for number, trial in enumerate(choice["trials"])
    ]
    return pd.DataFrame(lines).to_csv(index=False, float_format="%.6g", lineterminator="\n")


def tuning_markdown(choices: Sequence[Choice], notes: Sequence[str]) -> str:
    """The choices as a Markdown table with notes, for people."""
    return markdown_table(_frame(choices, "–"), CAPTION, notes)


def tuning_latex(choices: Sequence[Choice], notes: Sequence[str], names: Mapping[str, str]) -> str:
    """The choices as a LaTeX table with notes, for a paper."""
    frame = _frame(choices, "--")
    others = [column for column in frame if column not in KEYS]
    frame = frame.assign(**{column: frame[column].map(escape) for column in others})
    return latex_table(frame, CAPTION, notes, label="tab:tuning", names=names)


def describe_tuning(choices: Sequence[Choice]) -> list[str]:
    """The notes below the table: what the budget was, how settings were chosen, and to which models they apply."""
    first = choices[0]
    seeds = ", ".join(map(str, first["seeds"]))
    return [
        f"Each method had {len(first['trials'])} trials of {in_text(first['model'])}, points drawn from its grid, with"
        f" seeds {seeds}. The trial with the best mean of {first['metric']} on {first['split']} is chosen; no trial"
        " answered prompts of test.",
        "Learning rate and length are multiples of a method's own. All models have the multiples and hyperparameters"
        " that are chosen here.",
        "best of n: the best mean that n trials would be expected to find (expected validation performance, arXiv"
        " 1909.03004). FLOPs: of all trials of a method, by calculation; – if they were not counted.",
    ]


def _frame(choices: Sequence[Choice], dash: str) -> pd.DataFrame:
    return pd.DataFrame([_texts(choice, dash) for choice in choices])


def _texts(choice: Choice, dash: str) -> dict[str, str]:
    chosen, number = choice["chosen"], len(choice["trials"])
    shown = sorted({1, 2, (number + 1) // 2, number})
    flops = dash if choice["flops"] is None else f"{choice['flops']:.1e}".replace("e+", "e")
    return {
        "dataset": choice["dataset"],
        "model": choice["model"],
        "method": choice["method"],
        "trials": str(number),
        "FLOPs": flops,
        "learning rate": f"{chosen['learning_rate']:g}",
        "length": f"{chosen['steps']:g}",
        "params": _params(chosen["params"]) or dash,
        choice["metric"]: f"{choice['trials'][choice['number']]['mean']:.1f}",
        **{f"best of {draws}": f"{choice['expected_best'][draws - 1]:.1f}" for draws in shown},
    }


def _params(params: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in params.items())
