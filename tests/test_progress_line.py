"""A line of progress is printed on a terminal, beside Snakemake's own lines, and nowhere else."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

WORKFLOW = """
import sys
sys.path.insert(0, {root!r})
include: {progress!r}
rule all:
    input: "a"
    localrule: True
rule work:
    output: "{{name}}"
    shell: "{command}"
onerror:
    print("Jobs that failed: 1.", file=sys.stderr)
"""


def call(folder: Path, command: str, terminal: bool) -> str:
    """Run a workflow of one job, with a terminal as stderr or not, and return what it prints there."""
    progress = str(ROOT / "rules/progress.smk")
    (folder / "Snakefile").write_text(WORKFLOW.format(root=str(ROOT), progress=progress, command=command))
    reads, writes = pty.openpty() if terminal else os.pipe()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    process = subprocess.Popen(
        ["snakemake", "--workflow-profile", "none", "--cores", "1"],
        cwd=folder,
        env=os.environ | {"PATH": path},
        stdout=subprocess.DEVNULL,
        stderr=writes,
    )
    os.close(writes)
    printed = b""
    try:
        while part := os.read(reads, 65536):
            printed += part
    except OSError:  # how a terminal ends
        pass
    process.wait(timeout=60)
    return printed.decode()


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("echo > {output}", "1 of 2 jobs done, 0 run, 1 wait, 0 failed"),
        ("false", "0 of 2 jobs done, 0 run, 1 wait, 1 failed"),
    ],
)
def test_a_line_on_a_terminal(tmp_path, command, line):
    printed = call(tmp_path, command, terminal=True)
    assert printed.count(line) == 1, printed
    assert ("Jobs that failed: 1." in printed.rpartition(line)[2]) == (command == "false")
    assert "Shell command" in printed or "rule work" in printed


def test_no_line_in_a_file(tmp_path):
    printed = call(tmp_path, "echo > {output}", terminal=False)
    assert "2 of 2 steps (100%) done" in printed and "wait" not in printed
