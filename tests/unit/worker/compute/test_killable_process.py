"""How a dead child process is described."""

import signal

import pytest

from services.worker.compute.killable_process import describe


@pytest.mark.parametrize(("status", "words"), [(0, "status 0"), (1, "status 1"), (255, "status 255")])
def test_an_exit_status_is_told_as_a_number(status: int, words: str) -> None:
    assert describe(status) == words


@pytest.mark.parametrize("number", signal.Signals)
def test_a_signal_is_told_by_name(number: signal.Signals) -> None:
    assert describe(-number) == number.name


@pytest.mark.parametrize("number", [signal.SIGRTMIN + 1, signal.SIGRTMAX - 1])
def test_a_signal_without_a_name_is_told_by_number(number: int) -> None:
    assert str(number) in describe(-number)
