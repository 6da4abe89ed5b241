"""The drill trains the tiny study of the programs' tests."""

from tests.workflow_scripts.conftest import study  # noqa: F401 (a fixture)
