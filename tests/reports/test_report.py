"""The report of a study: what it shows, what it links to, and that it loads nothing and is reproducible."""

import html
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tabpo.privacy import marked
from tabpo.reports.report import ReportedRun, render_report, shown_files

ROOT = Path(__file__).parents[2]

TABLE = """**REHEARSAL. A <b>&"caption".**

| method   |   NER |   Rel |
|:---------|------:|------:|
| dpo      | **78.1 ± 0.2** ▲† | -2.0 |
| tab_po   | 8.0 | – |

- F1 in percent; ![a note](https://example.org/pixel.png) with [a link](https://example.org) and <https://example.org>.
"""

CARD = """# notes

## Labels

|  | train | dev |
| :--- | ---: | ---: |
| <b>&*Bold* | 10 | – |
| a_b_c \\| d | 7 | 0.5 |
"""

FIGURE = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def settings(**changed) -> dict:
    exhibits = [
        {"dataset": "notes", "model": None, "title": "Data card", "files": ["notes/card.md"]},
        {"dataset": "notes", "model": "tiny", "title": "Confusions", "files": ["figures/s1.svg", "figures/s2.svg"]},
    ]
    return {
        **{"study": "small", "presets": "matched", "seeds": [1, 2], "costs": True, "exhibits": exhibits, "runs": []},
        "datasets": [{"name": "notes", "source": "custom", "unit": "document", "private": False}],
        "models": [{"name": "tiny", "origin": "from scratch"}],
        "methods": [{"name": "dpo", "loss": "dpo", "params": {"beta": 0.1}, "pairing": "mixed"}],
        **{"tables": ["main"], "metrics": ["rel@pure"], "looks": {"notes": 12}},
        **changed,
    }


CONTENTS = {
    "tables/main.md": TABLE,
    "tables/per_metric/rel@pure.md": TABLE.replace("REHEARSAL. ", ""),
    "notes/card.md": CARD,
    "figures/s1.svg": FIGURE,
}


def run(method: str, seed: int, measure: str = "f1", collapsed: int | None = None, code: str = "a") -> ReportedRun:
    last, best = {"step": 60, "epoch": 1.0, "value": 0.625}, {"step": 30, "epoch": 0.5, "value": 0.75}
    selection = {"keep": "last", "measure": measure, "curve": [best, last], "last": last, "dev_best": best}
    return ReportedRun(
        "notes", "tiny", method, seed, selection, {"collapsed_after": collapsed, "code": {"tabpo": code}}
    )


RUNS = [run("sft", 1, measure="nll"), run("dpo", 1), run("dpo", 2, collapsed=30)]


def cells(page: str) -> list[list[str]]:
    """The rows of all tables of the page, as a reader sees them."""
    rows = re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)
    return [[html.unescape(re.sub(r"<.*?>", "", cell)) for cell in re.findall(r"<td.*?</td>", row)] for row in rows]


@pytest.fixture(scope="module")
def page() -> str:
    return render_report(settings(), CONTENTS, RUNS)


def test_shown_files_are_those_whose_contents_are_rendered():
    assert shown_files(settings()) == list(CONTENTS)


def test_cells_captions_and_notes_come_from_the_markdown(page):
    assert ["dpo", "78.1 ± 0.2 ▲†", "-2.0"] in cells(page) and ["tab_po", "8.0", "–"] in cells(page)
    assert "<strong>78.1 ± 0.2</strong> ▲†" in page
    assert "<strong>REHEARSAL. A &lt;b&gt;&amp;&quot;caption&quot;.</strong>" in page
    assert "<li>F1 in percent; ![a note](https://example.org/pixel.png)" in page
    assert "the rows of main say" in page
    assert "REHEARSAL" not in render_report(settings(tables=[]), CONTENTS, RUNS)


def test_markup_in_data_is_shown_as_text(page):
    assert ["<b>&*Bold*", "10", "–"] in cells(page) and ["a_b_c | d", "7", "0.5"] in cells(page)
    assert "<b>" not in page and "<script" not in page and "<h4>notes</h4>" in page


def test_columns_of_numbers_are_aligned_right():
    card = CARD.replace("---:", ":---")
    page = render_report(settings(), CONTENTS | {"notes/card.md": card}, [])
    assert '<th class="number">train</th>' in page and '<td class="number">0.5</td>' in page
    assert '<td style="text-align:left">a_b_c | d</td>' in page


def test_the_page_loads_nothing(page):
    sources = re.findall(r'(?:src|data|action|poster)="([^"]*)|url\(|@import|<(?:link|iframe|object|embed)', page)
    assert sources and all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    targets = re.findall(r'href="([^"]*)"', page)
    assert all(target.startswith("#") or "//" not in target for target in targets)
    assert {
        "tables/main.tex",
        "tables/main.tests.csv",
        "tables/per_metric/rel%40pure.csv",
        "tables/cost.md",
        "figures/s2.svg",
    } <= set(targets)
    anchors = {target[1:] for target in targets if target.startswith("#")}
    assert anchors <= set(re.findall(r'id="([^"]*)"', page)) and "runs" in anchors


def test_the_table_of_runs(page):
    rows = cells(page)
    assert ["sft", "1", "60", "NLL, nats a token", "0.625", "0.750", "30", "last", "–"] in rows
    assert ["dpo", "1", "60", "F1", "0.625", "0.750", "30", "last", "no"] in rows
    assert ["dpo", "2", "60", "F1", "0.625", "0.750", "30", "last", "after step 30"] in rows
    assert "notes, tiny: 3 runs, 1 collapsed" in page and "All were made with the same code." in page
    assert 'href="notes/tiny/dpo/seed2/run.yaml"' in page
    other = render_report(settings(), CONTENTS, [*RUNS, run("tab_po", 1, code="b")])
    assert "made with different code in tabpo." in other


def test_a_report_on_private_data_is_complete_and_has_the_notice(page):
    private = [{"name": "notes", "source": "custom", "unit": "document", "private": True}]
    inside = render_report(settings(datasets=private), CONTENTS, RUNS)
    assert "INSIDE ONLY" in inside.split("<h1>")[0] and "INSIDE ONLY" not in page
    assert ["dpo", "1", "60", "F1", "0.625", "0.750", "30", "last", "no"] in cells(inside)


def test_a_rehearsal_is_recognised_below_the_notice_of_private_data():
    inside = render_report(settings(), CONTENTS | {"tables/main.md": marked(TABLE, ["notes"])}, RUNS)
    assert "the rows of main say" in inside and "INSIDE ONLY" in inside


def test_parts_that_a_study_lacks_are_left_out():
    bare = settings(methods=[], costs=False, exhibits=settings()["exhibits"][:1])
    page = render_report(bare, CONTENTS, [])
    assert "Cost" not in page and 'id="runs"' not in page and "<img" not in page and "Data card" in page


def test_the_same_study_gives_the_same_page_without_torch(page):
    """Another process, with another hash seed and at another time, writes the same page."""
    program = (
        "import sys; from tests.reports.test_report import *\n"
        "sys.stdout.write(render_report(settings(), CONTENTS, RUNS)); assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout == page


def test_the_looks_at_test_are_counted():
    assert "ever scored on test under these results: notes 12." in render_report(settings(), CONTENTS, RUNS)
    assert "ever scored on test" not in render_report(settings(looks={}), CONTENTS, RUNS)
