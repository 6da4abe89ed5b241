"""What tests of several folders need."""

import json
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from tabpo.records import Document

# How long one example takes says more about what else the machine does than about the code. The gate draws the same
# examples each time, so that it turns red with a change alone; `pytest --hypothesis-profile explore` draws others.
settings.register_profile("gate", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile("gate")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=2, help="how often the drill kills its run")


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard: whoever connects to another machine, or looks up its name, fails the test."""

    def refuse(self, address, *rest):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            raise AssertionError(f"a connection to {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: pytest.fail(f"{host} was looked up"))


@pytest.fixture
def data_root() -> Path:
    """The folder of the real data; without it the test is skipped."""
    root = os.environ.get("TABPO_DATA")
    if not root:
        pytest.skip("TABPO_DATA is not set: it names the folder that holds scierc/ and phee/ as published")
    return Path(root)


@pytest.fixture(scope="session")
def pvminer_row() -> Callable[[Document], dict[str, str]]:
    """A generated message as a row of the published private format: a long prompt that ends with it, and its answer."""

    def row(document: Document) -> dict[str, str]:
        _, direction, message = re.split(r"TO_PAT_YN: ([NY]) \| ", document.text)
        speaker = "Patient speaking TO provider" if direction == "N" else "Provider speaking TO patient"
        results = [
            {"Code": span.label, "Sub-code": span.sublabel, "Span": document.text[span.start : span.end]}
            for span in document.spans
        ]
        rules = "Rules: TO_PAT_YN: N or Y says who writes.\nContext: is the message.\n"
        query = f"{rules}INPUT: TO_PAT_YN: {direction}  (Speaker: {speaker})\nContext: {message}\nOUTPUT:"
        return {"query": query, "answer": json.dumps({"results": results})}

    return row
