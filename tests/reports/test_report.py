"""The report of a study: what it shows, what it links to, and that it loads nothing and is reproducible."""

import csv
import html
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tabpo.names import run_folder
from tabpo.privacy import marked
from tabpo.reports.cell_details import Commands
from tabpo.reports.markup import table_html
from tabpo.reports.report import ReportedRun, render_report, shown_files
from tabpo.tables.files import table_files
from tests.tables import made_runs
from tests.tables.test_mechanism import files as mechanism_files
from tests.tables.test_mechanism import made
from tests.tables.test_stability import RUNS as STABILITY_RUNS
from tests.tables.test_stability import table as stability_files

ROOT = Path(__file__).parents[2]
HERE = os.environ | {"PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

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

FIGURES = ["figures/confusions/notes/tiny/seed1.svg", "figures/confusions/notes/a_model_with_a_long_name/seed2.svg"]
FIGURE = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def settings(**changed) -> dict:
    exhibits = [
        {"dataset": "notes", "model": None, "title": "Data card", "files": ["notes/card.md"]},
        {"dataset": "notes", "model": "tiny", "title": "Confusions", "files": FIGURES},
    ]
    return {
        **{"study": "small", "presets": "matched", "seeds": [1, 2], "costs": True, "tuning": False},
        **{"exhibits": exhibits, "runs": []},
        "datasets": [{"name": "notes", "source": "custom", "unit": "document", "private": False}],
        "models": [{"name": "tiny", "origin": "from scratch"}],
        "score_figures": {"main": "figures/scores/main.svg"},
        **{"tables": ["main"], "metrics": ["rel@pure"], "splits": {"main": "ood"}, "looks": {"notes": 12}},
        **changed,
    }


COMMANDS = Commands("results/small", ["--configfile", "config/small study.yaml"])

STUDY = made_runs.made_study({"sft": 5, "dpo": 6, "tab_po": 6}, metrics=["ner_strict", "rel"])
FILES = table_files(
    made_runs.settings(["sft", "dpo", "tab_po", "dictionary"], metrics=["ner_strict", "rel"]), STUDY, [], {}
)
BARE = {"csv": "claim,metric\n", "tex": "% <none>", "tests.csv": "", "tests.md": "", "tests.tex": ""}

CONTENTS = {
    **{f"tables/main.{ending}": content for ending, content in ({"md": TABLE} | BARE).items()},
    **{f"tables/per_metric/rel@pure.{ending}": content for ending, content in FILES.items()},
    "notes/card.md": CARD,
    "figures/scores/main.svg": FIGURE,
    FIGURES[0]: FIGURE,
}


def run(method: str, seed: int, measure: str = "f1", collapsed: int | None = None, code: str = "a") -> ReportedRun:
    last, best = {"step": 60, "epoch": 1.0, "value": 0.625}, {"step": 30, "epoch": 0.5, "value": 0.75}
    selection = {"keep": "last", "measure": measure, "curve": [best, last], "last": last, "dev_best": best}
    return ReportedRun(
        "notes", "tiny", method, seed, selection, {"collapsed_after": collapsed, "code": {"tabpo": code}}
    )


RUNS = [run("sft", 1, measure="nll"), run("dpo", 1), run("dpo", 2, collapsed=30)]


def trained(method: str, loss: dict, **training) -> dict:
    settings = {"steps": 60, "lora": {"rank": 8}, "epochs": None, **training}
    return {"dataset": "notes", "model": "tiny", "method": {"name": method, **loss}, "training": settings}


DPO = {"loss": "dpo", "params": {"beta": 0.1}, "pairing": "mixed"}
TRAINED = [trained("sft", {}, steps=280), trained("dpo", DPO), trained("mine", DPO | {"params": {}}, batch_size=16)]


def report(settings: dict, contents: dict = CONTENTS, runs: list = RUNS, trained: list = TRAINED) -> str:
    return render_report(settings, contents, runs, trained, COMMANDS)


def cells(page: str) -> list[list[str]]:
    """The rows of all tables of the page, as a reader sees them."""
    rows = re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)
    return [[html.unescape(re.sub(r"<.*?>", "", cell)) for cell in re.findall(r"<td.*?</td>", row)] for row in rows]


@pytest.fixture(scope="module")
def page() -> str:
    return report(settings())


def test_shown_files_are_those_whose_contents_are_rendered():
    assert sorted(shown_files(settings())) == sorted(CONTENTS)


def test_cells_captions_and_notes_come_from_the_markdown(page):
    assert ["dpo", "78.1 ± 0.2 ▲†", "-2.0"] in cells(page) and ["tab_po", "8.0", "–"] in cells(page)
    assert "<strong>78.1 ± 0.2</strong> ▲†" in page
    assert "<strong>REHEARSAL. A &lt;b&gt;&amp;&quot;caption&quot;.</strong>" in page
    assert "<li>F1 in percent; ![a note](https://example.org/pixel.png)" in page
    assert "the rows of main say" in page
    assert "REHEARSAL" not in report(settings(tables=[], score_figures={}))


def test_markup_in_data_is_shown_as_text(page):
    assert ["<b>&*Bold*", "10", "–"] in cells(page) and ["a_b_c | d", "7", "0.5"] in cells(page)
    assert "<b>" not in page and "alert" not in page and "<h4>notes</h4>" in page


def test_columns_of_numbers_are_aligned_right():
    card = CARD.replace("---:", ":---")
    page = report(settings(), CONTENTS | {"notes/card.md": card})
    assert '<th class="number">train</th>' in page and '<td data-order="0.5" class="number">0.5</td>' in page
    assert '<td style="text-align:left">a_b_c | d</td>' in page


def test_the_page_loads_nothing(page):
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline' data:"
    written = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    sources = re.findall(r'(?:src|data|action|poster)="([^"]*)|url\(|@import|<(?:link|iframe|object|embed)', written)
    assert sources and all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert all(re.match("data:", source) for source in re.findall(r"url\([\"']?([^)]*)", page))
    targets = re.findall(r'href="([^"]*)"', page)
    assert all(target.startswith("#") or "//" not in target for target in targets)
    assert {
        "tables/main.tex",
        "tables/main.tests.csv",
        "tables/per_metric/rel%40pure.csv",
        "tables/cost.md",
        FIGURES[1],
    } <= set(targets)
    anchors = {target[1:] for target in targets if target.startswith("#")}
    assert anchors <= set(re.findall(r'id="([^"]*)"', page)) and "runs" in anchors


def details_of(page: str, table: str) -> list[dict]:
    return json.loads(re.search(r'id="details">(.*?)</script>', page)[1])[table]


def test_a_number_leads_to_its_runs_and_its_difference(page):
    rows = {cell[0]: cell for cell in re.findall(r'data-cell="(\d+)" data-order="([^"]*)">(.*?)<', page)}
    details = details_of(page, "tables-per_metric-rel@pure")
    assert len(rows) == len(details) == 8  # four rows, two metrics
    cell = next(cell for cell in details if cell["title"] == "dpo, Rel")
    assert cell["block"] == "notes, tiny"
    seed_scores = [run.scores["metrics"]["rel"]["set_directed"]["f1"] * 100 for run in STUDY if run.method == "dpo"]
    sft = [run.scores["metrics"]["rel"]["set_directed"]["f1"] * 100 for run in STUDY if run.method == "sft"]
    facts = dict(cell["facts"])
    assert facts["Mean ± standard deviation over seeds"].startswith(f"{sum(seed_scores) / 3:.1f} ± ")
    assert facts["Difference to sft"] == f"{(sum(seed_scores) - sum(sft)) / 3:+.2f} points"
    assert {"95 % interval over new seeds and test documents", "p"} < facts.keys()
    assert [run[:2] for run in cell["runs"]] == [
        [f"notes/tiny/dpo/seed{n}", f"{seed_scores[n - 1]:.2f}"] for n in (1, 2, 3)
    ]
    assert cell["runs"][0][2] == cell["runs"][1][2] != "–" == cell["runs"][2][2]  # seed 3 has no provenance here
    assert details[3]["title"] == "dictionary, NER" and details[3]["runs"] == [["notes/dictionary", "10.00", "–"]]


def test_a_mean_over_models_lists_the_runs_of_all_models():
    study = made_runs.made_study({"sft": 5, "dpo": 6}, models=["tiny", "small"], seeds=2)
    files = table_files(made_runs.settings(["sft", "dpo", "dictionary"]), study, [], {})
    contents = CONTENTS | {f"tables/per_metric/rel@pure.{ending}": content for ending, content in files.items()}
    details = details_of(report(settings(), contents), "tables-per_metric-rel@pure")
    cell = next(cell for cell in details if cell["title"] == "dpo, NER" and cell["block"] == "notes, mean of 2 models")
    assert [run[0] for run in cell["runs"]] == [f"notes/{m}/dpo/seed{n}" for m in ("tiny", "small") for n in (1, 2)]
    assert cell["command"].count("results/small/notes/tiny/dpo/seed{1,2}/scores/test.json") == 2
    assert cell["command"].count("results/small/notes/small/dpo/seed{1,2}/scores/test.json") == 2


def test_a_mean_over_data_sets_lists_the_runs_of_all_data_sets_baselines_too():
    study = made_runs.made_study({"sft": 5, "dpo": 6}, datasets=["notes", "other"], seeds=1)
    files = table_files(made_runs.settings(["sft", "dpo", "dictionary"]), study, [], {})
    contents = CONTENTS | {f"tables/per_metric/rel@pure.{ending}": content for ending, content in files.items()}
    details = details_of(report(settings(), contents), "tables-per_metric-rel@pure")
    cells = {cell["title"]: cell for cell in details if cell["block"] == "mean of 2 data sets, tiny"}
    assert [run[0] for run in cells["dpo, NER"]["runs"]] == ["notes/tiny/dpo/seed1", "other/tiny/dpo/seed1"]
    assert cells["dictionary, NER"]["runs"] == [["notes/dictionary", "10.00", "–"], ["other/dictionary", "10.00", "–"]]


def marked_cells(text: str, cells: list[dict]) -> dict[str, str]:
    """The texts of the cells of a table that lead to details, by method, metric and data set of the line of its CSV."""
    buttons = re.findall(r'data-cell="(\d+)"[^>]*>(.*?)</td>', table_html(text, cells))
    lines = [cells[int(place)] for place, _ in buttons]
    return {
        (line["dataset"], line["method"], line["metric"]): text for line, (_, text) in zip(lines, buttons, strict=True)
    }


def test_numbers_of_labels_and_of_data_sets_side_by_side_lead_to_their_runs():
    head = "| label | method | Gold | Precision | F1 |\n|---|---|---|---|---|\n"
    cells = [
        {"dataset": "notes", "model": "tiny", "method": "dpo", "metric": metric}
        for metric in ("ner_strict:Task", "ner_strict.precision:Task", "rel:Task")
    ]
    assert marked_cells(head + "| NER: Task | dpo | 7 | 51.0 | 52.0 |", cells) == {
        ("notes", "dpo", "ner_strict:Task"): "52.0",
        ("notes", "dpo", "ner_strict.precision:Task"): "51.0",
    }
    head = "| method | notes / NER | mails / NER |\n|---|---|---|\n"
    cells = [cells[0] | {"dataset": dataset, "metric": "ner_strict"} for dataset in ("notes", "mails")]
    assert marked_cells(head + "| dpo | 51.0 | 52.0 |", cells) == {
        ("notes", "dpo", "ner_strict"): "51.0",
        ("mails", "dpo", "ner_strict"): "52.0",
    }


def test_the_command_of_a_number_prints_the_number(page, tmp_path):
    """The files that Snakemake would make are written here; the rest of the command runs in bash as it stands."""
    for run in STUDY:
        folder = tmp_path / "results/small" / run_folder(run.dataset, run.model, run.method, run.seed)
        (folder / "scores").mkdir(parents=True)
        (folder / "scores/test.json").write_text(json.dumps(run.scores))
    details = details_of(page, "tables-per_metric-rel@pure")
    for cell in details[1::3]:
        make, _, show = cell["command"].partition(" && ")
        assert make.startswith(
            "snakemake --profile local --configfile 'config/small study.yaml' -- results/small/notes"
        )
        done = subprocess.run(["bash", "-c", show], capture_output=True, text=True, cwd=tmp_path, env=HERE)
        assert done.stdout.strip() == cell["facts"][0][1], done.stderr
    assert "seed{1,2,3}" in details[1]["command"]


def with_main(files: dict[str, str]) -> dict[str, str]:
    return CONTENTS | {f"tables/main.{ending}": content for ending, content in files.items()}


def test_a_number_of_a_table_of_mechanisms_has_its_runs_and_all_its_differences():
    page = report(settings(), with_main(mechanism_files(made({"dpo": -0.4, "tab_po": 0.1}))))
    assert len(re.findall(r'data-cell="(\d+)"', page.split('id="per_metric"')[0])) == 14  # two rows, seven quantities
    details = {cell["title"]: cell for cell in details_of(page, "tables-main")}
    cell = details["tab_po, Rare labels"]
    names = [name for name, _ in cell["facts"]]
    assert names[:2] == ["Mean ± standard deviation over seeds", "Difference to sft"] and "Difference to dpo" in names
    assert names.count("95 % interval over new seeds and held-out documents") == 2
    assert [run[0] for run in cell["runs"]] == [f"notes/tiny/tab_po/seed{seed}" for seed in (1, 2, 3)]
    assert float(cell["runs"][0][1]) == pytest.approx(0.1, abs=0.02)
    assert cell["command"].endswith(
        "--metric rare_drift --watch results/small/notes/tiny/tab_po/seed{1,2,3}/watch.json"
    )
    assert "95 % interval over new seeds" in dict(details["tab_po, Margin"]["facts"])


def test_a_number_of_a_table_of_stability_has_its_differences_and_no_command():
    page = report(settings(), with_main(stability_files(STABILITY_RUNS)))
    cell = {cell["title"]: cell for cell in details_of(page, "tables-main")}["tab_po, Distinct, %"]
    assert [name for name, _ in cell["facts"]][:2] == ["Mean ± standard deviation over seeds", "Difference to dpo"]
    assert (cell["runs"], cell["command"]) == ([], "")


def test_a_number_of_a_table_of_claims_has_its_runs_and_its_command_prints_its_line(tmp_path):
    runs = made_runs.made_study({"sft": 5, "dpo": 6, "tab_po": 7}, metrics=["ner_strict", "rel"])
    about = made_runs.settings(["sft"], layout="claims", method="tab_po", rivals=["sft", "dpo"])
    files = table_files(about | {"metrics": ["ner_strict", "rel"]}, runs, [], {})
    page = report(settings(), with_main(files))
    cells = re.findall(r'data-cell="(\d+)"', page.split('id="per_metric"')[0])
    rows = list(csv.DictReader(io.StringIO(files["csv"])))
    assert set(cells) == {str(number) for number in range(len(rows))}
    details = details_of(page, "tables-main")
    gain, wins, absent = (
        next(d for d in details if d["title"] == t)
        for t in ("Gain over sft", "Better than every rival", "Gain over prompted models")
    )
    assert gain["block"] == "NER" and gain["facts"][0][1] == f"{float(rows[0]['difference']):+.2f} points"
    assert [run[0] for run in gain["runs"]] == [f"notes/tiny/{m}/seed{s}" for m in ("tab_po", "sft") for s in (1, 2, 3)]
    assert wins["facts"][0] == ["Comparisons won, tied, lost", "2, 0, 0 of 2"] and len(wins["runs"]) == 9
    assert (absent["facts"][0], absent["command"]) == (["No value", "not in this study"], "")
    (tmp_path / "results/small/tables").mkdir(parents=True)
    (tmp_path / "results/small/tables/main.csv").write_text(files["csv"])
    for cell, line in zip(details, files["csv"].splitlines()[1:], strict=True):
        if cell["command"]:
            make, _, show = cell["command"].partition(" && ")
            assert make.endswith("-- results/small/tables/main.csv")
            done = subprocess.run(["bash", "-c", show], capture_output=True, text=True, cwd=tmp_path)
            assert done.stdout == files["csv"].splitlines()[0] + "\n" + line + "\n"


def test_the_command_of_a_number_reads_the_split_of_its_table():
    contents = CONTENTS | {f"tables/main.{ending}": content for ending, content in FILES.items()}
    details = details_of(report(settings(), contents), "tables-main")
    assert details[1]["command"].count("seed{1,2,3}/scores/ood.json") == 2


def test_latex_is_on_the_page_to_be_copied(page):
    shown = [html.unescape(text) for text in re.findall(r'<pre hidden id="latex[^"]*">(.*?)</pre>', page, re.DOTALL)]
    assert shown == ["% <none>", "", FILES["tex"], FILES["tests.tex"]]


def test_hyperparameters_are_written_out(page):
    assert ["dpo", "dpo", "beta = 0.1", "mixed"] in cells(page) and ["mine", "dpo", "–", "mixed"] in cells(page)
    assert ["steps", "280", "60", "60"] in cells(page) and ["lora.rank", "8", "8", "8"] in cells(page)
    assert ["batch_size", "–", "–", "16"] in cells(page)
    assert not [row for row in cells(page) if row[:1] == ["epochs"]]  # no method sets it
    both = report(settings(), trained=[TRAINED[0], TRAINED[1], trained("rpo", DPO)])
    assert "<th>dpo, rpo</th>" in both


def test_every_figure_has_a_caption(page):
    assert re.findall(r"<figcaption>(.{20})", page) == ["The scores of the ta", "What the model took "]


def test_the_table_of_runs(page):
    rows = cells(page)
    assert ["sft", "1", "60", "NLL, nats a token", "0.625", "0.750", "30", "last", "–"] in rows
    assert ["dpo", "1", "60", "F1", "0.625", "0.750", "30", "last", "no"] in rows
    assert ["dpo", "2", "60", "F1", "0.625", "0.750", "30", "last", "after step 30"] in rows
    assert "notes, tiny: 3 runs, 1 collapsed" in page and "All were made with the same code." in page
    assert 'href="notes/tiny/dpo/seed2/run.yaml"' in page
    other = report(settings(), CONTENTS, [*RUNS, run("tab_po", 1, code="b")])
    assert "made with different code in tabpo." in other


def test_a_report_on_private_data_is_complete_and_has_the_notice(page):
    private = [{"name": "notes", "source": "custom", "unit": "document", "private": True}]
    inside = report(settings(datasets=private))
    assert "INSIDE ONLY" in inside.split("<h1>")[0] and "INSIDE ONLY" not in page
    assert ["dpo", "1", "60", "F1", "0.625", "0.750", "30", "last", "no"] in cells(inside)


def test_a_rehearsal_is_recognised_below_the_notice_of_private_data():
    inside = report(settings(), CONTENTS | {"tables/main.md": marked(TABLE, ["notes"])})
    assert "the rows of main say" in inside and "INSIDE ONLY" in inside


def test_parts_that_a_study_lacks_are_left_out():
    page = report(settings(costs=False, exhibits=settings()["exhibits"][:1], score_figures={}), runs=[], trained=[])
    assert "Cost" not in page and 'id="runs"' not in page and "<img" not in page and "Data card" in page


def test_the_same_study_gives_the_same_page_without_torch(page):
    """Another process, with another hash seed and at another time, writes the same page."""
    program = (
        "import sys; from tests.reports.test_report import *\n"
        "sys.stdout.write(report(settings())); assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout == page


def test_the_looks_at_test_are_counted():
    assert "ever scored on test under these results: notes 12." in report(settings())
    assert "ever scored on test" not in report(settings(looks={}))
