"""The ledger keeps each accepted job until it is answered, through every order of writes, losses and answers."""

from collections import Counter
from functools import partial

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.jobs import turn
from services.jobs.messages import ANYBODY, Answer, Asker, Fault, Job, Verdict
from services.jobs.names import Lane
from services.web.ask import cost
from services.web.ask.client import Client
from services.web.ask.question import Question
from services.web.queue import ledger
from services.web.queue.ledger import Entry, Ledger, LedgerFull, Pending, Place


class Clock:
    """Stands in for the ledger's module `time`; it moves when told."""

    now = 1_000.0  # seconds

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(ledger, "time", clock)
    return clock


def nobody(answer: Answer) -> None:
    """Whom the tests' answers are for."""


def accept(book: Ledger, *numbers: str) -> list[Pending]:
    return [book.accept(Question(number), ANYBODY, nobody) for number in numbers]


def write(book: Ledger, lane: Lane, *ids: bytes) -> list[Entry]:
    """Take what waits, as if Redis had given these ids to the entries."""
    entries = book.take(lane)
    book.written(lane, entries, places(lane, *ids))
    return entries


def places(lane: Lane, *ids: bytes) -> list[Place]:
    return [Place(lane, id) for id in ids]


def ids(entries: list[Entry]) -> list[list[int]]:
    return [[job.id for job in entry.jobs] for entry in entries]


def prime(id: int) -> Answer:
    return Answer(id, Verdict.PRIME)


HEAVY = "9" * 300


def test_an_accepted_job_is_returned_by_its_answer() -> None:
    book = Ledger(10)
    pending = book.accept(Question("97"), ANYBODY, nobody)
    assert book.settle(prime(pending.job.id)) is pending
    assert (pending.job.number, pending.answered) == ("97", nobody)


def test_a_repeated_answer_finds_nobody() -> None:
    book = Ledger(10)
    accept(book, "97")
    book.settle(prime(1))
    assert book.settle(prime(1)) is None


def test_an_answer_to_a_job_that_never_was_finds_nobody() -> None:
    assert Ledger(10).settle(prime(7)) is None


def test_remembers_when_it_accepted_a_job(clock: Clock) -> None:
    assert Ledger(10).accept(Question("97"), ANYBODY, nobody).accepted == clock.now


def test_jobs_have_ids_of_their_own_even_after_others_were_answered() -> None:
    book = Ledger(10)
    accept(book, "2", "3")
    book.settle(prime(2))
    assert [pending.job for pending in accept(book, "5", "7")] == [Job(3, "5"), Job(4, "7")]


def test_is_busy_at_its_bound() -> None:
    book = Ledger(2_000)
    accept(book, *["97"] * 1_000)
    with pytest.raises(LedgerFull, match=r"^1,000 jobs are pending, and too many of them are of this client$"):
        book.accept(Question("97"), ANYBODY, nobody)
    assert len(book) == 1_000


def test_a_client_leaves_room_for_others() -> None:
    book = Ledger(2_000)
    accept(book, *["97"] * 1_000)
    for number in range(500):
        book.accept(Question("97"), ANYBODY, nobody, client=Client("2001:db8::", f"socket {number}"))
    with pytest.raises(LedgerFull):
        book.accept(Question("97"), ANYBODY, nobody, client=Client("2001:db8::"))
    book.accept(Question("97"), ANYBODY, nobody, client=Client("192.0.2.1"))


def test_a_large_number_takes_more_places() -> None:
    book = Ledger(20)
    book.accept(Question("9" * 8_000), ANYBODY, nobody)
    with pytest.raises(LedgerFull):
        book.accept(Question("9" * 8_000), ANYBODY, nobody)
    book.settle(prime(1))
    book.accept(Question("9" * 8_000), ANYBODY, nobody)


def test_what_waits_in_redis_is_bounded_and_the_rest_goes_by_turns() -> None:
    book = Ledger(100_000)
    greedy = [book.accept(Question("97"), ANYBODY, nobody, client=Client("192.0.2.1")).job.id for _ in range(5_000)]
    first = [job.id for entry in book.take(Lane.QUICK) for job in entry.jobs]
    assert first == greedy[: ledger.QUICK_WORK // (2 + ledger.HANDLING)]
    polite = book.accept(Question("97"), ANYBODY, nobody, client=Client("192.0.2.2")).job.id
    assert book.take(Lane.QUICK) == []
    woken: list[bool] = []
    book.lanes[Lane.QUICK].room = lambda: woken.append(True)
    for id in first[:300]:
        book.settle(prime(id))
    assert woken == [True]
    second = [job.id for entry in book.take(Lane.QUICK) for job in entry.jobs]
    assert len(second) == 300
    assert polite in second[:256]
    assert second[:3] == greedy[1_000:1_003]


def test_one_client_has_so_many_costly_entries_in_redis() -> None:
    book = Ledger(100_000)
    for _ in range(300):
        book.accept(Question(HEAVY), ANYBODY, nobody, client=Client("192.0.2.1"))
    taken: list[Entry] = []
    while entries := book.take(Lane.HEAVY):
        taken += entries
    assert len(taken) == ledger.HEAVY_ENTRIES
    polite = book.accept(Question(HEAVY), ANYBODY, nobody, client=Client("192.0.2.2")).job.id
    assert ids(book.take(Lane.HEAVY)) == [[polite]]
    book.written(Lane.HEAVY, taken, [Place(Lane.HEAVY, b"%d-0" % number) for number in range(len(taken))])
    book.moved(taken[0].jobs[0].id, Place(Lane.PROOF, b"1-0"))  # it is the other lane's now
    assert len(book.take(Lane.HEAVY)) == 1
    book.settle(prime(taken[0].jobs[0].id))
    assert book.take(Lane.HEAVY) == []
    book.hasten()
    assert len(book.take(Lane.HEAVY)) == 300 - ledger.HEAVY_ENTRIES - 1


def test_has_room_again_after_an_answer() -> None:
    book = Ledger(2)
    accept(book, "97")
    with pytest.raises(LedgerFull):
        accept(book, "97")
    book.settle(prime(1))
    assert accept(book, "97")


def test_both_lanes_count_towards_the_bound() -> None:
    book = Ledger(4)
    accept(book, "97", HEAVY)
    with pytest.raises(LedgerFull, match="2 jobs are pending"):
        book.accept(Question("97"), ANYBODY, nobody)


def test_a_turn_costs_its_client_what_an_entry_takes_besides_its_computation() -> None:
    book = Ledger(100)
    number = "1" + "0" * 149
    (pending,) = accept(book, number)
    (entry,) = book.take(Lane.HEAVY)
    assert int(entry.turn.split()[2]) == pending.cost + turn.HANDLING
    assert pending.cost < turn.HANDLING  # which is why: many small ones would take more than their share


def test_quick_jobs_share_an_entry_and_heavy_ones_do_not() -> None:
    book = Ledger(10)
    accept(book, "2", HEAVY, "3", HEAVY)
    assert ids(book.take(Lane.QUICK)) == [[1, 3]]
    assert ids(book.take(Lane.HEAVY)) == [[2], [4]]


def test_an_entry_carries_a_bounded_number_of_jobs() -> None:
    book = Ledger(10_000)
    accept(book, *["97"] * (2 * ledger.ENTRY_JOBS + 1))
    assert [len(entry.jobs) for entry in book.take(Lane.QUICK)] == [ledger.ENTRY_JOBS, ledger.ENTRY_JOBS, 1]


def test_a_job_that_vanishes_again_and_again_is_given_up() -> None:
    book = Ledger(10)
    accept(book, "97")
    for loss in range(ledger.LOSSES + 1):
        entries = write(book, Lane.QUICK, b"%d-0" % loss)
        again, given_up = book.lost(entries)
        assert (again, len(given_up)) == ((1, 0) if loss < ledger.LOSSES else (0, 1))
    assert given_up[0].fault is Fault.LOST
    assert book.settle(given_up[0]) is not None and len(book) == 0 and not book.take(Lane.QUICK)


def test_tells_when_redis_had_a_job_that_it_lost() -> None:
    book = Ledger(10)
    accept(book, "97")
    assert book.since(1) == 0
    book.lost(write(book, Lane.QUICK, b"1000007-3"))
    assert book.since(1) == 1_000_007


def test_an_entry_carries_a_bounded_cost() -> None:
    book = Ledger(10)
    accept(book, *["9" * 109] * 5)
    assert ids(book.take(Lane.QUICK)) == [[1, 2], [3, 4], [5]]


def test_expressions_count_what_it_takes_to_read_them() -> None:
    book = Ledger(1_000)
    for _ in range(200):
        book.accept(Question("+".join(["1"] * 40), 3), ANYBODY, nobody)
    assert max(len(entry.jobs) for entry in book.take(Lane.QUICK)) <= 10
    dense = book.accept(Question("+".join(["fib(64)"] * 66), 15), ANYBODY, nobody)
    assert dense.lane is Lane.HEAVY


def test_an_entry_is_filled_to_the_last_microsecond() -> None:
    book = Ledger(10)
    accept(book, *["9" * 109] * 2, "2", "3", "5")  # 498, 498, 2, 2, 2 µs
    assert ids(book.take(Lane.QUICK)) == [[1, 2, 3, 4], [5]]


def test_a_write_carries_a_bounded_number_of_entries() -> None:
    book = Ledger(1_000)
    accept(book, *[HEAVY] * (ledger.WRITE_ENTRIES + 1))
    assert len(book.take(Lane.HEAVY)) == ledger.WRITE_ENTRIES
    assert ids(book.take(Lane.HEAVY)) == [[ledger.WRITE_ENTRIES + 1]]
    assert book.take(Lane.HEAVY) == []


def test_a_failed_write_goes_out_again_before_later_jobs() -> None:
    book = Ledger(10)
    accept(book, "2", HEAVY, HEAVY)
    entries = book.take(Lane.HEAVY)
    accept(book, HEAVY)
    book.written(Lane.HEAVY, entries, [])
    assert ids(book.take(Lane.HEAVY)) == [[2], [3], [4]]


def test_only_unanswered_jobs_of_a_lost_entry_go_out_again() -> None:
    book = Ledger(10)
    accept(book, "2", "3", "5")
    entries = write(book, Lane.QUICK, b"1-0")
    book.settle(prime(2))
    assert book.unwritten(entries) == 2
    assert ids(book.take(Lane.QUICK)) == [[1, 3]]


def test_an_entry_that_is_lost_twice_goes_out_again_once() -> None:
    book = Ledger(10)
    accept(book, "2")
    entries = write(book, Lane.QUICK, b"1-0")
    assert [book.unwritten(entries), book.unwritten(entries)] == [1, 0]


def test_a_job_that_moved_on_is_not_lost_with_its_former_entry() -> None:
    book = Ledger(10)
    accept(book, "2")
    former = write(book, Lane.QUICK, b"1-0")
    book.unwritten(former)
    write(book, Lane.QUICK, b"2-0")
    assert book.unwritten(former) == 0
    assert [entry.id for entry in book.lanes[Lane.QUICK].entries] == [b"2-0"]


def test_an_answer_from_a_former_entry_closes_a_job_that_waits_to_be_written() -> None:
    book = Ledger(10)
    accept(book, "2")
    book.unwritten(write(book, Lane.QUICK, b"1-0"))
    assert book.settle(prime(1)) is not None
    assert book.take(Lane.QUICK) == []


def test_an_answer_may_overtake_the_reply_to_the_write() -> None:
    book = Ledger(10)
    accept(book, "2")
    entries = book.take(Lane.QUICK)
    book.settle(prime(1))
    book.written(Lane.QUICK, entries, places(Lane.QUICK, b"1-0"))
    assert book.lanes[Lane.QUICK].entries == {}


def test_an_entry_is_forgotten_with_its_last_answer() -> None:
    book = Ledger(10)
    accept(book, "2", "3")
    write(book, Lane.QUICK, b"1-0")
    book.settle(prime(1))
    assert len(book.lanes[Lane.QUICK].entries) == 1
    book.settle(prime(2))
    assert book.lanes[Lane.QUICK].entries == {}


def test_a_session_is_handed_over_when_redis_holds_its_jobs() -> None:
    book = Ledger(10)
    accept(book, "2")
    assert book.handed_over  # nobody else may answer a plain job
    book.accept(Question("3"), Asker("token", "1"), nobody)
    assert not book.handed_over
    entries = book.take(Lane.QUICK)
    assert not book.handed_over
    book.written(Lane.QUICK, entries, [])
    assert not book.handed_over
    write(book, Lane.QUICK, b"1-0")
    assert book.handed_over
    book.lost(book.due(Lane.QUICK, age=0))
    assert not book.handed_over


def test_a_cancelled_job_that_waits_is_not_written() -> None:
    book = Ledger(10)
    first, second = accept(book, "97", "89")
    assert book.cancel([first.job.id]) == []
    (entry,) = book.take(Lane.QUICK)
    assert entry.jobs == [second.job]


def test_an_entry_is_unwanted_once_all_of_its_open_jobs_are_cancelled() -> None:
    book = Ledger(10)
    first, second, third = accept(book, "97", "89", "83")
    (entry,) = write(book, Lane.QUICK, b"1-1")
    book.settle(prime(first.job.id))
    assert book.cancel([second.job.id]) == []
    assert book.cancel([third.job.id]) == [entry]
    assert book.cancel([third.job.id]) == []
    assert len(book) == 0 and book.due(Lane.QUICK, age=0) == []


def test_an_entry_that_is_cancelled_while_it_is_written_is_unwanted_when_redis_has_it() -> None:
    book = Ledger(10)
    (pending,) = accept(book, HEAVY)
    entries = book.take(Lane.HEAVY)
    assert book.cancel([pending.job.id]) == []
    assert book.written(Lane.HEAVY, entries, places(Lane.HEAVY, b"1-1")) == entries


def test_an_answered_entry_is_not_unwanted() -> None:
    book = Ledger(10)
    (pending,) = accept(book, HEAVY)
    entries = book.take(Lane.HEAVY)
    book.settle(prime(pending.job.id))
    assert book.written(Lane.HEAVY, entries, places(Lane.HEAVY, b"1-1")) == []


def test_a_job_is_expired_once_a_second_until_it_is_closed(clock: Clock) -> None:
    book = Ledger(10)
    ends = int((clock.now + 5) * 1000)
    pending = book.accept(Question("97"), Asker(expires=ends), nobody)
    book.accept(Question("89"), ANYBODY, nobody)
    assert book.expired() == []
    clock.now += 5
    assert book.expired() == [], "a worker's answer may be on its way"
    clock.now += ledger.ON_ITS_WAY / 1000
    assert book.expired() == [pending] and book.expired() == []
    clock.now += 1
    assert book.expired() == [pending]
    book.settle(prime(pending.job.id))
    clock.now += 1
    assert book.expired() == []


def test_deadlines_of_closed_jobs_do_not_pile_up(clock: Clock) -> None:
    book = Ledger(10)
    for _ in range(3 * ledger.STALE):
        book.settle(prime(book.accept(Question("97"), Asker(expires=2_000_000_000_000), nobody).job.id))
        book.expired()
    assert len(book._deadlines) <= ledger.STALE


def test_what_a_full_queue_did_not_take_goes_out_again() -> None:
    book = Ledger(10)
    accept(book, HEAVY, HEAVY, HEAVY)
    write(book, Lane.HEAVY, b"1-0")
    assert ids(book.take(Lane.HEAVY)) == [[2], [3]]


def test_jobs_that_wait_for_one_run_are_each_looked_for() -> None:
    book = Ledger(10)
    accept(book, HEAVY, HEAVY)
    entries = write(book, Lane.HEAVY, b"1-0", b"1-0")
    assert book.due(Lane.HEAVY, age=0) == entries
    book.settle(prime(1))
    assert book.due(Lane.HEAVY, age=0) == entries[1:]


def test_what_is_known_already_is_looked_for_in_the_quick_lane() -> None:
    book = Ledger(10)
    accept(book, HEAVY)
    entries = book.take(Lane.HEAVY)
    book.written(Lane.HEAVY, entries, places(Lane.QUICK, b"1-0"))
    assert (book.due(Lane.HEAVY, age=0), book.due(Lane.QUICK, age=0)) == ([], entries)
    book.lost(entries)
    assert ids(book.take(Lane.HEAVY)) == [[1]]


def test_a_run_that_moved_is_looked_for_where_it_is() -> None:
    book = Ledger(10)
    (pending,) = accept(book, HEAVY)
    entries = write(book, Lane.HEAVY, b"1-0")
    assert book.moved(1, Place(Lane.PROOF, b"2-0")) is pending
    assert (book.due(Lane.HEAVY, age=0), book.due(Lane.PROOF, age=0)) == ([], entries)
    assert book.cancel([1]) == entries
    assert book.moved(1, Place(Lane.PROOF, b"2-0")) is None and book.due(Lane.PROOF, age=0) == []


def test_a_move_may_overtake_the_reply_to_the_write() -> None:
    book = Ledger(10)
    accept(book, HEAVY)
    entries = book.take(Lane.HEAVY)
    book.moved(1, Place(Lane.PROOF, b"2-0"))
    book.written(Lane.HEAVY, entries, places(Lane.HEAVY, b"1-0"))
    assert [entry.id for entry in book.due(Lane.PROOF, age=0)] == [b"2-0"]
    assert book.handed_over and book.due(Lane.HEAVY, age=0) == []


def test_what_moved_is_in_redis_though_the_write_seems_to_have_failed() -> None:
    book = Ledger(10)
    book.accept(Question(HEAVY), Asker("token", "1"), nobody)
    entries = book.take(Lane.HEAVY)
    book.moved(1, Place(Lane.PROOF, b"2-0"))
    book.written(Lane.HEAVY, entries, [])
    assert book.handed_over and book.take(Lane.HEAVY) == []


def test_an_entry_is_due_at_its_age_and_not_before(clock: Clock) -> None:
    book = Ledger(10)
    accept(book, "2")
    entries = write(book, Lane.QUICK, b"1-0")
    clock.now += 0.75
    assert book.due(Lane.QUICK, age=1.0) == []
    clock.now += 0.25
    assert book.due(Lane.QUICK, age=1.0) == entries


def test_an_entry_on_its_way_is_not_due(clock: Clock) -> None:
    book = Ledger(10)
    accept(book, "2")
    book.take(Lane.QUICK)
    clock.now += 60
    assert book.due(Lane.QUICK, age=1.0) == []


def test_a_long_backlog_is_due_in_turns(clock: Clock) -> None:
    book = Ledger(10_000)
    most = ledger.AUDIT_ENTRIES
    for number in range(most + most // 2):
        accept(book, HEAVY)
        write(book, Lane.HEAVY, b"%d-0" % number)
        book.moved(number + 1, Place(Lane.PROOF, b"%d-1" % number))
    first, second = book.due(Lane.PROOF, age=0), book.due(Lane.PROOF, age=0)
    assert (len(first), len(second)) == (most, most)
    assert {*first, *second} == book.lanes[Lane.PROOF].entries.keys()


class AnyOrder(RuleBasedStateMachine):
    """The ledger against lists and dicts that are simple enough to believe. Small bounds, so that all are met."""

    MOST = 24
    CLIENTS = tuple(Client(name, flow) for name in ("192.0.2.1", "192.0.2.2", "2001:db8::/64") for flow in "ab")

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        for name, value in {
            **{"ENTRY_JOBS": 3, "WRITE_ENTRIES": 2, "AUDIT_ENTRIES": 2},
            **{"QUICK_WORK": 900, "HEAVY_ENTRIES": 3},
        }.items():
            self.patch.setattr(ledger, name, value)
        self.clock = Clock()
        self.patch.setattr(ledger, "time", self.clock)
        self.ledger = Ledger(self.MOST)
        for lane, part in self.ledger.lanes.items():
            part.room = partial(self.wake, lane)
        self.last_id = 0  # of jobs
        self.writes = 0
        self.lanes: dict[int, Lane] = {}  # of the pending jobs
        self.clients: dict[int, Client] = {}  # of all jobs
        self.costs: dict[int, int] = {}
        self.waiting: dict[Lane, list[int]] = {lane: [] for lane in Lane}  # job ids to be written, each flow's in order
        self.hurried: set[int] = set()  # of these
        self.woken: dict[Lane, int] = dict.fromkeys(Lane, 0)  # times that room was told
        self.carrier: dict[int, Entry] = {}  # which entry carries a pending job that does not wait
        self.on_the_way: list[list[Entry]] = []  # writes without a reply
        self.in_redis: dict[Lane, list[Entry]] = {lane: [] for lane in Lane}  # with pending jobs, longest unaudited first
        self.ever: list[Entry] = []  # every entry that was written
        self.answers: Counter[int] = Counter()  # by job id

    def carried(self, entry: Entry) -> list[int]:
        """The pending jobs of which this is the present entry."""
        return [job.id for job in entry.jobs if self.carrier.get(job.id) is entry]

    def wake(self, lane: Lane) -> None:
        self.woken[lane] += 1

    def held(self, client: str) -> int:
        return sum(self.clients[id].name == client for id in self.lanes)

    def in_heavy(self, client: str) -> int:
        """Jobs of this client whose entries are in the heavy lane, or on the way there."""
        heavy = [id for id, entry in self.carrier.items() if entry.lane is Lane.HEAVY]
        return sum(self.clients[id].name == client for id in heavy)

    @property
    def work(self) -> int:
        return sum(self.costs[id] + ledger.HANDLING for id in self.carrier if self.lanes[id] is Lane.QUICK)

    @rule(digits=st.sampled_from([1, 18, 60, 100, 109, 110, 300]), client=st.sampled_from(CLIENTS))
    def accept(self, digits: int, client: Client) -> None:
        number = "9" * digits
        if self.held(client.name) + len(self.lanes) + 1 > self.MOST:
            with pytest.raises(LedgerFull, match="jobs are pending, and too many of them are of this client"):
                self.ledger.accept(Question(number), ANYBODY, nobody, client=client)
            return
        self.last_id += 1
        pending = self.ledger.accept(Question(number), ANYBODY, nobody, client=client)
        assert pending.job == Job(self.last_id, number)
        self.lanes[self.last_id] = pending.lane
        self.clients[self.last_id] = client
        self.costs[self.last_id] = pending.cost
        self.waiting[pending.lane].append(self.last_id)

    @precondition(lambda self: any(self.in_redis.values()))
    @rule(data=st.data())
    def rewrite(self, data: st.DataObject) -> None:
        """Redis lost what it knew of one job's request; its entry may be there."""
        id = data.draw(st.sampled_from(sorted(id for held in self.in_redis.values() for e in held for id in self.carried(e))))
        pending, entry = self.ledger.get(id), self.carrier.pop(id)
        assert pending is not None
        pending.losses = 0
        assert self.ledger.rewrite(pending, entry) == (1, [])
        assert self.ledger.rewrite(pending, entry) == (0, []), "it is not its entry any more"
        waiting = self.waiting[self.lanes[id]]
        waiting.insert(sum(other in self.hurried for other in waiting), id)
        for lane, held in self.in_redis.items():
            self.in_redis[lane] = [each for each in held if self.carried(each)]

    @precondition(lambda self: self.lanes)
    @rule(data=st.data())
    def hurry(self, data: st.DataObject) -> None:
        """A job is about to be ended, whether it is in Redis or not."""
        id = data.draw(st.sampled_from(sorted(self.lanes)))
        lane = self.lanes[id]
        waiting, woken = self.waiting[lane], self.woken[lane]
        pending = self.ledger.get(id)
        assert pending is not None
        self.ledger.hurry(pending)
        assert self.woken[lane] == woken + (id in waiting)
        if id in waiting:
            self.hurried.discard(id)  # it goes behind those that were hurried before
            waiting.remove(id)
            waiting.insert(sum(other in self.hurried for other in waiting), id)
            self.hurried.add(id)

    @rule(lane=st.sampled_from(Lane))
    def take(self, lane: Lane) -> None:
        waiting = self.waiting[lane]
        work = self.work
        entries = self.ledger.take(lane)
        taken = [job.id for entry in entries for job in entry.jobs]
        for client in self.CLIENTS:  # of each flow the first ones
            of_flow = [id for id in taken if self.clients[id] == client]
            assert of_flow == [id for id in waiting if self.clients[id] == client][: len(of_flow)]
        assert len(entries) <= ledger.WRITE_ENTRIES
        self.waiting[lane] = waiting = [id for id in waiting if id not in taken]
        for entry in entries:
            self.check_bounds(entry)
            self.carrier |= {job.id: entry for job in entry.jobs}
        if entries:
            self.on_the_way.append(entries)
        self.check_room(lane, entries, work)
        self.hurried.difference_update(taken)

    def check_room(self, lane: Lane, entries: list[Entry], work: int) -> None:
        """What was left had no room, and is told when there is some; what was hurried needs none."""
        usual = [job.id for entry in entries for job in entry.jobs if job.id not in self.hurried]
        full = len(entries) == ledger.WRITE_ENTRIES
        left = {self.clients[id].name for id in self.waiting[lane]}
        assert self.ledger.lanes[lane].stalled == (bool(left) and not full)
        if lane is Lane.QUICK:
            assert not left or full or self.work >= ledger.QUICK_WORK
            assert work < ledger.QUICK_WORK or not usual
        else:
            assert all(self.in_heavy(self.clients[id].name) <= ledger.HEAVY_ENTRIES for id in usual)
            assert full or all(self.in_heavy(client) >= ledger.HEAVY_ENTRIES for client in left)

    def check_bounds(self, entry: Entry) -> None:
        total = sum(cost.estimate(job.number) for job in entry.jobs)
        assert 1 <= len(entry.jobs) <= ledger.ENTRY_JOBS
        assert total <= ledger.ENTRY_COST or len(entry.jobs) == 1
        assert {cost.lane(cost.estimate(job.number)) for job in entry.jobs} == {entry.lane}

    @precondition(lambda self: self.on_the_way)
    @rule(data=st.data())
    def reply(self, data: st.DataObject) -> None:
        entries = self.on_the_way.pop(data.draw(st.integers(0, len(self.on_the_way) - 1)))
        lane = entries[0].lane
        self.ledger.written(lane, entries, [Place(lane, b"%d-%d" % (self.writes, number)) for number in range(len(entries))])
        self.writes += 1
        self.ever += entries
        self.in_redis[entries[0].lane] += [entry for entry in entries if self.carried(entry)]

    @precondition(lambda self: self.on_the_way)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        self.send_again(self.on_the_way.pop(data.draw(st.integers(0, len(self.on_the_way) - 1))))

    @precondition(lambda self: self.ever)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        """Redis lost some entries of a lane, or some that were answered meanwhile were looked for and not found."""
        lane = data.draw(st.sampled_from([entry.lane for entry in self.ever]))
        candidates = [entry for entry in self.ever if entry.lane is lane][-6:]
        self.send_again(data.draw(st.lists(st.sampled_from(candidates), unique=True)))

    def send_again(self, entries: list[Entry]) -> None:
        again = [id for entry in entries for id in self.carried(entry)]
        assert self.ledger.unwritten(entries) == len(again)
        for id in reversed(again):
            del self.carrier[id]
            waiting = self.waiting[self.lanes[id]]
            waiting.insert(sum(other in self.hurried for other in waiting), id)
        for lane, held in self.in_redis.items():
            self.in_redis[lane] = [entry for entry in held if entry not in entries]

    @precondition(lambda self: self.last_id)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        """Any job, pending or answered or not yet written again; a worker may be slow, an answer may come twice."""
        self.settle(data.draw(st.integers(max(1, self.last_id - self.MOST), self.last_id + 1)))

    def settle(self, id: int) -> None:
        pending = self.ledger.settle(prime(id))
        if id not in self.lanes:
            assert pending is None
            return
        assert pending is not None
        assert pending.job.id == id
        self.answers[id] += 1
        lane = self.lanes.pop(id)
        self.hurried.discard(id)
        self.waiting[lane] = [other for other in self.waiting[lane] if other != id]
        self.carrier.pop(id, None)
        for lane, held in self.in_redis.items():
            self.in_redis[lane] = [entry for entry in held if self.carried(entry)]

    @precondition(lambda self: self.in_redis[Lane.HEAVY])
    @rule(data=st.data())
    def move(self, data: st.DataObject) -> None:
        """A run was promoted."""
        entry = data.draw(st.sampled_from(self.in_redis[Lane.HEAVY]))
        self.ledger.moved(entry.jobs[0].id, Place(Lane.PROOF, b"proof-%d" % entry.jobs[0].id))
        self.in_redis[Lane.HEAVY].remove(entry)
        self.in_redis[Lane.PROOF].append(entry)

    @rule(seconds=st.sampled_from([0.5, 1.0]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(lane=st.sampled_from(Lane))
    def audit(self, lane: Lane) -> None:
        old = [entry for entry in self.in_redis[lane] if entry.written <= self.clock.now - 1.0]
        due = self.ledger.due(lane, age=1.0)
        assert due == old[: ledger.AUDIT_ENTRIES]
        self.in_redis[lane] = [entry for entry in self.in_redis[lane] if entry not in due] + due

    @invariant()
    def counts_what_is_pending(self) -> None:
        assert len(self.ledger) == len(self.lanes) <= self.MOST
        assert {lane: part.pending for lane, part in self.ledger.lanes.items()} == {
            lane: list(self.lanes.values()).count(lane) for lane in Lane
        }

    @invariant()
    def every_pending_job_waits_or_travels(self) -> None:
        for lane, part in self.ledger.lanes.items():
            assert len(part.unwritten) == len(self.waiting[lane])
            assert {pending.job.id for pending in part.unwritten} == {*self.waiting[lane]}
            assert list(part.entries) == self.in_redis[lane]
            assert [entry.open for entry in part.entries] == [len(self.carried(e)) for e in self.in_redis[lane]]
        travelling = [entry for write in self.on_the_way for entry in write] + [
            entry for held in self.in_redis.values() for entry in held
        ]
        places = [id for waiting in self.waiting.values() for id in waiting] + [id for e in travelling for id in self.carried(e)]
        assert sorted(places) == sorted(self.lanes)

    @invariant()
    def knows_what_each_client_takes(self) -> None:
        assert self.ledger.lanes[Lane.QUICK].work == self.work
        accounts = {pending.account.name: pending.account for id in self.lanes if (pending := self.ledger.get(id))}
        assert {name: account.places for name, account in accounts.items()} == Counter(self.clients[id].name for id in self.lanes)
        assert all(account.heavy == self.in_heavy(name) for name, account in accounts.items())

    def teardown(self) -> None:
        for id in sorted(self.lanes):
            self.settle(id)
        for entries in self.on_the_way:
            lane = entries[0].lane
            self.ledger.written(lane, entries, [Place(lane, b"late-%d" % number) for number in range(len(entries))])
        self.patch.undo()
        assert self.answers == Counter(range(1, self.last_id + 1))
        for part in self.ledger.lanes.values():
            assert (part.pending, len(part.unwritten), part.entries, part.work) == (0, 0, {}, 0)


test_every_accepted_job_is_answered_once_whatever_the_order = AnyOrder.TestCase
