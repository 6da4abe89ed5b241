"""The list of losses and their page contain every loss, with the defaults and values of the code."""

import json
import re
from importlib import import_module
from pathlib import Path

import pytest
import torch
import yaml

from tabpo.losses import Side, TokenField, build_loss, loss_names
from tabpo.losses._ranges import accepted_values
from workflow_scripts import list_methods

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/methods.md").read_text()
OWN = {entry["loss"] for entry in yaml.safe_load((ROOT / "config/methods.yaml").read_text())["matched"].values()}
SECTIONS = dict(re.findall(r"^### `(\w+)`\n(.*?)(?=^##)", PAGE, re.M | re.S))
COSTS, VALUES = (PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0] for title in ("Costs", "Frozen values"))


def rows(section):
    """Cells of the table rows whose first cell is the name of a loss."""
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("| `")]


def paragraph(name, opening):
    """The paragraph of a loss's section that begins with `opening`, or ""."""
    return next((text for text in SECTIONS[name].split("\n\n") if text.startswith(opening)), "")


@pytest.fixture
def listing(capsys):
    list_methods.main([])
    return capsys.readouterr().out


def test_the_list_says_name_defaults_and_source(listing):
    entries = dict(zip(loss_names(), listing.strip().split("\n\n"), strict=True))
    assert entries["rpo"].startswith("rpo(beta=0.1, alpha=1.0)\n    RPO, ") and "arXiv 2404.19733" in entries["rpo"]
    assert entries["tdpo2"].endswith("\n    Needs: token_kl.") and "Needs" not in entries["dpo"]
    assert all(entry.startswith(f"{name}(") for name, entry in entries.items())
    assert max(len(line) for entry in entries.values() for line in entry.split("\n")) <= 120
    assert "\n       span_weight=1.0, " in entries["tab_po"]


def test_the_page_has_a_section_for_every_loss():
    assert set(SECTIONS) == OWN


@pytest.mark.parametrize("name", sorted(OWN))
def test_a_section_has_what_the_code_says(name):
    loss = build_loss(name)
    stated = re.findall(r"`(\w+)=(\S+)`\s+\((.*?)\)", paragraph(name, "Defaults: "), re.S)
    accepted = accepted_values(name, type(loss))
    assert stated == [(field, str(getattr(loss, field)), words) for field, words in accepted.items()]
    assert set(re.findall(r"`(\w+)`", paragraph(name, "Needs: "))) == loss.needs


@pytest.mark.parametrize("name", sorted(OWN))
def test_a_section_has_its_equation_and_the_source_that_the_code_names(name):
    assert re.search(r"^\$\$.+\$\$$", SECTIONS[name], re.M)
    code, page = import_module(f"tabpo.losses.{name}").__doc__, SECTIONS[name].split("$$")[0]
    identifiers = re.findall(r"\d{4}\.\d{5}", code)
    assert re.findall(r"\d{4}\.\d{5}", page) == ([] if "control" in page else identifiers)
    assert identifiers or "control" in code or "A note on DPO" in code
    assert set(re.findall(r"equations? (\d+)", code)) == set(re.findall(r"equations? (\d+)", page))
    assert ("not confirmed" in code) == ("not confirmed" in page)


def test_the_page_has_the_costs_that_were_measured():
    measured = (ROOT / "benchmarks/results/method_step.jsonl").read_text().splitlines()
    ratios = {row["precision"]: row["ratio"] for row in map(json.loads, measured)}
    on_page = {name.strip("`"): costs for name, *costs in rows(COSTS)}
    assert on_page == {
        name: [
            f"{ratios[precision][name]:.2f}" if name in ratios[precision] else "not measured"
            for precision in ("fp32", "bf16")
        ]
        for name in OWN
    }
    assert ratios["fp32"].keys() == OWN


LOG_PROBS = {"log DPO": "dpo_logps", "log DPO on swapped pairs": "reverse_dpo_logps"}


@pytest.fixture(scope="module")
def page_pair():
    """The pair for which the page states values, from the page's table."""
    table = [[cell.strip() for cell in line.split("|")[1:-1]] for line in VALUES.splitlines() if line.startswith("| ")]
    fields = {name: cells for name, *cells in table if len(cells) == 2}
    return [page_side({name: cells[number] for name, cells in fields.items()}) for number in (0, 1)]


def page_side(cells):
    values = {name: tensor(cells[name]) for name in ("token_kl", "baseline", "importance")}
    values |= {name: tensor(cells[title]) for title, name in LOG_PROBS.items()}
    values["hidden_states"] = tensor(cells["hidden state, of one number"])[:, :, None]
    third = (torch.arange(values["token_kl"].shape[1]) == 2)[None]
    fields = torch.where(third, TokenField.SUBLABEL, TokenField.SCAFFOLDING).to(torch.int8)
    if cells["anchor: log pi"]:
        policy, reference = tensor(cells["anchor: log pi"]), tensor(cells["anchor: log ref"])
        every = torch.ones_like(policy, dtype=torch.bool)
        values["anchor"] = Side(policy, reference, every, torch.zeros_like(every, dtype=torch.int8), ~every)
    return Side(tensor(cells["log pi"]), tensor(cells["log ref"]), third | True, fields, third, **values)


def tensor(cell):
    return torch.tensor([yaml.safe_load(f"[{cell}]")], dtype=torch.float64)


@pytest.mark.parametrize(
    ("name", "parameters", "value", "source"), [row for row in rows(VALUES) if len(row) == 4], ids=str
)
def test_frozen_values(page_pair, name, parameters, value, source):
    params = yaml.safe_load("{" + parameters.replace("=", ": ") + "}")
    losses = build_loss(name.strip("`"), **params)(*page_pair).losses
    assert losses.item() == pytest.approx(float(value), abs=6e-10)


def test_every_loss_has_a_frozen_value():
    assert {name.strip("`") for name, *_ in rows(VALUES)} == OWN
