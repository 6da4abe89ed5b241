"""Run training programs one after the other, each in two processes, and load torch and DeepSpeed only once."""

import gc
import json
import os
import signal
import socket
import sys
from importlib import import_module
from pathlib import Path

from tabpo.processes.launch import leave
from tabpo.training.trainer import StepTrainer
from workflow_scripts import sft, train

PROGRAMS = {"sft": sft, "train": train}


def start(rank: int, port: int, program: str, arguments: list[str], dies_after: int | None) -> int:
    if child := os.fork():
        return child
    ours = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "MASTER_PORT": port}
    os.environ |= {name: str(value) for name, value in ours.items()} | {"MASTER_ADDR": "localhost"}
    log = StepTrainer.log

    def log_and_die(self, logs, *rest):
        log(self, logs, *rest)
        if self.state.global_step == dies_after:
            os.kill(os.getpid(), signal.SIGKILL)

    StepTrainer.log = log_and_die
    try:
        PROGRAMS[program].main(arguments)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    leave()


import_module(
    "deepspeed.runtime.zero.muon.muon_optimizer"
)  # otherwise each run would import it, and the compiler with it
gc.freeze()  # see quick_collections in conftest.py
for program, arguments, dies_after in json.loads(Path(sys.argv[1]).read_text()):
    with socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
    workers = [start(rank, port, program, arguments, dies_after) for rank in range(2)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) for worker in workers]
    assert [code != 0 for code in codes] == 2 * [dies_after is not None], codes
