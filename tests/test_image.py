"""The image is made from the pins of envs/, and jobs run in it with the code of the checkout."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[1]
DOCKERFILE = (PROJECT / "envs/Dockerfile").read_text()
STEPS = re.findall(r"^([A-Z]+) ((?:.*\\\n)*.*)$", DOCKERFILE, re.M)


def test_packages_come_from_the_set_up_alone():
    """Debian gives tools without versions; every Python package is installed by envs/setup.sh, from the pins."""
    runs = [text for step, text in STEPS if step == "RUN"]
    assert sum("envs/setup.sh" in run for run in runs) == 1
    assert not re.search(r"\bpip\b|conda|==", " ".join(runs).replace("PIP_NO_CACHE_DIR", ""))


def test_the_set_up_finds_what_it_reads():
    """The rest is copied after it, so that changed code keeps the layer with the packages."""
    script = (PROJECT / "envs/setup.sh").read_text()
    read = {path.split("/")[0] for path in re.findall(r"\b((?:envs|profiles)/)", script)}
    before = DOCKERFILE.partition("envs/setup.sh\n")[0]
    assert {source for step, text in STEPS if step == "COPY" for source in [text.split()[0]] if text in before} == read


def test_debian_has_a_python_that_the_set_up_accepts():
    assert "FROM debian:bookworm-slim\n" in DOCKERFILE  # Python 3.11
    assert "(3, 11) <= sys.version_info[:2] <= (3, 13)" in (PROJECT / "envs/setup.sh").read_text()


def test_jobs_run_in_the_image_that_is_named(tmp_path):
    """A stand-in for apptainer runs the command outside of any container."""
    (tmp_path / "bin").mkdir()
    stand_in = tmp_path / "bin/apptainer"
    stand_in.write_text(
        f"#!{shutil.which('bash')}\n"
        'if [ "$1" = --version ]; then echo apptainer version 1.4.0; exit; fi\n'
        f'echo "$@" >>{tmp_path}/calls\nexec bash -c "${{@: -1}}"\n'
    )
    stand_in.chmod(0o755)
    image = tmp_path / "tabpo.sif"
    image.touch()
    target = "results/demo/demo_abstracts/documents/train.parquet"
    command = ["snakemake", "--cores", "1", "--snakefile", PROJECT / "Snakefile", "--sdm", "apptainer"]
    command += ["--apptainer-args=--nv --bind /data", "--configfile", PROJECT / "config/demo.yaml", "--", target]
    path = f"{tmp_path}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "TABPO_IMAGE": str(image)}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-4000:]
    assert (tmp_path / target).exists()
    (call,) = (tmp_path / "calls").read_text().splitlines()
    assert call.startswith("exec ") and " --nv --bind /data " in call and f" {image} bash -c " in call
    assert f"export PYTHONPATH={PROJECT};" in call
