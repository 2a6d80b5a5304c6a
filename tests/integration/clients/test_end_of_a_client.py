"""What is left of the Python client when it ends, however that comes."""

import asyncio

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from clients.primes import Client, Operation, PrimesError, Unreachable
from tests.integration.waiting import eventually
from tests.ports import free_port

SESSION = '{"jsonrpc": "2.0", "method": "session", "params": {"session": "s", "offset": "0", "instance": "web0"}}'
LARGE = "9" * 1_000_000  # a few of these are more than a socket takes that nobody reads
PAUSED = 8_192  # bytes that are not written; the library goes on below them


async def never_read(socket: ServerConnection) -> None:
    await socket.send(SESSION)
    socket.transport.pause_reading()
    await socket.wait_closed()


def test_a_client_whose_end_is_cancelled_leaves_no_task_and_no_question_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clients.primes.client.PING", 3_600)  # no ping that fails ends the socket

    async def scenario() -> None:
        options = {"subprotocols": [Subprotocol("primes.v1")], "ping_interval": None, "close_timeout": 0.1}
        async with serve(never_read, "127.0.0.1", 0, **options) as server:  # type: ignore[arg-type]  # of several types
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/chatsocket"
            others = asyncio.all_tasks()
            client = await Client(url).__aenter__()
            asked = [client.submit(LARGE, Operation.IS_PRIME, {}) for _ in range(50)]
            await eventually(
                lambda: client._socket is not None and client._socket.transport.get_write_buffer_size() > PAUSED,
                "nothing more can be said",
            )
            client.cancel(asked[0][0])  # is said at the end, and nobody reads it
            ending = asyncio.create_task(client.__aexit__(None, None, None))
            await asyncio.sleep(0)
            ending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await ending
            async with asyncio.timeout(30):
                for _, answer in asked:
                    with pytest.raises(PrimesError, match="The client is closed"):
                        await answer
                while mine := {task for task in asyncio.all_tasks() - others if "clients/primes" in str(task)}:
                    await asyncio.wait(mine)

    asyncio.run(scenario())


def test_a_client_that_is_over_keeps_nothing_of_those_that_ask_it() -> None:
    async def scenario() -> None:
        async with Client(f"ws://127.0.0.1:{free_port()}/chatsocket", give_up_after=0) as client:
            depths = set()
            for _ in range(20):
                with pytest.raises(Unreachable) as caught:
                    await client.ask("97")
                depths.add(len(caught.traceback))
            assert len(depths) <= 2, depths  # the first one waited; all others are told at once

    asyncio.run(scenario())
