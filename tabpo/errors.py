"""The two errors a user can cause, and how a program reports them."""

import sys
from collections.abc import Callable


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
