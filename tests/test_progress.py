"""Progress is shown as log lines, and as a bar on a terminal."""

import io
import sys

import pytest

from tabpo import progress as module
from tabpo.progress import progress


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_lines_in_a_log_every_ten_seconds_and_at_the_end(clock, caplog, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    caplog.set_level("INFO")
    seen = []
    for item in progress("abcde", 5, "letters"):
        seen.append(item)
        clock[0] += 4.0
    assert seen == list("abcde")
    assert [record.message for record in caplog.records] == ["letters: 3/5, 0:00:08 left", "letters: 5/5"]


def test_lines_with_tokens_per_second(clock, caplog, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    caplog.set_level("INFO")
    for _ in progress(["a" * 30, "b" * 70], 2, "answers", tokens=len):
        clock[0] += 20.0
    # 30 tokens in 20 s, then 100 in 40 s
    assert [record.message for record in caplog.records] == [
        "answers: 1/2, 2 tokens/s, 0:00:20 left",
        "answers: 2/2, 2 tokens/s",
    ]


def test_a_bar_on_a_terminal(caplog, monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    caplog.set_level("INFO")
    assert list(progress(iter([1, 2]), 2, "batches of answers", tokens=lambda item: item)) == [1, 2]
    assert all(part in terminal.getvalue() for part in ("batches of answers", "2/2", "tokens/s"))
    assert not caplog.records
