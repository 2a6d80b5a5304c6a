"""What is too much is refused with a sentence, held back, or waits; nothing grows without bound."""

import threading
import time
from collections.abc import Callable

from services.jobs.names import Lane
from tests.integration.conftest import Front, Whole
from tests.integration.plain_clients import HEAVIES, INVALID, NOT_PRIME, PRIME, Question, RawClient, question
from tests.integration.processes import frozen, memory, thaw
from tests.integration.steps import asking
from tests.integration.waiting import wait_until

MESSAGE = 2 * 1024 * 1024  # bytes: the longest message
MEBIBYTE = 1 << 20


def test_a_message_over_two_mebibytes_closes_the_socket(whole: Whole) -> None:
    with RawClient(whole.webs[0].url) as client:
        client.send("1" * (MESSAGE + 1))
        assert client.wait_closed() == 1009


def test_a_number_over_the_limit_is_answered_with_a_sentence(whole: Whole) -> None:
    with RawClient(whole.webs[0].url) as client:
        client.send("7" * 10_001)
        assert client.receive() == "Number too large: 10,001 digits came, at most 10,000 are taken"
        for length in (1_000_000, MESSAGE):
            client.send("7" * length)
            assert client.receive() == f"Number too large: {length:,} characters came, at most 65,536 are taken"
        client.send("7")
        assert client.receive() == PRIME


def test_binary_frames_are_read_as_text(whole: Whole) -> None:
    with RawClient(whole.webs[0].url) as client:
        for message, answer in {
            b"7": PRIME,
            b"8": NOT_PRIME,
            b"\xff\xfe": INVALID,
            "\u0667".encode(): INVALID,
            b"": INVALID,
        }.items():
            client.send(message)
            assert client.receive() == answer


def test_bad_input_leaves_the_socket_open(whole: Whole) -> None:
    with RawClient(whole.webs[0].url) as client:
        for message in ("", " ", "seven", "7.0", "0x7", "7 7", "--7", "1e3", "\0", "_7"):
            client.send(message)
            assert client.receive() == INVALID
        client.send(" +0_7 ")
        assert client.receive() == PRIME


def test_a_client_that_does_not_read_is_held_back(manned: Front) -> None:
    """It sends messages of 1 KiB until the kernel's buffers and the in-flight bound are full, and reads only then."""
    web, most = manned.web("strict", "--max-digits", "20"), 200_000
    manned.wait_ready()
    too_large = "9" * 21, "Number too large: 21 digits came, at most 20 are taken"
    size = memory(web.pid)
    asked: list[Question] = []
    full = threading.Event()

    def send() -> None:
        while not full.is_set() and len(asked) < most:
            asked.append(too_large if len(asked) % 2 else question(len(asked)))
            client.send(asked[-1][0].rjust(1024))

    with RawClient(web.url, narrow=True) as client:
        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        wait_until(Still(lambda: len(asked)), "the server takes no more", 60)
        full.set()
        grown, taken = memory(web.pid) - size, int(web.metric("primes_web_messages_total"))

        client.widen()
        answers = list(client.messages(taken))  # which makes room for what is on its way
        sender.join()
        answers += client.messages(len(asked) - taken)

    wrong = sum(answer != expected for answer, (_, expected) in zip(answers, asked, strict=True))
    print(f"asked {len(asked)}, lost {len(asked) - len(answers)}, wrong {wrong}; unread: {taken} taken, {grown >> 10} KiB grown")
    assert wrong == 0
    assert len(asked) < most
    assert grown < 16 * MEBIBYTE


class Still:
    """Whether a number has stayed the same for a while."""

    SECONDS = 1.0  # far longer than any turn of a server that still takes messages

    def __init__(self, number: Callable[[], float]) -> None:
        self._number = number
        self._last = (number(), time.monotonic())

    def __call__(self) -> bool:
        now = self._number()
        if now != self._last[0]:
            self._last = (now, time.monotonic())
        return now > 0 and time.monotonic() - self._last[1] > self.SECONDS


def test_a_socket_has_no_more_messages_under_way_than_it_may(manned: Front) -> None:
    web = manned.web("narrow", "--max-in-flight", "100")
    manned.wait_ready()
    asked = [question(n) for n in range(2_000)]
    with RawClient(web.url) as client:
        with frozen(manned.worker0.pid):
            for message, _ in asked:
                client.send(message)
            wait_until(lambda: web.pending == 100, "it has as many as it may")
            wait_until(Still(lambda: web.metric("primes_web_messages_total")), "the server reads no more")
            assert web.pending == 100
            assert web.metric("primes_web_messages_total") == 100

        answers = list(client.messages(len(asked)))

    wrong = sum(answer != expected for answer, (_, expected) in zip(answers, asked, strict=True))
    print(f"asked {len(asked)}, lost {len(asked) - len(answers)}, wrong {wrong}")
    assert wrong == 0


def test_a_client_that_left_while_it_was_held_back_is_forgotten(manned: Front) -> None:
    web = manned.web("narrow", "--max-in-flight", "100")
    manned.wait_ready()
    with frozen(manned.worker0.pid):
        with RawClient(web.url) as client:
            for number in range(200):
                client.send(str(number))
            wait_until(lambda: web.pending == 100, "the client is held back")
        assert web.metric("primes_web_connections") == 1  # nobody reads its socket

    wait_until(lambda: web.metric("primes_web_connections") == 0, "the socket is found closed")
    wait_until(lambda: web.pending == 0, "its jobs are done with")


def test_jobs_that_find_the_stream_full_wait_in_the_web_process(manned: Front) -> None:
    web = manned.web("patient", "--max-queued-entries", "2")
    manned.wait_ready()
    with RawClient(web.url) as client:
        with frozen(manned.worker0.pid):
            for number in HEAVIES[:10]:
                client.send(number)
            wait_until(lambda: web.pending == 10, "all jobs are accepted")
            wait_until(lambda: manned.redis.length(Lane.HEAVY) == 2, "the stream is full")

        wait_until(lambda: web.pending == 0, "all jobs are answered")
        assert list(client.messages(10)) == [question(int(number))[1] for number in HEAVIES[:10]]


def test_a_web_process_with_too_many_jobs_refuses_more(manned: Front) -> None:
    web = manned.web("small", "--max-pending", "10")
    manned.wait_ready()
    with RawClient(web.url) as client, frozen(manned.worker0.pid), asking(web, "2", "3", "5", "7", "11") as accepted:
        wait_until(lambda: web.pending == 5, "five jobs are accepted")

        refused = web.get("/primes/13")
        client.send("13")
        sentence = client.receive()

        assert refused.status == 503
        assert refused.headers["Retry-After"] == "1"
        assert refused.json["error"] == {
            "code": "busy",
            "message": "Busy: 5 jobs are pending, and too many of them are of this client",
            "retryable": True,
        }
        assert sentence == "Busy: the server has as many jobs as it takes, try again in a second"
        assert web.metric("primes_web_jobs_refused_total", reason="busy") == 2
        thaw(manned.worker0.pid)
        assert [job.result().json["verdict"] for job in accepted] == ["prime"] * 5
        client.send("13")
        assert client.receive() == PRIME
