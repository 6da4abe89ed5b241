"""Locks of compilers that are gone are removed, those of runs that go on are not."""

import fcntl

import pytest

from tabpo.processes.launch import left_locks_removed


@pytest.fixture
def lock(tmp_path):
    """The lock of a kernel in the making, below a folder of a Python and a device."""
    kernel = tmp_path / "cache/torch_extensions/py311_cpu/deepspeed_shm_comm"
    kernel.mkdir(parents=True)
    (kernel / "lock").touch()
    return kernel / "lock"


def take(path):
    """Hold the file alone for a moment, or fail at once."""
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize("where", ["TORCH_EXTENSIONS_DIR", "XDG_CACHE_HOME"])
def test_a_dead_compilers_lock_is_removed(tmp_path, lock, where):
    folder = {"TORCH_EXTENSIONS_DIR": "cache/torch_extensions", "XDG_CACHE_HOME": "cache"}[where]
    with left_locks_removed({"HOME": "/nowhere", where: str(tmp_path / folder)}):
        assert not lock.exists()


def test_a_living_runs_lock_stays(tmp_path, lock):
    environment = {"HOME": "/nowhere", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    with left_locks_removed(environment):
        lock.touch()
        with left_locks_removed(environment):
            assert lock.exists()
        assert lock.exists()
    with left_locks_removed(environment):
        assert not lock.exists()


def test_runs_are_there_side_by_side_and_gone_when_they_end(tmp_path):
    environment = {"HOME": str(tmp_path)}
    runs = tmp_path / ".cache/torch_extensions/tabpo.lock"
    with left_locks_removed(environment), left_locks_removed(environment), pytest.raises(BlockingIOError):
        take(runs)
    take(runs)
