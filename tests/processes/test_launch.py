"""Locks of killed compilers are removed, locks of active runs are not."""

import fcntl

import pytest

from tabpo.processes.launch import left_locks_removed


@pytest.fixture
def lock(tmp_path):
    """The lock of a kernel that is being compiled, in a folder named by Python version and device."""
    kernel = tmp_path / "cache/torch_extensions/py311_cpu/deepspeed_shm_comm"
    kernel.mkdir(parents=True)
    (kernel / "lock").touch()
    return kernel / "lock"


def take(path):
    """Take an exclusive lock on the file for a moment, or fail at once."""
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


def test_several_runs_share_a_lock_until_they_end(tmp_path):
    environment = {"HOME": str(tmp_path)}
    runs = tmp_path / ".cache/torch_extensions/tabpo.lock"
    with left_locks_removed(environment), left_locks_removed(environment), pytest.raises(BlockingIOError):
        take(runs)
    take(runs)
