"""What LSF and HTCondor are asked for, and the profile lsf on stand-ins that answer as IBM documents."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from rules.other_schedulers import words_of_htcondor, words_of_lsf

PROJECT = Path(__file__).parents[1]


def test_lsf_is_asked_for_gpus_before_the_site_s_options():
    assert words_of_lsf({"gpu": 2, "mem_mb": 900}) == {"lsf_extra": "-gpu num=2"}
    assert words_of_lsf({"gpu": 1, "lsf_extra": "-R select[a]"}) == {"lsf_extra": "-gpu num=1 -R select[a]"}
    assert words_of_lsf({"gpu": 0, "lsf_extra": "-R select[a]"}) == {}  # the site's options stay


def test_htcondor_is_asked_for_memory_and_gpus():
    assert words_of_htcondor({"mem_mb": 900}) == {"htcondor_request_mem_mb": 900}
    assert words_of_htcondor({"mem_mb": 900, "gpu": 2}) == {"htcondor_request_mem_mb": 900, "request_gpus": 2}


@pytest.mark.skipif(find_spec("snakemake_executor_plugin_lsf") is None, reason="needs envs/lsf.txt")
def test_a_job_of_lsf_asks_for_its_gpus_and_ends_well(tmp_path):
    folder = tmp_path / "lsf/lsbatch/tabpo/configdir"
    folder.mkdir(parents=True)
    (folder / "lsb.params").write_text("Begin Parameters\nDEFAULT_QUEUE = normal\nEnd Parameters\n")
    commands = {
        "badmin": f"printf 'MBD configuration\nLSB_SHAREDIR = {tmp_path}\nLSF_CONFDIR = {tmp_path}/lsf\n'",
        "lsclusters": "echo 'CLUSTER_NAME STATUS'; echo 'tabpo ok'",
        "bhist": "exit 1",
        "bsub": f'echo "$@" >>{tmp_path}/asked; bash -c "${{@: -1}}" >{tmp_path}/job.log 2>&1; '
        "echo 'Job <7> is submitted to queue <normal>.'",
        "bjobs": "echo '7 DONE'",
    }
    (tmp_path / "bin").mkdir()
    for name, lines in commands.items():
        (tmp_path / "bin" / name).write_text(f"#!{shutil.which('bash')}\n{lines}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "site.yaml").write_text(
        "default-resources: {mem_mb: 700, runtime: 5, gpu: 1, lsf_project: mine}\n"
        "set-resources: {work: {lsf_extra: \"'-R select[a100]'\"}}\nlatency-wait: 5\n"
    )
    command = ["snakemake", "--profile", PROJECT / "profiles/lsf", "--profile", tmp_path / "site.yaml"]
    command += ["--snakefile", PROJECT / "tests/slurm/faults.smk"]
    command += ["--config", f"project={PROJECT}", "names=a", "steps=1"]
    path = f"{tmp_path}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}"
    ran = subprocess.run(command, cwd=tmp_path, env=os.environ | {"PATH": path}, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-4000:]
    assert (tmp_path / "out/a/result").read_text() == "1\n"
    asked = (tmp_path / "asked").read_text()
    for words in (" -P mine -q normal -W 5 -n 1 ", " -R rusage[mem=700.0] ", " -gpu num=1 -R select[a100] "):
        assert words in asked
