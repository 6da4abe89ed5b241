"""The list of losses and the page on them: every loss is there, with the defaults and values that the code has."""

import re
from pathlib import Path

import pytest
import torch
import yaml

from tabpo.losses import Side, TokenField, build_loss, loss_names
from workflow_scripts import list_methods

PAGE = (Path(__file__).parents[2] / "docs/methods.md").read_text()
LOSSES, VALUES = (PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0] for title in ("The losses", "Frozen values"))


def rows(section):
    """Cells of the table rows that name a loss first."""
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("| `")]


@pytest.fixture
def listing(capsys):
    list_methods.main([])
    return capsys.readouterr().out


def test_the_list_says_name_defaults_and_source(listing):
    entries = dict(zip(loss_names(), listing.strip().split("\n\n"), strict=True))
    assert entries["rpo"].startswith("rpo(beta=0.1, alpha=1.0)\n    RPO, ") and "arXiv 2404.19733" in entries["rpo"]
    assert entries["tdpo2"].endswith("\n    Needs: token_kl.") and "Needs" not in entries["dpo"]
    assert all(entry.startswith(f"{name}(") for name, entry in entries.items())


def test_the_page_has_the_list_s_losses_and_defaults(listing):
    on_page = {name.strip("`"): set(re.findall("`(.+?)`", parameters)) for name, *_, parameters in rows(LOSSES)}
    calls = re.findall(r"^(\w+)\((.*)\)$", listing, re.M)
    assert on_page == {name: set(filter(None, parameters.split(", "))) for name, parameters in calls}
    needs = {name.strip("`"): frozenset(filter(None, [cell])) for name, _, _, cell, _ in rows(LOSSES)}
    assert needs == {name: build_loss(name).needs for name in loss_names()}


def side(policy, reference, kl):
    grid = torch.zeros(1, len(policy))
    third = (torch.arange(len(policy)) == 2)[None]
    values = [torch.tensor([row], dtype=torch.float64) for row in (policy, reference, kl)]
    fields = torch.where(third, TokenField.SUBLABEL, TokenField.SCAFFOLDING).to(torch.int8)
    return Side(values[0], values[1], grid == 0, fields, third, token_kl=values[2])


@pytest.mark.parametrize(("name", "parameters", "value", "source"), rows(VALUES), ids=str)
def test_frozen_values(name, parameters, value, source):
    chosen = side([-0.1, -0.2, -1.5, -0.3], [-0.1, -0.25, -1.0, -0.4], [0.01, 0.02, 0.10, 0.03])
    rejected = side([-0.1, -0.2, -0.9, -0.2, -0.5], [-0.1, -0.25, -1.2, -0.3, -0.4], [0.01, 0.02, 0.08, 0.02, 0.04])
    params = yaml.safe_load("{" + parameters.replace("=", ": ") + "}")
    losses = build_loss(name.strip("`"), **params)(chosen, rejected).losses
    assert losses.item() == pytest.approx(float(value), abs=6e-10)


def test_every_loss_has_a_frozen_value():
    assert {name.strip("`") for name, *_ in rows(VALUES)} == set(loss_names())
