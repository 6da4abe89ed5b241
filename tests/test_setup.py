"""`make setup` without a network: its refusals, its second call and its profile links; and that pins agree."""

import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parents[1]
PROFILES = ("local", "gpus", "slurm", "sge", "pbs", "lsf", "htcondor")
TOOLS = ("bash", "awk", "cat", "cut", "df", "dirname", "du", "git", "grep", "head", "ln", "mkdir", "rm")


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "checkout"
    for name in ("envs", "profiles"):
        shutil.copytree(PROJECT / name, folder / name)
    return folder


@pytest.fixture
def tools(tmp_path):
    """A folder for PATH with the tools that the set-up calls; tests add a python3 or remove a tool."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for tool in TOOLS:
        (folder / tool).symlink_to(shutil.which(tool))
    return folder


def write_program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{shutil.which('bash')}\n{text}\n")
    path.chmod(0o755)


def set_up(checkout, path, **environment):
    base = {"PATH": str(path), "HOME": str(checkout.parent), "XDG_CONFIG_HOME": str(checkout.parent / "config")}
    return subprocess.run(
        [checkout / "envs/setup.sh"], env=base | environment, capture_output=True, text=True, cwd=checkout.parent
    )


def refusal(result):
    assert result.returncode == 1
    line = result.stderr.strip()
    assert line.startswith("set-up: ") and "\n" not in line
    return line


def test_old_python_is_refused(checkout, tools):
    write_program(tools / "python3", 'if [ "$1" = --version ]; then echo Python 3.10.2; else exit 1; fi')
    assert "needs Python 3.11, 3.12 or 3.13; python3 is Python 3.10.2" in refusal(set_up(checkout, tools))


def test_no_python_is_refused(checkout, tools):
    assert "python3 is missing" in refusal(set_up(checkout, tools))


def test_no_git_is_refused(checkout, tools):
    (tools / "python3").symlink_to(sys.executable)
    (tools / "git").unlink()
    assert "needs git" in refusal(set_up(checkout, tools))


def test_no_venv_module_is_refused(checkout, tools):
    write_program(tools / "python3", f'case "$*" in *ensurepip*) exit 1;; esac; exec {sys.executable} "$@"')
    assert "has no venv module" in refusal(set_up(checkout, tools))


def test_full_disk_is_refused(checkout, tools):
    (tools / "python3").symlink_to(sys.executable)
    (tools / "df").unlink()
    write_program(tools / "df", "echo head; echo /dev/x 100 50 1048576 50% /")
    assert "needs 4 GB of disk" in refusal(set_up(checkout, tools))


@pytest.mark.slow
def test_no_package_index_is_one_line(checkout, tools):
    (tools / "python3").symlink_to(sys._base_executable)
    nowhere = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
    result = set_up(checkout, tools, **nowhere)
    assert result.stderr.splitlines()[-1].startswith("set-up: no package index answered")
    assert not (checkout / ".venv/tabpo-setup").exists()


@pytest.fixture
def installed(checkout, tools):
    """A checkout with the stamp of a finished set-up."""
    write_program(checkout / ".venv/bin/python", f'exec {sys.executable} "$@"')
    (tools / "python3").symlink_to(sys.executable)
    source = (checkout / "envs/setup.sh").read_text()
    stamp = re.search(r"^wanted_stamp\(\) \{\n.*?^\}\n", source, re.M | re.S).group()
    script = f"{stamp}python={sys.executable}; wanted_stamp > .venv/tabpo-setup"
    subprocess.run(["bash", "-c", script], cwd=checkout, check=True)
    return checkout


def links(checkout):
    folder = checkout.parent / "config/snakemake"
    return {name: os.path.realpath(folder / name) for name in PROFILES}


def profiles(checkout):
    return {name: str(checkout / "profiles" / name) for name in PROFILES}


def test_second_call_installs_nothing_and_is_silent(installed, tools):
    first, second = set_up(installed, tools), set_up(installed, tools)
    assert (first.returncode, second.returncode, second.stdout, second.stderr) == (0, 0, "", "")
    assert links(installed) == profiles(installed)


def test_changed_pins_are_installed_again(installed, tools):
    with (installed / "envs/requirements.txt").open("a") as file:
        file.write("another==1.0\n")
    write_program(installed / ".venv/bin/python", 'echo "$@" >>calls; case "$*" in *pip*) exit 1;; esac')
    result = set_up(installed, tools)
    assert result.returncode == 1
    assert "torch==2.13.0" in (installed / "calls").read_text()
    assert not (installed / ".venv/tabpo-setup").exists()


def test_a_profile_that_the_user_made_is_kept(installed, tools):
    profile = installed.parent / "config/snakemake/slurm"
    profile.mkdir(parents=True)
    (profile / "config.yaml").write_text("executor: slurm\njobs: 3\n")
    result = set_up(installed, tools)
    assert result.returncode == 0
    assert result.stderr.count("\n") == 1
    assert "slurm is not a link to this project and is kept" in result.stderr
    assert (profile / "config.yaml").read_text().endswith("jobs: 3\n")
    assert links(installed)["local"] == profiles(installed)["local"]


@pytest.mark.parametrize("moved", [False, True])
def test_a_link_to_another_checkout_follows_the_last_set_up(installed, tools, moved):
    other = installed.parent / "other/profiles/slurm"
    link = installed.parent / "config/snakemake/slurm"
    link.parent.mkdir(parents=True)
    link.symlink_to(other)
    if not moved:
        shutil.copytree(PROJECT / "profiles/slurm", other)
    assert set_up(installed, tools).stderr == ""
    assert links(installed) == profiles(installed)


def pins(path):
    lines = [line for line in (PROJECT / path).read_text().splitlines() if line and not line.startswith("#")]
    pairs = [re.fullmatch(r"([A-Za-z0-9_.-]+)==([A-Za-z0-9_.+-]+)", line) for line in lines]
    assert all(pairs), f"{path}: every line is name==version"
    names = [re.sub(r"[-_.]+", "-", pair[1]).lower() for pair in pairs]
    assert len(set(names)) == len(names), f"{path}: a package twice"
    return dict(zip(names, (pair[2] for pair in pairs), strict=True))


def test_no_package_is_pinned_twice():
    assert not pins("envs/requirements.txt").keys() & pins("envs/constraints.txt").keys()


@pytest.mark.parametrize("name", ["train", "eval"])
def test_conda_environments_have_the_same_pins(name):
    *_, pip = yaml.safe_load((PROJECT / f"envs/{name}.yaml").read_text())["dependencies"]
    assert set(pip["pip"]) <= set((PROJECT / "envs/requirements.txt").read_text().splitlines())


def test_the_environments_of_vllm_have_the_same_pins():
    pins = [line for line in (PROJECT / "envs/vllm.txt").read_text().splitlines() if not line.startswith("#")]
    *_, pip = yaml.safe_load((PROJECT / "envs/vllm.yaml").read_text())["dependencies"]
    assert pip["pip"] == pins
    assert set(pins[1:]) <= set((PROJECT / "envs/requirements.txt").read_text().splitlines())


def test_keys_that_profiles_share_are_the_same():
    local, gpus, *clusters = (
        yaml.safe_load((PROJECT / f"profiles/{name}/config.yaml").read_text()) for name in PROFILES
    )
    assert gpus == local | {"resources": ["gpu=1"]}
    on_one_machine = {key: local[key] for key in ("keep-going", "rerun-incomplete", "show-failed-logs")}
    everywhere = on_one_machine | {key: clusters[0][key] for key in ("jobs", "latency-wait")}
    for cluster in clusters:
        assert {key: cluster[key] for key in everywhere} == everywhere
        assert clusters[0]["default-resources"].items() <= cluster["default-resources"].items()


@pytest.mark.parametrize("name", PROFILES[2:])
def test_an_example_of_the_facts_of_a_site_adds_to_its_profile(name):
    """It names rules that exist, and keeps the defaults that it replaces as a whole."""
    example = yaml.safe_load((PROJECT / f"profiles/{name}/site.yaml").read_text())
    profile = yaml.safe_load((PROJECT / f"profiles/{name}/config.yaml").read_text())
    assert profile["default-resources"].items() <= example["default-resources"].items()
    rules = "\n".join(path.read_text() for path in PROJECT.glob("rules/*.smk"))
    with_gpu = set(re.findall(r"rule (\w+):(?:(?!\n(?:use )?rule).)*?gpu=\w+_gpus", rules, re.S))
    with_gpu |= {match[2] for match in re.finditer(r"use rule (\w+) as (\w+) with", rules) if match[1] in with_gpu}
    assert example["set-resources"].keys() == with_gpu


@pytest.mark.parametrize("name", PROFILES[2:])
def test_each_entry_of_a_profile_of_a_cluster_is_explained(name):
    lines = (PROJECT / f"profiles/{name}/config.yaml").read_text().splitlines()
    unexplained = [line for before, line in pairwise(lines) if re.match(r"[a-z]", line) and not before.startswith("#")]
    assert unexplained == []


def test_nothing_hides_a_profile():
    default = yaml.safe_load((PROJECT / "profiles/default/config.yaml").read_text())
    assert set(default) == {"__use_yte__", "__definitions__"}  # an option there would override that of --profile
    assert not any((PROJECT / name).exists() for name in PROFILES)  # --profile would take these first
