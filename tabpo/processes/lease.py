"""A lock that is a file: it names its owner, is kept by a heartbeat, and ends with the owner, on any file system."""

import json
import logging
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

BEAT_S = 20.0
"""Time between two heartbeats of an owner."""

LEASE_S = 180.0
"""An owner on another node counts as dead if its heartbeat stands still for this time."""

JOB_IDS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID")
"""Environment variables in which Slurm, PBS, LSF and Grid Engine give a job its id."""


@dataclass(frozen=True)
class Owner:
    """The process that holds a lock.

    Attributes:
        host: Its machine, for messages.
        pid: Its process id.
        job: Its scheduler job, None outside of any.
        place: The start of the machine and its process namespace, within which `pid` and `born` mean one process.
        born: Start of the process in clock ticks after the start of the machine.
        token: Differs for any two locks.
    """

    host: str
    pid: int
    job: str | None
    place: str
    born: int | None
    token: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}" + (f" (scheduler job {self.job})" if self.job else "")


class HeldError(Exception):
    """A lock has a living owner."""

    def __init__(self, owner: Owner):
        super().__init__(str(owner))
        self.owner = owner


def this_process(environment: Mapping[str, str] = os.environ) -> Owner:
    """Return the owner that this process is."""
    boot, namespace = Path("/proc/sys/kernel/random/boot_id").read_text().strip(), os.readlink("/proc/self/ns/pid")
    job = next((environment[name] for name in JOB_IDS if name in environment), None)
    return Owner(socket.gethostname(), os.getpid(), job, f"{boot} {namespace}", _born(os.getpid()), uuid.uuid4().hex)


def _born(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else int(fields[18])


def read_owner(lock: Path) -> Owner | None:
    """Return the owner of a lock; None if there is no lock, or if its owner is just writing it."""
    try:
        return Owner(**json.loads(lock.read_text()))
    except (FileNotFoundError, json.JSONDecodeError):
        return None


def is_dead(lock: Path, owner: Owner | None) -> bool:
    """Whether the owner of a lock has ended.

    An owner on this machine is looked up among its processes. Elsewhere, and if the lock names no owner, the heartbeat
    decides: this waits until it beats, at most `LEASE_S`. Clocks are not compared.
    """
    if owner is not None and owner.place == this_process().place:
        return owner.born is None or _born(owner.pid) != owner.born
    first, deadline = _beat(lock), time.monotonic() + LEASE_S
    while first is not None and time.monotonic() < deadline:
        time.sleep(min(1.0, LEASE_S / 10))
        if _beat(lock) != first:
            return False
    return True


def _beat(lock: Path) -> tuple[int, int] | None:
    try:
        with lock.open() as file:  # network file systems ask the server again when a file is opened
            status = os.fstat(file.fileno())
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


@contextmanager
def held(lock: Path, wait_for: Callable[[Owner], bool] = lambda owner: False) -> Iterator[bool]:
    """Hold a lock while the block runs; the value is whether a living owner was waited for.

    A process that loses its lock, because it stood still longer than `LEASE_S` or somebody removed the file, ends at
    once: another process may write by then.

    Args:
        lock: The file; its folder is created.
        wait_for: Whether to wait for the end of this living owner.

    Raises:
        HeldError: The lock has a living owner that `wait_for` refuses.
    """
    mine, waited = this_process(), False
    while not _take(lock, mine):
        owner = read_owner(lock)
        if is_dead(lock, owner):
            if lock.exists():
                logging.warning("%s ended without removing %s, which is removed now", owner or "the owner", lock)
            _remove(lock, owner)
            continue
        if owner is None:
            continue  # it was read between two owners; the next one can be read now
        if not wait_for(owner):
            raise HeldError(owner)
        if not waited:
            logging.warning("%s still writes %s: this start waits for its end", owner, lock.parent)
        waited = True
        time.sleep(min(1.0, LEASE_S / 10))
    ended = threading.Event()
    heart = threading.Thread(target=_keep, args=(lock, mine, ended), daemon=True)
    heart.start()
    try:
        yield waited
    finally:
        ended.set()
        heart.join()
        _remove(lock, mine)


def _take(lock: Path, owner: Owner) -> bool:
    while True:
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            return False
        except FileNotFoundError:  # the previous owner may have just removed the folder
            continue
        os.write(handle, json.dumps(asdict(owner)).encode())
        os.close(handle)
        return True


def _keep(lock: Path, owner: Owner, ended: threading.Event) -> None:
    beat = time.monotonic()
    while not ended.wait(BEAT_S):
        try:
            os.utime(lock)
            lost = read_owner(lock) != owner
            beat = time.monotonic()
        except FileNotFoundError:
            lost = True
        except OSError:  # the file system does not answer for a moment
            lost = time.monotonic() - beat > LEASE_S
        if lost and not ended.is_set():
            logging.critical("%s: this process lost its lock and ends, since another may write", lock)
            os.kill(os.getpid(), signal.SIGKILL)


def _remove(lock: Path, owner: Owner | None) -> None:
    """Remove a lock if it is still this owner's; two starts that judge one dead owner remove it once."""
    if read_owner(lock) != owner:
        return
    aside = lock.with_name(f"{lock.name}.{uuid.uuid4().hex}")
    with suppress(FileNotFoundError):  # from here on, another start may remove it and take the lock
        os.rename(lock, aside)
        if read_owner(aside) == owner:
            aside.unlink()
        else:
            os.rename(aside, lock)
