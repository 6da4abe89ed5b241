"""Options of qsub, submission and the end of jobs of Grid Engine and PBS; stand-ins answer as the vendors document."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tabpo.processes import qsub
from tabpo.processes.qsub import Job, grid_engine_options, pbs_options, read_job

PROJECT = Path(__file__).parents[2]
LOGS = Path("/study/.snakemake/qsub")
PLAIN = Job(name="score", threads=1, mem_mb=2000, minutes=30, gpus=0, site={})
LARGE = Job(name="held_out_logps_of", threads=3, mem_mb=1000, minutes=2880, gpus=2, site={"qsub": "-q gpu -P 'a b'"})


def script(folder, kind="single", **resources):
    """A job script as Snakemake writes it from the profile's."""
    name = {"rule": "train"} if kind == "single" else {"groupid": "answers"}
    resources = {"mem_mb": 900, "runtime": 10, **resources}
    properties = {"type": kind, **name, "local": False, "threads": 2, "resources": resources, "jobid": 1}
    template = (PROJECT / "profiles/sge/jobscript.sh").read_text()
    path = folder / "snakejob.sh"
    path.write_text(template.format(properties=json.dumps(properties), exec_job="true"))
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(("kind", "name"), [("single", "train"), ("group", "answers")])
def test_a_job_script_says_what_the_job_asks_for(tmp_path, kind, name):
    job = read_job(script(tmp_path, kind, gpu=4, qsub="-q gpu", tmpdir="/tmp"))
    assert job == Job(name, threads=2, mem_mb=900, minutes=10, gpus=4, site={"qsub": "-q gpu", "tmpdir": "/tmp"})


@pytest.mark.parametrize(("minutes", "warned_after"), [(1, 54), (10, 540), (2880, 2880 * 60 - 600)])
def test_a_job_is_warned_a_tenth_of_its_time_before_the_end(minutes, warned_after):
    assert Job("any", 1, 1, minutes, 0, {}).warning_s == warned_after


def after(option, options):
    return [options[place + 1] for place, word in enumerate(options) if word == option]


def test_grid_engine_counts_memory_by_slot_and_gpus_by_job():
    assert after("-l", grid_engine_options(PLAIN, LOGS)) == ["h_rt=0:30:00,mem_free=2000M"]
    assert "-pe" not in grid_engine_options(PLAIN, LOGS)
    options = grid_engine_options(LARGE, LOGS)
    assert after("-l", options) == ["h_rt=48:00:00,mem_free=334M,gpu=2"]  # 1000 / 3, rounded up
    assert options[options.index("-pe") :][:3] == ["-pe", "smp", "3"]
    assert options[-4:] == ["-q", "gpu", "-P", "a b"]


def test_a_site_names_grid_engine_s_resources():
    names = {"sge_memory": "m_mem_free", "sge_gpu": "ngpus", "sge_pe": "threads"}
    options = grid_engine_options(Job("any", 2, 100, 1, 1, names), LOGS)
    assert after("-l", options) == ["h_rt=0:01:00,m_mem_free=50M,ngpus=1"] and after("-pe", options) == ["threads"]


def test_pbs_asks_for_one_chunk():
    assert after("-l", pbs_options(PLAIN, LOGS)) == ["select=1:ncpus=1:mem=2000mb", "walltime=0:30:00"]
    options = pbs_options(LARGE, LOGS)
    assert after("-l", options) == ["select=1:ncpus=3:mem=1000mb:ngpus=2", "walltime=48:00:00"]
    assert after("-N", options) == ["held_out_logps_"]  # 15 characters
    assert options[-4:] == ["-q", "gpu", "-P", "a b"]


@pytest.fixture
def call(tmp_path):
    """Call a program of a profile in a folder, with stand-ins for the scheduler's commands on PATH."""
    stand_ins = tmp_path / "bin"
    stand_ins.mkdir()
    (stand_ins / "python").symlink_to(sys.executable)

    def called(program, *arguments, **commands):
        for command, lines in commands.items():
            (stand_ins / command).write_text(f"#!{shutil.which('bash')}\n{lines}\n")
            (stand_ins / command).chmod(0o755)
        environment = os.environ | {"PATH": f"{stand_ins}:{os.environ['PATH']}"}
        command = [PROJECT / "profiles" / program, *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    return called


@pytest.mark.parametrize(("program", "answer"), [("sge/submit", "123"), ("pbs/submit", "123.server")])
def test_submit_prints_the_id_and_tells_the_script_what_it_needs(tmp_path, call, program, answer):
    said = call(
        program, script(tmp_path), qsub=f'echo "$TABPO_WARNING_S $TABPO_ENDED ${{@: -1}}" >asked; echo {answer}'
    )
    assert (said.returncode, said.stdout) == (0, f"{answer}\n"), said.stderr
    assert (tmp_path / "asked").read_text().split() == ["540", f"{tmp_path}/.snakemake/qsub", f"{tmp_path}/snakejob.sh"]


def test_a_refused_request_ends_with_the_words_of_qsub(tmp_path, call):
    refused = 'Unable to run job: job rejected: the requested project "nope" does not exist'
    said = call("sge/submit", script(tmp_path), qsub=f"echo '{refused}' >&2; exit 1")
    assert (said.returncode, said.stderr) == (1, f"qsub: {refused}\n")


@pytest.mark.parametrize(
    "words",
    [
        "error: commlib error: got select error (Connection refused)",
        'unable to send message to qmaster using port 6444 on host "head": got send error',
        "Connection refused\nqsub: cannot connect to server head (errno=111)",
    ],
)
def test_a_silent_server_is_asked_again_and_at_last_given_up(tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    answers = iter([(1, "", words), (1, "", words), (0, "7\n", "")])
    monkeypatch.setattr(
        qsub.subprocess, "run", lambda command, **options: subprocess.CompletedProcess(command, *next(answers))
    )
    assert qsub.submit(PLAIN, pbs_options, Path("script"), pauses=[0, 0]) == "7"
    answers = iter([(1, "", words)] * 2)
    with pytest.raises(SystemExit, match="qsub: "):
        qsub.submit(PLAIN, pbs_options, Path("script"), pauses=[0])


LISTED = """\
job-ID  prior   name       user         state submit/start at     queue                          slots ja-task-ID
-----------------------------------------------------------------------------------------------------------------
      7 0.50000 train      me           r     12/01/2026 08:45:10 main@node                          1
      8 0.50000 train      me           Eqw   12/01/2026 08:45:10                                    1
"""
PBS_LISTED = """\
Job id            Name             User              Time Use S Queue
----------------  ---------------- ----------------  -------- - -----
7.server          train            me                00:00:01 R main
"""


@pytest.mark.parametrize(
    ("program", "job", "qstat", "state"),
    [
        ("sge/status", "7", f"cat <<'END'\n{LISTED}END", "running"),
        ("sge/status", "9", f"cat <<'END'\n{LISTED}END", "gone"),
        ("sge/status", "8", f"cat <<'END'\n{LISTED}END", "gone"),
        ("sge/status", "7", ":", "gone"),  # without jobs qstat prints nothing
        ("sge/status", "7", "echo 'error: commlib error' >&2; exit 1", "running"),
        ("pbs/status", "7.server", f"cat <<'END'\n{PBS_LISTED}END", "running"),
        ("pbs/status", "7.server", "echo 'qstat: Unknown Job Id 7.server' >&2; exit 153", "gone"),
        (
            "pbs/status",
            "7.server",
            "echo 'qstat: 7.server Job has finished, use -x or -H to obtain historical job information' >&2; exit 35",
            "gone",
        ),
        ("pbs/status", "7.server", "echo 'qstat: cannot connect to server head (errno=111)' >&2; exit 111", "running"),
    ],
)
def test_a_job_runs_while_the_scheduler_names_it_or_is_silent(tmp_path, call, program, job, qstat, state):
    """A job that is gone without an end counts as running for a minute, since the file with its end may come late."""
    ended = tmp_path / ".snakemake/qsub"
    ended.mkdir(parents=True)
    asked = [call(program, job, qstat=qstat, qdel="echo $1 >deleted").stdout]
    if state == "gone":
        missed = ended / f"{job}.missed"
        os.utime(missed, (0, time.time() - 61))
    asked.append(call(program, job).stdout)
    assert asked == ["running\n", "running\n" if state == "running" else "failed\n"]
    assert (tmp_path / "deleted").exists() == (job == "8")
    (ended / f"{job}.code").write_text("0\n")
    assert call(program, job).stdout == "success\n"
    (ended / f"{job}.code").write_text("1\n")
    assert call(program, job).stdout == "failed\n"


def run_script(folder, exec_job, **environment):
    template = (PROJECT / "profiles/sge/jobscript.sh").read_text()
    path = folder / "job.sh"
    path.write_text(template.format(properties="{}", exec_job=exec_job))
    base = {"TABPO_ENDED": str(folder), "TABPO_WARNING_S": "60", "PBS_JOBID": "7.server"}
    base |= {"PATH": os.defpath, "TABPO_PATH": os.environ["PATH"]}
    return subprocess.run(["bash", path], env=base | environment, start_new_session=True, check=False).returncode


@pytest.mark.parametrize("code", [0, 3])
def test_the_script_of_a_job_writes_how_it_ended(tmp_path, code):
    assert run_script(tmp_path, f"cd / && exit {code}") == code
    assert (tmp_path / "7.server.code").read_text() == f"{code}\n"


WARNED = "python3 -c 'import signal, sys; signal.signal(signal.SIGUSR1, lambda *_: sys.exit(75)); signal.pause()'"


def test_a_warned_job_of_pbs_fails_and_one_of_grid_engine_asks_to_be_queued_again(tmp_path):
    assert run_script(tmp_path, WARNED, TABPO_WARNING_S="1") == 75
    assert (tmp_path / "7.server.code").read_text() == "75\n"
    (tmp_path / "7.server.code").unlink()
    assert run_script(tmp_path, WARNED, TABPO_WARNING_S="1", SGE_ROOT="/sge", JOB_ID="7") == 99
    assert not list(tmp_path.glob("*.code"))


def test_a_warned_job_that_succeeds_has_ended(tmp_path):
    ends_well = WARNED.replace("sys.exit(75)", "sys.exit(0)")
    assert run_script(tmp_path, ends_well, TABPO_WARNING_S="1", SGE_ROOT="/sge", JOB_ID="7") == 0
    assert (tmp_path / "7.code").read_text() == "0\n"
