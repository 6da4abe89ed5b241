"""What a call of Snakemake is refused for before Snakemake reads the study."""

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

from tabpo.errors import ConfigError
from workflow_scripts.check_study import main

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("-n --configfile none.yaml", "none.yaml: no such study (No such file or directory); accepted: a YAML file"),
        ("-n --configfile list.yaml", "list.yaml: has no keys at its top; accepted: a study"),
        ("--configfiles a.yaml b.yaml -n", "--configfile names a.yaml and b.yaml; accepted: one file"),
        ("--configfile a.yaml --configfile b.yaml", "--configfile names a.yaml and b.yaml; accepted: one file"),
        (
            "-n --configfile a.yaml results/a.csv report -c 1",
            "--configfile takes results/a.csv report for a study too; write -- before targets:"
            " --configfile a.yaml -- results/a.csv report",
        ),
    ],
)
def test_a_mistake_is_one_message(tmp_path, arguments, message):
    (tmp_path / "list.yaml").write_text("- a\n")
    with contextlib.chdir(tmp_path), pytest.raises(ConfigError) as error:
        main(arguments.split())
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    "arguments",
    ["-n", "-n all --configfile a.yaml --config seeds=[1] -q", "--configfile=a.yaml all", "--configfile a.yaml -- all"],
)
def test_what_snakemake_reads_as_one_study_passes(tmp_path, arguments):
    (tmp_path / "a.yaml").write_text("seeds: [1]\n")
    with contextlib.chdir(tmp_path):
        main(arguments.split())


@pytest.mark.parametrize("place", [ROOT, ROOT / "config"])
def test_snakemake_itself_ends_with_the_message(tmp_path, place):
    """From the checkout and from another folder: neither Snakemake's own message nor a traceback."""
    (tmp_path / "study.yaml").write_bytes("a: 1\nb: é\n".encode("latin-1"))
    command = [sys.executable, "-m", "snakemake", "-n", "--snakefile", "Snakefile" if place == ROOT else "../Snakefile"]
    done = subprocess.run(
        [*command, "--configfile", str(tmp_path / "study.yaml")], cwd=place, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"ConfigError: {tmp_path}/study.yaml, line 2: is not in UTF-8; accepted: a YAML file in UTF-8"
    )
    assert "Traceback" not in done.stderr
