"""Answers of another system, which the user gives as a table of prompt ids and answers."""

from collections.abc import Sequence
from pathlib import Path

from tabpo.data.tabular import read_rows
from tabpo.errors import DataError
from tabpo.records import Completion


def read_answers(path: Path, prompt_ids: Sequence[str], prompts: Path) -> list[Completion]:
    """Read one answer for each prompt, in the order of the prompts; the rows of the file may have any order.

    The columns `prompt_id` and `answer` are needed, and others are not read. An answer is the text that the system
    wrote, taken as it is; it may be empty.

    Args:
        path: The user's file, a .jsonl, .csv or .parquet file.
        prompt_ids: The ids of all prompts of the split.
        prompts: The file of these prompts, for error messages.

    Raises:
        DataError: The file cannot be read, or a prompt id is unknown, is there twice or is missing. The message names
            file and row, but no prompt id, which may be the name of a patient.
    """
    known = set(prompt_ids)
    rows: dict[str, int] = {}
    answers: dict[str, str] = {}
    for number, row in read_rows(path, [("prompt_id", "answer")]):
        where, prompt_id = f"{path}, row {number}", row["prompt_id"]
        if not isinstance(prompt_id, str) or prompt_id not in known:
            raise DataError(f"{where}, prompt_id: is no prompt of this split; accepted: the prompt_id of {prompts}")
        if prompt_id in rows:
            raise DataError(f"{where}, prompt_id: is already that of row {rows[prompt_id]}; accepted: each prompt once")
        if not isinstance(row["answer"], str):
            raise DataError(f"{where}, answer: is no text; accepted: the answer as a text, which may be empty")
        rows[prompt_id], answers[prompt_id] = number, row["answer"]
    missing = [number for number, prompt_id in enumerate(prompt_ids, start=1) if prompt_id not in answers]
    if missing:
        raise DataError(
            f"{path}: has no answer to {len(missing)} of the {len(prompt_ids)} prompts, the first of them in row"
            f" {missing[0]} of {prompts}; accepted: an answer to each prompt"
        )
    return [Completion(prompt_id, answers[prompt_id], n_tokens=None, finished=None) for prompt_id in prompt_ids]
