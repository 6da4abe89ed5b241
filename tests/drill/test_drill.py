"""Runs of two processes are killed and continued, and end with the bytes of unbroken runs.

A run under ZeRO-2 is killed repeatedly at random moments: twice by `make test`, twenty times by `make drill`, which
prints for each kill the process, the signal, the moment and the state of the run. Runs under ZeRO-3 are killed once.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import pytest

from tabpo.errors import DataError
from tabpo.processes.warnings import STOPPED
from workflow_scripts import train

ROOT = Path(__file__).parents[2]
CHECKPOINT_STEPS = 5
STEPS_PER_KILL = 12  # a kill comes before the second checkpoint of its attempt, so at most 10 steps after the last
PATIENCE_S = 900  # other load can make a run many times slower; only a run that hangs exceeds this

MOMENTS = (
    ("while a checkpoint is written", signal.SIGKILL),
    ("between checkpoints", signal.SIGTERM),
    ("while it starts", signal.SIGKILL),
    ("while a checkpoint is written", signal.SIGTERM),
    ("between checkpoints", signal.SIGKILL),
    ("while it starts", signal.SIGTERM),
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("g++") is None, reason="DeepSpeed compiles its CPU messages with g++"),
]


@dataclass(frozen=True)
class Kill:
    """One kill: `when` names the awaited phase, `delay` (0 to 1) the part of it that passes, `victim` the process."""

    when: str
    number: signal.Signals
    delay: float
    victim: float


@dataclass(frozen=True)
class Pace:
    """Seconds of the unbroken run: to its first checkpoint, to write this checkpoint, and between checkpoints."""

    start: float
    save: float
    between: float


def draw_kills(count: int, seed: int) -> Iterator[Kill]:
    draw = random.Random(seed)
    for when, number in islice(cycle(MOMENTS), count):
        yield Kill(when, number, draw.random(), draw.random())


class Attempt:
    """One start of the run."""

    def __init__(self, arguments: list[str], folder: Path):
        self.folder, self.started = folder, time.time()
        command = [sys.executable, "-m", "workflow_scripts.launch", "train", *arguments]
        clean = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
        self.process = subprocess.Popen(command, cwd=ROOT, env=clean, stderr=subprocess.PIPE, text=True)

    def processes(self) -> dict[str, int]:
        """Ids of the running processes, the launching process first."""
        workers = children(self.process.pid)
        return {"the launcher": self.process.pid} | {f"worker {rank}": worker for rank, worker in enumerate(workers)}

    def checkpoints(self, name: str = "") -> set[str]:
        """Checkpoints of this start that have the file `name`."""
        names = set()
        for path in self.folder.glob("checkpoints/*/checkpoint-*"):
            with suppress(FileNotFoundError):  # removed in the meantime, since only two are kept
                if (path / name).stat().st_mtime > self.started:
                    names.add(path.name)
        return names

    def wait_until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert self.process.poll() is None, f"it ended too early: {self.process.communicate()[1][-4000:]}"
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def wait_within(self, phase_ended: Callable[[], object], seconds: float) -> None:
        """Wait for a number of seconds, or until the phase of the run ends if that comes first."""
        end = time.monotonic() + seconds
        self.wait_until(lambda: time.monotonic() >= end or phase_ended())

    def finish(self) -> str:
        said = self.process.communicate(timeout=PATIENCE_S)[1]
        assert self.process.returncode == 0, said[-4000:]
        return said


def children(parent: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    except FileNotFoundError:
        return []


def run_unbroken(arguments: list[str], folder: Path, steps: int) -> Pace:
    attempt = Attempt(arguments, folder)
    attempt.wait_until(attempt.checkpoints)
    begun = time.time()
    attempt.wait_until(lambda: attempt.checkpoints("COMPLETE"))
    saved = time.time()
    attempt.finish()
    return Pace(begun - attempt.started, saved - begun, (time.time() - saved) * CHECKPOINT_STEPS / steps)


def strike(kill: Kill, attempt: Attempt, pace: Pace) -> str:
    """Wait for the moment, kill, check that no process is left, and return a description.

    The unbroken run says how long a phase may take, and the attempt itself when the phase ends: the machine may be
    faster or slower by now.
    """
    if kill.when == "while it starts":
        attempt.wait_within(attempt.checkpoints, kill.delay * pace.start)
    elif kill.when == "while a checkpoint is written":
        attempt.wait_until(attempt.checkpoints)
        attempt.wait_within(lambda: attempt.checkpoints("COMPLETE"), kill.delay * pace.save)
    else:
        attempt.wait_until(lambda: attempt.checkpoints("COMPLETE"))
        before = attempt.checkpoints("COMPLETE")
        attempt.wait_within(lambda: attempt.checkpoints() - before, kill.delay * pace.between)
    processes = attempt.processes()
    names = list(processes)
    victim = names[int(kill.victim * len(names))] if kill.number == signal.SIGKILL else names[0]
    assert attempt.process.poll() is None, f"it ended too early: {attempt.process.communicate()[1][-4000:]}"
    os.kill(processes[victim], kill.number)
    after = time.time() - attempt.started
    said = attempt.process.communicate(timeout=PATIENCE_S)[1]
    assert_ended(attempt, kill, list(processes.values()), said)
    if kill.number == signal.SIGTERM and kill.when != "while it starts":
        assert "warned: stopped after step" in said, said[-4000:]
    complete, begun = attempt.checkpoints("COMPLETE"), attempt.checkpoints()
    half = f"; half-written: {', '.join(begun - complete)}" if begun - complete else ""
    return f"{kill.number.name} to {victim} {kill.when}, {after:.1f} s after its start{half}"


def assert_ended(attempt: Attempt, kill: Kill, processes: list[int], said: str) -> None:
    code = attempt.process.returncode
    # SIGTERM kills the launcher if it does not handle signals yet.
    expected = code in (STOPPED, -signal.SIGTERM) if kill.number == signal.SIGTERM else code != 0
    assert expected, f"{kill}: ended with {code}: {said[-4000:]}"
    deadline = time.monotonic() + 120
    while left := [process for process in processes if Path(f"/proc/{process}").exists()]:
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.05)


def artefacts(folder: Path) -> dict[str, bytes]:
    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    varying = ("checkpoints", "provenance.json", "timing.parquet")
    return {str(path): (folder / path).read_bytes() for path in paths if not {path.parts[0], path.name} & {*varying}}


def assert_same(broken: Path, unbroken: Path) -> None:
    ours, theirs = artefacts(broken), artefacts(unbroken)
    assert "model/model.safetensors" in theirs and "training.parquet" in theirs
    assert sorted(ours) == sorted(theirs)  # no partly written file is left
    assert [name for name in ours if ours[name] != theirs[name]] == []


def test_a_killed_run_ends_like_the_unbroken_run(study, tmp_path, monkeypatch, pytestconfig):
    count = pytestconfig.getoption("kills")
    steps = STEPS_PER_KILL * (count + 1)
    run = {"processes": 2, "deepspeed": "zero2", "steps": steps, "checkpoint_steps": CHECKPOINT_STEPS}
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    pace = run_unbroken(study.train(unbroken, **run), unbroken, steps)
    for number, kill in enumerate(draw_kills(count, seed=1), start=1):
        happened = strike(kill, Attempt(study.train(broken, **run), broken), pace)
        print(f"kill {number} of {count}: {happened}", flush=True)
    with monkeypatch.context() as patch, pytest.raises(DataError, match=r"written by 2 processes .* not by 1: set"):
        patch.setenv("WORLD_SIZE", "1")
        train.main(study.train(broken, **{**run, "processes": 1}))
    assert "resuming from checkpoint-" in Attempt(study.train(broken, **run), broken).finish()

    assert_same(broken, unbroken)
    assert json.loads((broken / "provenance.json").read_text())["processes"] == 2
    print(f"{count} kills: model and log of {steps} steps equal those of the unbroken run, byte for byte")


def test_zero3_continues_to_the_same_bytes(study, tmp_path):
    """A kill in step 2, with and without adapters: weights, moments and the best state are restored from step 1."""
    steps = {"steps": 3, "checkpoint_steps": 1, "watch_steps": 1}
    run = {"processes": 2, "deepspeed": "zero3", "keep": "dev_best", **steps}
    lora = {"r": 4, "alpha": 8, "target_modules": ["q_proj", "v_proj", "up_proj"]}
    runs = []
    for name, trained in (("weights", None), ("adapters", lora)):
        unbroken, broken = (study.sft(tmp_path / name / kind, lora=trained, **run) for kind in ("unbroken", "broken"))
        runs += [("sft", unbroken, None), ("sft", broken, 2), ("sft", broken, None)]
    (tmp_path / "runs.json").write_text(json.dumps(runs))
    command = [sys.executable, "-m", "tests.workflow_scripts.forked_runs", str(tmp_path / "runs.json")]
    on_cpu = os.environ | {"DS_ACCELERATOR": "cpu"}
    ended = subprocess.run(command, cwd=ROOT, env=on_cpu, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-4000:]
    assert ended.stderr.count("resuming from checkpoint-1") == 2
    for name in ("weights", "adapters"):
        assert_same(tmp_path / name / "broken", tmp_path / name / "unbroken")
