"""The plain protocol, without I/O: one short sentence for every message, in the order of the messages."""

from dataclasses import dataclass

from services.jobs.messages import SENTENCES, Answer, Verdict

INVALID = "Invalid input"
BUSY = "Busy: the server has as many jobs as it takes, try again in a second"

_PRIME = "is a prime number"
_NOT_PRIME = "is not a prime number"
_SENTENCE = {
    Verdict.PRIME: _PRIME,
    Verdict.PROBABLY_PRIME: _PRIME,
    Verdict.COMPOSITE: _NOT_PRIME,
    Verdict.NEITHER: _NOT_PRIME,
}


def sentence(answer: Answer) -> str:
    """The one line that tells an answer."""
    if answer.fault is not None:
        return f"No answer: {SENTENCES[answer.fault]}"
    return _SENTENCE.get(answer.verdict, "No answer: nothing is known of this number")


@dataclass(slots=True, eq=False)
class Slot:
    """One message's place in the order; empty until its reply is known."""

    reply: str | None = None
    job: int = 0  # the job that will give it; 0: none


class Window:
    """Replies in the order of their messages, however the jobs finish, for a bounded number of messages at once.

    A slow number holds back the replies behind it on the same socket; that is the price of an order that lets a client
    match replies to numbers without ids.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        # Messages without a reply sent, oldest first. An empty deque takes 0.7 KiB, which 10,000 idle sockets would have each.
        self._slots: list[Slot] = []
        self._unflushed = 0  # replies handed out and not yet written to the socket

    @property
    def full(self) -> bool:
        """Whether no more messages should be read for now."""
        return len(self._slots) + self._unflushed >= self._size

    @property
    def jobs(self) -> list[int]:
        """Jobs that have not replied."""
        return [slot.job for slot in self._slots if slot.reply is None]

    @property
    def empty(self) -> bool:
        """Whether every message has its reply, written to the socket."""
        return not self._slots and not self._unflushed

    def open(self) -> Slot:
        """A place for the message that came now."""
        slot = Slot()
        self._slots.append(slot)
        return slot

    def fill(self, slot: Slot, reply: str) -> list[str]:
        """Set one reply; returns all replies whose turn it is now. `flushed` must be told when they are written."""
        slot.reply = reply
        ready: list[str] = []
        for waiting in self._slots:
            if waiting.reply is None:
                break
            ready.append(waiting.reply)
        del self._slots[: len(ready)]
        self._unflushed += len(ready)
        return ready

    def flushed(self, replies: int) -> None:
        """So many replies left this process: their places are free."""
        self._unflushed -= replies
