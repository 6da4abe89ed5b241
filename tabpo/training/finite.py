"""A log-prob that is no number ends a job, with the places of the examples that it is among."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tabpo.errors import DataError


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
