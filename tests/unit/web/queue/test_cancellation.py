"""Jobs whose time is over are ended one by one, whatever befalls one of them."""

import asyncio
from collections.abc import Callable
from typing import Any

from redis.exceptions import ConnectionError, ReadOnlyError

from services.jobs.messages import Answer, Asker, Delivery, Fault
from services.jobs.names import Lane
from services.web.ask.question import Question
from services.web.queue.answers import Answers
from services.web.queue.cancellation import Cancellation, Ending
from services.web.queue.cleanup import Cleanup
from services.web.queue.ledger import LOSSES, Ledger, Place
from services.web.queue.settlement import Settlement


class Clients:
    """Redis and the sessions, as the test has them: what is asked of them, and what they say."""

    def __init__(self, say: Callable[[str], Ending]) -> None:
        self.asked: list[str] = []
        self.given_up: list[str] = []
        self._say = say

    async def end(self, token: str, request: str, fault: Fault, *, again: bool) -> Ending:
        self.asked.append(request)
        return self._say(request)

    def hear(self, deliveries: list[Delivery]) -> None: ...

    def note(self, token: str, request: str, answer: Answer) -> None: ...

    def give_up(self, token: str, request: str, fault: Fault) -> None:
        self.given_up.append(request)


class Desk:
    """A ledger with one quick job of a session for each request, written alone, and what ends them."""

    def __init__(self, say: Callable[[str], Ending], *requests: str) -> None:
        self.clients = Clients(say)
        self.ledger = Ledger(100)
        redis: Any = None  # nothing is deleted here
        self.cleanup = Cleanup(redis, "web")
        answers = Answers(self.ledger, Settlement(self.ledger, "web"), self.clients, self.cleanup.discard, "web")
        self.cancellation = Cancellation(self.ledger, {}, answers, self.clients, self.cleanup)
        self.jobs: dict[str, int] = {}
        for request in requests:
            self.jobs[request] = self.ledger.accept(Question("97"), Asker("token", request), lambda answer: None).job.id
            self.ledger.written(Lane.QUICK, self.ledger.take(Lane.QUICK), [Place(Lane.QUICK, b"1-0")])

    def rounds(self, count: int) -> list[list[str]]:
        """What is asked of Redis in so many rounds, while all the jobs are over their time."""
        overdue = dict.fromkeys(self.jobs.values())

        async def run() -> list[list[str]]:
            asked: list[list[str]] = []
            for _ in range(count):
                for job in self.jobs.values():
                    overdue.setdefault(job)
                self.clients.asked.clear()
                await self.cancellation._end_all(overdue)
                asked.append([*self.clients.asked])
            return asked

        return asyncio.run(run())

    def cancel(self, request: str) -> bool:
        return asyncio.run(self.cancellation.cancel("token", request, self.jobs[request]))


def fail(error: Exception) -> Any:
    raise error


def test_a_job_that_redis_fails_to_end_lets_the_others_go_first_the_next_time() -> None:
    desk = Desk(lambda request: fail(ReadOnlyError("a replica")) if request == "a" else Ending.ENDED, "a", "b", "c")
    assert desk.rounds(2) == [["a"], ["b", "c", "a"]]


def test_a_redis_that_is_away_is_asked_once_a_round_and_each_job_has_its_turn() -> None:
    desk = Desk(lambda _: fail(ConnectionError("away")), "a", "b", "c")
    assert desk.rounds(4) == [["a"], ["b"], ["c"], ["a"]]


def test_a_job_that_may_be_written_holds_up_no_other() -> None:
    desk = Desk(lambda _: Ending.ENDED, "b")
    desk.jobs = {"a": desk.ledger.accept(Question("89"), Asker("token", "a"), lambda answer: None).job.id, **desk.jobs}
    desk.ledger.take(Lane.QUICK)  # its write is under way
    assert desk.rounds(1) == [["b"]]


def test_a_job_of_which_redis_lost_the_mark_is_written_again_and_ended_there() -> None:
    desk = Desk(lambda _: Ending.ENDED if len(desk.clients.asked) > 1 else Ending.UNKNOWN, "a")
    assert desk.rounds(1) == [["a"]]
    assert desk.clients.given_up == []
    desk.ledger.written(Lane.QUICK, desk.ledger.take(Lane.QUICK), [Place(Lane.QUICK, b"2-0")])
    desk.clients.asked.append("a")
    assert desk.cancel("a")
    assert desk.clients.given_up == []


def test_a_job_whose_mark_redis_loses_again_and_again_is_given_up() -> None:
    desk = Desk(lambda _: Ending.UNKNOWN, "a")
    for number in range(LOSSES + 1):
        assert desk.clients.given_up == []
        desk.rounds(1)
        desk.ledger.written(Lane.QUICK, desk.ledger.take(Lane.QUICK), [Place(Lane.QUICK, b"%d-0" % (2 + number))])
    assert desk.clients.given_up == ["a"]
    assert not len(desk.ledger)


def test_a_job_that_is_not_in_redis_when_its_time_is_over_is_written_before_all_others_and_ended_there() -> None:
    desk = Desk(lambda _: Ending.ENDED)
    jobs = {name: desk.ledger.accept(Question("89"), Asker("token", name), lambda answer: None).job for name in "ab"}
    desk.jobs = {"b": jobs["b"].id}
    assert desk.rounds(1) == [[]]
    entries = desk.ledger.take(Lane.QUICK)
    assert [entry.jobs for entry in entries] == [[jobs["b"]], [jobs["a"]]]
    desk.ledger.written(Lane.QUICK, entries, [Place(Lane.QUICK, b"1-0"), Place(Lane.QUICK, b"2-0")])
    assert desk.rounds(1) == [["b"]]
    assert desk.clients.given_up == []


def test_a_job_that_is_answered_while_redis_is_asked_is_not_ended() -> None:
    def answer(request: str) -> Ending:
        desk.ledger.cancel([desk.jobs[request]])
        return Ending.UNKNOWN

    desk = Desk(answer, "a")
    assert not desk.cancel("a")
    assert desk.clients.given_up == []


def test_a_job_that_is_written_again_while_redis_is_asked_is_ended_there() -> None:
    def lose(request: str) -> Ending:
        if len(desk.clients.asked) > 1:
            return Ending.ENDED
        pending = desk.ledger.get(desk.jobs[request])
        assert pending is not None and pending.entry is not None
        desk.ledger.lost([pending.entry])
        desk.ledger.written(Lane.QUICK, desk.ledger.take(Lane.QUICK), [Place(Lane.QUICK, b"2-0")])
        return Ending.UNKNOWN

    desk = Desk(lose, "a")
    assert desk.cancel("a")
    assert (desk.clients.asked, desk.clients.given_up) == (["a", "a"], [])
