"""The report in headless Chromium, with real clicks and keys: sort, filter, copy, details of a number, print."""

import re
import shutil
import subprocess

import pytest

from tests.reports.browser import CHROMIUM, DRIVER, Browser
from tests.reports.test_report import CONTENTS, FILES, report, settings

pytestmark = pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="chromium or chromedriver is not installed")

TABLE = '[data-table="tables-main"]'
METHODS = f"[...document.querySelectorAll('{TABLE} tbody tr')].map((row) => row.cells[0].textContent)"
MEANS = {line.split("|")[1].strip(): line.split("|")[2] for line in FILES["md"].splitlines() if " | " in line}
FIRST = ["sft", "dpo", "tab_po", "dictionary"]
RISING = sorted(FIRST, key=lambda method: float(re.search(r"[\d.]+", MEANS[method])[0]))


@pytest.fixture(scope="module", params=[1200, 400])
def browser(request, tmp_path_factory):
    """A browser whose page is this wide."""
    driven = Browser(tmp_path_factory.mktemp("browser"), request.param)
    yield driven
    driven.close()


@pytest.fixture
def page(browser, tmp_path):
    """The browser, with the report freshly opened."""
    contents = CONTENTS | {f"tables/main.{ending}": content for ending, content in FILES.items()}
    (tmp_path / "report.html").write_text(report(settings(), contents))
    browser.open((tmp_path / "report.html").as_uri())
    ready = "new Promise((done) => setInterval(() => document.documentElement.dataset.ready && done(true), 20))"
    assert browser.script(ready)  # its program is a module, which runs after the page is loaded
    return browser


def tab_to(page: Browser, selector: str) -> None:
    """Press Tab until an element of this selector has the focus."""
    for _ in range(60):
        if page.script(f"document.activeElement.matches('{selector}')"):
            return
        page.press("Tab")
    raise AssertionError(f"Tab does not reach {selector}")


def test_a_click_on_a_head_sorts_as_numbers_and_a_second_one_the_other_way(page):
    assert page.script(METHODS) == FIRST and RISING[0] == "dictionary"
    for expected in (RISING, RISING[::-1]):
        page.click(f"{TABLE} th:nth-child(2)")
        assert page.script(METHODS) == expected


def test_enter_on_a_head_sorts_too(page):
    tab_to(page, f"{TABLE} th:nth-child(2) *")
    page.press("Enter")
    assert page.script(METHODS) == RISING


def test_typed_text_filters_rows(page):
    page.click(f"{TABLE} input")
    page.press(*"po")
    assert sorted(page.script(METHODS)) == ["dpo", "tab_po"]
    page.press(*"xx")
    assert page.script(f"document.querySelector('{TABLE} tbody').textContent") == "No row has this text."


def test_a_number_opens_and_closes_by_keyboard_alone(page):
    tab_to(page, f"{TABLE} td button")
    page.press("ArrowDown", "ArrowRight", "Enter")
    dialog = page.script(
        "[...document.querySelectorAll('#cell[open] :is(h2, #cell-block, td, pre)')].map((part) => part.textContent)"
    )
    title, block, name, value, *rest = dialog
    assert (title, block, name) == ("dpo, Rel", "notes, tiny", "Mean ± standard deviation over seeds")
    assert value in FILES["md"] and [f"notes/tiny/dpo/seed{seed}" in rest for seed in (1, 2, 3)] == [True] * 3
    assert dialog[-1].startswith("snakemake --profile local --configfile 'config/small study.yaml' -- ")
    assert dialog[-1].endswith("/scores/ood.json")
    links = "[...document.querySelectorAll('#cell a')].map((link) => link.getAttribute('href'))"
    assert page.script(links) == [f"notes/tiny/dpo/seed{seed}/run.yaml" for seed in (1, 2, 3)]
    tab_to(page, "#cell [data-copy]")
    page.press("Escape")
    assert not page.script("document.getElementById('cell').open")
    assert page.script("document.activeElement.textContent") == value  # the focus is back on the number


def pasted(page: Browser) -> str:
    """What the clipboard holds, pasted into a new field."""
    page.script("document.body.prepend(Object.assign(document.createElement('textarea'), { id: 'paste' }))")
    page.click("#paste")
    page.press("Control", "v")
    return page.script("document.getElementById('paste').value")


def test_copy_latex_puts_the_file_into_the_clipboard(page):
    page.click("button[data-copy='latex-tables-main']")
    assert page.script("document.getElementById('said').textContent") == "Copied."
    assert pasted(page) == FILES["tex"]


def test_the_command_of_a_number_is_copied_from_its_window(page):
    page.click(f"{TABLE} td button")
    page.click("#cell [data-copy]")
    command = page.script("document.getElementById('cell-command').textContent")
    page.click("#cell form button")
    assert pasted(page) == command != ""


def test_print_shows_all_parts_and_leaves_them_as_they_were(page, tmp_path):
    closed = "document.querySelectorAll('details:not([open])').length"
    before = page.script(closed)
    page.script(f"addEventListener('beforeprint', () => {{ window.closedInPrint = {closed}; }})")
    (tmp_path / "report.pdf").write_bytes(page.pdf())
    assert (page.script("window.closedInPrint"), page.script(closed)) == (0, before) and before
    if shutil.which("pdftotext"):
        command = ["pdftotext", "-layout", str(tmp_path / "report.pdf"), "-"]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert "lora.rank" in text and "notes, tiny: 3 runs, 1 collapsed" in text  # in parts that are closed on screen
        assert "Copy LaTeX" not in text and "Filter rows" not in text


def test_the_page_loads_nothing_and_fits_the_window(page):
    width, whole = page.script("[innerWidth, document.documentElement.scrollWidth]")
    assert width in (1200, 400) and whole <= width
    loaded = page.script("performance.getEntriesByType('resource').map((entry) => entry.name.slice(0, 5))")
    assert set(loaded) <= {"data:"}
