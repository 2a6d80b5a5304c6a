"""A session follows Redis' history: every request is answered once, in order, whatever is lost, repeated or late."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from services.jobs.messages import Answer, Delivery, Verdict
from services.jobs.names import HISTORY
from services.web.v1.session import Kept, Place, Repeat, Session

EPOCH = 1_000


def delivery(number: int, request: str = "", epoch: int = EPOCH) -> Delivery:
    return Delivery("token", request or f"r{number}", "web0", Answer(number, Verdict.PRIME), epoch, number)


def place(session: Session) -> tuple[str, int]:
    """The offset that a client is told."""
    epoch, _, number = session.offset.rpartition("-")
    return epoch, int(number)


def numbers(deliveries: list[Delivery]) -> list[int]:
    return [delivery.number for delivery in deliveries]


def resumed(
    kept: Kept, epoch: str, number: int, missed: list[Delivery], heard: list[Delivery] | None = None
) -> tuple[Session, bool, list[int]]:
    session = Session("token")
    recovered, ready = session.resume(kept, epoch, number, missed, heard or [])
    return session, recovered, numbers(ready)


def test_of_a_long_history_the_beginning_comes_first_and_the_rest_is_missing() -> None:
    kept = Kept(EPOCH, 9, 1, [], {})
    session, recovered, sent = resumed(kept, str(EPOCH), 2, [delivery(3, "a"), delivery(4, "b")], [delivery(10, "c")])
    assert (recovered, sent) == (True, [3, 4])
    assert session.behind and place(session) == (str(EPOCH), 4)


def test_a_new_session_stands_at_the_beginning() -> None:
    assert Session("token").offset == "0"


def test_takes_the_epoch_of_its_first_answer() -> None:
    session = Session("token")
    assert numbers(session.hear([delivery(1)])) == [1]
    assert session.offset == "1000-1"


def test_drops_what_it_had() -> None:
    session = Session("token")
    session.hear([delivery(1), delivery(2)])
    assert session.hear([delivery(1), delivery(2)]) == []
    assert not session.behind


def test_holds_back_what_came_before_its_turn() -> None:
    session = Session("token")
    assert session.hear([delivery(2), delivery(3)]) == []
    assert session.behind
    assert numbers(session.hear([delivery(1)])) == [1, 2, 3]
    assert not session.behind


def test_ignores_another_epochs_answers() -> None:
    session = Session("token")
    session.hear([delivery(1)])
    assert session.hear([delivery(2, epoch=999), delivery(2, epoch=1_001)]) == []


def test_a_request_is_new_then_in_flight_then_answered() -> None:
    session = Session("token")
    assert session.ask("r1") is Repeat.NEW
    session.submitted("r1", 7)
    assert session.ask("r1") is Repeat.IN_FLIGHT
    session.hear([delivery(1)])
    assert session.ask("r1") is Repeat.ANSWERED
    assert session.ask("r1") is Repeat.ANSWERED
    assert session.place_of("r1") == Place(EPOCH, 1)
    session.forget("r1", Place(EPOCH, 1))
    assert session.ask("r1") is Repeat.NEW


def test_an_id_of_one_question_is_none_of_another_as_long_as_the_first_is_known() -> None:
    session = Session("token")
    session.submitted("r1", 7, question=11)
    assert session.ask("r1", 12) is Repeat.REUSED
    assert session.ask("r1", 11) is Repeat.IN_FLIGHT
    session.hear([delivery(1)])
    assert session.ask("r1", 12) is Repeat.REUSED
    assert session.ask("r1", 11) is Repeat.ANSWERED
    session.forget("r1", session.place_of("r1"))
    assert session.ask("r1", 12) is Repeat.NEW


def test_what_the_history_dropped_is_forgotten_unless_it_stands_elsewhere_by_now() -> None:
    session = Session("token")
    session.hear([delivery(1, "r1")])
    former = session.place_of("r1")
    session.lose()
    session.hear([delivery(1, "r2", EPOCH + 1), delivery(2, "r1", EPOCH + 1)])
    session.forget("r1", former)
    assert session.place_of("r1") == Place(EPOCH + 1, 2)


def test_an_answer_that_was_withheld_is_given_to_who_asks_for_it_after_a_loss() -> None:
    session, _, _ = resumed(Kept(EPOCH, 1, 1, [], {"r1": 1}), str(EPOCH - 1), 0, [])  # the client may lack it
    session.lose()
    assert session.hear([delivery(1, "r1", EPOCH + 1)]) == []
    assert session.ask("r1") is Repeat.ANSWERED


@pytest.mark.parametrize("asked", [False, True])
def test_what_the_client_may_have_is_not_sent_over_its_next_socket_either_unless_it_asked_again(asked: bool) -> None:
    former, _, _ = resumed(Kept(EPOCH, 0, 1, ["r1"], {}), str(EPOCH - 1), 1, [])  # Redis lost the answer, and has its request again
    if asked:
        assert former.ask("r1") is Repeat.IN_FLIGHT
    session, _, _ = resumed(Kept(EPOCH, 0, 2, ["r1"], {}), str(EPOCH), 0, [])
    session.adopt(former)
    assert session.hear([delivery(1, "r1")]) == ([delivery(1, "r1")] if asked else [])
    assert session.ask("r1") is (Repeat.CROSSED if asked else Repeat.ANSWERED)


@pytest.mark.parametrize("recovered", [True, False])
def test_what_its_process_holds_from_a_former_socket_is_sent_unasked_only_where_no_answer_was_lost(recovered: bool) -> None:
    former = Session("token")
    former.submitted("r1", 5)
    session, told, _ = resumed(Kept(EPOCH, 0, 2, [], {}), str(EPOCH), 0 if recovered else 1, [])  # that answer came over a third
    assert told is recovered
    session.adopt(former)
    assert session.hear([delivery(1, "r1")]) == ([delivery(1, "r1")] if recovered else [])
    assert session.ask("r1") is (Repeat.CROSSED if recovered else Repeat.ANSWERED)


def test_an_answer_that_is_given_again_after_a_loss_may_cross_its_request() -> None:
    session, _, _ = resumed(Kept(EPOCH, 1, 1, [], {"r1": 1}), str(EPOCH - 1), 0, [])
    assert session.ask("r1") is Repeat.ANSWERED
    session.lose()
    session.hear([delivery(1, "r1", EPOCH + 1)])
    session.answered_again("r1")
    assert session.ask("r1") is Repeat.CROSSED


def test_what_was_asked_is_remembered_within_the_bound_of_the_history() -> None:
    session = Session("token")
    for number in range(1, HISTORY + 2):
        session.submitted(f"r{number}", number, question=number)
        session.hear([delivery(number)])
    assert session.ask("r1", 0) is Repeat.NEW
    assert session.ask("r2", 0) is Repeat.REUSED


def test_what_was_asked_elsewhere_or_before_a_loss_is_not_compared() -> None:
    session, _, _ = resumed(Kept(EPOCH, 1, 1, ["r2"], {"r1": 1}), str(EPOCH), 1, [])
    assert session.ask("r1", 11) is Repeat.ANSWERED
    assert session.ask("r2", 11) is Repeat.IN_FLIGHT
    assert session.ask("r2", 12) is Repeat.IN_FLIGHT
    session.submitted("r3", 7, question=11)
    session.hear([delivery(2, "r3")])
    session.lose()
    assert session.ask("r3", 12) is Repeat.NEW


def test_what_was_given_up_is_answered_no_more_unless_it_is_asked_again() -> None:
    session = Session("token")
    session.submitted("r1", 7)
    assert session.give_up("r1")
    assert not session.give_up("r1")
    assert session.hear([delivery(1)]) == []  # late, from a Redis that lost it
    session.submitted("r2", 8)
    assert session.give_up("r2")
    session.submitted("r2", 9)
    assert numbers(session.hear([delivery(2)])) == [2]


def test_an_answer_that_crossed_the_repeated_request_is_not_given_twice() -> None:
    session, _, ready = resumed(Kept(EPOCH, 1, 1, ["r2"], {"r1": 1}), "", 0, [delivery(1)])
    assert ready == [1]
    assert session.ask("r1") is Repeat.CROSSED
    assert session.ask("r1") is Repeat.ANSWERED  # asked once more on purpose
    session.hear([delivery(2)])
    assert session.ask("r2") is Repeat.CROSSED


def test_what_was_given_up_while_its_repeated_request_was_on_the_way_is_not_computed_again() -> None:
    session = Session("token")
    session.hear([delivery(1, "r1")])
    session.submitted("r2", 7)
    session.lose()
    assert session.give_up("r2")
    assert session.ask("r2") is Repeat.CROSSED  # since the client was told to ask again
    session.submitted("r3", 8)
    assert session.give_up("r3", final=False)
    assert session.ask("r3") is Repeat.NEW  # since an error that it got allows that


def test_a_request_asked_again_in_time_is_answered_over_this_socket() -> None:
    session, _, _ = resumed(Kept(EPOCH, 0, 1, ["r1"], {}), "", 0, [])
    assert session.ask("r1") is Repeat.IN_FLIGHT
    session.hear([delivery(1)])
    assert session.ask("r1") is Repeat.ANSWERED


def test_resumes_after_the_offset_and_merges_what_was_heard_meanwhile() -> None:
    kept = Kept(EPOCH, 3, 1, ["r4"], {"r1": 1, "r2": 2, "r3": 3})
    session, recovered, ready = resumed(kept, "1000", 1, [delivery(2), delivery(3)], [delivery(3), delivery(4)])
    assert (recovered, ready) == (True, [2, 3, 4])
    assert session.in_flight == {}
    assert session.ask("r1") is Repeat.ANSWERED


@pytest.mark.parametrize(
    ("epoch", "number", "missed"),
    [("999", 1, [2, 3]), ("1000", 4, []), ("1000", 1, [3]), ("", 0, [2, 3])],
    ids=["another epoch", "ahead of Redis", "trimmed", "trimmed from the beginning"],
)
def test_admits_that_history_is_gone(epoch: str, number: int, missed: list[int]) -> None:
    kept = Kept(EPOCH, 3, 1, [], {"r2": 2, "r3": 3})
    session, recovered, ready = resumed(kept, epoch, number, [delivery(n) for n in missed])
    assert (recovered, ready) == (False, [])
    assert session.offset == ("999-1" if epoch == "999" else "1000-3")
    assert session.ask("r2") is Repeat.ANSWERED
    assert session.ask("r1") is Repeat.NEW


def test_a_lost_session_keeps_what_the_ledger_still_holds() -> None:
    session, _, _ = resumed(Kept(EPOCH, 0, 1, ["r1"], {}), "", 0, [])
    session.submitted("r2", 7)
    session.lose()
    assert (session.epoch, list(session.in_flight)) == (None, ["r2"])


def test_what_was_answered_before_a_loss_and_not_asked_again_is_not_sent_again() -> None:
    session = Session("token")
    session.submitted("r1", 5)
    session.submitted("r2", 6)
    session.hear([delivery(1, "r1"), delivery(2, "r2")])
    session.lose()
    assert session.ask("r2") is Repeat.NEW
    session.submitted("r2", 7)
    again = [delivery(1, "r1", epoch=1_001), delivery(2, "r2", epoch=1_001)]
    assert [one.request for one in session.hear(again)] == ["r2"]
    assert session.last == 2


def test_what_was_answered_before_two_losses_is_not_sent_again() -> None:
    session = Session("token")
    session.hear([delivery(1)])
    for _ in range(2):
        session.lose()
    assert session.hear([delivery(1, epoch=2_000)]) == []
    assert session.last == 1


def test_a_client_is_told_to_go_on_behind_an_answer_that_it_has_and_that_is_numbered_again() -> None:
    session = Session("token")
    session.hear([delivery(1), delivery(2)])
    assert not session.move_on()
    session.lose()
    assert session.hear([delivery(1, epoch=2_000)]) == []
    assert session.offset == "2000-1"
    assert session.move_on()
    assert not session.move_on(), "it is told once"
    session.submitted("r9", 9)
    session.hear([delivery(2, epoch=2_000), delivery(3, "r9", epoch=2_000)])
    assert not session.move_on(), "the later answer tells it"


def test_a_client_that_comes_back_after_a_loss_and_before_an_answer_is_sent_nothing_by_itself() -> None:
    session = Session("token")
    session.hear([delivery(1)])
    for _ in range(2):
        session.lose()
        assert session.offset == "1000-1"
    session.epoch = 2_000
    assert session.offset == "1000-1", "from 2000-0 it would be sent what it has"
    _, recovered, ready = resumed(Kept(2_000, 1, 1, [], {"r1": 1}), "1000", 1, [])
    assert not recovered
    assert not ready


def test_a_client_that_comes_back_twice_after_a_loss_is_sent_nothing_by_itself() -> None:
    kept = Kept(2_000, 0, 1, ["r1"], {})
    session, recovered, _ = resumed(kept, "1000", 1, [])
    assert (recovered, session.start, session.offset) == (False, "1000-1", "1000-1")
    assert session.hear([delivery(1, "r1", epoch=2_000)]) == []  # and its socket is closed before it is told so
    session, recovered, ready = resumed(Kept(2_000, 1, 2, [], {"r1": 1}), "1000", 1, [])
    assert (recovered, ready, session.start) == (False, [], "1000-1")
    session.submitted("r2", 7)
    assert numbers(session.hear([delivery(2, "r2", epoch=2_000)])) == [2]
    assert session.offset == "2000-2"


def test_what_was_in_flight_when_history_was_gone_and_is_not_asked_again_moves_the_client_on() -> None:
    session, recovered, _ = resumed(Kept(2_000, 5, 1, ["r6"], {}), "1000", 9, [])
    assert not recovered
    assert session.hear([delivery(6, epoch=2_000)]) == []
    assert session.move_on()
    assert session.offset == "2000-6"


def test_a_session_that_goes_on_over_another_socket_waits_for_what_its_process_has_not_written_yet() -> None:
    former = Session("token")
    for job, request in enumerate(("r1", "r2", "r3"), 5):
        former.submitted(request, job, question=job)
    former.hear([delivery(1, "r3")])
    session, _, _ = resumed(Kept(EPOCH, 2, 1, [], {"r2": 2, "r3": 1}), str(EPOCH), 2, [])
    session.adopt(former)
    assert list(session.in_flight) == ["r1"]
    assert session.waits_for("r1", 5)
    assert session.ask("r1", 5) is Repeat.IN_FLIGHT
    assert session.ask("r1", 9) is Repeat.REUSED


def test_after_a_loss_a_history_that_begins_late_leaves_no_gap() -> None:
    session = Session("token")
    session.hear([delivery(1)])
    session.lose()
    session.submitted("r7", 7)
    session.submitted("r8", 8)
    session.hear([delivery(8, epoch=2_000), delivery(5, epoch=2_000)])
    session.skip_to(7)
    assert numbers(session.hear([delivery(7, epoch=2_000)])) == [7, 8]
    assert not session.behind


def test_after_a_loss_nothing_is_sent_that_nobody_waits_for_here() -> None:
    session, _, _ = resumed(Kept(1_500, 1, 1, [], {"r5": 1}), "1000", 1, [])
    session.lose()  # Redis came back with what the client had over a former socket, and this process never knew of
    session.submitted("r2", 7)
    assert numbers(session.hear([delivery(1, epoch=2_000), delivery(2, epoch=2_000)])) == [2]
    assert session.ask("r1") is Repeat.ANSWERED


def test_what_was_in_flight_when_history_was_gone_is_sent_to_who_asks_for_it_again() -> None:
    session, recovered, _ = resumed(Kept(2_000, 5, 1, ["r6", "r7"], {}), "1000", 9, [])
    assert not recovered
    session.ask("r7")
    assert numbers(session.hear([delivery(6, epoch=2_000), delivery(7, epoch=2_000)])) == [7]
    assert session.ask("r6") is Repeat.ANSWERED


def test_a_job_that_ended_without_a_delivery_is_abandoned() -> None:
    session = Session("token")
    session.submitted("r1", 7)
    session.submitted("r2", 8)
    session.settled("r1", 7)
    session.settled("r2", 99)  # another job
    assert session.orphans == ["r1"]
    assert session.abandon(["r1"])
    assert session.ask("r1") is Repeat.NEW
    assert not session.abandon(["r1", "r2"])
    session.hear([delivery(1, "r2")])
    assert session.ask("r2") is Repeat.CROSSED  # the client was told to ask for everything again


def test_remembers_a_bounded_number_of_answers() -> None:
    session = Session("token")
    session.hear([delivery(n) for n in range(1, HISTORY + 3)])
    assert [session.ask(f"r{n}") for n in (1, 2, 3)] == [Repeat.NEW, Repeat.NEW, Repeat.CROSSED]


@dataclass
class Record:
    """A session in Redis."""

    epoch: int
    owner: int | None
    moves: int = 0
    last: int = 0
    marks: set[str] = field(default_factory=set)
    answers: list[Delivery] = field(default_factory=list)
    answered: dict[str, int] = field(default_factory=dict)


Question = tuple[int, str]  # token, request


@dataclass
class Process:
    """A web process: its ledger, its channel, and the session if it holds its socket."""

    pending: dict[int, Question] = field(default_factory=dict)
    since: dict[int, int] = field(default_factory=dict)  # epoch in which Redis last had a job
    unwritten: list[int] = field(default_factory=list)
    channel: list[tuple[str, list[Delivery] | int]] = field(default_factory=list)
    session: Session | None = None
    sock: int = 0  # which socket holds it


WEBS = st.integers(0, 2)


class Everything(RuleBasedStateMachine):
    """One client, three web processes, a Redis that may forget, and messages that may be lost or repeated.

    The client follows the protocol's one rule: after a loss it asks again for everything that it has no answer for.
    """

    # Answers kept, and requests at a time. As in the product the one is some times the other: a computation repeated by a
    # process that was cut off while a whole history went by would be answered again.
    LENGTH, IN_FLIGHT = 12, 3

    def __init__(self) -> None:
        super().__init__()
        self.webs = [Process() for _ in range(3)]
        self.record: Record | None = None
        self.queue: list[tuple[int, int, Question]] = []  # (web, job, question)
        self.token = 0  # of the client's session
        self.epochs = self.jobs = self.sockets = self.asked = 0
        self.connected: int | None = None  # the web process at the other end of the socket
        self.uplink: list[tuple[str, str]] = []
        self.downlink: list[tuple[str, Any]] = []
        self.unanswered: set[str] = set()
        self.got: list[str] = []
        self.seen = ("", 0)  # the client's offset

    # The client.

    @precondition(lambda self: self.connected is not None and len(self.unanswered) < self.IN_FLIGHT)
    @rule()
    def ask(self) -> None:
        self.asked += 1
        request = f"r{self.asked}"
        self.unanswered.add(request)
        self.uplink.append(("ask", request))

    @precondition(lambda self: self.uplink)
    @rule()
    def flow(self) -> None:
        """Everything goes as far as Redis."""
        while self.uplink:
            self.take_request()
        assert self.connected is not None
        self.write(self.connected)

    @rule()
    def disconnect(self) -> None:
        if self.connected is not None:
            self.webs[self.connected].session = None
        self.connected, self.uplink, self.downlink = None, [], []

    @rule(web=WEBS)
    def connect(self, web: int) -> None:
        """Resume: one atomic step in Redis, then what it returned is read while more may have been heard."""
        before = self.connected
        if before is not None and before != web and self.record:  # the old socket is still there for a while
            self.webs[before].session = None
        self.disconnect()
        process, record = self.webs[web], self.record
        self.sockets += 1
        process.sock, self.connected = self.sockets, web
        process.session = Session("token")
        if record is None:
            self.seen = ("", 0)
            self.token += 1  # unknown: it gets a session of its own
        else:
            record.moves += 1
            record.owner = web
            epoch, number = self.seen
            missed = [a for a in record.answers if a.number > number] if epoch in ("", str(record.epoch)) else []
            kept = Kept(record.epoch, record.last, record.moves, sorted(record.marks), dict(record.answered))
            heard = [d for kind, batch in process.channel[-2:] if kind == "hear" and isinstance(batch, list) for d in batch]
            recovered, ready = process.session.resume(kept, epoch, number, missed, heard)
            oldest = record.answers[0].number if record.answers else record.last + 1
            truth = epoch in ("", str(record.epoch)) and oldest <= number + 1 and number <= record.last
            assert recovered == truth
            start, _, at = process.session.start.rpartition("-")
            self.seen = self.seen if recovered else (start, int(at))
            self.send(web, ready)
        self.uplink = [("ask", request) for request in sorted(self.unanswered)]

    @precondition(lambda self: self.downlink)
    @rule()
    def read(self) -> None:
        kind, what = self.downlink.pop(0)
        if kind == "loss":
            self.seen = what
            self.uplink += [("ask", request) for request in sorted(self.unanswered)]
            return
        if kind == "moved":
            if self.seen[0] != what[0] or what[1] > self.seen[1]:
                self.seen = what
            return
        assert isinstance(what, Delivery)
        assert what.request in self.unanswered, f"{what.request} was answered twice"
        self.unanswered.discard(what.request)
        self.got.append(what.request)
        if kind == "live":
            assert self.seen[0] != str(what.epoch) or what.number > self.seen[1], "out of order"
            self.seen = (str(what.epoch), what.number)

    # The web processes.

    def send(self, web: int, deliveries: list[Delivery]) -> None:
        if self.connected == web:
            self.downlink += [("live", delivery) for delivery in deliveries]
            session = self.webs[web].session
            if session and session.move_on():
                self.downlink.append(("moved", place(session)))

    @precondition(lambda self: self.uplink)
    @rule()
    def take_request(self) -> None:
        _, request = self.uplink.pop(0)
        assert self.connected is not None
        process = self.webs[self.connected]
        session = process.session
        assert session
        repeat = session.ask(request)
        if repeat is Repeat.ANSWERED:
            there = session.place_of(request)
            found = [a for a in (self.record.answers if self.record else []) if Place(a.epoch, a.number) == there]
            if found:
                session.answered_again(request)
                self.downlink.append(("again", found[0]))
                return
            session.forget(request, there)
        if repeat in (Repeat.NEW, Repeat.ANSWERED):
            self.jobs += 1
            process.pending[self.jobs] = (self.token, request)
            process.unwritten.append(self.jobs)
            session.submitted(request, self.jobs)

    @rule(web=WEBS)
    def write(self, web: int) -> None:
        process = self.webs[web]
        for job in process.unwritten:
            question = process.pending.get(job)
            if question is None:
                continue
            if question[0] == self.token:  # a session that was left is of no interest any more
                self.mark(web, job, question[1])
            self.queue.append((web, job, question))
        process.unwritten = []

    def mark(self, web: int, job: int, request: str) -> None:
        """A job that Redis had, and for which no socket waits any more, only in a session that is no younger."""
        process = self.webs[web]
        flight = process.session.in_flight.get(request) if process.session else None
        before = process.since.get(job) if not flight or flight.job != job else None
        if before and (self.record is None or self.record.epoch > before):
            return
        if self.record is None:
            self.epochs += 1
            self.record = Record(self.epochs, web if self.webs[web].session else None)
        process.since[job] = self.record.epoch
        if request not in self.record.answered:
            self.record.marks.add(request)

    @rule(web=WEBS)
    def hear(self, web: int) -> None:
        process = self.webs[web]
        if process.channel:
            self.act(web, *process.channel.pop(0))

    def act(self, web: int, kind: str, what: "list[Delivery] | int") -> None:
        process = self.webs[web]
        if isinstance(what, int):
            self.settle(web, what)
            return
        for d in what:
            if d.reply_to == str(web):
                self.settle(web, d.answer.id)
        if process.session:
            self.send(web, process.session.hear(what))

    def settle(self, web: int, job: int) -> None:
        process = self.webs[web]
        question = process.pending.pop(job, None)
        if question and process.session and question[0] == self.token:
            process.session.settled(question[1], job)

    @rule(web=WEBS, lost=st.booleans())
    def lose_or_repeat_a_message(self, web: int, lost: bool) -> None:
        channel = self.webs[web].channel
        if channel:
            channel[:] = channel[1:] if lost else [channel[0], *channel]

    @rule(web=WEBS)
    def audit(self, web: int) -> None:
        """What `touch` and `catch_up` do; the barrier in between hears everything."""
        process, record, session = self.webs[web], self.record, self.webs[web].session
        state = (record.epoch, record.last, record.moves) if record else None
        if session and record and (session.moves > record.moves or (session.moves == record.moves and record.owner is None)):
            record.owner, record.moves = web, session.moves
        known, orphans = (session.epoch, session.orphans) if session else (None, [])
        written = {job for _, job, _ in self.queue} | set(process.unwritten)
        gone = [job for job in process.pending if job not in written]
        while process.channel:
            self.hear(web)
        if session and session is process.session:
            epoch = state[0] if state else None
            if session.epoch == known != epoch:
                if known is not None:
                    session.lose()
                    self.downlink.append(("loss", place(session)))
                session.epoch = epoch
            if state and session.epoch == epoch and session.last < state[1]:
                self.fetch(web)
            if process.session and session.abandon(orphans):
                self.downlink.append(("loss", place(session)))
        process.unwritten += [job for job in gone if job in process.pending]

    def fetch(self, web: int) -> None:
        process = self.webs[web]
        session = process.session
        assert session
        missed = [a for a in self.record.answers if a.epoch == session.epoch and a.number > session.last] if self.record else []
        for answer in missed:
            flight = session.in_flight.get(answer.request)
            if flight and flight.job:
                self.settle(web, flight.job)
        self.send(web, session.hear(missed))
        if session.behind:  # the history is too short: the client is closed and comes back
            self.disconnect()

    # The workers and Redis.

    @precondition(lambda self: self.queue)
    @rule(data=st.data(), twice=st.booleans())
    def work(self, data: st.DataObject, twice: bool) -> None:
        entry = self.queue[data.draw(st.integers(0, len(self.queue) - 1))]
        if not twice:
            self.queue.remove(entry)
        self.finish(*entry)

    def finish(self, web: int, job: int, question: Question) -> None:
        record, owner = self.record, None
        token, request = question
        if record and token == self.token and request in record.marks:
            record.marks.discard(request)
            record.last += 1
            owner = record.owner
            answer = Delivery("token", request, str(web), Answer(job, Verdict.PRIME), record.epoch, record.last)
            record.answers.append(answer)
            record.answered[request] = record.last
            if len(record.answers) > self.LENGTH:
                del record.answered[record.answers.pop(0).request]
            if owner is not None:
                self.webs[owner].channel.append(("hear", [answer]))
        if owner != web:
            self.webs[web].channel.append(("settle", job))

    @rule(luck=st.integers(0, 3))
    def empty_redis(self, luck: int) -> None:
        if luck:
            return
        self.record, self.queue = None, []
        for web in self.webs:
            web.channel = []

    @rule(web=WEBS, luck=st.booleans())
    def kill(self, web: int, luck: bool) -> None:
        if luck:
            return
        if self.connected == web:
            self.disconnect()
        self.webs[web] = Process()
        if self.record and self.record.owner == web:
            self.record.owner = None  # a new process has a name of its own

    def teardown(self) -> None:
        """When all is well again, every request has been answered, once."""
        for _ in range(30):
            if self.connected is None:
                self.connect(0)
            for web in range(3):
                self.write(web)
            for entry in self.queue:
                self.finish(*entry)
            self.queue = []
            for web in range(3):
                self.audit(web)
            while self.uplink or self.downlink:
                while self.uplink:
                    self.take_request()
                while self.downlink:
                    self.read()
            if not self.unanswered:
                break
        assert not self.unanswered
        assert len(self.got) == len(set(self.got)) == self.asked


Everything.TestCase.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
TestEverything = Everything.TestCase
