"""What one client can do to the service: each row of `make abuse` is a coroutine here."""

import asyncio
import gzip
import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing

import gmpy2

from tests.abuse.line import HEAD, NoSocket, Socket, Target, connect, read_answer, request, text
from tests.bench import flood

LARGEST = 2 << 20  # bytes of the largest message that is taken
V1 = "primes.v1"
PREPARED = 100  # primes of an attack's proofs, of which 60 wait
PAUSE = 0.05  # seconds after a failure until the same is tried again


class Attack:
    """A client that goes on until its time is over, and counts what it was told."""

    def __init__(self, target: Target, seconds: float, seed: int, scale: float = 1.0, primes: Iterator[str] | None = None) -> None:
        """`scale`: of the numbers of connections, for a machine that allows fewer."""
        self.target = target
        self.seconds = seconds
        self.until = time.monotonic() + seconds
        self.random = random.Random(seed)
        self.scale = scale
        self.primes = primes or draw_primes(self.random)
        self.told: Counter[str] = Counter()
        self.fresh = itertools.count(self.random.randrange(10**140, 10**141))  # of these no two attacks have the same

    def prepare(self) -> None:
        """Draw what would keep a processor busy during the attack; answers are not kept, so the same may be asked again."""
        self.primes = itertools.cycle(list(itertools.islice(self.primes, self.count(PREPARED))))

    def begin(self) -> None:
        """The time runs from now on."""
        self.until = time.monotonic() + self.seconds

    @property
    def over(self) -> bool:
        return time.monotonic() >= self.until

    def count(self, most: int) -> int:
        """So many connections or things, or fewer where all is done on a smaller scale."""
        return max(1, int(most * self.scale))

    async def rest(self) -> None:
        """Wait for the end."""
        await asyncio.sleep(max(0.0, self.until - time.monotonic()))

    async def repeat(self, times: int, once: Callable[[], Awaitable[None]]) -> None:
        """Do this again and again, so many at a time, until time is over; then all connections are dropped."""
        tasks = [asyncio.create_task(self._repeat(once)) for _ in range(times)]
        await self.rest()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _repeat(self, once: Callable[[], Awaitable[None]]) -> None:
        while not self.over:
            self.told["begun"] += 1
            try:
                await once()
            except (OSError, EOFError, NoSocket, asyncio.LimitOverrunError) as error:
                self.told[f"{type(error).__name__} {error}"[:60]] += 1
                await asyncio.sleep(PAUSE)

    def hear(self, message: bytes) -> None:
        """Count a reply, by its first words."""
        self.told[message[:20].decode(errors="replace")] += 1


def draw_primes(chance: random.Random) -> Iterator[str]:
    """Primes of 300 digits, a tenth of a second each."""
    number = gmpy2.mpz(chance.randrange(10**299, 9 * 10**299))
    while True:
        number = gmpy2.next_prime(number)
        yield number.digits()


def asked(id: int, number: str, **more: object) -> bytes:
    """A request of `primes.v1`."""
    params = {"number": number, **more}
    return json.dumps({"jsonrpc": "2.0", "id": id, "method": "is_prime", "params": params}, separators=(",", ":")).encode()


async def underscores(attack: Attack) -> None:
    """64 sockets, each eight messages of 2 MiB: a number with underscores that is none at its last character."""
    message = text(b"1_" * (LARGEST // 2 - 1) + b"1x")

    async def once() -> None:
        with closing(await Socket.open(attack.target)) as socket:
            for _ in range(8):
                socket.writer.write(message)
                await socket.writer.drain()
            for _ in range(8):
                attack.hear(await socket.receive())

    await attack.repeat(attack.count(64), once)


async def leaves(attack: Attack) -> None:
    """1,600 sessions with 256 requests each, whose client leaves at once."""
    sessions = itertools.count()
    most = attack.count(1_600)

    async def once() -> None:
        if next(sessions) >= most:
            return await attack.rest()
        with closing(await Socket.open(attack.target, V1)) as socket:
            await socket.send(*(asked(id, str(next(attack.fresh))) for id in range(256)))
            attack.told["left"] += 1

    await attack.repeat(16, once)


def queue(digits: int) -> Callable[[Attack], Awaitable[None]]:
    """200 numbers of so many digits wait, always."""

    async def queued(attack: Attack) -> None:
        numbers = itertools.cycle(number.encode() for number in flood.composites(digits))

        async def once() -> None:
            with closing(await Socket.open(attack.target)) as socket:
                count = attack.count(50)
                await socket.send(*(next(numbers) for _ in range(count)))
                attack.told["waiting"] += count
                while True:
                    attack.hear(await socket.receive())
                    await socket.send(next(numbers))

        await attack.repeat(4, once)

    queued.__doc__ = f"200 numbers of {digits:,} digits wait, always."
    return queued


async def proofs(attack: Attack) -> None:
    """60 proofs of primes of 300 digits wait, always."""

    async def once() -> None:
        with closing(await Socket.open(attack.target, V1)) as socket:
            await socket.receive()
            for id in itertools.count():
                await socket.send(asked(id, next(attack.primes), proof=True))
                while id >= attack.count(60) - 1:
                    message = await socket.receive()
                    if b'"id"' in message:
                        attack.hear(b"proof" if b'"result"' in message else b"refused")
                        break

    await attack.repeat(1, once)


async def small_uploads(attack: Attack) -> None:
    """130 small uploads begin each second."""
    tasks: set[asyncio.Task[None]] = set()

    async def upload() -> None:
        try:
            status, _ = await request(attack.target, "POST /jobs HTTP/1.0\r\nContent-Type: text/plain", b"97\n91\n89\n")
            attack.told[f"status {status}"] += 1
        except (OSError, EOFError) as error:
            attack.told[type(error).__name__] += 1

    due = time.monotonic()
    while not attack.over:
        task = asyncio.create_task(upload())
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        due += 1 / 130
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    await asyncio.gather(*tasks, return_exceptions=True)


def upload_head(length: int, *more: str) -> bytes:
    """The head of an upload."""
    lines = ["POST /jobs HTTP/1.1", "Host: localhost", "Connection: close", "Content-Type: text/plain", f"Content-Length: {length}"]
    return "\r\n".join([*lines, *more, "", ""]).encode()


async def send_body(attack: Attack, head: bytes, body: bytes) -> None:
    """Send a request and read its answer, which may come before the end of the body."""
    reader, writer = await connect(attack.target)
    try:
        answer = asyncio.ensure_future(read_answer(reader))
        writer.write(head)
        for at in range(0, len(body), HEAD):
            writer.write(body[at : at + HEAD])
            await writer.drain()
            if answer.done():
                break
        attack.told[f"status {(await answer)[0]}"] += 1
    finally:
        answer.cancel()
        writer.close()


async def large_uploads(attack: Attack) -> None:
    """Four uploads of 49 MB at once."""
    line = f"{next(attack.fresh) % 10**12:012}\n".encode()
    body = line * (49_000_000 // len(line))
    await attack.repeat(4, lambda: send_body(attack, upload_head(len(body)), body))


async def stalled_uploads(attack: Attack) -> None:
    """16 uploads begin and send nothing more; one that is ended begins again."""

    async def once() -> None:
        reader, writer = await connect(attack.target)
        try:
            writer.write(upload_head(49_000_000) + b"97\n" * 100)
            status, _ = await read_answer(reader)
            attack.told[f"status {status}"] += 1
        finally:
            writer.close()
        await asyncio.sleep(PAUSE)

    await attack.repeat(16, once)


async def large_messages(attack: Attack) -> None:
    """Four sockets send five messages of 2 MiB a second each: spaces, ones, Arabic digits."""
    messages = itertools.cycle([text(b" " * LARGEST), text(b"1" * LARGEST), text("١".encode() * (LARGEST // 2))])

    async def once() -> None:
        with closing(await Socket.open(attack.target)) as socket:
            while True:
                socket.writer.write(next(messages))
                await socket.writer.drain()
                attack.hear(await socket.receive())
                await asyncio.sleep(0.2)

    await attack.repeat(4, once)


async def unread(attack: Attack) -> None:
    """500 sockets ask and never read."""
    block = text(b"7") * 500

    async def once() -> None:
        with closing(await Socket.open(attack.target)) as socket:
            socket.reader._transport.pause_reading()  # type: ignore[attr-defined]  # streams read ahead otherwise
            while True:
                socket.writer.write(block)
                await socket.writer.drain()

    await attack.repeat(attack.count(500), once)


async def dense_gzip(attack: Attack) -> None:
    """Uploads of 51 KB of gzip that are 50 MiB of newlines, and of 1 MB that are 1,000 MiB; two of each at once."""
    small = gzip.compress(b"\n" * (50 << 20))
    large = b"".join(itertools.repeat(small, 20))
    for body in (small, large):
        assert len(body) < 2 << 20
    bodies = itertools.cycle([small, large])

    async def once() -> None:
        body = next(bodies)
        await send_body(attack, upload_head(len(body), "Content-Encoding: gzip"), body)

    await attack.repeat(4, once)


async def unwanted_bodies(attack: Attack) -> None:
    """49 MB to a route that takes no body, eight at once."""
    body = bytes(49_000_000)
    head = upload_head(len(body)).replace(b"/jobs", b"/primes/97")
    await attack.repeat(8, lambda: send_body(attack, head, body))


async def idle_sockets(attack: Attack) -> None:
    """10,500 sockets that say nothing."""
    left = attack.count(10_500)

    async def once() -> None:
        nonlocal left
        if left <= 0:
            await attack.rest()
        left -= 1
        socket = await Socket.open(attack.target)
        held.append(socket)
        attack.told["open"] += 1

    held: list[Socket] = []
    await attack.repeat(32, once)
    for socket in held:
        socket.close()


async def slow_heads(attack: Attack) -> None:
    """9,000 connections that send a request's head byte by byte."""
    head = b"GET /chatsocket HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"a" * 2_000

    async def once() -> None:
        _, writer = await connect(attack.target)
        try:
            for byte in head:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(2)
        finally:
            writer.close()

    await attack.repeat(attack.count(9_000), once)


async def resumes(attack: Attack) -> None:
    """Sessions are resumed over new sockets, again and again."""

    async def once() -> None:
        first = await Socket.open(attack.target, V1)
        sockets = [first]
        try:
            standing = json.loads(await first.receive())["params"]
            await first.send(asked(1, "97"))
            while b'"id":1' not in await first.receive():
                pass
            resume = {"jsonrpc": "2.0", "id": "r", "method": "resume", "params": {"session": standing["session"], "offset": "0"}}
            for _ in range(20):
                sockets.append(await Socket.open(attack.target, V1))
                await sockets[-1].send(json.dumps(resume).encode())
                while b'"id":"r"' not in (message := await sockets[-1].receive()):
                    pass
                attack.hear(b"resumed" if b'"recovered":true' in message else message)
        finally:
            for socket in sockets:
                socket.close()

    await attack.repeat(32, once)


async def cancels(attack: Attack) -> None:
    """Costly requests are asked and cancelled at once."""

    async def once() -> None:
        with closing(await Socket.open(attack.target, V1)) as socket:
            await socket.receive()
            for id in itertools.count(0, 2):
                cancel = {"jsonrpc": "2.0", "id": id + 1, "method": "cancel", "params": {"request": id}}
                await socket.send(asked(id, str(next(attack.fresh)) * 5), json.dumps(cancel).encode())
                while f'"id":{id + 1}'.encode() not in (message := await socket.receive()):
                    pass
                attack.hear(b"cancelled" if b"true" in message else message)

    await attack.repeat(16, once)


async def one_byte(attack: Attack) -> None:
    """Eight sockets flood the service with messages of one byte, and read the replies."""
    block = text(b"7") * 250

    async def once() -> None:
        with closing(await Socket.open(attack.target)) as socket:
            while True:
                socket.writer.write(block)
                await socket.writer.drain()
                await socket.reader.readexactly(250 * (2 + len("is a prime number")))
                attack.told["replies"] += 250

    await attack.repeat(8, once)


async def connects(attack: Attack) -> None:
    """Sockets are opened and dropped as fast as it goes."""

    async def once() -> None:
        (await Socket.open(attack.target)).close()
        attack.told["open"] += 1

    await attack.repeat(16, once)


async def requests(attack: Attack) -> None:
    """32 connections ask over HTTP as fast as they are answered."""

    async def once() -> None:
        status, _ = await request(attack.target, "GET /primes/97 HTTP/1.0")
        attack.told[f"status {status}"] += 1

    await attack.repeat(32, once)


ATTACKS: dict[str, Callable[[Attack], Awaitable[None]]] = {
    "underscores": underscores,
    "leaves": leaves,
    "queue-2000": queue(2_000),
    "queue-10000": queue(10_000),
    "proofs": proofs,
    "small-uploads": small_uploads,
    "large-uploads": large_uploads,
    "stalled-uploads": stalled_uploads,
    "large-messages": large_messages,
    "unread": unread,
    "dense-gzip": dense_gzip,
    "unwanted-bodies": unwanted_bodies,
    "idle-sockets": idle_sockets,
    "slow-heads": slow_heads,
    "resumes": resumes,
    "cancels": cancels,
    "one-byte": one_byte,
    "connects": connects,
    "requests": requests,
}
MIXED = "mixture"
TOGETHER = 3  # attacks of the mixture at once
TURN = 1.5  # seconds of each


async def mixture(attack: Attack) -> None:
    """Three of all these at once, drawn anew by the seed."""

    async def once() -> None:
        name = attack.random.choice(list(ATTACKS))
        seconds = min(TURN, attack.until - time.monotonic())
        part = Attack(attack.target, seconds, attack.random.randrange(1 << 30), attack.scale / TOGETHER, attack.primes)
        await ATTACKS[name](part)
        attack.told[name] += 1

    await attack.repeat(TOGETHER, once)


async def burn(attack: Attack) -> None:
    """No attack: a process computes for a share of the time, as much as an attacker does, and asks nobody anything."""
    slice = 0.004
    while not attack.over:
        end = time.monotonic() + slice * attack.scale
        while time.monotonic() < end:
            pass
        await asyncio.sleep(slice * (1 - attack.scale))
