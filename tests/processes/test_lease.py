"""A lock names its owner, ends with it, and is kept by a heartbeat where its processes cannot be looked up."""

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace

import pytest

from tabpo.processes import lease
from tabpo.processes.lease import HeldError, held, is_dead, read_owner, this_process

KILLED = (
    "import os, sys, signal, pathlib\n"
    "from tabpo.processes.lease import held\n"
    "with held(pathlib.Path(sys.argv[1])):\n"
    "    os.kill(os.getpid(), signal.SIGKILL)\n"
)


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(lease, "BEAT_S", 0.1)
    monkeypatch.setattr(lease, "LEASE_S", 0.6)


def write(lock, **changes):
    lock.write_text(json.dumps(asdict(replace(this_process(), **changes))))


@pytest.mark.parametrize("variable", lease.JOB_IDS)
def test_a_lock_names_host_process_and_scheduler_job(tmp_path, monkeypatch, variable):
    monkeypatch.setenv(variable, "12")
    lock = tmp_path / "folder/lock"
    with held(lock) as waited:
        assert not waited
        assert str(read_owner(lock)) == f"process {os.getpid()} on {os.uname().nodename} (scheduler job 12)"
        with pytest.raises(HeldError, match=rf"process {os.getpid()} on .* \(scheduler job 12\)"), held(lock):
            pass
    assert list(lock.parent.iterdir()) == []


def test_the_lock_of_a_killed_process_is_taken_over_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(lease, "LEASE_S", 1000.0)
    lock = tmp_path / "lock"
    assert subprocess.run([sys.executable, "-c", KILLED, lock], check=False).returncode == -9
    assert lock.exists()
    with held(lock):
        assert read_owner(lock).pid == os.getpid()


@pytest.mark.parametrize("changes", [{"born": 1}, {"pid": 2**22 + 1}])
def test_a_process_id_that_was_given_again_or_is_gone_is_dead(tmp_path, changes):
    lock = tmp_path / "lock"
    write(lock, **changes)
    assert is_dead(lock, read_owner(lock))


def test_an_owner_on_another_node_is_dead_when_its_heartbeat_stands_still(tmp_path):
    lock = tmp_path / "lock"
    write(lock, place="another start of another machine", host="node7")
    begun = time.monotonic()
    with held(lock):
        assert time.monotonic() - begun >= 0.6


def test_an_owner_on_another_node_lives_while_its_heart_beats(tmp_path):
    lock, stop = tmp_path / "lock", threading.Event()
    write(lock, place="another start of another machine", host="node7")

    def beat():
        while not stop.wait(0.1):
            os.utime(lock)

    heart = threading.Thread(target=beat)
    heart.start()
    try:
        with pytest.raises(HeldError, match="on node7"), held(lock):
            pass
    finally:
        stop.set()
        heart.join()


def test_a_lock_without_a_name_is_judged_by_its_heartbeat(tmp_path):
    (tmp_path / "lock").touch()
    with held(tmp_path / "lock"):
        pass


@pytest.mark.parametrize("loss", ["lock.unlink()", "lock.write_text('another owner')"])
def test_a_process_that_lost_its_lock_ends(tmp_path, loss):
    code = (
        "import sys, time, pathlib\n"
        "from tabpo.processes import lease\n"
        "lease.BEAT_S = 0.1\n"
        "lock = pathlib.Path(sys.argv[1])\n"
        "with lease.held(lock):\n"
        f"    {loss}\n"
        "    time.sleep(20)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, tmp_path / "lock"], capture_output=True, text=True, check=False)
    assert ended.returncode == -9 and "lost its lock" in ended.stderr


def test_of_many_starts_one_at_a_time_holds_the_lock(tmp_path):
    """Eight processes take over the lock of a dead one; each holds it alone."""
    lock, log = tmp_path / "lock", tmp_path / "log"
    subprocess.run([sys.executable, "-c", KILLED, lock], check=False)
    code = (
        "import sys, time, pathlib\n"
        "from tabpo.processes.lease import held\n"
        "lock, log = map(pathlib.Path, sys.argv[1:])\n"
        "with held(lock, lambda owner: True), log.open('a') as file:\n"
        "    print('in', file=file, flush=True); time.sleep(0.2); print('out', file=file, flush=True)\n"
    )
    starts = [subprocess.Popen([sys.executable, "-c", code, lock, log], stderr=subprocess.DEVNULL) for _ in range(8)]
    assert [start.wait() for start in starts] == [0] * 8
    assert log.read_text().split() == ["in", "out"] * 8


def test_a_lock_that_changes_hands_while_it_is_read_is_waited_for(tmp_path, monkeypatch):
    """There is no owner to read between two owners; the next one is a living owner, and not an unknown one."""
    lock, missed = tmp_path / "lock", [True]
    with held(lock):
        real = lease.read_owner
        monkeypatch.setattr(lease, "read_owner", lambda path: None if missed and missed.pop() else real(path))
        monkeypatch.setattr(lease, "LEASE_S", 3.0)
        with pytest.raises(HeldError) as refused, held(lock):
            pass
    assert refused.value.owner.pid == os.getpid()
