"""What a verification says on its way: that a step holds, or why the certificate proves nothing."""

from collections.abc import Callable

from .arithmetic import written

Note = Callable[[int, int], None]  # is told of each step that holds, and of how many there are

SHOWN = 24  # digits of a number that are shown of a longer one


class Rejected(Exception):
    """The certificate proves nothing; the message says which step fails, and why."""

    def __init__(self, step: int, n: int, reason: str) -> None:
        super().__init__(f"step {step} ({shorten(n)}): {reason}")
        self.step = step  # from 1 on; of a small number's certificate, 0
        self.reason = reason


def shorten(n: int) -> str:
    """A number in decimal, a long one by its ends."""
    digits = written(n)
    return digits if len(digits) <= SHOWN else f"{digits[: SHOWN // 2]}…{digits[-SHOWN // 2 :]}"
