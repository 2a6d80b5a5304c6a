"""Hears what workers publish to this process, and brings it to whoever asked."""

from collections.abc import Callable
from typing import Protocol

from services.jobs import messages
from services.jobs.messages import Answer, Delivery, Fault, Job
from services.jobs.names import Lane
from services.web.queue.ledger import Entry, Ledger, Place
from services.web.queue.settlement import Settlement


class Recipients(Protocol):
    """The clients whose answers Redis numbers and keeps, by their sessions' tokens."""

    def hear(self, deliveries: list[Delivery]) -> None:
        """Pass on what was published to this process."""

    def note(self, token: str, request: str, answer: Answer) -> None:
        """Tell what is known of a request before its answer."""

    def give_up(self, token: str, request: str, fault: Fault) -> None:
        """Answer a request of which Redis knows nothing with this fault."""


class Answers:
    """Pub/sub delivers at most once and in order. What it loses the audit finds: also what cannot be read, for which each method
    raises msgspec.DecodeError.
    """

    def __init__(
        self,
        ledger: Ledger,
        settlement: Settlement,
        recipients: Recipients,
        discard: Callable[[list[Entry]], None],
        web: str,
    ) -> None:
        """`discard` deletes entries that nobody wants any more; `web`: the name that workers reply to."""
        self._ledger = ledger
        self._settlement = settlement
        self._recipients = recipients
        self._discard = discard
        self._web = web

    def hear(self, payload: bytes) -> None:
        """Give each answer of one publication to whoever asked."""
        self._settlement.settle(messages.decode_answers(payload))

    def hear_deliveries(self, payload: bytes) -> None:
        """Close the jobs of this process that the answers are to, then hand them to the sessions."""
        deliveries = messages.decode_deliveries(payload)
        self._settlement.settle([delivery.answer for delivery in deliveries if delivery.reply_to == self._web])
        self._recipients.hear(deliveries)

    def hear_promotion(self, payload: bytes) -> None:
        """A number passed its tests and is being proven: its run is in another lane, and its clients get a first answer."""
        promotion = messages.decode_promotion(payload)
        place = Place(Lane.PROOF, promotion.entry.encode())
        for field, asker in promotion.askers:
            web, _, job = field.partition(" ")
            if web == self._web and self._ledger.moved(int(job), place) is not None:
                self.note(int(job), promotion.answer)
            elif asker.session:  # its request has a mark, which its answer ends, though nobody here waits any more
                self._recipients.note(asker.session, asker.request, promotion.answer)
            elif web == self._web:  # it was cancelled while the place was not known
                self._discard([Entry(place.lane, [Job(int(job), "")], 0, id=place.id)])

    def note(self, job: int, answer: Answer) -> None:
        """Tell the client of a pending job what is known before its answer."""
        pending = self._ledger.get(job)
        if pending is None:
            return
        if pending.noted is not None:
            pending.noted(answer)
        if pending.job.session:
            self._recipients.note(pending.job.session, pending.job.request, answer)

    def give_up(self, answers: list[Answer]) -> None:
        """Close these jobs, of which Redis knows nothing (any more), and tell their clients."""
        requests = [(p.job.session, p.job.request, a.fault) for a in answers if (p := self._ledger.get(a.id)) and p.job.session]
        self._settlement.settle(answers)
        for session, request, fault in requests:
            assert fault is not None  # a job that is given up has a reason
            self._recipients.give_up(session, request, fault)
