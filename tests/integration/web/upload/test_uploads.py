"""`POST /jobs`: every line is answered once, right and in order; what is no upload is refused with a sentence."""

import contextlib
import gzip
import json
import random
import select
import signal
import socket
import time
from collections.abc import Iterator

import gmpy2
import pytest

from services.jobs import names
from services.jobs.names import Lane
from tests.integration.conftest import Front, Whole
from tests.integration.plain_clients import HEAVY
from tests.integration.processes import frozen, memory
from tests.integration.stack import Stack, get
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
from tests.integration.web.behind_nginx import send, send_raw

MOST = 50 << 20
MIB = 1 << 20


def of_every_kind() -> list[str]:
    """Small and large numbers, primes among them, lines that are none, and blank ones."""
    primes = [str(gmpy2.next_prime(10**digits)) for digits in (1, 5, 18, 19, 24, 30, 60, 105, 130, 300)]
    odd = ["", "abc", "-7", "0", "1", "7.0", " ", "9" * 10_001, "18446744073709551557", "18446744073709551556", "1e3x"]
    mixed = [*numbers(3_000, 1, 100), *primes, *odd, *numbers(700, 2), *primes, *odd, HEAVY]
    return mixed + mixed[::-1]


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_every_line_of_every_kind_is_answered_right_and_in_order(whole: Whole, newline: str) -> None:
    asked = of_every_kind()

    response = post(whole.webs[0].port, newline.join(asked).encode())

    assert (response.status, response.headers["Content-Type"]) == (200, "application/x-ndjson")
    check(response.body, asked)


def test_a_line_says_what_get_primes_says(whole: Whole) -> None:
    response = post(whole.webs[0].port, b"97\nseven\n")

    single = whole.webs[0].get("/primes/97").json
    assert lines(response.body)[0] == {"line": 1, **{name: single[name] for name in ("verdict", "proven", "method")}}
    expected = "Expected an integer such as 97 or an expression such as 2^127-1"
    message = f"{expected}, got 'seven': column 1: expected a number or '(', got 'seven'; write numbers in digits"
    error = {"code": "not_an_integer", "message": message, "retryable": False}
    assert lines(response.body)[1] == {"line": 2, "error": error}


def test_a_file_of_a_known_form_is_answered_with_the_text_and_the_variables_of_each_line(whole: Whole) -> None:
    body = gzip.compress(b"ABC $a*2^$b-1 // sieved\n1 127\n3 x\n1 11\n")

    response = post(whole.webs[0].port, body)

    assert response.status == 200, response.body
    prime, error, composite, done = lines(response.body)
    assert (prime["line"], prime["text"], prime["variables"]) == (2, "1*2^127-1", {"a": "1", "b": "127"})
    assert prime["verdict"] in {"prime", "probably_prime"}
    assert (error["line"], error["error"]["code"]) == (3, "not_an_integer")
    assert (composite["line"], composite["verdict"], composite["evidence"]) == (4, "composite", {"factor": "23"})
    assert done == {"done": True, "lines": 4, "answers": 3, "form": "ABC file"}


def test_numbers_that_share_a_line_are_counted_and_the_list_goes_on_behind_the_last_one(whole: Whole) -> None:
    response = post(whole.webs[0].port, b"[2, 3,\n 2^7-1, 91]\n")

    *told, done = lines(response.body)
    assert [(one["line"], one["item"], one["text"], one["verdict"]) for one in told] == [
        (1, 1, "2", "prime"),
        (1, 2, "3", "prime"),
        (2, 3, "2^7-1", "prime"),
        (2, 4, "91", "composite"),
    ]
    assert done["form"] == "list in brackets"
    rest = whole.webs[1].get(f"{response.headers['Location']}?offset=3")
    assert [one.get("item") for one in lines(rest.body)] == [4, None]


def test_a_column_is_chosen_and_belongs_to_the_request(whole: Whole) -> None:
    headers = {"Idempotency-Key": "column"}
    first = post(whole.webs[0].port, b"a,b\n7,9\n", headers=headers, path="/jobs?column=b")
    assert [one.get("verdict") for one in lines(first.body)] == ["composite", None]
    other = post(whole.webs[0].port, b"a,b\n7,9\n", headers=headers, path="/jobs?column=a")
    assert (other.status, json.loads(other.body)["error"]["code"]) == (422, "key_reused")


def test_a_column_is_not_taken_for_the_beginning_of_the_text(whole: Whole) -> None:
    headers = {"Idempotency-Key": "beginning"}
    assert post(whole.webs[0].port, b"2\n9\n", headers=headers).status == 200
    other = post(whole.webs[0].port, b"\n9\n", headers=headers, path="/jobs?column=2")
    assert (other.status, json.loads(other.body)["error"]["code"]) == (422, "key_reused")


def test_a_file_of_no_known_form_is_refused_as_a_whole_with_the_line_that_shows_it(whole: Whole) -> None:
    response = post(whole.webs[0].port, b"# a page\n<html>\n7\n")
    assert response.status == 400
    error = json.loads(response.body)["error"]
    assert error["code"] == "bad_request"
    assert "got line 2: '<html>'" in error["message"]


def test_an_empty_upload_is_answered(whole: Whole) -> None:
    check(post(whole.webs[0].port, b"").body, [])


def test_an_upload_of_unknown_length_is_answered(whole: Whole) -> None:
    asked = numbers(5_000, 3)

    def pieces() -> Iterator[bytes]:
        whole_text = text(asked)
        for at in range(0, len(whole_text), 999):
            yield whole_text[at : at + 999]

    check(post(whole.webs[0].port, pieces()).body, asked)


def test_gzip_is_taken(whole: Whole) -> None:
    asked = numbers(20_000, 4)
    check(post(whole.webs[0].port, gzip.compress(text(asked)), {"Content-Encoding": "gzip"}).body, asked)


def test_whoever_prefers_it_is_told_where_the_answers_are(whole: Whole) -> None:
    asked = numbers(3_000, 5)

    response = post(whole.webs[0].port, text(asked), {"Prefer": "respond-async"})

    assert response.status == 202
    assert response.headers["Preference-Applied"] == "respond-async"
    assert response.headers["Location"] == f"/jobs/{response.json['job']}"
    for web in whole.webs:
        check(web.get(response.headers["Location"]).body, asked)


def test_a_list_that_broke_off_is_continued_on_another_instance(whole: Whole) -> None:
    asked = of_every_kind()
    with SlowReader(whole.webs[0].port, text(asked)) as client:
        location = client.read_head()["Location"]
        got = b""
        while got.count(b"\n") < 500:
            got += client.read_block()
        have = lines(got[: got.rindex(b"\n")])
    offset = have[-1]["line"]

    rest = whole.webs[1].get(f"{location}?offset={offset}")

    check(rest.body, asked, after=offset)
    check(got[: got.rindex(b"\n") + 1] + rest.body, asked)


@pytest.mark.parametrize("offset", [0, 1, 499, 500, 501, 1_234, 2_999, 3_000, 3_001, 2**32 - 1])
def test_a_list_begins_after_any_line(whole: Whole, offset: int) -> None:
    asked = numbers(3_000, 6)
    location = post(whole.webs[0].port, text(asked), {"Idempotency-Key": "offsets"}).headers["Location"]
    check(whole.webs[1].get(f"{location}?offset={offset}").body, asked, after=offset)


def test_a_list_ends_without_done_when_no_more_came_in_time(manned: Front) -> None:
    with frozen(manned.worker0.pid):
        location = post(manned.web0.port, b"2\n3\n", {"Prefer": "respond-async"}).headers["Location"]
        assert manned.web0.get(f"{location}?timeout=0").body == b""
        assert manned.web0.get(f"{location}?timeout=0.3").body == b""
    check(manned.web0.get(location).body, ["2", "3"])


def test_head_of_a_list_does_not_wait_for_its_lines(manned: Front) -> None:
    with frozen(manned.worker0.pid):
        location = post(manned.web0.port, b"2\n3\n", {"Prefer": "respond-async"}).headers["Location"]
        request = f" {location} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", manned.web0.port)) as waiting:
            waiting.sendall(b"GET" + request)
            head = send_raw(manned.web0.port, b"HEAD" + request)
            assert not select.select([waiting], [], [], 0)[0]  # the list, asked for before, still waits
    assert head.startswith(b"HTTP/1.1 200 ") and head.endswith(b"\r\n\r\n")
    assert b"Content-Type: application/x-ndjson\r\n" in head
    assert b"Content-Length" not in head and b"Transfer-Encoding" not in head


def test_head_of_a_list_has_the_errors_of_get(whole: Whole) -> None:
    for path in ("/jobs/none", "/jobs/" + "a" * 22, "/jobs/none?offset=x", "/jobs/none?timeout=x"):
        request = f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        assert send(whole.webs[0].port, request).status == whole.webs[0].get(path).status


# Longer than what gzip remembers, so that it gets no more than twice as small.
LARGE = random.Random(1).randbytes(20_000).hex().encode() * (MOST // 40_000 + 1)


@pytest.mark.parametrize(
    ("body", "headers", "status", "code", "words"),
    [
        (b"7", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "unsupported_media_type", "got 'application/x-www-form"),
        (b"7", {"Content-Type": "text/plain; charset=utf-16"}, 415, "unsupported_media_type", "charset=utf-16"),
        (b"7", {"Content-Encoding": "br"}, 415, "unsupported_media_type", "got 'br'"),
        (b"7", {"Content-Encoding": "gzip"}, 400, "bad_request", "Expected gzip: "),
        (gzip.compress(b"7\n" * 999)[:-9], {"Content-Encoding": "gzip"}, 400, "bad_request", "it ended too early"),
        (b"7", {"Idempotency-Key": "k" * 256}, 400, "bad_request", "1 to 255 visible characters"),
        (b"7", {"Idempotency-Key": "a b"}, 400, "bad_request", "got 'a b'"),
        (b"7", {"Idempotency-Key": ""}, 400, "bad_request", "got ''"),
        (gzip.compress(b"\n" * (MOST + 1)), {"Content-Encoding": "gzip"}, 413, "body_too_large", "at most 250 times its size"),
        (gzip.compress(LARGE, 1), {"Content-Encoding": "gzip"}, 413, "body_too_large", "after decompression too"),
    ],
    ids=["type", "charset", "encoding", "no gzip", "broken gzip", "long key", "two words", "no key", "bomb", "size"],
)  # fmt: skip
def test_what_is_no_upload_is_refused_and_leaves_nothing(
    manned: Front, body: bytes, headers: dict[str, str], status: int, code: str, words: str
) -> None:
    forget(manned.redis)

    response = post(manned.web0.port, body, headers)

    assert (response.status, response.json["error"]["code"]) == (status, code)
    assert words in response.json["error"]["message"]
    assert response.json["error"]["retryable"] is False
    wait_until(lambda: uploads(manned.redis) == [], "nothing of it is left")


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"7\n", {"Content-Type": "text/plain; charset=utf8"}),
        (b"7\n", {"Content-Type": 'Text/Plain;charset="UTF-8"; format=flowed'}),
        (b"7\n", {"Content-Type": "text/plain; charset=us-ascii"}),
        (b"\xef\xbb\xbf7\n", {}),
        (gzip.compress(b"7\n"), {"Content-Encoding": "x-gzip"}),
        (gzip.compress(b"7\n") + bytes(512), {"Content-Encoding": "gzip"}),
    ],
    ids=["utf8", "quoted", "ASCII", "byte order mark", "x-gzip", "padded"],
)
def test_other_spellings_of_what_is_taken_are_taken(manned: Front, body: bytes, headers: dict[str, str]) -> None:
    response = post(manned.web0.port, body, headers)
    assert response.status == 200
    assert [line.get("verdict") for line in lines(response.body)] == ["prime", None]


def test_too_large_an_upload_is_refused_before_it_is_sent(manned: Front) -> None:
    with Sender(manned.web0.port, MOST + 1) as client:
        response = client.finish()
    assert (response.status, response.json["error"]["code"]) == (413, "body_too_large")
    assert "got 52,428,801" in response.json["error"]["message"]


def test_too_large_an_upload_of_unknown_length_is_refused_when_it_is_too_large(manned: Front) -> None:
    before = memory(manned.web0.pid)
    with Sender(manned.web0.port, None) as client:
        piece = b"100000\r\n" + b"7" * MIB + b"\r\n"
        with pytest.raises((BrokenPipeError, ConnectionResetError)):  # noqa: PT012  # where it ends is up to the kernel
            for _ in range(80):
                client.send(piece)
    assert memory(manned.web0.pid) - before < 16 * MIB
    wait_until(lambda: manned.web0.metric("primes_web_uploads_active") == 0, "the upload is over")


def test_other_methods_are_refused_with_those_that_are_not(manned: Front) -> None:
    for path, method, allowed in (("/jobs", "GET", "POST"), ("/jobs", "PUT", "POST"), ("/jobs/x", "POST", "HEAD, GET, DELETE")):
        response = get(manned.web0.port, path, method=method)
        assert (response.status, response.headers["Allow"]) == (405, allowed)


@pytest.mark.parametrize("query", ["offset=-1", "offset=x", "offset=4294967296", "timeout=-1", "timeout=61", "timeout=nan"])
def test_a_bad_question_for_a_list_is_refused(manned: Front, query: str) -> None:
    response = manned.web0.get(f"/jobs/{'a' * 22}?{query}")
    assert (response.status, response.json["error"]["code"]) == (400, "bad_request")
    assert query.partition("=")[2] in response.json["error"]["message"]


@pytest.mark.parametrize("id", ["a" * 22, "a", "", "%00"])
def test_an_unknown_upload_is_not_found(manned: Front, id: str) -> None:
    for method in ("GET", "DELETE"):
        response = get(manned.web0.port, f"/jobs/{id}", method=method)
        assert (response.status, response.json["error"]["code"]) == (404, "not_found")
        assert "it may have expired" in response.json["error"]["message"]


def written(stack: Stack) -> int:
    """Entries that ever were in the lanes: what is computed was one. Workers' counts are late, and one that stalls counts twice."""
    streams = [stream for lane in Lane if stack.redis.admin.exists(stream := names.stream(lane))]
    return sum(int(stack.redis.admin.xinfo_stream(stream)["entries-added"]) for stream in streams)


class TestIdempotency:
    """One key, one upload."""

    def test_the_same_upload_is_answered_again_and_not_computed_again(self, whole: Whole) -> None:
        asked, key = numbers(2_000, 7), {"Idempotency-Key": "same"}
        before = written(whole)
        first = post(whole.webs[0].port, text(asked), key)
        once = written(whole)
        assert once > before

        again = post(whole.webs[1].port, text(asked), key)
        packed = post(whole.webs[1].port, gzip.compress(text(asked)), {**key, "Content-Encoding": "gzip"})

        assert again.headers["Location"] == packed.headers["Location"] == first.headers["Location"]
        assert again.body == packed.body == first.body
        assert written(whole) == once

    def test_another_upload_is_refused(self, whole: Whole) -> None:
        key = {"Idempotency-Key": "other"}
        post(whole.webs[0].port, b"2\n", key)
        response = post(whole.webs[1].port, b"3\n", key)
        assert (response.status, response.json["error"]["code"]) == (422, "key_reused")

    def test_while_the_first_is_read_others_are_told_to_wait(self, whole: Whole) -> None:
        with Sender(whole.webs[0].port, 4, Idempotency_Key="busy") as first:
            first.send(b"2\n")
            active = "primes_web_uploads_active"
            wait_until(lambda: whole.webs[0].metric(active) == 1, "the first upload has begun")
            for web in whole.webs:
                response = post(web.port, b"2\n3\n", {"Idempotency-Key": "busy"})
                assert (response.status, response.json["error"]["code"]) == (409, "being_read")
                assert response.json["error"]["retryable"] is True
                assert response.headers["Retry-After"] == "1"
            first.send(b"3\n")
            done = first.finish()
        check(done.body, ["2", "3"])
        assert done.headers["Location"] == response.headers["Location"]

    def test_a_client_that_left_while_it_sent_begins_again(self, whole: Whole) -> None:
        with Sender(whole.webs[0].port, 100, Idempotency_Key="left") as first:
            first.send(b"2\n")
            wait_until(lambda: whole.webs[0].metric("primes_web_uploads_active") == 1, "the upload has begun")
        wait_until(lambda: whole.webs[0].metric("primes_web_uploads_active") == 0, "the upload is over")

        answer = wait_until(
            lambda: (got := post(whole.webs[1].port, b"2\n5\n", {"Idempotency-Key": "left"})).status == 200 and got,
            "the key is free",
        )

        check(answer.body, ["2", "5"])


def test_a_client_that_leaves_while_it_sends_leaves_nothing(manned: Front) -> None:
    forget(manned.redis)
    with Sender(manned.web0.port, 1_000_000) as client:
        client.send(text(numbers(5_000, 8)))
        wait_until(lambda: uploads(manned.redis), "the upload has begun")
    wait_until(lambda: uploads(manned.redis) == [], "nothing of it is left")
    wait_until(lambda: queued(manned.redis) == 0, "what was queued of it is gone")


def test_an_upload_has_no_more_than_its_window_queued_and_is_read_no_faster(manned: Front) -> None:
    body = text(numbers(400_000, 9)) * 5  # more than the kernel keeps on its way
    before = memory(manned.web0.pid)
    with frozen(manned.worker0.pid), Sender(manned.web0.port, len(body)) as client:
        sent = 0
        try:
            client._connection.sock.settimeout(1)
            for at in range(0, len(body), MIB):
                client.send(body[at : at + MIB])
                sent += MIB
        except TimeoutError:
            pass  # held back, as it should be
        wait_until(lambda: manned.redis.length(Lane.QUICK) == 16, "the window is full")
        wait_until(lambda: manned.web0.get("/healthz").status == 200, "the web process has had its turn")
        assert manned.redis.length(Lane.QUICK) == 16
        assert sent < len(body)
        assert memory(manned.web0.pid) - before < 8 * MIB
    wait_until(lambda: queued(manned.redis) == 0, "what was queued is done")


def test_dear_numbers_of_an_upload_leave_room_for_others(manned: Front) -> None:
    with frozen(manned.worker0.pid), Sender(manned.web0.port, 100_000) as client:
        client.send(text([HEAVY] * 200))
        wait_until(lambda: manned.redis.length(Lane.HEAVY) == 4, "four are queued")
        wait_until(lambda: manned.web0.get("/healthz").status == 200, "the web process has had its turn")
        assert manned.redis.length(Lane.HEAVY) == 4
    wait_until(lambda: queued(manned.redis) == 0, "what was queued is done")


def test_a_client_that_reads_slowly_costs_no_memory(whole: Whole) -> None:
    asked = numbers(200_000, 10)
    web = whole.webs[0]
    post(web.port, text(numbers(20_000, 11)))  # whatever a first upload costs once
    before = memory(web.pid)
    with SlowReader(web.port, text(asked)) as client:
        client.read_head()
        wait_until(lambda: web.metric("primes_web_uploads_active") == 0, "all of it is computed", 60)
        most = before
        for _ in range(100):
            web.get("/primes/97")
            most = max(most, memory(web.pid))
        assert most - before < 8 * MIB  # the list has 16
        check(client.read(), asked)


def test_a_large_upload_is_not_held_in_memory(whole: Whole) -> None:
    asked = numbers(1_000_000, 12)
    body = text(asked)
    web = whole.webs[0]
    before = most = memory(web.pid)
    with Sender(web.port, len(body)) as client:
        for at in range(0, len(body), MIB // 4):
            client.send(body[at : at + MIB // 4])
            most = max(most, memory(web.pid))
        response = client.finish()
    assert len(body) > 10 * MIB
    assert most - before < 6 * MIB
    assert lines(response.body[-100:].rpartition(b"}\n{")[2].join([b"{", b""]))[0]["answers"] == 1_000_000


def test_uploads_under_way_are_bounded(stack: Stack) -> None:
    stack.redis.start()
    web = stack.web("web0", "--max-uploads", "1")
    stack.wait_ready()
    with Sender(web.port, 4) as first:
        first.send(b"2\n")
        wait_until(lambda: web.metric("primes_web_uploads_active") == 1, "the first upload has begun")
        response = post(web.port, b"3\n")
    assert (response.status, response.json["error"]["code"]) == (503, "busy")
    assert "1 uploads are under way" in response.json["error"]["message"]
    assert response.headers["Retry-After"] == "1"


def test_a_client_that_fills_its_share_of_redis_leaves_room_for_others(stack: Stack) -> None:
    stack.redis.start()
    web = stack.web("web0", "--upload-memory", "32", "--max-uploads", "12")
    stack.wait_ready()

    def taken(address: str) -> str:
        """What a client at this address is told of the room; empty where its upload, which stays under way, is taken."""
        before, refused = web.metric("primes_web_uploads_active"), web.metric("primes_web_uploads_total", outcome="busy")
        sender = senders.enter_context(Sender(web.port, 4, address))
        sender.send(b"2\n")
        wait_until(
            lambda: (
                web.metric("primes_web_uploads_active") > before or web.metric("primes_web_uploads_total", outcome="busy") > refused
            ),
            "it has begun or is refused",
        )
        if web.metric("primes_web_uploads_active") > before:
            return ""
        sender.send(b"3\n")
        response = sender.finish()
        assert (response.status, response.json["error"]["code"], response.json["error"]["retryable"]) == (503, "busy", True)
        assert response.headers["Retry-After"] == "1"
        return str(response.json["error"]["message"])

    with contextlib.ExitStack() as senders:
        assert [taken("127.0.0.2"), taken("127.0.0.2")] == ["", ""]
        assert "take 16.0 of 32 MiB, 16.0 of them those of this client" in taken("127.0.0.2")
        assert taken("127.0.0.3") == ""
        assert "take 24.0 of 32 MiB, 8.0 of them those of this client" in taken("127.0.0.3")
        assert taken("127.0.0.4") == ""
        assert "take 32.0 of 32 MiB, 0.0 of them those of this client" in taken("127.0.0.5")
    assert wait_until(lambda: post(web.port, b"", {"Prefer": "respond-async"}).status == 202, "there is room again")


def test_an_upload_that_takes_too_much_of_redis_is_ended(stack: Stack) -> None:
    stack.redis.start()
    web, _ = stack.web("web0", "--upload-memory", "16"), stack.worker("worker0")
    stack.wait_ready()
    draw = random.Random(14)
    rubbish = b"".join(b"%x\n" % draw.getrandbits(160) for _ in range(1_200_000))  # each line's error repeats it
    response = post(web.port, rubbish, {"Idempotency-Key": "rubbish"})
    assert (response.status, response.json["error"]["code"]) == (503, "busy")
    wait_until(lambda: uploads(stack.redis) == [], "nothing of it is left")


@pytest.mark.parametrize("headers", [{}, {"Idempotency_Key": "silent"}])
def test_a_body_that_sends_nothing_is_ended_and_its_place_is_free(stack: Stack, headers: dict[str, str]) -> None:
    stack.redis.start()
    web, _ = stack.web("web0", "--max-uploads", "1", "--upload-silence", "1"), stack.worker("worker0")
    stack.wait_ready()
    with Sender(web.port, 9, **headers) as silent:
        silent.send(b"2\n")
        response = silent.finish()
    assert (response.status, response.json["error"]["code"]) == (408, "request_timeout")
    assert response.headers["Retry-After"] == "1"
    assert response.headers["Connection"] == "close"
    assert web.metric("primes_web_uploads_total", outcome="abandoned") == 1
    check(post(web.port, b"3\n", {name.replace("_", "-"): value for name, value in headers.items()}).body, ["3"])


def test_a_body_that_trickles_is_ended(stack: Stack) -> None:
    stack.redis.start()
    web = stack.web("web0", "--upload-silence", "2", "--upload-rate", "1000")
    stack.wait_ready()

    def ended() -> bool:
        with contextlib.suppress(ConnectionError):  # its connection goes with it, maybe with a chunk that was not read
            slow.send(b"2\r\n2\n\r\n")  # two bytes, as a chunk of HTTP
        return web.metric("primes_web_uploads_total", outcome="abandoned") == 1

    with Sender(web.port, None) as slow:
        wait_until(ended, "it is ended")
    assert web.metric("primes_web_http_requests_total", route="/jobs", status="408") == 1
    assert web.metric("primes_web_uploads_active") == 0


def test_a_body_that_waits_for_workers_is_not_too_slow(stack: Stack) -> None:
    stack.redis.start()
    web = stack.web("web0", "--upload-silence", "2")
    stack.wait_ready()
    asked = numbers(200_000, 5)
    with posting(web.port, text(asked)) as answer:
        wait_until(lambda: queued(stack.redis) == 16, "its window is full")
        full = time.monotonic()
        wait_until(lambda: time.monotonic() > full + 3, "a silence would be over")
        stack.worker("worker0", "--lease", "1")
        check(answer.result().body, asked)


def test_an_upload_expires(stack: Stack) -> None:
    stack.redis.start()
    web, _ = stack.web("web0", "--upload-ttl", "5"), stack.worker("worker0")
    stack.wait_ready()
    response = post(web.port, b"2\n3\n", {"Idempotency-Key": "short"})
    check(response.body, ["2", "3"])
    wait_until(lambda: stack.redis.admin.keys("{primes}:upload:*") == [], "it is gone, and its key")
    assert web.get(response.headers["Location"]).status == 404
    check(post(web.port, b"5\n", {"Idempotency-Key": "short"}).body, ["5"])


def test_an_upload_that_is_asked_for_stays(whole: Whole) -> None:
    location = post(whole.webs[0].port, b"2\n", {"Idempotency-Key": "stays"}).headers["Location"]
    key = f"{{primes}}:upload:{location.rpartition('/')[2]}"
    whole.redis.admin.expire(key, 100)
    whole.webs[1].get(location)
    assert whole.redis.admin.ttl(key) > 3_000


def test_a_draining_web_process_leaves_what_it_has_read_to_others(stack: Stack) -> None:
    stack.redis.start()
    first, second = stack.web("web0", "--drain", "1"), stack.web("web1")
    stack.wait_ready()
    asked = numbers(3_000, 13)
    location = post(first.port, text(asked), {"Prefer": "respond-async"}).headers["Location"]
    first.send(signal.SIGTERM)
    assert first.wait() == 0
    stack.worker("worker0")
    check(second.get(location).body, asked)
    assert upload(stack.redis)["state"] == "read"


def test_the_description_is_served(whole: Whole) -> None:
    response = whole.webs[0].get("/openapi.yaml")
    assert response.headers["Content-Type"] == "application/yaml"
    assert response.body.startswith(b"openapi: 3.1.0\n")
