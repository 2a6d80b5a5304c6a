"""finish.lua: answers are kept and published, entries acknowledged and deleted, in one step."""

from typing import Any

import pytest

from services.broker.finish import Answered, DeadLetter, Withdrawn, _arrange
from services.broker.finish import _finish as finish
from services.jobs import messages, names
from services.jobs.messages import Job
from services.jobs.names import GROUP, Lane
from tests.scripts.conftest import Node, heard, run
from tests.scripts.sessions import EPOCH, HISTORY, SESSION, TOKEN, TTL, answer, field, history, put

QUICK, HEAVY = names.stream(Lane.QUICK), names.stream(Lane.HEAVY)
MARK = "quick 17-0 web0 {}"


def claimed(node: Node, stream: str = QUICK, count: int = 1, **fields: Any) -> list[bytes]:
    """Entries that a worker has."""
    node.admin.xgroup_create(stream, GROUP, id="0", mkstream=True)
    ids = [node.admin.xadd(stream, {"reply": "web0", "jobs": b"", **fields}) for _ in range(count)]
    node.admin.xreadgroup(GROUP, "worker", {stream: ">"})
    return ids


def asked(request: str, job: int, web: str = "web0", token: str = TOKEN, *, kind: type[Answered] = Answered) -> Answered:
    return kind(Job(job, "97", session=token, request=request), web, answer(job))


def end(node: Node, *answered: Answered, ids: Any = (), lane: Lane = Lane.QUICK, publications: Any = (), dead: Any = ()) -> Any:
    keys, arguments = _arrange(lane, ids, answered, publications, dead)
    return run(node.worker, finish, keys, *arguments)


def delivered(listener: Any) -> list[tuple[str, list[tuple[str, str, str, int, int, int]]]]:
    """By channel: session, request, web process that asked, job, epoch and number of each delivery."""
    return [
        (
            channel,
            [(d.session, d.request, d.reply_to, d.answer.id, d.epoch, d.number) for d in messages.decode_deliveries(payload)],
        )
        for channel, payload in heard(listener)
    ]


def results(listener: Any) -> list[tuple[str, list[int]]]:
    """By channel: the jobs of the answers."""
    return [(channel, [each.id for each in messages.decode_answers(payload)]) for channel, payload in heard(listener)]


def test_entries_are_acknowledged_and_deleted(node: Node) -> None:
    first, second, third = claimed(node, count=3)
    assert end(node, ids=[first, third]) == [0, 0]
    assert [id for id, _ in node.admin.xrange(QUICK)] == [second]
    assert node.admin.xpending(QUICK, GROUP)["pending"] == 1


def test_askers_of_a_run_go_with_its_entry(node: Node) -> None:
    (id,) = claimed(node, HEAVY)
    askers = names.askers(Lane.HEAVY, id.decode())
    node.admin.hset(askers, "web0 1", b"")
    end(node, ids=[id], lane=Lane.HEAVY)
    assert not node.admin.exists(askers)
    assert node.admin.xlen(HEAVY) == 0


def test_publications_to_plain_clients_are_passed_on_and_those_unheard_counted(node: Node) -> None:
    listener = node.listen("primes:results:web0")
    publications = [("primes:results:web0", b"one"), ("primes:results:web1", b"two")]
    assert end(node, publications=publications) == [1, 0]
    assert heard(listener) == [("primes:results:web0", b"one")]


def test_an_answer_takes_the_place_of_its_requests_mark(node: Node) -> None:
    put(node, answers=1, a=MARK.format(5))
    assert end(node, asked("a", 5)) == [1, 1]  # nobody listens
    assert (field(node, "?a"), field(node, "last")) == ("2", "2")
    assert history(node) == [("1", 1), ("a", 5)]


def test_the_web_process_that_holds_the_session_hears_of_its_answer_once(node: Node) -> None:
    put(node, a=MARK.format(5))
    listener = node.listen(names.deliveries("web0"), names.results("web0"))
    assert end(node, asked("a", 5)) == [0, 1]
    assert delivered(listener) == [("primes:deliveries:web0", [(TOKEN, "a", "web0", 5, EPOCH, 1)])]


def test_answers_of_one_session_are_numbered_in_their_order(node: Node) -> None:
    put(node, a=MARK.format(5), b=MARK.format(6), c=MARK.format(7))
    listener = node.listen(names.deliveries("web0"))
    assert end(node, asked("b", 6), asked("a", 5), asked("c", 7)) == [0, 3]
    ((_, deliveries),) = delivered(listener)
    assert [(request, number) for _, request, _, _, _, number in deliveries] == [("b", 1), ("a", 2), ("c", 3)]


def test_a_web_process_that_asked_for_a_session_held_elsewhere_hears_the_result(node: Node) -> None:
    put(node, owner="web1", a=MARK.format(5))
    deliveries, own = node.listen(names.deliveries("web1")), node.listen(names.results("web0"))
    assert end(node, asked("a", 5)) == [0, 1]
    assert delivered(deliveries) == [("primes:deliveries:web1", [(TOKEN, "a", "web0", 5, EPOCH, 1)])]
    assert results(own) == [("primes:results:web0", [5])]


def test_a_session_that_nobody_holds_keeps_its_answer(node: Node) -> None:
    put(node, owner="", a=MARK.format(5))
    listener = node.listen(names.results("web0"))
    assert end(node, asked("a", 5)) == [0, 1]
    assert results(listener) == [("primes:results:web0", [5])]
    assert history(node) == [("a", 5)]


@pytest.mark.parametrize("state", [{}, {"a": 1}], ids=["no mark", "answered before"])
def test_an_answer_without_a_mark_is_told_to_the_ledger_alone(node: Node, state: dict[str, int]) -> None:
    put(node, answers=1, **state)
    listener = node.listen(names.deliveries("web0"), names.results("web0"))
    assert end(node, asked("a", 5)) == [0, 0]
    assert results(listener) == [("primes:results:web0", [5])]
    assert (field(node, "last"), history(node)) == ("1", [("1", 1)])


def test_an_answer_to_a_session_that_is_gone_makes_none(node: Node) -> None:
    listener = node.listen(names.results("web0"))
    assert end(node, asked("a", 5)) == [0, 0]
    assert results(listener) == [("primes:results:web0", [5])]
    assert node.admin.keys("*") == []


def test_of_two_answers_to_one_request_in_a_step_the_first_counts(node: Node) -> None:
    put(node, a=MARK.format(5))
    listener = node.listen(names.results("web0"))
    assert end(node, asked("a", 5), asked("a", 6)) == [1, 1]
    assert history(node) == [("a", 5)]
    assert results(listener) == [("primes:results:web0", [6])]


def test_sessions_of_one_step_are_kept_apart(node: Node) -> None:
    other = "u" * 22
    put(node, a=MARK.format(5))
    put(node, owner="web1", token=other, answers=2, a=MARK.format(6))
    listener = node.listen(names.deliveries("web0"), names.deliveries("web1"))
    assert end(node, asked("a", 5), asked("a", 6, "web1", other)) == [0, 2]
    assert sorted(delivered(listener)) == [
        ("primes:deliveries:web0", [(TOKEN, "a", "web0", 5, EPOCH, 1)]),
        ("primes:deliveries:web1", [(other, "a", "web1", 6, EPOCH, 3)]),
    ]
    assert (history(node), history(node, other)[-1]) == ([("a", 5)], ("a", 6))


@pytest.mark.parametrize("count", [1, 15, 16, 300])
def test_any_number_of_answers_is_one_publication(node: Node, count: int) -> None:
    put(node, owner="web1", **{f"r{n}": MARK.format(n) for n in range(count)})
    deliveries, own = node.listen(names.deliveries("web1")), node.listen(names.results("web0"))
    assert end(node, *(asked(f"r{n}", n) for n in range(count))) == [0, count]
    ((_, told),) = delivered(deliveries)
    assert [number for *_, number in told] == list(range(1, count + 1))
    assert results(own) == [("primes:results:web0", list(range(count)))]


def test_a_full_history_lets_its_oldest_answers_go_with_their_numbers(node: Node) -> None:
    put(node, answers=names.HISTORY, a=MARK.format(5), b=MARK.format(6))
    end(node, asked("a", 5), asked("b", 6))
    entries = history(node)
    assert len(entries) == names.HISTORY
    assert (entries[0], entries[-1]) == (("3", 3), ("b", 6))
    assert [field(node, name) for name in ("?1", "?2", "?3", "?b")] == [None, None, "3", str(names.HISTORY + 2)]


def test_of_more_answers_than_a_history_holds_the_last_are_kept(node: Node) -> None:
    count = names.HISTORY + 6
    put(node, **{f"r{n}": MARK.format(n) for n in range(count)})
    assert end(node, *(asked(f"r{n}", n) for n in range(count)))[1] == count
    assert history(node) == [(f"r{n}", n) for n in range(6, count)]
    assert (field(node, "?r5"), field(node, "?r6"), field(node, "last")) == (None, "7", str(count))


@pytest.mark.parametrize("length", [1, 31, 32, 300])
def test_requests_of_any_length_are_let_go_with_their_numbers(node: Node, length: int) -> None:
    count = names.HISTORY + 2
    ids = [f"{n:04}".rjust(length, "é")[-length:] if length > 4 else chr(0x4E00 + n) for n in range(count)]
    put(node, **{name: MARK.format(n) for n, name in enumerate(ids)})
    end(node, *(asked(name, n) for n, name in enumerate(ids)))
    assert [field(node, f"?{name}") for name in ids[:3]] == [None, None, "3"]
    assert history(node)[0] == (ids[2], 2)


@pytest.mark.parametrize("last", [0, 126, 127, 254, 255, 65_534, 65_535, 2**32 - 2, 2**32])
def test_numbers_of_any_size_are_delivered(node: Node, last: int) -> None:
    put(node, a=MARK.format(5))
    node.admin.hset(SESSION, "last", last)
    listener = node.listen(names.deliveries("web0"))
    end(node, asked("a", 5))
    assert delivered(listener) == [(names.deliveries("web0"), [(TOKEN, "a", "web0", 5, EPOCH, last + 1)])]


@pytest.mark.parametrize("left", [TTL, 17])
def test_a_history_gets_the_time_that_its_session_has_left(node: Node, left: int) -> None:
    put(node, a=MARK.format(5))
    node.admin.expire(SESSION, left)
    end(node, asked("a", 5))
    assert 0 <= node.admin.pttl(HISTORY) - node.admin.pttl(SESSION) <= 1_001
    assert left - 5 < node.admin.ttl(SESSION) <= left


def test_an_answer_renews_nothing(node: Node) -> None:
    put(node, answers=1, a=MARK.format(5))
    for key in (SESSION, HISTORY):
        node.admin.expire(key, 17)
    end(node, asked("a", 5))
    assert max(node.admin.ttl(key) for key in (SESSION, HISTORY)) <= 17


def heavy_run(node: Node, *askers: str) -> tuple[str, str]:
    """A run with these askers, and its question; returns the entry and the askers' key."""
    (id,) = claimed(node, HEAVY, question="digest")
    entry = id.decode()
    node.admin.hset(names.askers(Lane.HEAVY, entry), mapping=dict.fromkeys(askers, b""))
    node.admin.hset(names.question("digest"), mapping={"entry": f"heavy {entry}", "so_far": b"x"})
    return entry, names.askers(Lane.HEAVY, entry)


def test_the_last_request_that_leaves_a_run_ends_it(node: Node) -> None:
    entry, askers = heavy_run(node, "web0 5")
    put(node, a=f"heavy {entry} web0 5 1700000000000")
    listener = node.listen(names.CANCELLATIONS)
    assert end(node, asked("a", 5, kind=Withdrawn), lane=Lane.HEAVY)[1] == 1
    assert heard(listener) == [("primes:cancellations", f"heavy {entry}".encode())]
    assert not node.admin.exists(askers, names.question("digest"))
    assert node.admin.xlen(HEAVY) == 0
    assert history(node) == [("a", 5)]


def test_a_run_goes_on_for_those_who_still_wait(node: Node) -> None:
    entry, askers = heavy_run(node, "web0 5", "web1 8")
    put(node, a=f"heavy {entry} web0 5")
    listener = node.listen(names.CANCELLATIONS)
    assert end(node, asked("a", 5, kind=Withdrawn), lane=Lane.HEAVY)[1] == 1
    assert heard(listener) == []
    assert node.admin.hkeys(askers) == [b"web1 8"]
    assert node.admin.xlen(HEAVY) == 1


def test_a_request_leaves_its_run_wherever_that_is_now(node: Node) -> None:
    entry, _ = heavy_run(node, "web0 5")
    put(node, a=f"heavy {entry} web0 5")
    end(node, asked("a", 5, kind=Withdrawn), lane=Lane.PROOF)
    assert node.admin.xlen(HEAVY) == 0


def test_a_quick_entry_stays_for_the_others_in_it(node: Node) -> None:
    (id,) = claimed(node)
    put(node, a=f"quick {id.decode()} web0 5")
    listener = node.listen(names.CANCELLATIONS)
    assert end(node, asked("a", 5, kind=Withdrawn))[1] == 1
    assert heard(listener) == []
    assert node.admin.xlen(QUICK) == 1


def test_a_request_that_was_answered_leaves_no_run(node: Node) -> None:
    _, askers = heavy_run(node, "web0 5")
    put(node, a=1)
    assert end(node, asked("a", 5, kind=Withdrawn), lane=Lane.HEAVY)[1] == 0
    assert node.admin.hkeys(askers) == [b"web0 5"]


def test_nobody_is_told_of_a_request_that_could_not_be_withdrawn(node: Node) -> None:
    """Redis may have lost its mark: the web process that asked must keep its job then."""
    put(node, a=1)
    listener = node.listen(names.deliveries("web0"), names.results("web0"))
    assert end(node, asked("a", 5, kind=Withdrawn), asked("b", 6, kind=Withdrawn), lane=Lane.HEAVY)[1] == 0
    assert heard(listener) == []


def test_an_answer_and_its_dead_letter_are_one_step(node: Node) -> None:
    (id,) = claimed(node, HEAVY)
    put(node, a=f"heavy {id.decode()} web0 5")
    job = Job(5, "97", session=TOKEN, request="a")
    letters = [DeadLetter(job, "killed", "worker0"), DeadLetter(b"\xff", "unreadable", "worker0")]
    assert end(node, asked("a", 5), ids=[id], lane=Lane.HEAVY, dead=letters)[1] == 1
    assert [fields for _, fields in node.admin.xrange(names.DEAD)] == [
        {b"lane": b"heavy", b"jobs": messages.encode([job]), b"reason": b"killed", b"worker": b"worker0"},
        {b"lane": b"heavy", b"jobs": b"\xff", b"reason": b"unreadable", b"worker": b"worker0"},
    ]
    assert history(node) == [("a", 5)]


def test_a_dead_letter_whose_reply_was_lost_is_not_written_again(node: Node) -> None:
    (id,) = claimed(node, HEAVY)
    for _ in range(2):
        end(node, ids=[id], lane=Lane.HEAVY, dead=[DeadLetter(Job(5, "97"), "killed", "worker0")])
    assert node.admin.xlen(names.DEAD) == 1


def test_dead_letters_are_bounded(node: Node) -> None:
    letters = [DeadLetter(b"", str(n), "worker0") for n in range(names.DEAD_LENGTH + 300)]
    end(node, ids=claimed(node, HEAVY), lane=Lane.HEAVY, dead=letters)
    kept = [fields[b"reason"] for _, fields in node.admin.xrange(names.DEAD)]
    assert names.DEAD_LENGTH <= len(kept) < len(letters)  # Redis lets go of whole nodes
    assert kept[-1] == letters[-1].reason.encode()


def test_a_web_process_may_end_a_request_of_its_own(node: Node) -> None:
    put(node, a=MARK.format(5))
    keys, arguments = _arrange(Lane.QUICK, [], [asked("a", 5, kind=Withdrawn)], [], [])
    assert run(node.web, finish, keys, *arguments) == [1, 1]
