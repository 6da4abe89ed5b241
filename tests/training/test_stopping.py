"""A warning is noted once; the next one ends the process."""

import os
import signal
import subprocess
import sys

import pytest

from tabpo.training.stopping import SIGNALS, Warned, handling

PROGRAM = """
import os, sys
from tabpo.training import stopping
stopping.REPEAT_S = float(sys.argv[1])
warned = stopping.Warned()
with stopping.handling(warned.note):
    for number in map(int, sys.argv[2:]):
        os.kill(os.getpid(), number)
print(warned.yet, flush=True)
"""


def ended(repeat_s: float, *numbers: signal.Signals) -> tuple[int, str]:
    command = [sys.executable, "-c", PROGRAM, str(repeat_s), *(str(int(number)) for number in numbers)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("number", SIGNALS)
def test_one_is_noted_and_a_later_one_is_the_end(number):
    assert ended(0.0, number) == (0, "True\n")
    for second in SIGNALS:  # of either kind
        assert ended(0.0, number, second) == (-second, "")


def test_the_same_warning_may_come_several_times():
    assert ended(60.0, *SIGNALS, *SIGNALS) == (0, "True\n")


def test_what_handled_signals_before_does_so_afterwards():
    before = [signal.getsignal(number) for number in SIGNALS]
    warned = Warned()
    with handling(warned.note):
        assert not warned.yet
        os.kill(os.getpid(), signal.SIGUSR1)
    assert warned.yet
    assert [signal.getsignal(number) for number in SIGNALS] == before
