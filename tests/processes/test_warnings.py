"""The first warning is recorded; a later one ends the process."""

import os
import signal
import subprocess
import sys

import pytest

from tabpo.processes.warnings import SIGNALS, Warned, handling, warn_children

PROGRAM = """
import os, sys
from tabpo.processes import warnings
warnings.REPEAT_S = float(sys.argv[1])
warned = warnings.Warned()
with warnings.handling(warned.note):
    for number in map(int, sys.argv[2:]):
        os.kill(os.getpid(), number)
print(warned.received, flush=True)
"""


def ended(repeat_s: float, *numbers: signal.Signals) -> tuple[int, str]:
    command = [sys.executable, "-c", PROGRAM, str(repeat_s), *(str(int(number)) for number in numbers)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_warning_is_recorded_and_a_later_one_ends_the_process(number):
    assert ended(0.0, number) == (0, "True\n")
    for second in SIGNALS:
        assert ended(0.0, number, second) == (-second, "")


def test_the_same_warning_may_come_several_times():
    assert ended(60.0, *SIGNALS, *SIGNALS) == (0, "True\n")


def test_previous_handlers_are_restored():
    before = [signal.getsignal(number) for number in SIGNALS]
    warned = Warned()
    with handling(warned.note):
        assert not warned.received
        os.kill(os.getpid(), signal.SIGUSR1)
    assert warned.received
    assert [signal.getsignal(number) for number in SIGNALS] == before


PARENT = """
import subprocess, sys, threading
from tabpo.processes.warnings import pass_on_warnings
pass_on_warnings()
started = []
thread = threading.Thread(target=lambda: started.append(subprocess.Popen(sys.argv[1:])))
thread.start()
thread.join()
sys.exit(started[0].wait())
"""
CHILD = """
import signal, sys
signal.signal(signal.SIGUSR1, lambda number, frame: sys.exit(75))
print("ready", flush=True)
signal.pause()
"""


def test_a_warning_is_sent_on_to_child_processes():
    command = [sys.executable, "-c", PARENT, sys.executable, "-c", CHILD]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout.readline() == "ready\n"
        parent.send_signal(signal.SIGUSR1)
        assert parent.wait(timeout=60) == 75


def test_children_are_warned_until_they_end():
    assert not warn_children(signal.SIGUSR1)
    with subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "ready\n"
        assert warn_children(signal.SIGUSR1)
        assert child.wait(timeout=60) == 75
    assert not warn_children(signal.SIGUSR1)


def test_warning_a_zombie_process_is_no_error():
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as child:
        child.stdout.read()
        assert warn_children(signal.SIGUSR1)
