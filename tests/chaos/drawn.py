"""Clients and faults that a seed draws: what each client does, and what befalls each part of the stack."""

import random
import signal
import threading
import time
from collections.abc import Callable
from functools import partial

from tests.chaos.beside import Beside
from tests.chaos.client import Client, Crowd, Whims, numbers, to_prove
from tests.chaos.plain_client import PlainClient
from tests.chaos.processes import Processes
from tests.integration.processes import freeze, thaw
from tests.leftovers import entries, stray_keys

INTERVAL = 0.5  # seconds between two requests of a client
HEAVY, PROOFS = 0.3, 0.1  # shares of requests
PLAIN = 0.25  # share of clients that speak the plain protocol
CALM = 2.0, 8.0  # seconds between two faults of one process
CALM_OF_REDIS = 5.0, 12.0  # and of Redis, which are felt by all
LENGTHS = 0.3, 1.0, 2.5, 4.0  # seconds that a fault lasts, by half more or less; some are longer than a lease
SLOW = 0.2  # seconds that everything takes longer, each way


def crowd(stage: Processes, seed: int, clients: int, seconds: float) -> Crowd:
    """Clients of both protocols that ask for so many seconds, some of them the same numbers."""
    each = int(seconds / INTERVAL)
    return Crowd([_draw_client(stage, random.Random(f"client {seed} {index}"), index, each) for index in range(clients)])


def _draw_client(stage: Processes, chance: random.Random, index: int, each: int) -> Client:
    seed = chance.randrange(10**9)
    if chance.random() < PLAIN:
        whims = Whims(moves=chance.choice((0.0, 0.05)))
        return PlainClient(f"p{index}", stage.url, numbers(each, seed, int(each * HEAVY)), INTERVAL, seed, whims)
    proofs = [to_prove(seed + n) for n in range(int(each * PROOFS))]
    whims = Whims(
        cancels=chance.choice((0.0, 0.1, 0.3)),
        proofs=frozenset(proofs),
        deadlines=chance.choice((0.0, 0.1, 0.3)),
        repeats=chance.choice((0.0, 0.2)),
        moves=chance.choice((0.0, 0.05, 0.2)),
        leaves=chance.random() < 0.1,
    )
    return Client(f"c{index}", stage.url, numbers(each, seed, int(each * HEAVY), proofs), INTERVAL, seed, whims)


class Faults(Beside):
    """Each process, and Redis, meets one fault after the other until the block is left; then everything goes on."""

    def __init__(self, stage: Processes, seed: int) -> None:
        self.told: list[str] = []  # what happened, and when
        self._stage = stage
        self._began = time.monotonic()
        self._starting = threading.Lock()  # the stage starts one process at a time
        process = self._kill, self._stop, self._cut, self._deafen, self._slow_down
        befall = [partial(self._befall, name, CALM, process, random.Random(f"{seed} {name}")) for name in stage.services]
        of_redis = self._stop_redis, self._take_redis_away
        super().__init__(*befall, partial(self._befall, "redis", CALM_OF_REDIS, of_redis, random.Random(f"{seed} redis")))

    def _befall(
        self, name: str, calm: tuple[float, float], faults: tuple[Callable[[str, float], None], ...], chance: random.Random
    ) -> None:
        while not self.over.wait(chance.uniform(*calm)):
            fault, seconds = chance.choice(faults), chance.choice(LENGTHS) * chance.uniform(0.5, 1.5)
            self.told.append(f"{time.monotonic() - self._began:.1f} s: {fault.__name__.strip('_')} {name}, {seconds:.1f} s")
            fault(name, seconds)

    def _kill(self, name: str, seconds: float) -> None:
        with self._starting:
            self._stage.kill(name)

    def _stop(self, name: str, seconds: float) -> None:
        self._stand_still(self._stage.services[name].pid, seconds)

    def _cut(self, name: str, seconds: float) -> None:
        self._stage.proxies[name].cut()
        self.over.wait(seconds)
        self._stage.proxies[name].mend()

    def _deafen(self, name: str, seconds: float) -> None:
        self._stage.proxies[name].deaf = True
        self.over.wait(seconds)
        self._stage.proxies[name].deaf = False

    def _slow_down(self, name: str, seconds: float) -> None:
        self._stage.proxies[name].delay = SLOW
        self.over.wait(seconds)
        self._stage.proxies[name].delay = 0.0

    def _stop_redis(self, name: str, seconds: float) -> None:
        assert self._stage.stack.redis.program
        self._stand_still(self._stage.stack.redis.program.pid, seconds)

    def _take_redis_away(self, name: str, seconds: float) -> None:
        self._stage.stack.redis.stop(signal.SIGKILL)
        self.over.wait(seconds)
        self._stage.stack.redis.start()

    def _stand_still(self, pid: int, seconds: float) -> None:
        freeze(pid)
        self.over.wait(seconds)
        thaw(pid)


def leftovers(stage: Processes) -> list[str]:
    """What the stack holds though all that was asked is answered."""
    left = entries(stage.stack.redis.raw) + stray_keys(stage.stack.redis.raw)
    return left + [f"pending: {web.pending} in {name}" for name, web in stage.webs.items() if web.pending]
