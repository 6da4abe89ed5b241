"""The value of a cell from score files, worked by hand."""

import json

import pytest

from tabpo.errors import DataError
from workflow_scripts import cell


@pytest.fixture
def score(tmp_path):
    """A function that writes the score file of a run, with an F1 as a share, and returns its path."""

    def write(run: str, f1: float):
        path = tmp_path / "results/demo" / run / "scores/test.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"metrics": {"rel": {"set_directed": {"f1": f1}, "pure": {"f1": f1 / 2}}}}))
        return str(path)

    return write


def value(capsys, *scores: str, metric: str = "rel") -> str:
    cell.main(["--scores", *scores, "--metric", metric])
    return capsys.readouterr().out


def test_mean_and_standard_deviation_over_seeds(capsys, score):
    files = [
        score("notes/tiny/dpo/seed1", 0.5),
        score("notes/tiny/dpo/seed2", 0.6),
        score("notes/tiny/dpo/seed10", 0.7),
    ]
    assert value(capsys, *files) == "60.0 ± 10.0\n"
    assert value(capsys, *files, metric="rel@pure") == "30.0 ± 5.0\n"
    assert value(capsys, files[0]) == "50.0\n"


def test_data_sets_count_equally_whatever_their_number_of_models(capsys, score):
    # seed 1: ((10 + 30) / 2 + 60) / 2 = 40; seed 2: ((30 + 50) / 2 + 80) / 2 = 60; their deviation is 20 / sqrt(2)
    files = [
        *(score("a/tiny/dpo/seed1", 0.1), score("a/tiny/dpo/seed2", 0.3)),
        *(score("a/small/dpo/seed1", 0.3), score("a/small/dpo/seed2", 0.5)),
        *(score("b/tiny/dpo/seed1", 0.6), score("b/tiny/dpo/seed2", 0.8)),
    ]
    assert value(capsys, *files) == "50.0 ± 14.1\n"


def test_rows_without_a_model_or_a_seed(capsys, score):
    # baselines of two data sets: (20 + 40) / 2; two prompted models of one data set: (20 + 60) / 2
    assert value(capsys, score("a/dictionary", 0.2), score("b/dictionary", 0.4)) == "30.0\n"
    assert value(capsys, score("a/gpt/prompted", 0.2), score("a/other/prompted", 0.6)) == "40.0\n"


def test_a_metric_that_the_data_lack_and_different_seeds_are_refused(score):
    first = score("notes/tiny/dpo/seed1", 0.5)
    with pytest.raises(DataError, match="metric code is not defined for this run"):
        cell.main(["--scores", first, "--metric", "code"])
    with pytest.raises(DataError, match="the same seeds"):
        cell.main(["--scores", first, score("notes/small/dpo/seed2", 0.5), "--metric", "rel"])
