"""Compressed messages of a client library, through nginx too, where the setting allows them."""

import asyncio
import json
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from tests.integration.conftest import Front
from tests.integration.plain_clients import NOT_PRIME, PRIME
from tests.integration.web.behind_nginx import behind_nginx


async def answers(url: str, messages: list[str], subprotocol: str | None = None) -> tuple[list[str], list[str]]:
    """Names of the extensions that are agreed on, and what comes back."""
    offers = [ClientPerMessageDeflateFactory(client_max_window_bits=True), ClientPerMessageDeflateFactory(server_max_window_bits=9)]
    protocols = [subprotocol] if subprotocol else None
    async with connect(url, compression=None, extensions=offers, subprotocols=protocols) as socket:
        for message in messages:
            await socket.send(message)
        async with asyncio.timeout(30):
            told = [str(await socket.recv()) for _ in range(len(messages) + (subprotocol is not None))]
        return [extension.name for extension in socket.protocol.extensions], told


@pytest.mark.parametrize("where", ["web process", "nginx"])
def test_compressed_messages_are_answered_where_they_are_allowed(manned: Front, tmp_path: Path, where: str) -> None:
    web = manned.web("dense", "--deflate")
    manned.wait_ready(web)
    with behind_nginx(web, tmp_path) as site:
        url = web.url if where == "web process" else f"ws://127.0.0.1:{site.port}/chatsocket"
        agreed, told = asyncio.run(answers(url, ["97", "91", " " * 1_000 + "7"]))
        assert (agreed, told) == (["permessage-deflate"], [PRIME, NOT_PRIME, PRIME])
        request = {"jsonrpc": "2.0", "id": 1, "method": "is_prime", "params": {"number": "0" * 1_000 + "97"}}
        agreed, (_, answer) = asyncio.run(answers(url, [json.dumps(request)], "primes.v1"))
        assert (agreed, json.loads(answer)["result"]["verdict"]) == (["permessage-deflate"], "prime")


def test_nothing_is_compressed_unless_it_is_allowed(manned: Front) -> None:
    agreed, told = asyncio.run(answers(manned.web0.url, ["97"]))
    assert (agreed, told) == ([], [PRIME])
