"""The cluster that all tests here run on."""

import shutil
import subprocess

import pytest


@pytest.fixture(scope="package", autouse=True)
def cluster():
    """Skip unless the cluster is the one of start-slurm.sh, since these tests cancel jobs."""
    if shutil.which("scontrol") is None:
        pytest.skip("no Slurm here: make test-slurm starts one")
    shown = subprocess.run(["scontrol", "show", "config"], capture_output=True, text=True).stdout
    if "tabpo" not in next((line for line in shown.splitlines() if line.startswith("ClusterName")), ""):
        pytest.skip("the Slurm here is not the one of start-slurm.sh: make test-slurm starts it")
