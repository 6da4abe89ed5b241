"""docs/artefacts.md lists what the rules write, and nothing else."""

import re
from pathlib import Path

import pytest

from tabpo.study.resolve import RESERVED

ROOT = Path(__file__).parents[1]
RULES = {path.name: path.read_text() for path in sorted((ROOT / "rules").glob("*.smk"))}
(FOLD,) = re.findall(r'^FOLD = "(.+)"', "\n".join(RULES.values()), re.MULTILINE)
OUTPUT = re.compile(r"^    output:\n(.*?)^    \w+:", re.MULTILINE | re.DOTALL)
RESULT = re.compile(r'(directory\()?results\(f?"(.+?)"\)')


def listed() -> set[str]:
    """Each file of a row in each of its folders; a row with "the same" has the folders of the row before."""
    paths, folders = set(), []
    for line in (ROOT / "docs/artefacts.md").read_text().splitlines():
        if line.startswith(("| `", "| the same")):
            where, files, _ = line.strip("| ").split(" | ")
            folders = folders if where.startswith("the same") else re.findall(r"`(.+?)`", where)
            paths |= {folder.removeprefix("./") + file for folder in folders for file in re.findall(r"`(.+?)`", files)}
    return paths


def written(rules: str) -> set[str]:
    outputs = [output for block in OUTPUT.findall(rules) for output in RESULT.findall(block)]
    return {path.replace("{FOLD}", FOLD) + ("/" if folder else "") for folder, path in outputs}


@pytest.mark.parametrize("name", RULES)
def test_every_output_of_a_rule_is_in_the_list(name):
    folders = {"{dataset}/{model}/base/"}  # the page lists the files of this folder instead
    assert sorted(written(RULES[name]) - folders - listed()) == []


def test_nothing_is_listed_that_no_rule_writes():
    everything = set().union(*map(written, RULES.values()))
    assert [path for path in sorted(listed() - everything) if "/base/" not in path] == []


def test_no_entry_of_a_study_can_have_the_name_of_a_file_or_folder_beside_it():
    page = (ROOT / "docs/artefacts.md").read_text()
    (others,) = re.findall(r"^There are five more folders: .*?\n\n", page, re.MULTILINE | re.DOTALL)
    paths = listed() | set(re.findall(r"`(\w+/)`", others))
    assert len(paths) > 50
    for depth, axis in enumerate(("datasets", "models", "methods")):
        parts = [path.split("/") for path in paths]
        beside = {
            part[depth] for part in parts if part[:depth] == ["{dataset}", "{model}"][:depth] and len(part) > depth
        }
        assert {name for name in beside if name and not name.startswith("{")} <= set(RESERVED[axis])
