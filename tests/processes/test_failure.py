"""The reason of a failed job, in one line without texts of data."""

import pytest

from tabpo.processes.failure import OUT_OF_MEMORY, WITHOUT_MESSAGE, failure_reason

TRACEBACK = """2026-12-01 02:00:00,000 training 1000 parameters for 60 steps of 32
Traceback (most recent call last):
  File "/home/me/my project/workflow_scripts/train.py", line 63, in <module>
    exit_on_error(main)
  File "/home/me/my project/tabpo/training/run.py", line 130, in execute
    trainer.run(checkpoint)
  File "/usr/lib/python3.11/site-packages/torch/nn/module.py", line 7, in forward
"""
STATE = "SLURM-job '17' failed, SLURM status is: '{}'. For further error details see the cluster/cloud log."


@pytest.mark.parametrize(
    ("log", "message", "reason"),
    [
        ("", "", WITHOUT_MESSAGE),
        ("2026-12-01 02:00:00,000 step 1\n", "", WITHOUT_MESSAGE),
        ("step 1\nDataError: step 2: the loss is NaN\n", "", "DataError: step 2: the loss is NaN"),
        ("ConfigError: a\n" + TRACEBACK + "ChildFailedError: \n", "", "ConfigError: a"),
        (TRACEBACK + "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB\n", "", OUT_OF_MEMORY),
        (TRACEBACK + "MemoryError\n", "", OUT_OF_MEMORY),
        ("RuntimeError: [enforce fail] DefaultCPUAllocator: can't allocate memory\n", "", OUT_OF_MEMORY),
        ("", STATE.format("OUT_OF_MEMORY"), OUT_OF_MEMORY),
        ("", STATE.format("TIMEOUT"), "time limit"),
        ("DataError: a\n", STATE.format("CANCELLED by 0"), "cancelled"),
        ("DataError: a\n", STATE.format("FAILED"), "DataError: a"),
        ("", STATE.format("FAILED"), WITHOUT_MESSAGE),
        (
            "12 warned: stopped after step 40, which has its checkpoint\n",
            "",
            "stopped after step 40 because of a scheduler's warning",
        ),
    ],
)
def test_the_first_explanation_that_applies(log, message, reason):
    assert failure_reason(log, message) == reason


@pytest.mark.parametrize("error", ["KeyError: 'Mrs Miller'", "UnicodeDecodeError: Mrs Miller", "tokenizers.Error: x"])
def test_the_message_of_another_exception_is_left_out(error):
    reason = failure_reason(TRACEBACK + error + "\n", "")
    assert reason == f"{error.split(':')[0]} at tabpo/training/run.py, line 130"
