"""The engine and the constraint of a study."""

import pytest

from tabpo.errors import ConfigError
from tabpo.study.generation import USUAL, Generation, check_generation, unusual


def check(*prompted: str, **settings: str) -> None:
    check_generation(Generation(batch_size=1, **settings), prompted)


def test_captions_name_values_that_are_not_the_default():
    assert USUAL == {"engine": "transformers", "constraint": "none"}
    assert unusual(USUAL) == ""
    assert unusual(USUAL | {"constraint": "json_schema"}) == " Answers of models trained here: constraint json_schema."


def test_a_constraint_that_cannot_be_applied_to_all_rows_is_refused():
    with pytest.raises(ConfigError, match=r"which cannot be applied to models.remote behind its endpoint"):
        check("remote", constraint="json_schema")
    check("remote")
    check(constraint="json_schema")
    check(engine="vllm", constraint="json_schema")
