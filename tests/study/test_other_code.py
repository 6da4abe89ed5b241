"""Finished runs that were made by other code than the present one."""

import json
from pathlib import Path

import pytest
import yaml

from tabpo.code_version import loss_fingerprints
from tabpo.losses import loss_names
from tabpo.study.other_code import describe_other_code, other_code
from tabpo.study.resolve import Known, resolve_study
from tabpo.study.study import Study

CONFIG = Path(__file__).parents[2] / "config"
KNOWN = Known(
    presets=yaml.safe_load((CONFIG / "methods.yaml").read_text()),
    ontologies={"scierc": "entities", "phee": "results", "pvminer": "results"},
    losses=loss_names(),
    revisions={},
)
MODULE = "tabpo.losses.dpo"
"""A module whose present fingerprint a run may record; `tabpo.gone` does not exist."""


@pytest.fixture
def study(tmp_path) -> Study:
    config = yaml.safe_load((CONFIG / "demo.yaml").read_text())
    config |= {"results": str(tmp_path / "my results"), "seeds": [1, 2], "methods": {"dpo": {}, "tab_po": {}}}
    return resolve_study(config, KNOWN)


def finish(study: Study, run: str, code: dict[str, str]) -> None:
    """Write the provenance of a run of the data set demo_abstracts."""
    path = Path(study.results, "demo_abstracts/tiny", run, "provenance.json")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"code": code}))


def test_without_finished_runs_there_is_nothing_to_compare(study):
    assert other_code(study) == (0, {})


def test_runs_of_the_present_code_are_counted_only(study):
    finish(study, "sft/seed1", {MODULE: loss_fingerprints("dpo")[MODULE]})
    assert other_code(study) == (1, {})


def test_a_run_with_another_or_a_missing_module_was_made_by_other_code(study):
    finish(study, "sft/seed1", {MODULE: "0"})
    finish(study, "tab_po/seed2", {"tabpo.gone": "1", MODULE: loss_fingerprints("dpo")[MODULE]})
    expected = {
        "demo_abstracts/tiny/sft/seed1": [MODULE],
        "demo_abstracts/tiny/tab_po/seed2": ["tabpo.gone"],
    }
    assert other_code(study) == (2, expected)


def test_the_code_of_its_loss_repeats_a_run_anyway(study):
    finish(study, "dpo/seed1", {MODULE: "0"})
    assert other_code(study) == (1, {})


def test_the_message_counts_and_has_a_command_that_a_shell_can_read(study):
    modules = [f"tabpo.m{number}" for number in range(5)]
    differing = {"a/b/sft/seed1": modules[1:], "a/b/dpo/seed1": modules[:2], "a/b/dpo/seed2": modules[:2]}
    message, kept, command = describe_other_code(study, 7, differing, "snakemake --cores 2").split("\n")
    assert message.startswith("3 of 7 finished runs were made by other code (methods: sft, dpo; modules: tabpo.m0, ")
    assert message.endswith("tabpo.m2 and 2 more).") and kept.endswith("the runs of dpo again:")
    assert command == f"    snakemake --cores 2 --forcerun '{study.results}'/*/*/dpo/seed*/provenance.json"
    asked = describe_other_code(study, 7, {"a/b/prompted": modules}, "snakemake")
    assert asked.endswith("'/*/*/prompted/provenance.json")
