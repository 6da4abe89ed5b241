"""Programs that need a GPU: their refusal without one, their inputs, and how `gpu` runs them one after the other."""

import json
import os
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest
import torch
import yaml

from benchmarks import curves, gpu, gpu_parts, made_study, pair_step, random_model
from tabpo.errors import DataError
from tabpo.models.loading import load_model
from tabpo.models.manifest import read_manifest
from tabpo.records import Pair, TrainingStep, read_records, write_records
from tests.training.conftest import _tokenizer as make_tokenizer

ON_A_GPU = {
    "pair_step": "--device cuda --model 1.5b --prompt 1200 --completion 300 --precisions bf16 --lora --peak 989",
    "sft_step": "--device cuda --model 1.5b --prompts 600 1800 --completions 100 500 --precisions bf16",
    "method_step": "--gpus 1",
    "otpo_weights": "--device cuda",
}


@pytest.mark.skipif(torch.cuda.is_available(), reason="it would run")
@pytest.mark.parametrize("name", ON_A_GPU)
def test_a_program_says_that_there_is_no_gpu(name, monkeypatch):
    monkeypatch.setattr(sys, "argv", [name, *ON_A_GPU[name].split()])
    with pytest.raises(SystemExit, match="this asks for a GPU, and torch sees none"):
        import_module(f"benchmarks.{name}").main()


def test_every_loss_of_the_project_is_in_the_study():
    config = Path(__file__).parents[1] / "config"
    study, presets = (yaml.safe_load((config / name).read_text()) for name in ("gpu.yaml", "methods.yaml"))
    assert set(study["methods"]) == {preset["loss"] for preset in presets["matched"].values()}
    assert study["training"]["preference"]["steps"] == 50


def test_random_weights_can_be_trained(tmp_path):
    make_tokenizer().save_pretrained(tmp_path / "tokenizer")
    random_model.main(
        ["--shape", "4m", "--tokenizer", str(tmp_path / "tokenizer"), "--output", str(tmp_path / "model")]
    )
    model = load_model(tmp_path / "model", {"precision": "fp32", "attention": "sdpa"})
    assert (model.config.num_hidden_layers, model.config.vocab_size, model.config.eos_token_id) == (4, 4096, 1)
    assert read_manifest(tmp_path / "model")["kind"] == "weights"


def write_course(results, method, losses):
    folder = results / "demo_abstracts/random" / method / "seed1"
    folder.mkdir(parents=True)
    rest = {"epoch": 0.0, "learning_rate": 0.0, "grad_norm": 0.0}
    steps = [TrainingStep(step=number, loss=loss, **rest) for number, loss in enumerate(losses, start=1)]
    write_records(folder / "training.parquet", TrainingStep, steps)


def test_the_distance_between_two_courses_of_training(tmp_path, capsys):
    # dpo: (0.02 + 0.06) / 2 / 0.8 = 0.05, the band itself; ipo: (0 + 1) / 2 / 4 = 0.125
    for results, dpo, ipo in (("fp32", [0.8, 0.4], [-4.0, 2.0]), ("zero2", [0.78, 0.46], [-4.0, 3.0])):
        write_course(tmp_path / results, "dpo", dpo)
        write_course(tmp_path / results, "ipo", ipo)
    write_course(tmp_path / "fp32", "sft", [1.0])
    with pytest.raises(SystemExit) as end:
        curves.main([str(tmp_path / "fp32"), str(tmp_path / "zero2")])
    assert end.value.code == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["off"], row["inside"]) for row in rows] == [(0.05, True), (0.125, False)]
    with pytest.raises(SystemExit) as end:
        curves.main([str(tmp_path / "fp32"), str(tmp_path / "fp32")])
    assert end.value.code == 0


def test_a_missing_or_shorter_run_is_refused(tmp_path):
    write_course(tmp_path / "fp32", "dpo", [0.8, 0.4])
    write_course(tmp_path / "zero2", "dpo", [0.8])
    with pytest.raises(DataError, match="run demo_abstracts/random/dpo/seed1 has 1 steps; expected: 2"):
        curves.main([str(tmp_path / "fp32"), str(tmp_path / "zero2")])
    with pytest.raises(DataError, match=r"no training\.parquet of a loss"):
        curves.losses(tmp_path / "zero3")


PROGRAM = """
import subprocess, sys, time
print('{"step": 1, "of": {"ours": 2.5}}', flush=True)
print('{"step": 2, "of": {"ours": 3.5}}', flush=True)
print('{"cut in the mid', end="", flush=True)
if sys.argv[1] == "slow":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    open(sys.argv[2], "w").write(str(child.pid))
    time.sleep(60)
sys.exit("no memory | left")
"""


@pytest.fixture
def part(tmp_path, monkeypatch):
    """A function that makes a part which prints two rows and then waits, fails, or is not started."""
    (tmp_path / "stand_in.py").write_text(PROGRAM)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def made(how, limit_s=30, **named):
        return gpu.Part("losses", "A step", limit_s, f"stand_in {how} {tmp_path}/pid", **named)

    return made


def test_a_part_that_takes_too_long_ends_with_its_programs_and_keeps_its_rows(part, tmp_path):
    result = gpu.measure(part("slow", limit_s=3), "cuda", 1.0, 1.0)
    assert (result["ended"], result["why"]) == ("cut", "it took longer than 3 s")
    assert result["rows"] == [{"step": 1, "of": {"ours": 2.5}}, {"step": 2, "of": {"ours": 3.5}}]
    with pytest.raises(ProcessLookupError):
        for _ in range(100):  # until its ended child is collected
            os.kill(int((tmp_path / "pid").read_text()), 0)
            time.sleep(0.1)


def test_a_part_that_fails_keeps_the_end_of_its_messages_and_others_are_left_out(part):
    failed = gpu.measure(part("fail"), "cuda", 1.0, 1.0)
    assert (failed["ended"], failed["why"], len(failed["rows"])) == ("failed", "no memory | left", 2)
    missing = gpu.measure(part("fail", needs=("json", "no_such_package")), "cuda", 1.0, 1.0)
    assert (missing["ended"], missing["why"]) == ("left out", "not installed: no_such_package")
    assert gpu.measure(part("fail", only_gpu=True), "cpu", 1.0, 1.0)["why"] == "needs a GPU"
    page = gpu.page("cuda", {"losses": failed, "memory": missing})
    assert "| losses | failed" in page and "no memory / left" in page
    assert "|   step |   of ours |" in page.replace("| step   | of ours   |", "|   step |   of ours |")
    assert "| 2 " in page and "3.5" in page


def test_all_parts_fit_into_eight_minutes_and_have_programs():
    assert sum(part.limit_s for part in gpu.PARTS) <= 480
    gpu_only = {part.name for part in gpu.PARTS if part.command.startswith("benchmarks.gpu_parts")}
    assert gpu_only == set(gpu_parts.PARTS) and {part.name for part in gpu.PARTS} - gpu_only == {"pair_step"}
    assert gpu_parts.losses.__globals__["LOSSES"] == pair_step.LOSSES


def test_made_pairs_differ_in_one_label(tmp_path):
    made_study.make_inputs(tmp_path, hidden_size=16, layers=1, documents=6)
    pairs = read_records(tmp_path / "pairs.parquet", Pair)
    assert len(pairs) >= 6
    for pair in pairs:
        chosen, rejected = (json.loads(answer)["entities"] for answer in (pair.chosen, pair.rejected))
        (changed,) = [number for number, both in enumerate(zip(chosen, rejected, strict=True)) if both[0] != both[1]]
        (edit,) = pair.edits
        assert edit.field == f"entities/{changed}/label"
        assert chosen[changed] | {"label": edit.wrong} == rejected[changed] and edit.gold == chosen[changed]["label"]
