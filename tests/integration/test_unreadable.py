"""What cannot be read costs only what it belongs to: no process ends, and whoever else asks is answered."""

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from services.jobs import names
from services.jobs.names import Lane
from tests.integration.conftest import Front
from tests.integration.plain_clients import HEAVY, HEAVY_COMPOSITE, SLOW
from tests.integration.processes import thaw
from tests.integration.steps import asking, freeze_child
from tests.integration.uploading import post
from tests.integration.v1_clients import RpcClient, in_thread
from tests.integration.waiting import wait_until

GARBAGE = b"\xc1 is never MessagePack \xff"


def run(scenario: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(scenario, 200))


def unreadable(front: Front) -> float:
    return sum(process.metric("primes_unreadable_total") for process in (front.web0, front.worker0))


def all_is_well(front: Front) -> None:
    """Both processes are those that were started, and answer a stranger's cheap and costly numbers."""
    with asking(front.web0, "97", HEAVY, HEAVY_COMPOSITE) as requests:
        assert [request.result().json["verdict"] for request in requests] == ["prime", "probably_prime", "composite"]
    assert front.web0.running and front.worker0.running


def channels(front: Front, kind: str) -> list[bytes]:
    return [name for name in front.redis.admin.pubsub_channels("primes:*") if name.split(b":")[1] == kind.encode()]


@pytest.mark.parametrize("payload", [GARBAGE, b"", b"\x90", b"\x91\x01", b"no words", b"-1", b"quick", b"\xff \xff"])
@pytest.mark.parametrize("kind", ["results", "deliveries", "promotions", "evictions", "notices", "cancellations", "pulse", "bell"])
def test_a_garbled_message_ends_no_process(manned: Front, kind: str, payload: bytes) -> None:
    heard = wait_until(lambda: channels(manned, kind), f"somebody listens for {kind}")
    for channel in heard:
        manned.redis.admin.publish(channel, payload)
    all_is_well(manned)


def spoil_type(front: Front, key: bytes | str) -> None:
    """A string in the place of whatever this is."""
    front.redis.admin.set(key, b"of another type")


def spoil_fields(front: Front, key: bytes | str) -> None:
    """Every field of a hash is garbage."""
    front.redis.admin.hset(key, mapping=dict.fromkeys(front.redis.admin.hkeys(key), GARBAGE))


@contextlib.contextmanager
def computing(front: Front) -> Iterator[None]:
    """The costly jobs that are asked within are under way until its end."""
    child = freeze_child(front.web0, front.worker0)
    try:
        yield
    finally:
        thaw(child)


_numbers = itertools.count(10**250, 2)  # each asked once, so that no answer of it is kept


@pytest.mark.parametrize("spoil", [spoil_type, spoil_fields])
def test_a_session_that_cannot_be_read_is_lost_alone(manned: Front, spoil: Callable[[Front, str], None]) -> None:
    async def scenario() -> None:
        client, other = await RpcClient().connect(manned.web0.url), await RpcClient().connect(manned.web0.url)
        await client.ask("97")
        await other.ask("97")
        await client.answered()
        with computing(manned):
            await client.ask(str(next(_numbers)))
            await in_thread(lambda: wait_until(lambda: manned.redis.held("worker0", Lane.HEAVY) == 1, "its number is computed"))
            spoil(manned, names.session(client.token))
            await client.until(lambda: len(client.notices) > 1, "the client is told to ask again, and does")
        await client.answered()
        await other.ask("91")
        await other.answered()
        assert client.tally().clean and other.tally().clean
        await client.close()
        await other.close()

    run(scenario())
    all_is_well(manned)


@pytest.mark.parametrize("spoil", [spoil_type, spoil_fields])
@pytest.mark.parametrize("kind", ["askers", "question"])
def test_a_run_that_cannot_be_read_ends_no_process(manned: Front, kind: str, spoil: Callable[[Front, bytes], None]) -> None:
    with contextlib.ExitStack() as computed:
        computed.enter_context(computing(manned))
        with asking(manned.web0, str(next(_numbers))) as (waiting,):
            wait_until(lambda: manned.redis.held("worker0", Lane.HEAVY) == 1, "its number is computed")
            for key in manned.redis.admin.keys(f"{names.KEYS}:{kind}:*"):
                spoil(manned, key)
            computed.close()
            assert waiting.result().json["verdict"] == "composite"
    all_is_well(manned)


def test_a_kept_answer_that_cannot_be_read_is_computed_again(manned: Front) -> None:
    first = manned.web0.get(f"/primes/{SLOW[:3000]}").json["verdict"]
    for key in manned.redis.admin.keys(f"{names.KEYS}:question:*"):
        manned.redis.admin.hset(key, "answer", GARBAGE)
    assert manned.web0.get(f"/primes/{SLOW[:3000]}").json["verdict"] == first
    all_is_well(manned)


def test_marks_that_cannot_be_read_cost_nothing_but_their_requests(manned: Front) -> None:
    async def scenario() -> None:
        client = await RpcClient().connect(manned.web0.url)
        with computing(manned):
            await client.ask(str(next(_numbers)))
            key = names.session(client.token)
            fields = await in_thread(lambda: wait_until(lambda: manned.redis.admin.hkeys(key), "it is marked"))
            marks = [field for field in fields if field.startswith(b"?")]
            manned.redis.admin.hset(key, mapping=dict.fromkeys(marks, b"nowhere at all"))
            await client.until(lambda: client.progress, "a report of progress has looked at the mark")
        await client.answered()
        assert client.tally().clean
        await client.close()

    run(scenario())
    all_is_well(manned)


def test_an_upload_that_cannot_be_read_ends_no_process(manned: Front) -> None:
    location = post(manned.web0.port, b"97\n91\n").headers["Location"]
    spoil_type(manned, names.upload(location.rpartition("/")[2]))
    assert post(manned.web0.port, b"97\n").status == 200
    all_is_well(manned)
