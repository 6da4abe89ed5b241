"""Keep the reason of each failed job; after a run with failures, list them and make the tables of what exists."""

import json
import logging
import os
import shlex
import shutil
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent

from tabpo.artefacts import write_json
from tabpo.names import WITHOUT_MODEL, run_folders
from tabpo.processes.failure import OUTPUTS_MISSING, WITHOUT_MESSAGE, failure_reason

PARTIAL = results("partial")
TABLE_RULES = ("table", "per_metric_table", "mechanism", "stability")
PARTIAL_LOG = results("logs/partial.log")


def failure_file(log):
    """Return the path of a job's `failed.json`, beside the job's log."""
    return Path(log).with_suffix(".failed.json")


class FailureRecorder(logging.Handler):
    """Writes a job's `failed.json` when the job fails, and removes the file when the job starts again."""

    def __init__(self):
        super().__init__()
        self.lengths = {}  # of each log at the start of its job; before this it has the messages of earlier attempts

    def emit(self, record):
        event = None if workflow.dryrun else getattr(record, "event", None)
        if event == LogEvent.JOB_INFO and record.log:
            log = Path(record.log[0])
            self.lengths[log] = log.stat().st_size if log.exists() else 0
            failure_file(log).unlink(missing_ok=True)
        elif event == LogEvent.JOB_ERROR and record.log:
            log = Path(record.log[0])
            content = log.read_bytes() if log.exists() else b""
            earlier = self.lengths.get(log, 0)  # a job that starts in a new call has a new log
            written = content[earlier if earlier < len(content) else 0 :].decode(errors="replace")
            keep_reason(record.rule_name, log, failure_reason(written, record.rule_msg or ""))


def keep_reason(rule, log, reason):
    write_json(failure_file(log), {"rule": rule, "reason": reason, "log": str(log)})


def failed_jobs():
    """List the jobs that failed in their last attempt; of a group, those whose logs explain it, or else all."""
    jobs = []
    for failed in workflow.scheduler.failed:
        members = list(failed.jobs) if failed.is_group() else [failed]
        jobs += [each for each in members if reason_of(each) != WITHOUT_MESSAGE] or members
    return sorted(jobs, key=lambda failed: str(failed.log[0]))


def reason_of(failed):
    file = failure_file(failed.log[0])
    if not file.exists():  # the job itself reported no error
        keep_reason(failed.rule.name, failed.log[0], OUTPUTS_MISSING)
    return json.loads(file.read_text())["reason"]


def missing_runs(table, failed, made_by):
    """Return why runs of a table, given by its settings, have no result, by the folders of these runs.

    `made_by` has the unfinished jobs by their outputs. An output may exist from an earlier call, with other settings.
    """
    missing = {}
    for run, folder in run_folders(table["runs"]):
        needed = [SCORES, COUNTS, *([] if run["method"] in WITHOUT_MODEL else [PROVENANCE])]
        paths = [results(f"{folder}/{name}".replace("{split}", table["split"])) for name in needed]
        waiting = [made_by[path] for path in paths if path in made_by]
        if waiting or not all(map(os.path.exists, paths)):
            dag = workflow.dag
            causes = [each for each in dag.bfs(dag.dependencies, *waiting) if each in failed]
            missing[folder] = f"failed: {described(causes[0], run)}" if causes else "was not run"
    return missing


def described(failed, run):
    """Return the reason of a failure for a cell, after the name of the rule if it is not the training of this run."""
    trained = failed.rule.name == "train" and failed.wildcards.method == run["method"]
    reason = textwrap.shorten(reason_of(failed), 60, placeholder=" ...")
    return reason if trained else f"{failed.rule.name}, {reason}"


def make_partial(failed):
    """Make the call's tables and report below `partial/` from what exists; links there lead to the study's other files."""
    planned = list(workflow.dag.jobs)
    made_by = {str(path): each for each in filter(unfinished, planned) for path in each.output}

    def usable(path):
        return results(path) not in made_by and os.path.exists(results(path))

    def make_table(table):
        missing = missing_runs(settings_of(table), set(failed), made_by)
        run_partial(table, job.partial_table(settings_of(table), missing, usable))

    shutil.rmtree(PARTIAL, ignore_errors=True)
    os.makedirs(PARTIAL)
    for entry in {*STUDY.datasets, "figures", "looks"} & set(os.listdir(STUDY.results)):
        os.symlink(Path("..", entry), Path(PARTIAL, entry))
    with ThreadPoolExecutor(min(4, os.cpu_count())) as pool:
        list(pool.map(make_table, [each for each in planned if each.rule.name in TABLE_RULES]))
    named = {each.rule.name: each for each in planned}
    if macros := named.get("macros"):
        made = [path for path in macros.input.tables if os.path.exists(below_partial(path))]
        run_partial(macros, settings_of(macros), read=made, unread=set(macros.input.tables) - set(made))
    if (cost := named.get("cost")) and (costs := job.partial_cost(settings_of(cost), usable))["runs"]:
        run_partial(cost, costs)
    if report := named.get("report"):
        costs = os.path.exists(below_partial(results("tables/cost.md")))
        run_partial(report, job.partial_report(settings_of(report), usable, costs=costs), folder=PARTIAL)


def settings_of(planned):
    return json.loads(planned.params.settings)


def below_partial(path):
    return f"{PARTIAL}/{os.path.relpath(path, STUDY.results)}"


def unfinished(planned):
    return workflow.dag.needrun(planned) and not workflow.dag.finished(planned)


def run_partial(planned, settings, folder=None, read=(), unread=()):
    """Run the program of a job with other settings; its outputs go below `partial/`.

    It takes the inputs `read` from there too, and is not given those that are `unread`. If there is a `folder`, it is
    the folder of results that the program reads.
    """
    words = shlex.split(planned.shellcmd)
    command = words[: words.index("2>>")]  # the end of the command sends messages to the job's log
    command[command.index("--settings") + 1] = json.dumps(settings)
    if folder:
        command[command.index("--results") + 1] = folder
    moved = {str(path): below_partial(path) for path in [*planned.output, *read]}
    command = [moved.get(word, word) for word in command if word not in unread]
    environment = os.environ | {"PYTHONPATH": workflow.basedir}
    with open(PARTIAL_LOG, "a") as log:
        done = subprocess.run(command, env=environment, stderr=log)
    if done.returncode:
        print(f"{below_partial(planned.output[0])} could not be made, see {PARTIAL_LOG}", file=sys.stderr)


if workflow.is_main_process:
    logger.addHandler(FailureRecorder())


onerror:
    if failed := failed_jobs():
        make_partial(failed)
        print(f"Jobs that failed: {len(failed)}. The next call tries them again.", file=sys.stderr)
        for each in failed:
            print(f"{' '.join([each.rule.name, *each.wildcards])}: {reason_of(each)}", file=sys.stderr)
            print(f"    log: {each.log[0]}", file=sys.stderr)
            print(f"    again: {call_again()} -- {shlex.quote(str(each.output[0]))}", file=sys.stderr)
        print(f"Tables and report of what exists: {PARTIAL}", file=sys.stderr)
