"""The drill trains the tiny study of tests/workflow_scripts."""

from tests.workflow_scripts.conftest import study  # noqa: F401 (a fixture)
