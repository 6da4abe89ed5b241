"""The documentation of a study's keys is made from the sections that check them, and the schema accepts the studies."""

from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from tabpo.study.pages import schema_file, settings_page, study_schema

ROOT = Path(__file__).parents[2]
SCHEMA = study_schema()
SECTIONS = {"the study": SCHEMA, **SCHEMA["$defs"]}


@pytest.mark.parametrize(
    ("path", "made"), [("config/config.schema.yaml", schema_file), ("docs/settings.md", settings_page)]
)
def test_the_committed_file_is_the_one_that_is_made(path, made):
    assert (ROOT / path).read_text() == made(), "run: python -m workflow_scripts.write_settings"


@pytest.mark.parametrize("name", SECTIONS)
def test_every_key_is_described_and_no_other_is_accepted(name):
    section = SECTIONS[name]
    assert section["description"] and section["additionalProperties"] is False
    assert [key for key, node in section["properties"].items() if not node.get("description")] == []


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.yaml")), ids=lambda path: path.stem)
def test_an_editor_accepts_the_studies(path):
    if path.stem not in ("methods", "config.schema", "models.lock"):
        Draft202012Validator(SCHEMA).validate(yaml.safe_load(path.read_text()))


def test_each_section_has_its_table():
    page = settings_page()
    assert page.count("\n| key | accepted | default | meaning |\n") == len(SECTIONS)
    assert "| `learning_rate` | a number, above 0, at most 1 | `1.0e-05` | Peak learning rate" in page
    assert "## `training.sft` and `training.preference` and `methods.NAME.training`\n" in page
