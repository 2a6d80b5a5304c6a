"""What a simulated process reaches: Redis, and the child processes that it starts."""

from collections.abc import Callable
from typing import Any

from tests.simulation.broker import Broker
from tests.simulation.children import Children
from tests.simulation.loop import Loop


class Network:
    """For every process the same."""

    def __init__(self, broker: Broker, children: Children) -> None:
        self.broker = broker
        self.children = children

    async def connect(self, loop: Loop, protocol_factory: Callable[[], Any]) -> Any:
        """A connection to Redis."""
        return await self.broker.connect(loop, protocol_factory)

    async def start_child(self, loop: Loop, protocol_factory: Callable[[], Any], arguments: tuple[Any, ...]) -> Any:
        """A child process of a worker."""
        return self.children.start(loop, protocol_factory, arguments)
