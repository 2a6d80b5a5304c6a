"""What an upload promises when web processes, workers and Redis die in the middle of it."""

import itertools
import threading
import time
from collections.abc import Iterator

import pytest

from services.jobs import names
from services.jobs.names import Lane
from services.web.upload.follow import POLL
from tests.integration.conftest import Front
from tests.integration.plain_clients import HEAVY, SLOW
from tests.integration.processes import freeze, frozen, state, thaw
from tests.integration.stack import Response, Stack, Web, get
from tests.integration.steps import freeze_child, freeze_empty, freeze_with_quick_jobs, kill_children
from tests.integration.uploading import (
    Sender,
    SlowReader,
    check,
    forget,
    lines,
    numbers,
    post,
    posting,
    queued,
    text,
    upload,
    uploads,
)
from tests.integration.waiting import wait_until

ASYNC = {"Prefer": "respond-async"}


def lines_queued(web: Web) -> int:
    return int(web.metric("primes_web_upload_lines_total"))


def both(stack: Stack) -> tuple[Web, Web]:
    """Two web processes and no worker yet."""
    stack.redis.start()
    webs = stack.web("web0"), stack.web("web1")
    stack.wait_ready()
    return webs


def test_a_worker_killed_in_the_middle_neither_loses_nor_doubles_a_line(front: Front) -> None:
    # started together: one that stands still while another starts may do so for longer than its watchdog allows
    doomed, other = front.worker("first", "--lease", "1"), front.worker("second", "--lease", "1")
    front.wait_ready()
    freeze_empty(front.redis, other)
    asked: list[str] = []
    killed = threading.Event()

    def body() -> Iterator[bytes]:
        """It ends no sooner than the worker, however fast that is."""
        for seed in itertools.count():
            part = numbers(5_000, seed)
            if last := killed.is_set():
                part += [HEAVY] * 8 + numbers(50_000, seed + 1)
            asked.extend(part)
            yield text(part)
            if last:
                return

    with posting(front.web0.port, body()) as answer:
        try:
            freeze_with_quick_jobs(front.redis, doomed)
            doomed.kill()
        finally:
            killed.set()
        thaw(other.pid)
        check(answer.result().body, asked)
    assert other.metric("primes_worker_takeovers_total", lane="quick") >= 1


def test_a_dear_number_whose_worker_died_is_answered(front: Front) -> None:
    asked = ["2", HEAVY, "3"]
    first, second = front.worker("first", "--lease", "1"), front.worker("second", "--lease", "1")
    front.wait_ready()
    freeze(second.pid)
    freeze_child(front.web0, first)
    location = post(front.web0.port, text(asked), ASYNC).headers["Location"]
    wait_until(lambda: front.redis.held("first", Lane.HEAVY) == 1, "the worker holds the costly number")
    first.kill()
    thaw(second.pid)
    check(front.web0.get(location).body, asked)


def test_a_line_that_kills_its_process_is_answered_with_an_error(front: Front) -> None:
    worker = front.worker("first", "--max-deliveries", "1")
    front.wait_ready()
    location = post(front.web0.port, text(["2", SLOW, "3"]), ASYNC).headers["Location"]
    kill_children(worker, 1)
    told = lines(front.web0.get(location).body)
    assert [line.get("verdict") or line["error"]["code"] for line in told[:-1]] == ["prime", "poison", "prime"]
    assert told[-1]["done"] is True
    front.redis.admin.delete(names.DEAD)


def test_an_upload_that_was_read_is_completed_without_its_web_process(stack: Stack) -> None:
    first, second = both(stack)
    asked = [*numbers(3_000, 3), HEAVY, *numbers(1_000, 4)]
    location = post(first.port, text(asked), ASYNC).headers["Location"]

    first.kill()
    worker = stack.worker("worker0")
    stack.wait_ready(worker)

    check(second.get(location).body, asked)


def test_an_upload_whose_end_redis_lost_is_lost_to_the_request_that_read_it(front: Front) -> None:
    """As when Redis comes back from before the end: who sent all of it is not told that it left."""
    forget(front.redis)
    front.worker("worker")
    front.wait_ready()
    asked = numbers(200_000, 6)
    with SlowReader(front.web0.port, text(asked)) as client:
        assert client.read_head()["status"] == "200"
        begun = client.read_block()
        wait_until(lambda: not front.web0.metric("primes_web_uploads_active"), "all of it is answered")
        front.redis.admin.hset(names.upload(upload(front.redis)["id"]), "state", "reading")
        *told, last = lines(begun + client.read())
    assert [line["line"] for line in told] == list(range(1, len(told) + 1))
    assert last["error"]["code"] == "lost"


def test_an_upload_whose_web_process_died_while_reading_starts_again_with_its_key(stack: Stack) -> None:
    first, second = both(stack)
    stack.worker("worker0")
    asked, key = numbers(20_000, 5), {"Idempotency-Key": "again"}
    with Sender(first.port, len(text(asked)), Idempotency_Key="again") as client:
        client.send(text(asked[:10_000]))
        wait_until(lambda: lines_queued(first) > 5_000, "half of it is queued")
        waiting = post(second.port, text(asked), key)
        assert (waiting.status, waiting.json["error"]["code"]) == (409, "being_read")

        first.kill()

    former = second.get(waiting.headers["Location"]).body
    assert [line.get("line") for line in lines(former)[:-1]] == list(range(1, len(lines(former))))
    assert lines(former)[-1]["error"]["code"] == "interrupted"
    answer = post(second.port, text(asked), key)
    check(answer.body, asked)
    assert answer.headers["Location"] != waiting.headers["Location"]
    assert second.get(waiting.headers["Location"]).status == 404


def test_an_upload_without_a_key_whose_web_process_died_leaves_nothing(stack: Stack) -> None:
    first, second = both(stack)
    with Sender(first.port, 1_000) as client:
        client.send(b"2\n")
        found = upload(stack.redis)
        assert 0 < stack.redis.admin.ttl(names.upload(found["id"])) <= 60
        first.kill()
    stack.redis.admin.expire(names.upload(found["id"]), 0)  # as it does after a minute

    def gone() -> bool:
        """All uploads are counted when one begins, once a second."""
        return post(second.port, b"", ASYNC).status == 202 and stack.redis.admin.zscore(names.UPLOADS, found["id"]) is None

    wait_until(gone, "it has left the index")


def test_delete_stops_what_is_computed(front: Front) -> None:
    forget(front.redis)
    worker = front.worker("first", "--lease", "1")
    front.wait_ready()
    location = post(front.web0.port, text(["2", SLOW, SLOW]), {**ASYNC, "Idempotency-Key": "slow"}).headers["Location"]
    child = worker.child
    wait_until(lambda: front.redis.held("first", Lane.HEAVY) == 1 and state(child) == "R", "the child computes")

    assert get(front.web0.port, location, method="DELETE").status == 204

    wait_until(lambda: not state(child), "the child is gone")
    wait_until(lambda: queued(front.redis) == 0, "what waited is skipped")
    for method in ("GET", "DELETE"):
        assert get(front.web0.port, location, method=method).status == 404
    assert uploads(front.redis) == []
    wait_until(lambda: front.web0.metric("primes_web_uploads_active") == 0, "the web process has heard of it")
    check(post(front.web0.port, b"5\n", {"Idempotency-Key": "slow"}).body, ["5"])


def test_delete_on_another_instance_ends_the_list(stack: Stack) -> None:
    first, second = both(stack)
    with posting(first.port, b"2\n") as answer:
        location = wait_until(lambda: (found := upload(stack.redis))["state"] == "read" and f"/jobs/{found['id']}", "it is read")
        assert get(second.port, location, method="DELETE").status == 204
        (last,) = lines(answer.result().body)
    assert (last["error"]["code"], last["error"]["retryable"]) == ("lost", True)
    stack.worker("worker0")
    wait_until(lambda: queued(stack.redis) == 0, "its chunk is skipped")
    assert uploads(stack.redis) == []


def empty(stack: Stack, outage: float = 0.0) -> None:
    """Redis goes away for this many seconds at least, and comes back without data."""
    stack.redis.stop()
    time.sleep(outage)
    stack.redis.wipe()
    stack.redis.start()


def test_redis_emptied_in_the_middle_is_told(stack: Stack) -> None:
    first, second = both(stack)
    with posting(first.port, b"2\n") as answer:
        location = wait_until(lambda: (found := upload(stack.redis))["state"] == "read" and f"/jobs/{found['id']}", "it is read")
        empty(stack, outage=2 * POLL)  # so that the request asks Redis meanwhile
        (last,) = lines(answer.result().body)
    assert (last["error"]["code"], last["error"]["retryable"]) == ("lost", True)
    stack.wait_ready()
    assert second.get(location).status == 404


def test_redis_emptied_while_the_body_is_read_is_told(stack: Stack) -> None:
    first, _ = both(stack)
    stack.worker("worker0")
    asked = numbers(20_000, 6)
    with Sender(first.port, len(text(asked))) as client:
        client.send(text(asked[:10_000]))
        wait_until(lambda: lines_queued(first) > 5_000, "half of it is queued")
        empty(stack)
        client.send(text(asked[10_000:]))
        response = client.finish()
    assert (response.status, response.json["error"]["code"], response.json["error"]["retryable"]) == (503, "lost", True)
    assert response.headers["Retry-After"] == "1"


def test_an_upload_whose_outcomes_redis_lost_is_told_so_and_never_sealed(stack: Stack) -> None:
    first, _ = both(stack)
    stack.worker("worker0")
    asked = numbers(30_000, 8)
    with Sender(first.port, len(text(asked))) as client:
        client.send(text(asked[:10_000]))
        wait_until(lambda: lines_queued(first) > 5_000, "a third of it is queued")
        stack.redis.remember()
        client.send(text(asked[10_000:20_000]))
        wait_until(lambda: lines_queued(first) > 15_000, "two thirds are queued")
        wait_until(lambda: (found := upload(stack.redis))["stored"] == found["chunks"], "what is queued has its outcomes")
        stack.redis.set_back()
        client.send(text(asked[20_000:]))
        response = client.finish()
    assert (response.status, response.json["error"]["code"], response.json["error"]["retryable"]) == (503, "lost", True)
    assert stack.redis.admin.keys(names.upload("*")) == []


def test_a_restarted_redis_interrupts_no_upload(stack: Stack) -> None:
    first, second = both(stack)
    stack.worker("worker0")
    asked = numbers(60_000, 7)
    with Sender(first.port, len(text(asked))) as client:
        client.send(text(asked[:30_000]))
        wait_until(lambda: lines_queued(first) > 20_000, "half of it is queued")
        stack.redis.stop()
        stack.redis.start()
        client.send(text(asked[30_000:]))
        response = client.finish()
    rest = response
    have = lines(response.body)
    if "done" not in have[-1]:  # the list may end when Redis is away; what is there is right
        rest = second.get(f"{response.headers['Location']}?offset={have[-1]['line']}")
    check(response.body + (rest.body if rest is not response else b""), asked)


def test_without_redis_an_upload_is_refused(stack: Stack) -> None:
    first, _ = both(stack)
    stack.redis.stop()
    for response in (
        post(first.port, b"2\n"),
        first.get(f"/jobs/{'a' * 22}"),
        get(first.port, f"/jobs/{'a' * 22}", method="DELETE"),
    ):
        assert (response.status, response.json["error"]["code"]) == (503, "unavailable")
        assert response.headers["Retry-After"] == "1"
    stack.redis.start()
    stack.worker("worker0")
    wait_until(lambda: post(first.port, b"2\n").status == 200, "uploads are taken again")


@pytest.mark.parametrize("lane", [Lane.QUICK, Lane.HEAVY])
def test_chunks_that_vanish_are_sent_again(front: Front, lane: Lane) -> None:
    asked = numbers(3_000, 8) if lane is Lane.QUICK else [HEAVY] * 3
    location = post(front.web0.port, text(asked), ASYNC).headers["Location"]
    assert front.redis.length(lane) >= 3
    lost = [id for id, _ in front.redis.admin.xrange(names.stream(lane))][1:]
    front.redis.admin.xdel(names.stream(lane), *lost)
    front.worker("worker0")
    check(front.web0.get(location).body, asked)
    assert front.web0.metric("primes_web_upload_chunks_resent_total") >= len(lost)


def test_a_notice_that_nobody_heard_holds_nothing_up(front: Front) -> None:
    worker = front.worker("worker0")
    front.wait_ready()
    freeze_empty(front.redis, worker)
    asked = numbers(8_000, 9)  # a full window
    location = post(front.web0.port, text(asked), ASYNC).headers["Location"]
    with frozen(front.web0.pid):
        front.redis.admin.client_kill_filter(_type="pubsub")  # the web process cannot listen again yet
        thaw(worker.pid)
        wait_until(lambda: queued(front.redis) == 0, "the worker computed all of it")
    wait_until(lambda: front.web0.metric("primes_web_uploads_active") == 0, "the web process has noticed")
    check(front.web0.get(location).body, asked)


def test_a_chunk_that_is_computed_twice_counts_once(front: Front) -> None:
    forget(front.redis)
    slow, other = front.worker("first", "--lease", "1"), front.worker("second", "--lease", "1")
    front.wait_ready()
    freeze(other.pid)
    asked = ["2", HEAVY, "3"]
    child = freeze_child(front.web0, slow)
    location = post(front.web0.port, text(asked), ASYNC).headers["Location"]
    wait_until(lambda: front.redis.held("first", Lane.HEAVY) == 1, "the worker holds the costly number")
    freeze(slow.pid)
    thaw(other.pid)
    check(front.web0.get(location).body, asked)
    wait_until(lambda: front.web0.metric("primes_web_uploads_active") == 0, "the web process looks after it no more")
    before = upload(front.redis)
    thaw(child)
    thaw(slow.pid)
    wait_until(slow.ready, "the first worker is back")
    wait_until(lambda: slow.metric("primes_worker_running") == 0, "it holds nothing more")
    assert upload(front.redis) == before
    get(front.web0.port, location, method="DELETE")


def interactive(web: Web) -> float:
    """Seconds that the slowest of 50 single numbers took."""
    slowest = 0.0
    for _ in range(50):
        started = time.monotonic()
        assert web.get("/primes/97").status == 200
        slowest = max(slowest, time.monotonic() - started)
    return slowest


def test_single_numbers_are_answered_while_an_upload_is_computed(manned: Front) -> None:
    asked = numbers(300_000, 10)
    before = lines_queued(manned.web0)
    with posting(manned.web0.port, text(asked)) as answer:
        wait_until(lambda: lines_queued(manned.web0) > before, "the upload has begun")
        print(f"slowest single number: {interactive(manned.web0) * 1000:.0f} ms")
        check(answer.result().body, asked)


def test_a_client_that_begins_too_many_uploads_is_told_when_it_may_begin_another(manned: Front) -> None:
    web = manned.web("seldom", "--upload-begins", "0.2")
    manned.wait_ready()
    assert [post(web.port, text(["97"])).status for _ in range(2)] == [200, 200]  # ten seconds' worth

    def refuse() -> Response | None:
        """The answer to one more; some more are taken if that took seconds."""
        return response if (response := post(web.port, text(["97"]))).status != 200 else None

    refused = wait_until(refuse, "more come than may")
    assert (refused.status, refused.json["error"]["code"]) == (429, "busy")
    assert refused.json["error"]["retryable"] is True
    assert 1 <= int(refused.headers["Retry-After"]) <= 5
    assert "this client began as many uploads as it may" in refused.json["error"]["message"]
