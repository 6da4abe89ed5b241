"""On a terminal, show after ended jobs how many jobs run, wait and have failed, and the time left."""

import logging
import sys
import time

from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent

from tabpo.processes.job_counts import JobCounts

PROGRESS_S = 10.0  # between two lines at least


class ProgressLine(logging.Handler):
    """Prints a line about all jobs of the call when jobs have ended, after Snakemake's own lines about them."""

    def __init__(self):
        super().__init__()
        self.counts = None
        self.printed = -PROGRESS_S

    def emit(self, record):
        event, now = getattr(record, "event", None), time.monotonic()
        if event == LogEvent.RUN_INFO:
            self.counts = JobCounts({kind: number for kind, number in record.stats.items() if kind != "total"})
        elif event == LogEvent.JOB_INFO:
            self.counts.begin(record.jobid, record.rule_name, now)
        elif event == LogEvent.JOB_FINISHED:
            self.counts.finish(record.job_id, now)
        elif event == LogEvent.JOB_ERROR:
            self.counts.fail(record.jobid)
        if event in (LogEvent.PROGRESS, LogEvent.JOB_ERROR) and now - self.printed >= PROGRESS_S:
            for failed in workflow.scheduler.failed:  # of a job without outputs there is no event
                for each in failed.jobs if failed.is_group() else [failed]:
                    self.counts.fail(each.jobid)
            print(self.counts.describe(now), file=sys.stderr)
            self.printed = now


if workflow.is_main_process and not workflow.dryrun and sys.stderr.isatty():
    logger.addHandler(ProgressLine())
