"""Two processes under DeepSpeed, which divides gradients and weights, train like one process."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from tabpo.models.loading import load_model
from workflow_scripts import train

FP32 = {"precision": "fp32", "attention": "eager"}
LORA = {"r": 4, "alpha": 8, "target_modules": ["q_proj", "v_proj", "up_proj"]}
BF16 = {"precision": "bf16", "reference": "reference_bf16.parquet"}
TWO_STEPS = {"steps": 2, "warmup_steps": 0}
SUMS = {"rtol": 1e-4, "atol": 2e-5}  # tolerances for gradients that are summed in another order
ROOT = Path(__file__).parents[2]

# By name: configuration of DeepSpeed, tolerance of the logged values, settings.
RUNS = {
    # The gradients of the baseline head are divided too.
    "tbpo_q": ("zero2", SUMS, {"loss": "tbpo_q", **TWO_STEPS}),
    # Reference, attributions and sampling use divided weights.
    "ti_dpo": ("zero3", SUMS, {"loss": "ti_dpo", **TWO_STEPS}),
    # Adapters are switched off for the reference; the weights below them are in bfloat16.
    "tdpo2": ("zero1", SUMS, {"loss": "tdpo2", "lora": LORA, **BF16, **TWO_STEPS}),
    "dpo": ("zero3", SUMS, {"loss": "dpo", "lora": LORA, **BF16, **TWO_STEPS}),
    # Adapters are gathered and written alone.
    "adapters": ("zero3", SUMS, {"loss": "dpo", "lora": {**LORA, "merge": False}, **BF16, **TWO_STEPS}),
    "adapters_2": ("zero2", SUMS, {"loss": "dpo", "lora": {**LORA, "merge": False}, **TWO_STEPS}),
    # Adapters are gathered and merged from the first of equal evaluations, in the middle of the run.
    "best": ("zero3_offload", {"rtol": 2e-5, "atol": 2e-5}, {"loss": "dpo", "lora": LORA, "keep": "dev_best"}),
}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="DeepSpeed compiles its CPU messages with g++")
def test_two_processes_train_like_one(study, tmp_path):
    """All runs fork from one process; test_launch.py tests that the launching program starts such processes."""
    runs = []
    for name, (deepspeed, _, settings) in RUNS.items():
        train.main(study.train(tmp_path / name / "alone", **settings))
        divided = study.train(tmp_path / name / "shared", processes=2, deepspeed=deepspeed, **settings)
        runs.append(("train", divided, None))
    (tmp_path / "runs.json").write_text(json.dumps(runs))
    command = [sys.executable, "-m", "tests.workflow_scripts.forked_runs", str(tmp_path / "runs.json")]
    on_cpu = os.environ | {"DS_ACCELERATOR": "cpu"}
    ended = subprocess.run(command, cwd=ROOT, env=on_cpu, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-4000:]
    for name, (_, tolerance, _) in RUNS.items():
        alone, shared = tmp_path / name / "alone", tmp_path / name / "shared"
        steps = [pd.read_parquet(folder / "training.parquet") for folder in (alone, shared)]
        pd.testing.assert_frame_equal(*steps, check_exact=False, obj=name, **tolerance)
        weights = [load_model(folder / "model", FP32).state_dict() for folder in (alone, shared)]
        torch.testing.assert_close({name: weights[1]}, {name: weights[0]}, atol=2e-5, rtol=0)
