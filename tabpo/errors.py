"""The two errors that a user can cause, and how programs report them."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager


class ConfigError(ValueError):
    """A setting is wrong. The message says what was asked, where, and what is accepted."""


class DataError(ValueError):
    """An input is wrong. The message names file, record and field, and what is accepted, but no text of a record."""


def exit_on_error(main: Callable[[], None]) -> None:
    """Run a program's `main`, and end it with one line instead of a traceback if the user caused the error."""
    try:
        main()
    except (ConfigError, DataError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


@contextmanager
def locate_numeric_error(place: str, numbers: Sequence[int]) -> Iterator[None]:
    """Turn a `FloatingPointError` in the block into a `DataError` that names the step and the records.

    Args:
        place: The optimiser step, or another name for the computation, for the message.
        numbers: Positions in their file of the records that the block reads. The message has these instead of ids,
            which may be names of patients.

    Raises:
        DataError: The block raised a `FloatingPointError`.
    """
    try:
        yield
    except FloatingPointError as error:
        raise DataError(
            f"{place}: {error}, in the batch of records {', '.join(map(str, numbers))} of their file;"
            " lower the learning rate, or look at these records"
        ) from error
