"""Jobs are counted by what has become of them, and the time left is that of finished jobs of the same kinds."""

import pytest

from tabpo.processes.job_counts import JobCounts


@pytest.fixture
def counts() -> JobCounts:
    return JobCounts({"train": 4, "score": 2})


def test_no_time_is_named_before_a_job_has_finished(counts):
    assert counts.describe(0.0) == "0 of 6 jobs done, 0 run, 6 wait, 0 failed"
    counts.begin(1, "train", 0.0)
    assert counts.describe(5.0) == "0 of 6 jobs done, 1 run, 5 wait, 0 failed"


def test_the_time_left_is_that_of_each_kind_over_the_jobs_that_run(counts):
    for number, kind in ((1, "train"), (2, "train"), (3, "score")):
        counts.begin(number, kind, 0.0)
    counts.finish(1, 100.0)
    # train: 100 s a job; the one that runs has used them, two wait: 200 s, shared by the two jobs that run
    assert counts.describe(100.0) == "1 of 6 jobs done, 2 run, 3 wait, 0 failed, more than 0:01:40 left"
    counts.finish(3, 120.0)
    counts.begin(4, "train", 120.0)
    # the second train is over its mean, the new one has 100 s left, one train and one score wait: 100 s and 120 s
    assert counts.describe(120.0) == "2 of 6 jobs done, 2 run, 2 wait, 0 failed, about 0:02:40 left"


def test_a_failed_job_that_is_tried_again_runs(counts):
    counts.begin(1, "train", 0.0)
    counts.fail(1)
    assert counts.describe(1.0) == "0 of 6 jobs done, 0 run, 5 wait, 1 failed"
    counts.begin(1, "train", 1.0)
    counts.begin(1, "train", 2.0)  # its first end was not reported
    assert counts.describe(2.0) == "0 of 6 jobs done, 1 run, 5 wait, 0 failed"
    counts.finish(1, 12.0)
    assert counts.describe(12.0) == "1 of 6 jobs done, 0 run, 5 wait, 0 failed"
