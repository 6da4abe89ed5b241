"""The report in headless Chromium: it sorts, filters, opens details of a number, fits a phone, and loads nothing."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest

from tests.reports.test_report import CONTENTS, FILES, report, settings

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="neither chromium nor google-chrome is installed")

VISIT = """
<script type="module">
const table = document.querySelector('[data-table="tables-main"] table');
const rows = () => [...table.tBodies[0].rows].map((row) => row.cells[0].textContent);
const waiting = () => new Promise((done) => setTimeout(done, 50));
const seen = {};
const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));

seen.first = rows();
table.tHead.rows[0].cells[1].click();
await waiting();
seen.rising = rows();
table.tHead.rows[0].cells[1].click();
await waiting();
seen.falling = rows();

const filter = document.querySelector('[data-table="tables-main"] input');
filter.value = "po";
filter.dispatchEvent(new Event("input"));
await waiting();
seen.filtered = rows();
filter.value = "";
filter.dispatchEvent(new Event("input"));
await waiting();

const dialog = document.getElementById("cell");
table.querySelector("td button").focus();
press("ArrowDown");
press("ArrowRight");
document.activeElement.click();
seen.clicked = document.activeElement.textContent;
seen.open = dialog.open;
seen.dialog = [...dialog.querySelectorAll("h2, p#cell-block, td, pre")].map((part) => part.textContent);
seen.links = [...dialog.querySelectorAll("a")].map((link) => link.getAttribute("href"));
dialog.querySelector("form button").click();
seen.closed = !dialog.open;

seen.latex = document.getElementById(document.querySelector("button[data-copy]").dataset.copy).textContent;
dispatchEvent(new Event("beforeprint"));
seen.closed_in_print = document.querySelectorAll("details:not([open])").length;
dispatchEvent(new Event("afterprint"));
seen.closed_after_print = document.querySelectorAll("details:not([open])").length;
seen.width = [innerWidth, document.documentElement.scrollWidth];
seen.loaded = performance.getEntriesByType("resource").map((entry) => entry.name.slice(0, 40));
document.body.append(Object.assign(document.createElement("pre"), { id: "seen", textContent: JSON.stringify(seen) }));
</script>
"""


def chromium(folder: Path, *arguments: str) -> str:
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
    command = [CHROMIUM, *flags, f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=10000", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout


@pytest.fixture(scope="module", params=[1200, 400])
def seen(request, tmp_path_factory):
    """What a visit at this width of the window saw."""
    folder = tmp_path_factory.mktemp("report")
    contents = CONTENTS | {f"tables/main.{ending}": content for ending, content in FILES.items()}
    path = folder / "report.html"
    path.write_text(report(settings(), contents).replace("</body>", f"{VISIT}</body>"))
    shown = chromium(folder, f"--window-size={request.param},900", "--dump-dom", path.as_uri())
    return json.loads(unescape(re.search(r'<pre id="seen">(.*?)</pre>', shown, re.DOTALL)[1]))


def test_columns_sort_as_numbers_and_rows_filter(seen):
    means = {line.split("|")[1].strip(): line.split("|")[2] for line in FILES["md"].splitlines() if " | " in line}
    rising = sorted(seen["first"], key=lambda method: float(re.search(r"[\d.]+", means[method])[0]))
    assert seen["first"] == ["sft", "dpo", "tab_po", "dictionary"] and rising[0] == "dictionary"
    assert (seen["rising"], seen["falling"]) == (rising, rising[::-1])
    assert sorted(seen["filtered"]) == ["dpo", "tab_po"]


def test_a_number_opens_its_details_by_keyboard_too(seen):
    assert seen["open"] and seen["closed"]
    title, block, name, value, *rest = seen["dialog"]
    assert title.endswith(", Rel") and block == "notes, tiny" and name == "Mean ± standard deviation over seeds"
    assert seen["dialog"][-1].startswith("snakemake --profile local --configfile 'config/small study.yaml' -- ")
    assert seen["dialog"][-1].endswith("/scores/ood.json") and value in FILES["md"]
    method = title.split(",")[0]
    assert seen["links"] == [f"notes/tiny/{method}/seed{seed}/run.yaml" for seed in (1, 2, 3)]
    assert [f"notes/tiny/{method}/seed{seed}" in rest for seed in (1, 2, 3)] == [True] * 3


def test_latex_to_copy_is_that_of_the_file(seen):
    assert seen["latex"] == FILES["tex"]


def test_all_parts_are_open_in_print_and_as_before_afterwards(seen):
    assert (seen["closed_in_print"], seen["closed_after_print"] > 0) == (0, True)


def test_the_page_loads_nothing_and_fits_the_window(seen):
    window, page = seen["width"]
    assert page <= window
    assert all(name.startswith("data:") for name in seen["loaded"])
