"""Losses that need more than log-probs under DeepSpeed, which divides what they are computed with."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from workflow_scripts import train

LORA = {"r": 4, "alpha": 8, "target_modules": ["q_proj", "v_proj", "up_proj"]}
ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="DeepSpeed compiles its CPU messages with g++")
@pytest.mark.parametrize(
    ("loss", "deepspeed", "precision", "lora"),
    [
        ("tbpo_q", "zero2", "fp32", None),  # the baseline head among the gradients that are divided
        ("ti_dpo", "zero3", "fp32", None),  # reference, attributions and sampling with weights that are divided
        ("tdpo2", "zero1", "bf16", LORA),  # adapters off, below them weights in bfloat16
        ("dpo", "zero3", "bf16", LORA),
    ],
)
def test_two_processes_are_one(study, tmp_path, loss, deepspeed, precision, lora):
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    settings = {"loss": loss, "precision": precision, "steps": 2, "warmup_steps": 0, "lora": lora}
    settings["reference"] = "reference.parquet" if precision == "fp32" else "reference_bf16.parquet"
    train.main(study.train(alone, **settings))
    arguments = study.train(shared, processes=2, deepspeed=deepspeed, **settings)
    clean = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    command = [sys.executable, "-m", "workflow_scripts.launch", "train", *arguments]
    ended = subprocess.run(command, cwd=ROOT, env=clean, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-4000:]
    steps = [pd.read_parquet(folder / "training.parquet") for folder in (alone, shared)]
    pd.testing.assert_frame_equal(*steps, check_exact=False, rtol=1e-4, atol=2e-5)
    weights = [load_file(folder / "model/model.safetensors") for folder in (alone, shared)]
    assert weights[0].keys() == weights[1].keys()
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, atol=2e-5, rtol=0)
