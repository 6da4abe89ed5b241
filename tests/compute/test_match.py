"""Steps of equal compute, worked out by hand."""

import pytest

from tabpo.compute.match import Planned, match_steps

PLANNED = {"dpo": Planned(10, 300.0), "tdpo2": Planned(10, 400.0), "sft_continued": Planned(10, 300.0)}


def test_a_cheaper_method_gets_the_steps_of_the_dearest():
    assert match_steps("dpo", PLANNED) == {
        "dearest": "tdpo2",
        "dearest_flops": 4000,
        "flops_per_step": 300,
        "steps": 13,
        "steps_before": 10,
    }


def test_the_dearest_keeps_its_steps():
    assert match_steps("tdpo2", PLANNED)["steps"] == 10


@pytest.mark.parametrize(("method", "dearest", "steps"), [("dpo", "tis_dpo", 30), ("tis_dpo", "tis_dpo", 10)])
def test_the_runs_that_a_method_needs_count_for_it(method, dearest, steps):
    planned = PLANNED | {"dpo_reversed": Planned(10, 300.0), "tis_dpo": Planned(10, 300.0, ("dpo", "dpo_reversed"))}
    record = match_steps(method, planned)
    assert (record["dearest"], record["steps"]) == (dearest, steps)
