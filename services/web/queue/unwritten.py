"""Jobs of one lane that wait to be written, and whose turn it is. No I/O."""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.web.queue.ledger import Pending

QUANTUM = 500  # µs of estimated work that a client's turn lasts: more than any quick job costs

Queue = OrderedDict[int, "Pending"]  # by job id


@dataclass(slots=True, eq=False)
class Turn:
    """The jobs of one client, by flow; the flow whose turn it is comes first."""

    flows: OrderedDict[str, Queue] = field(default_factory=OrderedDict)
    spent: int = 0  # µs of this turn, and what the last one lasted too long


def _all(_: "Pending") -> bool:
    return True


class Unwritten:
    """In the order of their arrival, as long as all of them go out with the next write: then the order makes no difference.

    Once some must wait, by turns: of clients, each for QUANTUM of estimated work, and within a client of its flows, job by job
    (deficit round robin: Shreedhar and Varghese, 1995).
    """

    def __init__(self) -> None:
        self._arrived: Queue = OrderedDict()
        self._turns: OrderedDict[str, Turn] = OrderedDict()  # by client, the one whose turn it is first
        self._sorted = 0  # jobs in these
        self._hurried: Queue = OrderedDict()  # first of all

    def __len__(self) -> int:
        return len(self._hurried) + len(self._arrived) + self._sorted

    def __iter__(self) -> "Iterator[Pending]":
        flows = (flow.values() for turn in self._turns.values() for flow in turn.flows.values())
        return chain(self._hurried.values(), self._arrived.values(), *flows)

    def add(self, pending: "Pending") -> None:
        """The last to arrive."""
        self._arrived[pending.job.id] = pending

    def put_back(self, pending: "Pending") -> None:
        """It was written in vain, and goes out first of its flow."""
        queue = self._arrived
        if self._sorted:
            queue = self._flow(pending)
            self._sorted += 1
        queue[pending.job.id] = pending
        queue.move_to_end(pending.job.id, last=False)

    def remove(self, pending: "Pending") -> None:
        """It does not wait any more."""
        if self._hurried.pop(pending.job.id, None) is None and self._arrived.pop(pending.job.id, None) is None:
            self._delete(pending)

    def hurry(self, pending: "Pending") -> None:
        """It goes out with the next write, whoever's turn it is."""
        self.remove(pending)
        self._hurried[pending.job.id] = pending

    def take_hurried(self, room: float = math.inf) -> "Pending | None":
        """The first of those, which goes out now; None where there is none, or where it costs more than `room` (estimated µs)."""
        head = next(iter(self._hurried.values()), None)
        if head is None or head.cost > room:
            return None
        return self._hurried.pop(head.job.id)

    def _delete(self, pending: "Pending") -> Turn:
        """Out of its client's turns, which are returned."""
        turn = self._turns[pending.client.name]
        del turn.flows[pending.client.flow][pending.job.id]
        self._sorted -= 1
        return turn

    def sort(self) -> None:
        """Some must wait: from here on all go by turns, until none is left."""
        for pending in self._arrived.values():
            self._flow(pending)[pending.job.id] = pending
        self._sorted += len(self._arrived)
        self._arrived.clear()

    def _flow(self, pending: "Pending") -> Queue:
        """Where it waits for its turn."""
        name, flow = pending.client.name, pending.client.flow
        turn = self._turns.get(name)
        if turn is None:
            turn = self._turns[name] = Turn()
        return turn.flows.setdefault(flow, OrderedDict())

    def take(self, room: float = math.inf, admits: "Callable[[Pending], bool]" = _all) -> "Pending | None":
        """The job whose turn it is, which goes out now; None where nothing waits that is admitted, or where it costs more than
        `room` (estimated µs). Jobs of one client are admitted all or none.
        """
        if not self._sorted:
            if not self._arrived:
                return None
            id, pending = self._arrived.popitem(last=False)
            if pending.cost <= room and (admits is _all or admits(pending)):
                return pending
            self._arrived[id] = pending
            self._arrived.move_to_end(id, last=False)
            if pending.cost > room:
                return None
        head = self._next(admits)
        if head is None or head.cost > room:
            return None
        turn = self._delete(head)
        turn.spent += head.cost
        turn.flows.move_to_end(head.client.flow)
        return head

    def _next(self, admits: "Callable[[Pending], bool]") -> "Pending | None":
        """The job whose turn it is, now that some must wait."""
        if self._arrived:
            self.sort()
        for _ in range(len(self._turns)):
            name, turn = next(iter(self._turns.items()))
            pending = self._head(turn)
            if pending is None:
                del self._turns[name]
            elif turn.spent < QUANTUM and admits(pending):
                return pending
            else:
                self._pass_on(name, turn)
        return self._any(admits)

    def _any(self, admits: "Callable[[Pending], bool]") -> "Pending | None":
        """Whoever is admitted, when nobody else's turn came before it had spent what it owed."""
        for turn in self._turns.values():
            if (pending := self._head(turn)) is not None and admits(pending):
                return pending
        return None

    def _pass_on(self, name: str, turn: Turn) -> None:
        turn.spent = max(0, turn.spent - QUANTUM)
        self._turns.move_to_end(name)

    @staticmethod
    def _head(turn: Turn) -> "Pending | None":
        """The next job of a client. Flows whose jobs are all gone go too."""
        while turn.flows:
            name, flow = next(iter(turn.flows.items()))
            if flow:
                return next(iter(flow.values()))
            del turn.flows[name]
        return None
