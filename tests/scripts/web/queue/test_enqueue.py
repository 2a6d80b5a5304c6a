"""enqueue.lua: entries into a lane's stream, costly ones into a run, their sessions' requests marked."""

from collections.abc import Callable
from typing import Any

import pytest

from services.jobs import messages, names
from services.jobs import turn as turns
from services.jobs.messages import Answer, Asker, Job, Operation, Verdict
from services.jobs.names import GROUP, Lane, Mark
from services.web.queue.enqueue import _enqueue, arrange
from services.web.queue.ledger import Entry
from tests.scripts.conftest import Node, heard, run

LIFETIME = 100  # seconds
KNOWN = messages.encode(Answer(0, Verdict.PRIME))
NEVER = 0  # lost, of a job that Redis did not lose

Request = tuple[int, int, str, int]  # number of its entry, job, id, when Redis last had what it lost

TURN = turns.write("192.0.2.1", "web/1", turns.SHORT + 1)


class Marks:
    """Sessions' requests as a test names them."""

    lifetime = LIFETIME

    def __init__(self, held: bool = True, **requests: list[Request]) -> None:
        self._held = int(held)
        self._requests = requests  # by the session's token

    def mark(self, entries: list[Entry], since: Callable[[int], int]) -> tuple[list[str], list[str | int]]:
        marks: list[str | int] = []
        for requests in self._requests.values():
            marks += (self._held, len(requests), *(part for request in requests for part in request))
        return [key for token in self._requests for key in (names.session(token), names.history(token))], marks


def enqueue(
    node: Node, lane: Lane, *jobs: Job | list[Job], most: int = 100, marks: Marks | None = None, web: str = "web", turn: str = TURN
) -> Any:
    """The script's reply to entries of these jobs."""
    entries = [
        Entry(lane, batch if isinstance(batch, list) else [batch], 1, turn="" if lane is Lane.QUICK else turn) for batch in jobs
    ]
    keys, arguments = arrange(lane, entries, marks or Marks(), lambda job: NEVER, web=web, most_entries=most)
    return run(node.web, _enqueue, keys, *arguments)


def entries(node: Node, lane: Lane) -> list[tuple[bytes, dict[bytes, bytes]]]:
    found: list[tuple[bytes, dict[bytes, bytes]]] = node.admin.xrange(names.stream(lane))
    return found


def question(job: Job) -> str:
    return names.question(messages.digest(job))


def askers(node: Node, lane: Lane, entry: bytes) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = node.admin.hgetall(names.askers(lane, entry.decode()))
    return found


def mark_of(node: Node, token: str, request: str) -> Mark | int | None:
    kept = node.admin.hget(names.session(token), f"?{request}")
    return None if kept is None else Mark.read(kept)


# Quick entries


def test_quick_entries_are_appended_and_their_ids_told(node: Node) -> None:
    bell = node.listen(names.bell(Lane.QUICK))
    first, second = [Job(1, "7"), Job(2, "8")], [Job(3, "9")]
    ids = enqueue(node, Lane.QUICK, first, second)
    assert entries(node, Lane.QUICK) == [
        (ids[0], {b"reply": b"web", b"jobs": messages.encode(first)}),
        (ids[1], {b"reply": b"web", b"jobs": messages.encode(second)}),
    ]
    assert heard(bell) == []  # workers wait for them in Redis
    assert node.admin.keys("*") == [names.stream(Lane.QUICK).encode()]


def test_the_first_entries_go_where_there_is_no_room_for_all(node: Node) -> None:
    enqueue(node, Lane.QUICK, Job(1, "7"))
    ids = enqueue(node, Lane.QUICK, Job(2, "8"), Job(3, "9"), most=2)
    assert [fields[b"jobs"] for _, fields in entries(node, Lane.QUICK)][1:] == [messages.encode([Job(2, "8")])]
    assert len(ids) == 1


@pytest.mark.parametrize("lane", [Lane.QUICK, Lane.HEAVY])
def test_a_full_stream_takes_none_and_marks_none(node: Node, lane: Lane) -> None:
    enqueue(node, lane, Job(1, "7"))
    assert enqueue(node, lane, Job(2, "8"), most=1, marks=Marks(tok=[(1, 2, "5", NEVER)])) == []
    assert len(entries(node, lane)) == 1
    assert not node.admin.exists(names.session("tok"), question(Job(2, "8")))


# Costly entries


def test_a_new_question_begins_a_run(node: Node) -> None:
    job = Job(1, "9" * 300, session="tok", request="5", expires=7)
    bell = node.listen(names.bell(Lane.HEAVY))
    ((lane, id, how, so_far),) = enqueue(node, Lane.HEAVY, job)
    assert (lane, how, so_far) == (b"heavy", b"", b"")
    digest = messages.digest(job).encode()
    fields = {b"reply": b"web", b"jobs": messages.encode([job]), b"question": digest, b"turn": TURN.encode()}
    assert entries(node, Lane.HEAVY) == [(id, fields)]
    assert node.admin.zrange(f"{names.stream(Lane.HEAVY)}:turns:192.0.2.1", 0, -1) == [id]
    assert node.admin.hgetall(question(job)) == {b"entry": b"heavy " + id}
    assert names.QUESTION_TTL - 5 < node.admin.ttl(question(job)) <= names.QUESTION_TTL
    assert askers(node, Lane.HEAVY, id) == {b"web 1": messages.encode(Asker("tok", "5", 7))}
    assert heard(bell) == [(names.bell(Lane.HEAVY), b"")]


def test_the_bell_stays_silent_while_entries_wait_that_have_rung_it(node: Node) -> None:
    enqueue(node, Lane.HEAVY, Job(1, "7"))
    node.admin.xgroup_create(names.stream(Lane.HEAVY), GROUP, "0")
    bell = node.listen(names.bell(Lane.HEAVY))
    enqueue(node, Lane.HEAVY, Job(2, "8"))
    assert heard(bell) == []


def test_the_bell_rings_for_a_short_one_whatever_waits(node: Node) -> None:
    enqueue(node, Lane.HEAVY, Job(1, "7"))
    node.admin.xgroup_create(names.stream(Lane.HEAVY), GROUP, "0")
    bell = node.listen(names.bell(Lane.HEAVY))
    enqueue(node, Lane.HEAVY, Job(2, "8"), turn=turns.write("192.0.2.1", "web/1", turns.SHORT))
    assert heard(bell) == [(names.bell(Lane.HEAVY), b"")]


def test_the_bell_rings_once_when_workers_have_all_that_is_there(node: Node) -> None:
    enqueue(node, Lane.HEAVY, Job(1, "7"))
    node.admin.xgroup_create(names.stream(Lane.HEAVY), GROUP, "0")
    node.admin.xreadgroup(GROUP, "worker", {names.stream(Lane.HEAVY): ">"})
    bell = node.listen(names.bell(Lane.HEAVY))
    enqueue(node, Lane.HEAVY, Job(2, "8"), Job(3, "9"))
    assert heard(bell) == [(names.bell(Lane.HEAVY), b"")]


def test_who_asks_the_same_joins_the_run(node: Node) -> None:
    ((_, id, _, _),) = enqueue(node, Lane.HEAVY, Job(1, "7"))
    bell = node.listen(names.bell(Lane.HEAVY))
    assert enqueue(node, Lane.HEAVY, Job(5, "7"), web="other") == [[b"heavy", id, b"joined", b""]]
    assert set(askers(node, Lane.HEAVY, id)) == {b"web 1", b"other 5"}
    assert len(entries(node, Lane.HEAVY)) == 1
    assert heard(bell) == []


def test_two_of_one_write_that_ask_the_same_share_a_run(node: Node) -> None:
    first, second = enqueue(node, Lane.HEAVY, Job(1, "7"), Job(2, "7"))
    assert (first[2], second[2], first[1]) == (b"", b"joined", second[1])


def test_another_operation_on_the_same_number_is_another_question(node: Node) -> None:
    enqueue(node, Lane.HEAVY, Job(1, "7"))
    ((_, _, how, _),) = enqueue(node, Lane.HEAVY, Job(2, "7", Operation.NEXT_PRIME))
    assert how == b""


def test_who_joins_a_proof_learns_what_is_known_so_far(node: Node) -> None:
    id = node.admin.xadd(names.stream(Lane.PROOF), {"jobs": ""})
    node.admin.hset(question(Job(1, "7")), mapping={"entry": f"proof {id.decode()}", "so_far": KNOWN})
    assert enqueue(node, Lane.HEAVY, Job(1, "7")) == [[b"proof", id, b"joined", KNOWN]]
    assert set(askers(node, Lane.PROOF, id)) == {b"web 1"}


def test_a_run_that_is_gone_is_begun_anew(node: Node) -> None:
    node.admin.hset(question(Job(1, "7")), mapping={"entry": "proof 1-0", "so_far": KNOWN})
    ((lane, id, how, _),) = enqueue(node, Lane.HEAVY, Job(1, "7"))
    assert (lane, how) == (b"heavy", b"")
    assert node.admin.hgetall(question(Job(1, "7"))) == {b"entry": b"heavy " + id}  # nothing is known so far


def test_a_run_with_as_many_askers_as_may_wait_is_not_joined(node: Node) -> None:
    ((_, id, _, _),) = enqueue(node, Lane.HEAVY, Job(1, "7"))
    node.admin.hset(names.askers(Lane.HEAVY, id.decode()), mapping={f"web {n}": "" for n in range(1, names.ASKERS + 1)})
    ((_, another, how, _),) = enqueue(node, Lane.HEAVY, Job(2_000, "7"))
    assert how == b"" and another != id
    assert node.admin.hget(question(Job(1, "7")), "entry") == b"heavy " + another


@pytest.mark.parametrize("certificate", ["", "abc"])
def test_a_kept_answer_goes_to_the_quick_lane_with_the_job(node: Node, certificate: str) -> None:
    job = Job(1, "7")
    node.admin.hset(question(job), mapping={"answer": KNOWN, "certificate": certificate})
    node.admin.hset(names.certificate("abc"), "primo", "")
    bell = node.listen(names.bell(Lane.HEAVY))
    ((lane, id, how, so_far),) = enqueue(node, Lane.HEAVY, job)
    assert (lane, how, so_far) == (b"quick", b"known", b"")
    assert entries(node, Lane.QUICK) == [(id, {b"reply": b"web", b"jobs": messages.encode([job]), b"known": KNOWN})]
    assert entries(node, Lane.HEAVY) == []
    assert heard(bell) == []


def test_an_answer_whose_certificate_was_let_go_is_made_anew(node: Node) -> None:
    node.admin.hset(question(Job(1, "7")), mapping={"answer": KNOWN, "certificate": "gone"})
    ((lane, id, how, _),) = enqueue(node, Lane.HEAVY, Job(1, "7"))
    assert (lane, how) == (b"heavy", b"")
    assert node.admin.hgetall(question(Job(1, "7"))) == {b"entry": b"heavy " + id}


# Marks


def test_a_sessions_first_request_makes_the_session(node: Node) -> None:
    node.admin.rpush(names.history("tok"), "of a session that was lost")
    seconds, microseconds = node.admin.time()
    (id,) = enqueue(node, Lane.QUICK, Job(1, "7"), marks=Marks(tok=[(1, 1, "5", NEVER)]))
    session = node.admin.hgetall(names.session("tok"))
    epoch = int(session.pop(b"epoch"))
    assert 0 <= epoch - (seconds * 1000 + microseconds // 1000) < 5_000
    fields = {b"last": b"0", b"moves": b"0", b"ttl": b"%d" % LIFETIME, b"owner": b"web"}
    assert session == {**fields, b"?5": b"quick %b web 1" % id}
    assert LIFETIME - 5 < node.admin.ttl(names.session("tok")) <= LIFETIME
    assert not node.admin.exists(names.history("tok"))


def test_sessions_that_are_made_before_the_clock_has_come_to_the_term_have_epochs_of_it(node: Node) -> None:
    """Also one that is lost and made anew has another one."""
    term = 4_000_000_000_000
    node.admin.hset(names.TERM, "began", term)
    epochs = []
    for token in ("one", "other", "one"):
        node.admin.delete(names.session(token))
        enqueue(node, Lane.QUICK, Job(1, "7"), marks=Marks(**{token: [(1, 1, "5", NEVER)]}))
        epochs.append(int(node.admin.hget(names.session(token), "epoch")))
    assert epochs == [term + 1, term + 2, term + 3]


def test_a_session_whose_socket_is_elsewhere_is_not_owned(node: Node) -> None:
    enqueue(node, Lane.QUICK, Job(1, "7"), marks=Marks(held=False, tok=[(1, 1, "5", NEVER)]))
    assert not node.admin.hexists(names.session("tok"), "owner")


def test_a_session_that_is_there_keeps_its_epoch_its_time_and_its_history(node: Node) -> None:
    node.admin.hset(names.session("tok"), mapping={"epoch": 1, "last": 1, "owner": "other"})
    node.admin.rpush(names.history("tok"), "kept")
    enqueue(node, Lane.QUICK, Job(1, "7"), marks=Marks(tok=[(1, 1, "5", NEVER)]))
    assert node.admin.hmget(names.session("tok"), "epoch", "last", "owner") == [b"1", b"1", b"other"]
    assert node.admin.ttl(names.session("tok")) == -1
    assert node.admin.llen(names.history("tok")) == 1


def test_requests_of_several_sessions_are_marked_with_the_places_of_their_jobs(node: Node) -> None:
    marks = Marks(one=[(1, 1, "5", NEVER), (2, 3, '"a"', NEVER)], two=[(1, 2, "5", NEVER)])
    first, second = (id.decode() for id in enqueue(node, Lane.QUICK, [Job(1, "7"), Job(2, "8")], [Job(3, "9")], marks=marks))
    assert mark_of(node, "one", "5") == Mark(Lane.QUICK, first, "web", 1)
    assert mark_of(node, "one", '"a"') == Mark(Lane.QUICK, second, "web", 3)
    assert mark_of(node, "two", "5") == Mark(Lane.QUICK, first, "web", 2)


def test_a_costly_request_is_marked_with_the_run_that_will_answer_it(node: Node) -> None:
    id = node.admin.xadd(names.stream(Lane.PROOF), {"jobs": ""})
    node.admin.hset(question(Job(1, "7")), "entry", f"proof {id.decode()}")
    marks = Marks(tok=[(1, 1, "5", NEVER), (2, 2, "6", NEVER)])
    _, (_, new, _, _) = enqueue(node, Lane.HEAVY, Job(1, "7"), Job(2, "8"), marks=marks)
    assert mark_of(node, "tok", "5") == Mark(Lane.PROOF, id.decode(), "web", 1)
    assert mark_of(node, "tok", "6") == Mark(Lane.HEAVY, new.decode(), "web", 2)


def test_an_answered_request_keeps_the_number_of_its_answer(node: Node) -> None:
    node.admin.hset(names.session("tok"), mapping={"epoch": 1, "?5": 3})
    enqueue(node, Lane.QUICK, [Job(1, "7"), Job(2, "8")], marks=Marks(tok=[(1, 1, "5", NEVER), (1, 2, "6", NEVER)]))
    assert node.admin.hget(names.session("tok"), "?5") == b"3"
    assert mark_of(node, "tok", "6") is not None


def test_requests_whose_entry_found_no_room_are_not_marked(node: Node) -> None:
    marks = Marks(tok=[(1, 1, "5", NEVER), (2, 2, "6", NEVER)], late=[(2, 3, "5", NEVER)])
    enqueue(node, Lane.QUICK, [Job(1, "7")], [Job(2, "8"), Job(3, "9")], most=1, marks=marks)
    assert mark_of(node, "tok", "5") is not None
    assert mark_of(node, "tok", "6") is None
    assert not node.admin.exists(names.session("late"))


@pytest.mark.parametrize(("epoch", "marked"), [(999, True), (1_000, True), (1_001, False)])
def test_a_lost_job_that_nobody_waits_for_is_marked_in_the_session_that_had_it(node: Node, epoch: int, marked: bool) -> None:
    node.admin.hset(names.session("tok"), "epoch", epoch)
    enqueue(node, Lane.QUICK, Job(1, "7"), marks=Marks(tok=[(1, 1, "5", 1_000)]))
    assert (mark_of(node, "tok", "5") is not None) is marked


def test_a_lost_job_that_nobody_waits_for_makes_no_session(node: Node) -> None:
    enqueue(node, Lane.QUICK, Job(1, "7"), marks=Marks(tok=[(1, 1, "5", 1_000)]))
    assert not node.admin.exists(names.session("tok"))


def test_a_session_begun_for_one_request_takes_a_later_one_that_was_not_lost(node: Node) -> None:
    marks = Marks(tok=[(1, 1, "5", 1_000), (1, 2, "6", NEVER)])
    enqueue(node, Lane.QUICK, [Job(1, "7"), Job(2, "8")], marks=marks)
    assert (mark_of(node, "tok", "5"), mark_of(node, "tok", "6") is not None) == (None, True)
