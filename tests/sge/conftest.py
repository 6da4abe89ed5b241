"""The Grid Engine that all tests here run on."""

import os
import shutil

import pytest


@pytest.fixture(scope="package", autouse=True)
def cluster():
    """Skip unless the Grid Engine is the one of start-sge.sh, since these tests cancel jobs."""
    if shutil.which("qsub") is None or os.environ.get("SGE_CELL") != "tabpo":
        pytest.skip("no Grid Engine of start-sge.sh here: make test-sge starts one")
