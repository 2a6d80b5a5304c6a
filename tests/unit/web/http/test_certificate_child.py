"""Certificates are checked in child processes: one at a time, one of a client's, and none for longer than it may take."""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

import pytest

from certificates import read
from certificates.arithmetic import written
from services.web.http.certificate_child import Busy, CertificateChildren, NoSuchForm, NotACertificate, TooCostly
from services.web.http.certificate_program import CHECK
from tests.unit.certificates.textbook import VECTORS

SMALL = b"97"
GOOD = (VECTORS / "30-digits.primo").read_bytes()
COSTLY = f"[{written(2**44_497 - 1)}, [], [2]]".encode()  # a prime of 13,395 digits: seconds with gmpy2, minutes without


def run(scenario: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(scenario)


def test_a_certificate_is_checked_and_written_in_another_format() -> None:
    async def scenario() -> None:
        children = CertificateChildren()
        told = json.loads(await children.run("a", CHECK, GOOD))
        number = str(10**29 + 319)
        assert told == {"number": number, "digits": 30, "kind": "ECPP", "steps": 2, "proven": True}
        changed = json.loads(await children.run("a", CHECK, GOOD.replace(b"S=0x160", b"S=0x161")))
        assert (changed["proven"], changed["step"], changed["reason"]) == (False, 1, "s does not divide m = n + 1 - t")
        assert read(await children.run("a", "mpu", GOOD)).n == 10**29 + 319
        with pytest.raises(NotACertificate, match=r"^line 1, column 1: expected \[ or a number, got 'x'$"):
            await children.run("a", CHECK, b"x")
        with pytest.raises(NoSuchForm, match=r"no form for a certificate by several factors"):
            await children.run("a", "primo", (VECTORS / "n-minus-1.pari").read_bytes())

    run(scenario())


def test_what_costs_too_much_is_ended() -> None:
    async def scenario() -> None:
        with pytest.raises(TooCostly):
            await CertificateChildren(seconds=1).run("a", CHECK, COSTLY)

    run(scenario())


def test_one_of_a_clients_is_taken_and_so_many_wait() -> None:
    async def scenario() -> None:
        children = CertificateChildren(most_waiting=1)
        first, second = (asyncio.create_task(children.run(name, CHECK, SMALL)) for name in "ab")
        await asyncio.sleep(0)  # both have begun
        with pytest.raises(Busy, match=r"^a certificate of yours is here already"):
            await children.run("a", CHECK, SMALL)
        with pytest.raises(Busy, match=r"^1 certificates wait already$"):
            await children.run("c", CHECK, SMALL)
        assert [json.loads(said)["proven"] for said in await asyncio.gather(first, second)] == [True, True]
        assert json.loads(await children.run("c", CHECK, SMALL))["proven"]

    run(scenario())


def test_a_child_ends_when_nobody_waits_for_it_and_the_next_has_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    processes: asyncio.Queue[asyncio.subprocess.Process] = asyncio.Queue()
    create = asyncio.create_subprocess_exec

    async def watched(*arguments: Any, **options: Any) -> asyncio.subprocess.Process:
        process = await create(*arguments, **options)
        processes.put_nowait(process)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", watched)

    async def scenario() -> None:
        children = CertificateChildren()
        costly = asyncio.create_task(children.run("a", CHECK, COSTLY))
        async with asyncio.timeout(60):
            process = await processes.get()
        costly.cancel()
        with pytest.raises(asyncio.CancelledError):
            await costly
        assert process.returncode is not None
        assert json.loads(await children.run("a", CHECK, SMALL))["number"] == "97"

    run(scenario())
