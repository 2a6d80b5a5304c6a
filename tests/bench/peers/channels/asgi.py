"""The row `channels`: `daphne tests.bench.peers.channels.asgi:application`, and `django-admin runworker primes` as the worker.

Both need REDIS_PORT and DJANGO_SETTINGS_MODULE=tests.bench.peers.channels.settings.
"""

from typing import Any

from channels.consumer import AsyncConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ChannelNameRouter, ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path
from flint import fmpz

http = get_asgi_application()


class Asking(AsyncWebsocketConsumer):
    """One socket: its replies go out in the order of its questions, whichever worker is first."""

    async def connect(self) -> None:
        self.asked = self.replied = 0
        self.verdicts: dict[int, bool] = {}
        await self.accept()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        self.asked += 1
        question = {"type": "test", "number": int(text_data or ""), "place": self.asked, "to": self.channel_name}
        await self.channel_layer.send("primes", question)

    async def answer(self, message: dict[str, Any]) -> None:
        self.verdicts[message["place"]] = message["verdict"]
        while (verdict := self.verdicts.pop(self.replied + 1, None)) is not None:
            self.replied += 1
            await self.send(text_data="is a prime number" if verdict else "is not a prime number")


class Testing(AsyncConsumer):
    """The worker's."""

    async def test(self, message: dict[str, Any]) -> None:
        verdict = bool(fmpz(message["number"]).is_prime())
        await self.channel_layer.send(message["to"], {"type": "answer", "place": message["place"], "verdict": verdict})


application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": URLRouter([path("chatsocket", Asking.as_asgi())]),
        "channel": ChannelNameRouter({"primes": Testing.as_asgi()}),
    }
)
