"""The plain protocol, without I/O: one short sentence for every message, in the order of the messages."""

import math

from services.jobs.messages import SENTENCES, Answer, Verdict

INVALID = b"Invalid input"
BUSY = b"Busy: the server has as many jobs as it takes, try again in a second"

_PRIME = b"is a prime number"
_NOT_PRIME = b"is not a prime number"
_SENTENCE = {
    Verdict.PRIME: _PRIME,
    Verdict.PROBABLY_PRIME: _PRIME,
    Verdict.COMPOSITE: _NOT_PRIME,
    Verdict.NEITHER: _NOT_PRIME,
}


def busy(seconds: float) -> bytes:
    """What a message is told that is not taken, and when it may be."""
    return BUSY if seconds <= 1 else BUSY.replace(b"a second", f"{math.ceil(seconds):,} seconds".encode())


def sentence(answer: Answer) -> bytes:
    """The one line that tells an answer."""
    if answer.fault is not None:
        return f"No answer: {SENTENCES[answer.fault]}".encode()
    return _SENTENCE.get(answer.verdict, b"No answer: nothing is known of this number")


class Window:
    """Replies in the order of their messages, however the jobs finish, for a bounded number of messages at once.

    A slow number holds back the replies behind it on the same socket; that is the price of an order that lets a client
    match replies to numbers without ids.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        # Messages whose reply was not handed out, oldest first, each by its job's id, or a negative number where it has no job.
        # An empty deque takes 0.7 KiB, which 10,000 idle sockets would have each.
        self._waiting: list[int] = []
        self._replies: dict[int, bytes] = {}  # those that are known and not handed out
        self._jobless = 0  # the last negative number
        self._unflushed = 0  # replies handed out and not yet written to the socket

    @property
    def full(self) -> bool:
        """Whether no more messages should be read for now."""
        return len(self._waiting) + self._unflushed >= self._size

    @property
    def jobs(self) -> list[int]:
        """Jobs that have not replied."""
        return [job for job in self._waiting if job not in self._replies]

    @property
    def empty(self) -> bool:
        """Whether every message has its reply, written to the socket."""
        return not self._waiting and not self._unflushed

    def wait(self, job: int) -> bool:
        """The message that came now has its reply from this job. Returns whether the window is full."""
        waiting = self._waiting
        waiting.append(job)
        return len(waiting) + self._unflushed >= self._size

    def reply(self, reply: bytes) -> None:
        """The message that came now has this reply."""
        self._jobless -= 1
        self._waiting.append(self._jobless)
        self._replies[self._jobless] = reply

    def settle(self, job: int, reply: bytes) -> None:
        """The reply that this job gives."""
        self._replies[job] = reply

    def take(self) -> list[bytes]:
        """All replies whose turn it is now. `flushed` must be told when they are written."""
        ready: list[bytes] = []
        for place in self._waiting:
            reply = self._replies.pop(place, None)
            if reply is None:
                break
            ready.append(reply)
        del self._waiting[: len(ready)]
        self._unflushed += len(ready)
        return ready

    def flushed(self, replies: int) -> None:
        """So many replies left this process: their places are free."""
        self._unflushed -= replies
