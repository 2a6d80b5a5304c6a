"""Operators reach the dead letters in the worker's container, as its user and with its settings."""

from tests.system.stack import Stack

DEAD = ("exec", "-T", "worker", "python", "-m", "services.worker.dead")


def test_the_command_works_in_the_workers_container(stack: Stack) -> None:
    stack.compose(*DEAD, "delete", "--all", "--yes")  # what other tests left
    assert stack.compose(*DEAD, "list") == "No dead letters.\n"
    assert stack.compose(*DEAD, "list", "--json") == ""
    assert stack.compose(*DEAD, "retry", "--all") == "No dead letters.\n"
