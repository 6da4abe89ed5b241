"""A warning is noted once; the next one ends the process."""

import os
import signal
import subprocess
import sys

import pytest

from tabpo.training.stopping import SIGNALS, Warned, handling

PROGRAM = """
import os, sys
from tabpo.training.stopping import Warned, handling
warned = Warned()
with handling(warned.note):
    for number in map(int, sys.argv[1:]):
        os.kill(os.getpid(), number)
print(warned.yet, flush=True)
"""


@pytest.mark.parametrize("number", SIGNALS)
def test_one_is_noted_and_two_are_the_end(number):
    once = subprocess.run([sys.executable, "-c", PROGRAM, str(int(number))], capture_output=True, text=True)
    assert (once.returncode, once.stdout) == (0, "True\n")
    for second in SIGNALS:  # of either kind
        twice = subprocess.run([sys.executable, "-c", PROGRAM, str(int(number)), str(int(second))], check=False)
        assert twice.returncode == -second


def test_what_handled_signals_before_does_so_afterwards():
    before = [signal.getsignal(number) for number in SIGNALS]
    warned = Warned()
    with handling(warned.note):
        assert not warned.yet
        os.kill(os.getpid(), signal.SIGUSR1)
    assert warned.yet
    assert [signal.getsignal(number) for number in SIGNALS] == before
