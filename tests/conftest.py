"""What tests of several folders need."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# How long one example takes says more about what else the machine does than about the code. The gate draws the same
# examples each time, so that it turns red with a change alone; `pytest --hypothesis-profile explore` draws others.
settings.register_profile("gate", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile("gate")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=2, help="how often the drill kills its run")


@pytest.fixture
def data_root() -> Path:
    """The folder of the real data; without it the test is skipped."""
    root = os.environ.get("TABPO_DATA")
    if not root:
        pytest.skip("TABPO_DATA is not set: it names the folder that holds scierc/ and phee/ as published")
    return Path(root)
