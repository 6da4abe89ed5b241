"""The comparison of two finished studies, from folders written by hand."""

import json
from pathlib import Path

import pytest
import yaml

from tabpo.errors import DataError
from workflow_scripts import compare

RUN = {
    "dataset": "notes",
    "model": "tiny",
    "method": {"name": "dpo", "loss": "dpo", "params": {"beta": 0.1}},
    "seed": 1,
}
MADE = {"commit": "c1", "packages": {"torch": "2.13.0"}, "python": "3.11.2", "device": "a CPU"}
CODE = {"tabpo.training.trainer": "1", "tabpo.losses.dpo": "2"}
HEAD = "dataset,model,method,metric,seeds,mean,sd,collapsed,reason"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def study(folder: Path, *, beta: float = 0.1, seeds=(1, 2), rel="60.000000", commit="c1", code=CODE, test="t") -> Path:
    """A study with the rows sft and dpo, two metrics, and one data set."""
    rows = [
        "notes,tiny,sft,ner,2,50.000000,1.000000,0,",
        "notes,tiny,dpo,ner,2,52.040000,1.000000,0,",
        f"notes,tiny,dpo,rel,2,{rel},1.000000,0,",
        "notes,tiny,dpo,valid,2,,,0,not defined for this dataset",
    ]
    write(folder / "tables/main.csv", "\n".join([HEAD, *rows]) + "\n")
    write(folder / "tables/main.tests.csv", "dataset,model,method,against,metric\nnotes,tiny,dpo,sft,ner\n")
    write(folder / "notes/card.md", "# notes\n")
    write(folder / "notes/prompts/train.parquet", "p")
    write(folder / "notes/prompts/test.parquet", test)
    for method in ("sft", "dpo"):
        for seed in seeds:
            run = RUN | {"seed": seed, "method": RUN["method"] | {"name": method, "params": {"beta": beta}}}
            run = run if method == "dpo" else run | {"method": {"name": "sft"}}
            write(folder / f"notes/tiny/{method}/seed{seed}/run.yaml", yaml.safe_dump(run))
            made = MADE | {"commit": commit, "code": code}
            write(folder / f"notes/tiny/{method}/seed{seed}/provenance.json", json.dumps(made))
    return folder


def page(first: Path, second: Path, capsys) -> str:
    """The page, which the program prints and writes."""
    output = second.parent / "page.md"
    compare.main([str(first), str(second), "--output", str(output)])
    assert capsys.readouterr().out == output.read_text() + "\n"
    return output.read_text()


def lines(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.split("\n") if line.startswith("| ")]


def test_equal_studies_differ_in_nothing(tmp_path, capsys):
    text = page(study(tmp_path / "a"), study(tmp_path / "b"), capsys)
    assert "4 cells are equal to one decimal, 0 are not." in text
    assert "All rows have the same settings and seeds." in text
    assert "Packages and machine are the same. Modules that both studies used have the same code." in text
    assert ["notes", "same", "–", "–", "same"] in lines(text)
    assert "INSIDE ONLY" not in text


def test_what_changed_is_named_in_each_section(tmp_path, capsys):
    first = study(tmp_path / "a")
    second = study(
        tmp_path / "b",
        beta=0.5,
        seeds=(1, 2, 10),
        rel="57.500000",
        commit="c2",
        code=CODE | {"tabpo.losses.dpo": "3"},
        test="other",
    )
    text = page(first, second, capsys)
    assert "3 cells are equal to one decimal, 1 are not." in text
    assert ["main", "notes", "tiny", "dpo", "rel", "60.0", "57.5", "-2.5"] in lines(text)
    assert ["method.params.beta", "0.1", "0.5", "notes / tiny / dpo"] in lines(text)
    assert ["seeds", "[1, 2]", "[1, 2, 10]", "notes / tiny / dpo, notes / tiny / sft"] in lines(text)
    assert ["commit", "c1", "c2"] in lines(text)
    assert "Code differs in tabpo.losses.dpo." in text
    assert ["notes", "same", "–", "–", "differs"] in lines(text)


def test_rows_and_cells_of_one_study_alone(tmp_path, capsys):
    first, second = study(tmp_path / "a"), study(tmp_path / "b")
    table = second / "tables/main.csv"
    table.write_text(table.read_text() + "notes,tiny,simpo,ner,2,40.000000,1.000000,0,\n")
    write(second / "notes/tiny/simpo/seed1/run.yaml", yaml.safe_dump(RUN))
    text = page(first, second, capsys)
    assert ["main", "notes", "tiny", "simpo", "ner", "not there", "40.0", "–"] in lines(text)
    assert ["the row itself", "not there", "there", "notes / tiny / simpo"] in lines(text)


def test_a_failed_cell_shows_its_reason(tmp_path, capsys):
    first, second = study(tmp_path / "a"), study(tmp_path / "b")
    table = second / "tables/main.csv"
    table.write_text(
        table.read_text().replace("dpo,rel,2,60.000000,1.000000,0,", "dpo,rel,0,,,0,n/a (seed 1 failed: x)")
    )
    row = next(line for line in lines(page(first, second, capsys)) if line[4] == "rel")
    assert row[5:] == ["60.0", "n/a (seed 1 failed: x)", "–"]


def test_a_page_about_private_data_says_so(tmp_path, capsys):
    second = study(tmp_path / "b")
    write(second / "notes/card.md", "INSIDE ONLY: made of private data.\n\n# notes\n")
    assert page(study(tmp_path / "a"), second, capsys).startswith("INSIDE ONLY")


def test_a_folder_without_tables_is_refused_by_its_name(tmp_path):
    with pytest.raises(DataError, match="nowhere: has no tables"):
        compare.main([str(study(tmp_path / "a")), str(tmp_path / "nowhere"), "--output", str(tmp_path / "page.md")])
    assert not (tmp_path / "page.md").exists()
