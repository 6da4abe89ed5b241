"""How programs are started: the planned commands, and the behaviour of real processes that are warned or killed."""

import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from tabpo.errors import ConfigError
from tabpo.processes.launch import LAUNCHER, first_host, plan_launch, read_settings, starts_step, step_command
from tabpo.processes.warnings import SIGNALS, STOPPED
from tabpo.training import run
from tabpo.training.trainer import StepTrainer
from workflow_scripts import launch, on_gpus, sft, train

ROOT = Path(__file__).parents[2]


def settings(*, processes=1, nodes=1, gpus=0, deepspeed=None, threads=3):
    resources = {"processes": processes, "nodes": nodes, "gpus": gpus}
    return {"resources": resources, "numerics": {"threads": threads}, "training": {"deepspeed": deepspeed}}


def test_one_process_is_plain_python():
    plan = plan_launch("sft", ["--settings", "{}"], settings(), {"HOME": "/h", "CUDA_VISIBLE_DEVICES": "0,1"})
    assert plan.command == [sys.executable, "-m", "workflow_scripts.sft", "--settings", "{}"]
    assert (plan.environment["OMP_NUM_THREADS"], plan.environment["HOME"]) == ("3", "/h")
    assert (plan.gpus, plan.environment["CUDA_VISIBLE_DEVICES"]) == ([], "")  # no GPU requested, no GPU visible
    assert not plan.torchrun


@pytest.mark.parametrize("asked", [{"processes": 2}, {"deepspeed": "zero2"}])
def test_several_processes_or_deepspeed_go_through_torchrun(asked):
    plan = plan_launch("train", ["--x", "1"], settings(**asked), {})
    count = f"--nproc-per-node={asked.get('processes', 1)}"
    program = ["-m", "workflow_scripts.launch", "train", "--x", "1"]
    assert plan.command == ["--standalone", count, *program]
    assert plan.torchrun


def test_nodes_connect_to_the_first_node_of_the_job():
    slurm = {"SLURM_NNODES": "2", "SLURM_NODEID": "1", "SLURM_JOB_ID": "70007", "SLURM_JOB_NODELIST": "gpu[07-08]"}
    slurm["CUDA_VISIBLE_DEVICES"] = "0,1,2,3"
    plan = plan_launch("sft", [], settings(processes=8, nodes=2, gpus=8), slurm)
    meeting = ["--nnodes=2", "--node-rank=1", "--master-addr=gpu07", "--master-port=20007", "--nproc-per-node=4"]
    assert plan.command[:5] == meeting
    with pytest.raises(ConfigError, match=r"asks for 2 nodes; the scheduler gave no \(SLURM_NNODES\)"):
        plan_launch("sft", [], settings(processes=2, nodes=2), {})
    with pytest.raises(ConfigError, match="3 processes and 0 gpus cannot be shared equally by 2 nodes"):
        plan_launch("sft", [], settings(processes=3, nodes=2), {})


def test_a_job_of_several_nodes_becomes_a_step_with_a_launching_program_on_each(monkeypatch):
    two = settings(processes=8, nodes=2, gpus=8)
    inside = {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0"}
    assert starts_step(two, {"SLURM_JOB_ID": "7"}) and not starts_step(settings(), {"SLURM_JOB_ID": "7"})
    assert not starts_step(two, inside) and not starts_step(two, {})  # refused later, since there is no scheduler
    per_node = ["--nodes=2", "--ntasks=2", "--ntasks-per-node=1", "--cpus-per-task=12", "--gpus-per-node=4"]
    again = [sys.executable, "-m", "workflow_scripts.launch", "train", "--x", "1"]
    assert step_command("train", ["--x", "1"], two) == ["srun", *per_node, "--kill-on-bad-exit=1", *again]
    assert not any("gpus" in part for part in step_command("sft", [], settings(processes=2, nodes=2)))
    started = []
    monkeypatch.setattr(os, "execvp", lambda program, command: started.append(command) or sys.exit())
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.delenv("SLURM_STEP_ID", raising=False)
    with pytest.raises(SystemExit):
        launch.main(["sft", "--settings", json.dumps(two)])
    assert started == [step_command("sft", ["--settings", json.dumps(two)], two)]


@pytest.mark.parametrize(
    ("node_list", "host"),
    [("n1", "n1"), ("n1,n2", "n1"), ("gpu[07-09,12],b1", "gpu07"), ("r[3,5]n1,x", "r3n1"), ("a-b.c,d[1-2]", "a-b.c")],
)
def test_first_host(node_list, host):
    assert first_host(node_list) == host


def test_a_program_sees_the_gpus_of_its_job(monkeypatch, tmp_path):
    monkeypatch.setattr("tabpo.processes.gpus.LOCKS", tmp_path)
    plan = plan_launch("sft", [], settings(processes=2, gpus=2), {"CUDA_VISIBLE_DEVICES": "4,6"})
    assert (plan.gpus, plan.environment["CUDA_VISIBLE_DEVICES"]) == (["4", "6"], "4,6")
    started = []
    monkeypatch.setattr(os, "execve", lambda _, command, environment: started.append((command, environment)))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    on_gpus.main(["1", "predict", "--output", "o"])
    on_gpus.main(["0", "gold"])
    on_gpus.main(["0", "predict_by_vllm"])
    monkeypatch.setattr(on_gpus, "VLLM_PYTHON", str(tmp_path))
    on_gpus.main(["0", "predict_by_vllm"])
    commands, environments = zip(*started, strict=True)
    assert commands[0] == [sys.executable, "-m", "workflow_scripts.predict", "--output", "o"]
    assert [environment["CUDA_VISIBLE_DEVICES"] for environment in environments] == ["5", "", "", ""]
    assert [command[0] for command in commands[2:]] == [sys.executable, str(tmp_path)]  # envs/vllm.yaml's, .venv-vllm's


def test_settings_are_found_among_the_arguments():
    assert read_settings(["--base", "b", "--settings", '{"a": 1}']) == {"a": 1}
    for arguments, message in ((["--settings"], "is missing"), (["--settings", "{"], "is no JSON")):
        with pytest.raises(ConfigError, match=message):
            read_settings(arguments)


def test_the_start_is_logged_once(study, tmp_path, monkeypatch, caplog):
    started = []
    monkeypatch.setattr("tabpo.processes.gpus.LOCKS", tmp_path / "locks")
    monkeypatch.setattr(launch, "run_torchrun", lambda plan: started.append(plan.command))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path / "kernels"))  # otherwise another run may hold its lock
    with caplog.at_level(logging.INFO), pytest.raises(SystemExit):
        launch.main(["sft", *study.sft(tmp_path, processes=2, gpus=2)])
    assert [record.getMessage() for record in caplog.records] == ["launch: sft, 2 processes, GPUs [0,1]"]
    assert "--nproc-per-node=2" in started[0]
    with pytest.raises(SystemExit):
        launch.main(["predict", "--settings", "{}"])


def test_a_worker_that_lost_its_parent_ends(monkeypatch):
    code = "from tabpo.processes.launch import worker_command; print(worker_command('sft', ['--x'])[1:])"
    monkeypatch.setenv(LAUNCHER, str(os.getpid()))
    alive = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert alive.stdout == "['-m', 'workflow_scripts.sft', '--x']\n"
    monkeypatch.setenv(LAUNCHER, "1234567")
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL


def test_leave_skips_the_end_of_the_interpreter():
    code = "import atexit; from tabpo.processes.launch import leave; atexit.register(print, 'ended'); print('said')"
    left = subprocess.run([sys.executable, "-c", f"{code}; leave()"], cwd=ROOT, capture_output=True, text=True)
    assert (left.returncode, left.stdout) == (0, "said\n")


LAUNCHING = """
import os, sys
from torch.distributed import run
from tabpo.processes.launch import Launch, run_torchrun

def wait_and_start(arguments):
    print("no worker yet", flush=True)
    os.read(0, 1)
    start(arguments)

start, run.main = run.main, wait_and_start
sys.exit(run_torchrun(Launch(["--standalone", sys.argv[1]], dict(os.environ), 1, [], torchrun=True)))
"""
WORKER = """
import sys, time
print("a worker", flush=True)
time.sleep(float(sys.stdin.readline() or 60))
print("it went on", flush=True)
"""


@pytest.fixture
def launching(tmp_path):
    """A launching process whose torchrun waits for one byte of input before it starts a worker."""
    (tmp_path / "worker.py").write_text(WORKER)
    command, pipe = [sys.executable, "-c", LAUNCHING, str(tmp_path / "worker.py")], subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout.readline() == "no worker yet\n"
        yield process


@pytest.mark.parametrize("number", SIGNALS)
def test_a_warning_before_the_first_worker_ends_that_worker(launching, number):
    launching.send_signal(number)
    out, said = launching.communicate(".")
    assert (launching.returncode, "it went on" in out) == (STOPPED, False), said[-4000:]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_warning_ends_a_worker_that_cannot_note_it_yet(launching, number):
    os.write(launching.stdin.fileno(), b".")
    assert launching.stdout.readline() == "a worker\n"
    launching.send_signal(number)
    out, said = launching.communicate()
    assert (launching.returncode, "it went on" in out) == (STOPPED, False), said[-4000:]


def test_a_failing_worker_is_an_error(launching):
    _, said = launching.communicate(".no number")
    assert launching.returncode == 1 and "ChildFailedError" in said


ENDED = """
import os, signal, sys
from torch.distributed import run
from tabpo.processes.launch import Launch, run_torchrun
run.main = lambda arguments: os.kill(os.getpid(), signal.SIGUSR1)
sys.exit(run_torchrun(Launch([], {}, 1, [], torchrun=True)))
"""


def test_a_warning_after_the_end_is_no_error():
    assert subprocess.run([sys.executable, "-c", ENDED], cwd=ROOT).returncode == 0


@pytest.mark.parametrize("number", SIGNALS)
def test_a_warned_run_ends_after_its_step_and_goes_on(study, tmp_path, monkeypatch, number):
    """The run stops after step 3 of 6, between two checkpoints; continued, it gives the bits of an unbroken run."""
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    train.main(study.train(unbroken))

    def warn_in_step_3(self, logs, *rest):
        if self.state.global_step == 3 and "grad_norm" in logs:  # excludes the summary at the end
            os.kill(os.getpid(), number)
        log(self, logs, *rest)

    log = StepTrainer.log
    with monkeypatch.context() as patch, pytest.raises(SystemExit) as end:
        patch.setattr(StepTrainer, "log", warn_in_step_3)
        train.main(study.train(broken))
    assert end.value.code == STOPPED
    assert complete_checkpoints(broken) == {"checkpoint-2", "checkpoint-3"}
    assert not (broken / "model").exists()
    train.main(study.train(broken))
    same(unbroken, broken, 0.0)


def test_a_warning_while_the_model_is_written_ends_nothing(study, tmp_path, monkeypatch):
    def write_warned(*arguments):
        os.kill(os.getpid(), signal.SIGUSR1)
        write(*arguments)

    write = run._write_model
    monkeypatch.setattr(run, "_write_model", write_warned)
    before = signal.signal(signal.SIGUSR1, lambda *_: pytest.fail("the warning ends the process"))
    try:
        sft.main(study.sft(tmp_path, steps=1))
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert (tmp_path / "model/manifest.json").exists() and (tmp_path / "provenance.json").exists()


def start(program: str, arguments: list[str], **environment: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "workflow_scripts.launch", program, *arguments]
    clean = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    return subprocess.Popen(command, cwd=ROOT, env=clean | environment, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen) -> str:
    said = process.communicate(timeout=400)[1]
    assert process.returncode == 0, said[-4000:]
    return said


def complete_checkpoints(folder: Path) -> set[str]:
    return {path.parent.name for path in folder.glob("checkpoints/*/checkpoint-*/COMPLETE")}


def same(first: Path, second: Path, tolerance: float) -> None:
    steps = [pd.read_parquet(folder / "training.parquet") for folder in (first, second)]
    pd.testing.assert_frame_equal(*steps, check_exact=False, rtol=tolerance, atol=tolerance)
    tensors = [load_file(folder / "model/model.safetensors") for folder in (first, second)]
    assert tensors[0].keys() == tensors[1].keys()
    assert max((tensors[0][name] - tensors[1][name]).abs().max().item() for name in tensors[0]) <= tolerance


needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="DeepSpeed compiles its CPU messages with g++")


@pytest.mark.slow
@needs_compiler
def test_deepspeed_on_two_processes_equals_one_process(study, tmp_path):
    """Steps and weights agree within 2e-5, since gradients are summed in another order. The workers `leave`."""
    tell = "import atexit, sys; atexit.register(lambda: print('the interpreter ended:', sys.argv[0], file=sys.stderr))"
    (tmp_path / "sitecustomize.py").write_text(tell)
    for program, main, arguments, deepspeed in (
        ("sft", sft.main, study.sft, "zero0"),
        ("train", train.main, study.train, "zero2_offload"),
    ):
        alone, shared = tmp_path / program / "alone", tmp_path / program / "shared"
        main(arguments(alone))
        two = arguments(shared, processes=2, deepspeed=deepspeed)
        said = finish(start(program, two, PYTHONPATH=str(tmp_path)))
        ended = re.findall(r"interpreter ended: .*?(\w+)\.py$", said, re.MULTILINE)
        assert "launch" in ended and program not in ended
        assert said.count(f"launch: {program}, 2 processes, GPUs []") == 1
        assert said.count("6 steps in") == 1  # only the first process logs
        same(alone, shared, 2e-5)


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="torch sees the GPUs of this machine")
def test_two_processes_whose_gpus_torch_does_not_see_train_as_one(study, tmp_path):
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    sft.main(study.sft(alone))
    said = finish(start("sft", study.sft(shared, processes=2, gpus=2), CUDA_VISIBLE_DEVICES="0,1"))
    assert said.count("launch: sft, 2 processes, GPUs [0,1]") == 1
    assert "the run requests 2 GPUs, but torch sees no CUDA: training on the CPU" in said
    assert json.loads((shared / "provenance.json").read_text())["gpu_seconds"] == 0
    same(alone, shared, 2e-5)
