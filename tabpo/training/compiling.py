"""Kernels that are compiled when they are first used, and what a killed compiler leaves behind."""

import fcntl
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def left_locks_removed(environment: Mapping[str, str]) -> Iterator[None]:
    """Remove the locks of dead compilers first, unless another run is there, which may be compiling.

    DeepSpeed compiles kernels at their first use (for processes on a CPU, for offloaded optimisers), and torch marks a
    kernel in the making by a file `lock` beside it. A run that is killed then leaves that file, and all later runs
    would wait for its end without a word.

    Args:
        environment: Of the processes that compile: TORCH_EXTENSIONS_DIR, XDG_CACHE_HOME or HOME says where.
    """
    cache = environment.get("XDG_CACHE_HOME") or f"{environment['HOME']}/.cache"
    kernels = Path(environment.get("TORCH_EXTENSIONS_DIR") or f"{cache}/torch_extensions")
    kernels.mkdir(parents=True, exist_ok=True)
    with (kernels / "tabpo.lock").open("w") as runs:
        try:
            fcntl.flock(runs, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logging.info("another run may be compiling kernels")
        else:
            for left in kernels.glob("**/lock"):
                logging.info("a run was killed while it compiled %s: its lock is removed", left.parent.name)
                left.unlink()
        fcntl.flock(runs, fcntl.LOCK_SH)
        yield
