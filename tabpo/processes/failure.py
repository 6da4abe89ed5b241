"""The reason why a job failed, in one line without any text of a data set, from its log and the scheduler's message."""

import re

OUT_OF_MEMORY = "out of memory"

WITHOUT_MESSAGE = "ended without a message, as a killed process does; perhaps out of memory"

OUTPUTS_MISSING = "its program ended without an error, but outputs are missing"
"""The reason where Snakemake reports no error of the job itself, for example since a file appears too late."""

SCHEDULER_STATES = {
    "OUT_OF_MEMORY": OUT_OF_MEMORY,
    "TIMEOUT": "time limit",
    "DEADLINE": "time limit",
    "CANCELLED": "cancelled",
    "NODE_FAIL": "node failure",
    "BOOT_FAIL": "node failure",
    "PREEMPTED": "preempted",
}
"""Names for states of a Slurm job that explain its failure; the state FAILED explains nothing."""

_STATE = re.compile(r"SLURM status is: '([A-Z_]+)")
_OWN_ERROR = re.compile(r"^(?:ConfigError|DataError): .+$", re.MULTILINE)
_MEMORY = re.compile(r"OutOfMemoryError|MemoryError|out of memory|can't allocate memory|oom.kill", re.IGNORECASE)
_EXCEPTION = re.compile(r"^([A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit))(?::|$)", re.MULTILINE)
_PLACE = re.compile(r'^ +File "(?:.*/)?((?:tabpo|workflow_scripts)/[\w/]+\.py)", line (\d+)', re.MULTILINE)
_WARNED = re.compile(r"warned: (stopped after step \d+)")


def failure_reason(log: str, message: str) -> str:
    """Return the reason of a failure.

    The first of these that applies: a state of the scheduler's job that explains the failure; the last error of this
    project, whose message never holds a text of a data set; a lack of memory; a scheduler's warning; the class of the
    last exception, with the last line of this project in its traceback. The message of another exception is left out,
    since it may quote the text that it is about.

    Args:
        log: What the job's last attempt wrote into its log.
        message: What the executor says about the failure; "" if it says nothing.
    """
    state = _STATE.search(message)
    if state and state[1] in SCHEDULER_STATES:
        return SCHEDULER_STATES[state[1]]
    if errors := _OWN_ERROR.findall(log):
        return errors[-1]
    if _MEMORY.search(log) or _MEMORY.search(message):
        return OUT_OF_MEMORY
    if warned := _WARNED.findall(log):
        return f"{warned[-1]} because of a scheduler's warning"
    if exceptions := _EXCEPTION.findall(log):
        places = _PLACE.findall(log)
        return exceptions[-1] + (f" at {places[-1][0]}, line {places[-1][1]}" if places else "")
    return WITHOUT_MESSAGE
