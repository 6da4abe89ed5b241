"""Results of a list of batches, kept as they come, so that a warned or killed job goes on with the next batch."""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tabpo.artefacts import write_whole
from tabpo.processes.warnings import Warned, end_warned, handling

Batch = TypeVar("Batch")


def kept_parts(file: Path, key: str) -> Callable[[Callable[[Batch], Any], Sequence[Batch]], Iterator[Any]]:
    """Return a function like `map`, which keeps every result in a file and computes only what is not there yet.

    A killed process may have written half a line, whose batch is computed again. Batches must be the same at every
    start, which `key` stands for. The caller removes the file after it has written its output.

    Args:
        file: One line of JSON for each result; the first line is the key.
        key: Everything that the results depend on; a file with another key is replaced.

    Raises:
        SystemExit: This process was warned (`processes.warnings`); the current batch is done and kept.
    """

    def each(compute: Callable[[Batch], Any], batches: Sequence[Batch]) -> Iterator[Any]:
        kept = _read(file, key)
        if kept:
            logging.info("%d of %d batches are kept from an earlier start", len(kept), len(batches))
        yield from kept
        warned = Warned()
        write_whole(file, "".join(json.dumps(content) + "\n" for content in (key, *kept)))
        with file.open("a") as parts, handling(warned.note):
            for done, batch in enumerate(batches[len(kept) :], start=len(kept) + 1):
                result = compute(batch)
                parts.write(json.dumps(result, allow_nan=False) + "\n")
                parts.flush()
                yield result
                if warned.received and done < len(batches):
                    logging.info("warned: stopped after batch %d of %d, which is kept", done, len(batches))
                    end_warned(warned)

    return each


def parts_of(output: Path) -> Path:
    """Return the path of the parts of an output, beside it."""
    return output.with_name(f".{output.name}.parts")


def _read(file: Path, key: str) -> list[Any]:
    if not file.exists():
        return []
    lines = file.read_text().split("\n")[:-1]  # what follows the last line break is half a line
    if not lines or json.loads(lines[0]) != key:
        logging.info("%s is of other inputs and is not used", file.name)
        return []
    return [json.loads(line) for line in lines[1:]]
