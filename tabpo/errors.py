"""The two errors a user can cause, and how a program reports them."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager


class ConfigError(ValueError):
    """A setting is wrong: says what was asked, where, and what is accepted."""


class DataError(ValueError):
    """An input is wrong: says file, record and field, and what is accepted; never the text of a record."""


def exit_on_error(main: Callable[[], None]) -> None:
    """Run a program's `main`; an error of the user's ends it with one line instead of a traceback."""
    try:
        main()
    except (ConfigError, DataError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


@contextmanager
def told_where(place: str, numbers: Sequence[int]) -> Iterator[None]:
    """Say of a `FloatingPointError` within the block where it is.

    Args:
        place: The step, or what is done instead of one.
        numbers: Of the examples that the block reads, in their file; their ids may be names of patients.

    Raises:
        DataError: Names both.
    """
    try:
        yield
    except FloatingPointError as error:
        raise DataError(
            f"{place}: {error}, in the batch of records {', '.join(map(str, numbers))} of their file;"
            " lower the learning rate, or look at these records"
        ) from error
