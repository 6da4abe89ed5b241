"""The checkpoint that a run resumes from, and the lock that gives a run one writer."""

import json
import os
import subprocess
import sys

import pytest

from tabpo.errors import DataError
from tabpo.training.checkpoints import COMPLETE, mark_complete, newest_complete, run_key, single_writer


def checkpoint(folder, step, processes=1, *, complete=True):
    path = folder / f"checkpoint-{step}"
    (path / "inner").mkdir(parents=True)
    (path / "weights").write_text(f"weights of step {step}")
    (path / "inner/optimizer").write_text("moments")
    if complete:
        mark_complete(path, processes)
    return path


def test_key_depends_on_settings_and_inputs():
    keys = {run_key("a", {"x": "1"}), run_key("b", {"x": "1"}), run_key("a", {"x": "2"}), run_key("a", {"y": "1"})}
    assert len(keys) == 4 and all(len(key) == 12 for key in keys)
    assert run_key("a", {"x": "1", "y": "2"}) == run_key("a", {"y": "2", "x": "1"})


def test_newest_by_step_not_by_name(tmp_path):
    for step in (9, 100, 20):
        checkpoint(tmp_path, step)
    assert newest_complete(tmp_path, 1).name == "checkpoint-100"


def test_two_checkpoints_are_kept(tmp_path):
    for step in (2, 4, 6, 8):
        checkpoint(tmp_path, step)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-6", "checkpoint-8"]


def test_without_a_folder_there_is_no_checkpoint(tmp_path):
    assert newest_complete(tmp_path / "missing", 1) is None


@pytest.mark.parametrize("fault", ["no mark", "a file is missing", "a file is cut", "a file in a folder is changed"])
def test_an_incomplete_checkpoint_is_removed_and_the_previous_one_used(tmp_path, fault):
    checkpoint(tmp_path, 2)
    newest = checkpoint(tmp_path, 4, complete=fault != "no mark")
    if fault == "a file is missing":
        (newest / "weights").unlink()
    if fault == "a file is cut":
        os.truncate(newest / "weights", 3)
    if fault == "a file in a folder is changed":
        (newest / "inner/optimizer").write_text("momenta")
    assert newest_complete(tmp_path, 1).name == "checkpoint-2"
    assert not newest.exists()


def test_the_mark_names_every_file(tmp_path):
    mark = json.loads((checkpoint(tmp_path, 2) / COMPLETE).read_text())
    assert sorted(mark["sha256"]) == ["inner/optimizer", "weights"]


def test_another_number_of_processes_is_refused_with_advice(tmp_path):
    checkpoint(tmp_path, 2, processes=4)
    with pytest.raises(DataError, match=r"written by 4 processes .* not by 2: set `processes: 4`, or remove"):
        newest_complete(tmp_path, 2)
    assert newest_complete(tmp_path, 4).name == "checkpoint-2"


def test_a_second_writer_is_refused_and_a_later_one_is_not(tmp_path):
    folder = tmp_path / "run"
    with single_writer(folder):
        with (
            pytest.raises(DataError, match=rf"run: process {os.getpid()} on .* is writing this run"),
            single_writer(folder),
        ):
            pass
        assert folder.exists()
    assert not folder.exists()
    with single_writer(folder):
        (folder / "key").mkdir()
    assert [path.name for path in folder.iterdir()] == ["key"]


def test_a_second_start_of_one_job_waits_for_the_first(tmp_path, monkeypatch):
    """Another process of the same job holds the lock for a second; of another job it is refused with the command."""
    code = (
        "import sys, time, pathlib\n"
        "from tabpo.training.checkpoints import single_writer\n"
        "with single_writer(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True); time.sleep(2)\n"
    )
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    first = subprocess.Popen([sys.executable, "-c", code, tmp_path / "run"], stdout=subprocess.PIPE, text=True)
    assert first.stdout.readline() == "held\n"
    with monkeypatch.context() as other:
        other.setenv("SLURM_JOB_ID", "8")
        with pytest.raises(DataError, match=r"scheduler job 7\) is writing this run; .* \(scancel 7\)"):
            single_writer(tmp_path / "run").__enter__()
    with single_writer(tmp_path / "run") as waited:
        assert waited and first.wait() == 0
    with single_writer(tmp_path / "run") as waited:
        assert not waited


def test_the_lock_of_a_killed_process_is_released(tmp_path):
    code = (
        "import os, sys, signal, pathlib\n"
        "from tabpo.training.checkpoints import single_writer\n"
        "with single_writer(pathlib.Path(sys.argv[1])):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path / "run"], check=False).returncode == -9
    assert (tmp_path / "run/lock").exists()
    with single_writer(tmp_path / "run"):
        pass
    assert not (tmp_path / "run").exists()
