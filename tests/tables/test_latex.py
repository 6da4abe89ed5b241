"""Tables and macros in a two-column article, which is compiled if TeX Live is installed."""

import io
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from tabpo.errors import DataError
from tabpo.tables.files import table_files
from tabpo.tables.macros import render_macros
from tabpo.tables.typeset import latex_table
from tests.tables import test_mechanism, test_noise, test_side_by_side, test_stability
from tests.tables.made_runs import made_study, settings

METHODS = ["sft", "sft_continued", "dpo", "tdpo2", "simpo", "tab_po", "tab_po_no_barrier"]
ROWS = [*METHODS, "dictionary", "majority"]
METRICS = ["ner_strict", "ner_boundary", "rel", "rel_plus"]

ARTICLE = r"""\documentclass[twocolumn]{article}
\usepackage[T1]{fontenc}
\usepackage{booktabs,threeparttable,graphicx}
\input{macros}
\begin{document}
Macros: TAB-PO has \tabpo{notes/tiny/tab_po/rel/mean} $\pm$ \tabpo{notes/tiny/tab_po/rel/sd} in Rel, p
\tabpo{notes/tiny/tab_po/rel/against/sft/p_holm/narrow}; the mean of models is
\tabpo{wide/notes/mean of 6 models/tab_po/rel/mean}. Tables \ref{tab:narrow}, \ref{tab:wide} and \ref{tab:wide-tests}.
\clearpage
%s
\end{document}
"""


def made(name: str, metrics: list[str], models: list[str], **changed) -> dict[str, str]:
    means = {method: 4.0 + number / 4 for number, method in enumerate(METHODS)}
    runs = made_study(means, metrics=metrics, models=models)
    table = settings(ROWS, name=name, caption="Notes, 100 % & more_text.", metrics=metrics, tested=["rel"], **changed)
    return table_files(table, runs, ["tabpo.a_b"], {})


@pytest.fixture(scope="module")
def tables() -> dict[str, dict[str, str]]:
    models = ["small", "qwen2.5-1.5b", "large_2", "m4", "m5", "m6"]
    return {
        "narrow": made("narrow", ["rel"], ["tiny"]),
        "wide": made("wide", METRICS, models),
        "claims": made("claims", METRICS, ["other"], layout="claims", method="tab_po", rivals=METHODS[:-2]),
    }


def other_kinds() -> list[dict[str, str]]:
    """A table of each other kind, from the studies of these kinds' own tests."""
    return [
        test_mechanism.files(test_mechanism.made({"dpo": -0.4, "tab_po": 0.1}), name="mechanism"),
        test_noise.table(name="noise"),
        test_stability.table(test_stability.RUNS, name="stability"),
        test_side_by_side.made(name="side"),
        {"tex": (Path(__file__).parent / "expected/labels.tex").read_text(), "tests.tex": ""},
    ]


def frames(tables: dict[str, dict[str, str]]) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    return {
        name: tuple(pd.read_csv(io.StringIO(files[ending])) for ending in ("csv", "tests.csv"))
        for name, files in tables.items()
    }


def test_a_narrow_table_takes_one_column_and_a_wide_table_both(tables):
    narrow, wide = tables["narrow"]["tex"], tables["wide"]["tex"]
    assert r"\begin{table}" in narrow and r"\begin{table*}" in wide
    assert narrow.count(r"\label{tab:narrow}") == wide.count(r"\label{tab:wide}") == 1
    caption = re.search(r"\\caption\{(.*)\}\n", narrow).group(1)
    assert len(caption) < 400 and r"100 \% \& more\_text." in caption and "Hyperparameters" not in caption
    assert r"\item Hyperparameters: presets ``matched''." in narrow and r"tabpo.a\_b" in narrow


def test_a_long_table_is_split_and_keeps_one_number_label_and_notes(tables):
    wide = tables["wide"]["tex"]
    floats = wide.count(r"\begin{table*}")
    assert floats == 2  # 7 blocks of 9 rows make 63 rows, and a page has 45
    assert wide.count(". (continued)}") == wide.count(r"\addtocounter{table}{-1}") == floats - 1
    assert wide.count(r"\begin{tablenotes}") == 1
    assert (
        wide.count(r"\midrule") == 2 + 5
    )  # one below each head; one before each of 6 further blocks, except at the page break


def test_models_are_named_once_and_methods_have_printed_names(tables):
    wide = tables["wide"]["tex"]
    assert wide.count("qwen2.5-1.5b") == 1 and r"large\_2 & SFT &" in wide
    assert "TAB-PO &" in wide and r"tab\_po\_no\_barrier &" in wide and "Dictionary &" in wide
    renamed = table_files(
        settings(ROWS, metrics=["rel"], tested=[], names={"tab_po": "Ours"}),
        made_study({"tab_po": 5.0}, metrics=["rel"]),
        [],
        {},
    )
    assert "Ours &" in renamed["tex"] and "| tab_po" in renamed["md"]


def test_captions_and_notes_have_printed_names():
    runs = made_study({"sft": 7.0, "tab_po": 5.0})
    text = table_files(settings(["sft", "tab_po"], names={"sft": "Base & co", "notes": "Clinic"}), runs, [], {})
    assert "worse than Base \\& co, Holm-adjusted" in text["tex"] and "known: Clinic 40." in text["tex"]
    assert "worse than `sft`, Holm-adjusted" in text["md"] and "known: `notes` 40." in text["md"]
    assert r"\caption{Notes. Differences to Base \& co.}" in text["tests.tex"]


def test_negative_numbers_have_a_minus_and_names_keep_their_hyphens(tables):
    frame = pd.DataFrame({"model": ["qwen-1.5b"], "method": ["dpo"], "Gain": ["-0.4 [-3.5, 2.7]"], "p": ["1e-5"]})
    text = latex_table(frame, "Gains from -0.4.", [], label="tab:gains", names={})
    assert r"qwen-1.5b & DPO & $-$0.4 [$-$3.5, 2.7] & 1e-5 \\" in text
    assert r"\caption{Gains from $-$0.4.}" in text
    assert r"Method & Metric & Difference & Relative, \% & p & p, Holm & Seeds &" in tables["narrow"]["tests.tex"]


def test_macros_have_the_numbers_of_the_tables(tables):
    text = render_macros(frames(tables))
    cells = frames(tables)["narrow"][0].set_index("method")
    mean = f"{cells.loc['tab_po', 'mean']:.1f}"
    assert rf"\csname tabpo:notes/tiny/tab_po/rel/mean\endcsname{{{mean}}}" in text
    assert f"{mean} ± " in tables["narrow"]["md"]
    assert "tabpo:wide/notes/mean of 6 models/tab_po/rel/against/sft/difference" in text
    keys = re.findall(r"csname (tabpo:.*?)\\endcsname\{", text)
    assert len(keys) == len(set(keys)) > 400


def test_two_numbers_with_the_same_key_are_refused(tables):
    both = frames(tables)
    cells, tests = both["narrow"]
    both["again"] = cells.assign(mean=cells["mean"] + 1), tests
    with pytest.raises(DataError, match="notes/tiny/sft/rel/mean is"):
        render_macros(both)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_a_two_column_article_compiles(tables, tmp_path):
    (tmp_path / "macros.tex").write_text(render_macros(frames(tables)))
    parts = [files[ending] for files in (*tables.values(), *other_kinds()) for ending in ("tex", "tests.tex")]
    (tmp_path / "article.tex").write_text(ARTICLE % "\n".join(parts))
    for _ in range(2):  # the second pass resolves the references
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "article.tex"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            errors="replace",
        )
        assert done.returncode == 0, done.stdout[-3000:]
    log = (tmp_path / "article.log").read_text(errors="replace")
    assert "undefined" not in log
    wide = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide\)", log)]
    assert max(wide, default=0) < 5, log
    broken = (tmp_path / "article.tex").read_text().replace("tab_po/rel/sd}", "tab_po/rel/nothing}")
    (tmp_path / "article.tex").write_text(broken)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "article.tex"]
    assert (
        "no cell notes/tiny/tab_po/rel/nothing"
        in subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace").stdout
    )
