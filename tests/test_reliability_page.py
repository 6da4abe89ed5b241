"""docs/reliability.md names a test for every fault that it calls provoked."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/reliability.md").read_text()


def test_every_row_names_tests_that_are_there():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| fault |")]
    assert len(rows) > 5
    for row in rows:
        named = re.findall(r"`(test_\w+\.py)::(\w+)`", row.rsplit("|", 2)[1])
        assert named, row
        for file, test in named:
            assert f"\ndef {test}(" in (ROOT / "tests/slurm" / file).read_text()


def test_every_fault_that_a_test_provokes_is_on_the_page():
    tests = re.findall(r"^def (test_\w+)\(", (ROOT / "tests/slurm/test_faults.py").read_text(), re.M)
    assert [test for test in tests if test not in PAGE] == []
