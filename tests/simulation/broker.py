"""Redis as the simulated processes reach it: their connections, with delays and faults, before the real one that executes."""

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from random import Random
from typing import Any

import hiredis

from services.jobs import names
from services.jobs.names import Lane
from tests.simulation.loop import Loop
from tests.simulation.real_redis import RealRedis
from tests.simulation.resp import NOTHING, OK, Command, message
from tests.simulation.world import World

DELAY = 0.0001, 0.002  # seconds that bytes take one way, nearly always
LONG = 0.05  # seconds that they take at most, now and then
SELDOM = 0.03  # share of the long ones

EVERYTHING = 1_000_000  # keys: more than any history has
ASKS_FOR_RUN = b"redis.call('INFO', 'server')"  # by which a script tells one start of Redis from another
UNKNOWN = b"0" * 40  # digest of a script that no Redis has
PUBLISHING = frozenset({b"EVALSHA", b"EVAL", b"EXEC"})
QUICK = names.stream(Lane.QUICK).encode()  # of which alone reads wait
STREAMS = names.JOBS.encode()
# Their replies stay the same until something is written, but for an age that nobody reads.
STEADY = frozenset({b"HGETALL", b"HMGET", b"HGET", b"XLEN", b"XRANGE", b"XINFO", b"LRANGE"})
REFUSED = b"-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)\r\n"
READING = STEADY | {b"XREADGROUP", b"XPENDING"}  # what adds no entry


class Wire(asyncio.Transport):
    """A process' end of a connection."""

    def __init__(self, loop: Loop, connection: "Connection", protocol: Any) -> None:
        super().__init__()
        self.loop = loop
        self._connection = connection
        self.protocol = protocol
        self._closed = False

    def write(self, data: Any) -> None:
        if not self._closed:
            self._connection.send(bytes(data))

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def receive(self, data: bytes) -> None:
        if not self._closed:
            self.protocol.data_received(data)

    def lose(self, error: Exception | None) -> None:
        """The other end closed."""
        if not self._closed:
            self._closed = True
            self.protocol.connection_lost(error)

    def abort(self) -> None:
        if not self._closed:
            self._closed = True
            self._connection.leave()
            self.loop.call_soon(self.protocol.connection_lost, None)

    close = abort

    def is_closing(self) -> bool:
        return self._closed

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def get_protocol(self) -> Any:
        return self.protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def pause_reading(self) -> None:
        """What comes is always taken."""

    def resume_reading(self) -> None:
        """Likewise."""

    def get_write_buffer_size(self) -> int:
        return 0


class Connection:
    """One connection: what is written arrives in order, after a while, or never."""

    def __init__(self, broker: "Broker", loop: Loop, chance: Random) -> None:
        self.loop = loop
        self.wire: Wire | None = None
        self.typed = False  # whether it speaks RESP3
        self.channels: dict[bytes, None] = {}
        self.reader = hiredis.Reader()
        self.queue: deque[Command] = deque()  # commands that wait, since one before them blocks
        self.blocked: Command | None = None  # a read that waits for an entry
        self.blocks = 0  # how often it has waited: an end of time that is meant for an earlier wait is passed over
        self.lost = False  # for Redis
        self._broker = broker
        self._world = broker.world
        self._chance = chance
        self._up = self._down = 0.0  # when the last bytes arrive, in either direction
        self._deaf = self._mute = False  # whether nothing arrives at Redis, or at the process, any more

    def _delay(self) -> float:
        chance = self._chance
        delay = chance.uniform(*DELAY) if chance.random() > SELDOM else chance.uniform(0, LONG)
        return delay * self._broker.slowness.get(self.loop.name, 1.0)

    def send(self, data: bytes) -> None:
        """Bytes from the process to Redis."""
        self._up = max(self._up, self._world.now + self._delay())
        if not self._deaf:
            self._world.at(self._up, lambda: self._broker.arrive(self, data))

    def reply(self, data: bytes) -> None:
        """Bytes from Redis to the process."""
        if self._mute or self.wire is None:
            return
        self._down = max(self._down, self._world.now + self._delay())
        self._world.push(self._down, self.loop, asyncio.Handle(self.wire.receive, (data,), self.loop))

    def leave(self) -> None:
        """The process closed it. What it wrote before may arrive all the same."""
        self._mute = True
        if self._chance.random() < 0.5:
            self._deaf = True
        self._up = max(self._up, self._world.now + self._delay())
        self._world.at(self._up, lambda: self._broker.forget(self))

    def cut(self, mode: str, after: float) -> None:
        """Break it: "up": what the process writes from now on does not arrive; "down": it arrives, and the replies do not.

        The process learns of it after so many seconds.
        """
        if mode == "up":
            self._deaf = True
        self._mute = True
        self._world.after(after, self.end)

    def end(self) -> None:
        """Redis, or the network, ends it."""
        self._broker.forget(self)
        if self.wire is not None:
            when = max(self._down, self._world.now + self._delay())
            error = ConnectionResetError("connection reset by the simulation")
            self._world.push(when, self.loop, asyncio.Handle(self.wire.lose, (error,), self.loop))

    def end_at_once(self, in_flight: bool) -> None:
        """Redis is gone; `in_flight`: what it had sent is lost too."""
        self._deaf = True
        self._mute |= in_flight
        if in_flight and self.wire is not None:
            self._down = 0.0
            wire, self.wire = self.wire, None
            error = ConnectionResetError("connection reset by the simulation")
            self._world.push(self._world.now + self._delay(), self.loop, asyncio.Handle(wire.lose, (error,), self.loop))
            self._broker.forget(self)
        else:
            self.end()

    @property
    def deaf(self) -> bool:
        """Whether what comes from the process is lost."""
        return self._deaf


class Broker:
    """One command after the other, as Redis does it; it may stand still, be away, come back with other data."""

    def __init__(self, world: World, real: RealRedis, seed: int) -> None:
        self.world = world
        self.skew = 0.0  # seconds by which its clock is wrong
        self.slowness: dict[str, float] = {}  # by process: so many times as long take its bytes
        self.lossy: dict[str, float] = {}  # by process: share of publications that it does not hear
        self.up = True
        self.replica = False
        self.run = 0  # how often it was started again
        self._scripts: dict[bytes, bytes] = {}  # digests of what it has, as sent and as executed; the real one keeps all
        self._real = real
        self._seed = seed
        self._count = 0
        self._chance = Random(f"broker {seed}")
        self._stopped = False
        # Replies since the last write that concerned any stream, and since the last write of any kind.
        self._of_streams: dict[tuple[bool, tuple[Command, ...]], list[bytes]] = {}
        self._of_others: dict[tuple[bool, tuple[Command, ...]], list[bytes]] = {}
        self._backlog: list[tuple[Connection, bytes]] = []
        self._connections: dict[Connection, None] = {}
        self._blocked: dict[Connection, None] = {}  # in the order of their coming
        self.observe: Callable[[str, Command, bytes], None] | None = None
        real.set_clock(0)
        real.clear()

    async def connect(self, loop: Loop, protocol_factory: Callable[[], Any]) -> tuple[Wire, Any]:
        """A connection of a process. Raises OSError."""
        self._count += 1
        connection = Connection(self, loop, Random(f"{self._seed} {loop.name} {self._count}"))
        await asyncio.sleep(self._chance.uniform(*DELAY))
        if not self.up:
            raise ConnectionRefusedError(111, "connection refused by the simulation")
        protocol = protocol_factory()
        connection.wire = wire = Wire(loop, connection, protocol)
        self._connections[connection] = None
        protocol.connection_made(wire)
        return wire, protocol

    def arrive(self, connection: Connection, data: bytes) -> None:
        """Bytes came from a process."""
        if connection.lost or not self.up:
            return
        if self._stopped:
            self._backlog.append((connection, data))
            return
        connection.reader.feed(data)
        while (command := connection.reader.gets()) is not False:
            connection.queue.append(tuple(command))
        self._work(connection)

    def forget(self, connection: Connection) -> None:
        """The connection is no more."""
        connection.lost = True
        self._connections.pop(connection, None)
        self._blocked.pop(connection, None)

    def _work(self, connection: Connection) -> None:
        """Execute what waits, up to a read that blocks."""
        together: list[Command] = []
        while connection.queue and connection.blocked is None and not connection.lost:
            command = self._of_this_run(connection.queue.popleft())
            local = None if _in_transaction(together) else self._answer(connection, command)
            if local is None:
                together.append(command)
            if together and (local is not None or _blocks(command)):
                self._execute(connection, together)
                together = []
            if local is not None:
                connection.reply(local)
        if together:
            self._execute(connection, together)

    def _answer(self, connection: Connection, command: Command) -> bytes | None:
        """The reply to what concerns the connection alone, or its listeners; None for what is Redis' own."""
        match command:
            case (b"HELLO", version, *_):
                connection.typed = version == b"3"
                return self._real.greeting(typed=connection.typed)
            case (b"CLIENT" | b"AUTH" | b"SELECT", *_):
                return OK
            case (b"SUBSCRIBE", *channels):
                told = []
                for channel in channels:
                    connection.channels[channel] = None
                    told.append(message(b"subscribe", channel, len(connection.channels)))
                return b"".join(told)
            case (b"PUBLISH", channel, payload):
                return b":%d\r\n" % self.publish(channel, payload)
        return None

    def _of_this_run(self, command: Command) -> Command:
        """The command, as one that the simulated Redis executes: it has the scripts that were sent since it started.

        Where a script asks for the run it is told the simulated one.
        """
        if command[0] == b"EVALSHA":
            return (command[0], self._scripts.get(command[1], UNKNOWN), *command[2:])
        if command[0] != b"EVAL":
            return command
        digest = self._real.load(command[1].replace(ASKS_FOR_RUN, b"'run_id:%040x'" % self.run))
        self._scripts[_digest(command[1])] = digest
        return (b"EVALSHA", digest, *command[2:])

    def publish(self, channel: bytes, payload: bytes) -> int:
        """Tell whoever listens; returns how many do."""
        count = 0
        for each in list(self._connections):
            if channel in each.channels:
                count += 1
                if self._chance.random() >= self.lossy.get(each.loop.name, 0.0):
                    each.reply(message(b"message", channel, payload))
        return count

    def _execute(self, connection: Connection, commands: list[Command]) -> None:
        """Have Redis execute commands of one connection; what they bring may end the waiting of others, in the same step."""
        blocking = commands[-1] if _blocks(commands[-1]) else None
        sent = [*commands[:-1], _without_block(blocking)] if blocking else commands
        waiting = [each for each in self._blocked if _feeds(commands)]
        replies = self._run(connection, sent, waiting)
        served = [replies.pop() for _ in waiting][::-1]
        if blocking and replies[-1] in NOTHING:
            replies.pop()
            self._block(connection, blocking)
        if replies:
            connection.reply(b"".join(replies))
        for each, reply in zip(waiting, served, strict=True):
            if reply not in NOTHING:
                self._go_on(each, reply)

    def _run(self, connection: Connection, commands: list[Command], waiting: list[Connection]) -> list[bytes]:
        """Replies to these commands, and then to the reads of those that wait."""
        steady = all(command[0] in STEADY for command in commands)
        polling = len(commands) == 1 and commands[0][0] == b"XREADGROUP" and commands[0][-1] == b">"
        known = self._of_streams if _concern_streams(commands) else self._of_others
        key = (connection.typed, tuple(commands))
        if (steady or polling) and (replies := known.get(key)) is not None:
            return list(replies)
        replies = self._run_together(connection, commands, waiting)
        if steady or (polling and replies[0] in NOTHING):
            known[key] = list(replies)
        elif commands[0][0] != b"XPENDING":
            known.clear()
            self._of_others.clear()
        return replies

    def _run_together(self, connection: Connection, commands: list[Command], waiting: list[Connection]) -> list[bytes]:
        self._real.set_clock(self.world.now + self.skew)
        publishing = any(command[0] in PUBLISHING for command in commands)
        reads = [_without_block(each.blocked) for each in waiting if each.blocked]
        together = commands if connection.typed else commands + reads
        replies, published = self._real.execute(together, typed=connection.typed, publishing=publishing)
        if self.observe:
            for command, reply in zip(together, replies, strict=True):
                self.observe(connection.loop.name, command, reply)
        for channel, payload in published:
            self.publish(channel, payload)
        if connection.typed and reads:
            replies += self._real.execute(reads, typed=False, publishing=False)[0]
        return replies

    def _block(self, connection: Connection, command: Command) -> None:
        connection.blocked = command
        connection.blocks += 1
        self._blocked[connection] = None
        number, seconds = connection.blocks, int(command[command.index(b"BLOCK") + 1]) / 1000
        self.world.after(seconds, lambda: self._unblock(connection, number))

    def _unblock(self, connection: Connection, number: int) -> None:
        """The time of a wait is over."""
        if connection.blocked and connection.blocks == number and not connection.lost:
            if self._stopped:
                self.world.after(0.1, lambda: self._unblock(connection, number))
                return
            self._go_on(connection, b"_\r\n" if connection.typed else b"*-1\r\n")

    def _go_on(self, connection: Connection, reply: bytes) -> None:
        connection.blocked = None
        self._blocked.pop(connection, None)
        connection.reply(reply)
        self._work(connection)

    # faults

    def stand_still(self) -> None:
        """SIGSTOP: what arrives waits."""
        self._stopped = True

    def go_on(self) -> None:
        """SIGCONT."""
        self._stopped = False
        backlog, self._backlog = self._backlog, []
        for connection, data in backlog:
            self.arrive(connection, data)

    def leave(self) -> None:
        """It dies, and with it every connection."""
        self.up = False
        self._backlog.clear()
        for connection in list(self._connections):
            connection.end_at_once(in_flight=self._chance.random() < 0.5)

    def come_back(self) -> None:
        """It starts, with the data that it has now and without scripts."""
        self.up, self._stopped = True, False
        self.run += 1
        self._forget_replies()
        self._scripts.clear()

    def _forget_replies(self) -> None:
        self._of_streams.clear()
        self._of_others.clear()

    def empty(self) -> None:
        """Lose all data."""
        self._real.run("FLUSHALL")

    def delete_expired(self) -> None:
        """What has lived its time goes at once, as within a moment in a real one, not when it is asked for next."""
        self._forget_replies()
        self._real.set_clock(self.world.now + self.skew)
        self._real.run("SCAN", 0, "COUNT", EVERYTHING)

    def save(self, slot: int) -> None:
        """Keep the data of now."""
        self._real.set_clock(self.world.now + self.skew)
        self._real.save(slot)

    def restore(self, slot: int) -> None:
        """Go back to the data of then."""
        self._real.restore(slot)

    def demote(self) -> None:
        """Be a replica, which takes no writes."""
        self._forget_replies()
        self.replica = True
        self._real.run("REPLICAOF", "127.0.0.1", 1)
        for each in list(self._blocked):
            self._go_on(each, REFUSED)
            each.end()

    def promote(self) -> None:
        """Take writes again."""
        self._forget_replies()
        self.replica = False
        self._real.run("REPLICAOF", "NO", "ONE")

    def cut(self, name: str, mode: str, after: float) -> None:
        """Break the connections of a process."""
        for connection in list(self._connections):
            if connection.loop.name == name:
                connection.cut(mode, after)

    def cut_dead(self, loop: Loop) -> None:
        """A process has died: what it wrote may still arrive."""
        for connection in list(self._connections):
            if connection.loop is loop:
                connection.leave()


def _blocks(command: Command) -> bool:
    return command[0] == b"XREADGROUP" and b"BLOCK" in command


def _in_transaction(commands: list[Command]) -> bool:
    """Whether what comes next belongs to a transaction that these began; all of it comes at once."""
    words = [command[0] for command in commands]
    return words.count(b"MULTI") > words.count(b"EXEC")


@lru_cache
def _digest(source: bytes) -> bytes:
    return hashlib.sha1(source, usedforsecurity=False).hexdigest().encode()


def _concern_streams(commands: list[Command]) -> bool:
    """Whether they name a stream, or the prefix by which a script may."""
    return any(STREAMS in part for command in commands for part in command)


def _feeds(commands: list[Command]) -> bool:
    """Whether an entry may come of it for those that wait."""
    return any(command[0] not in READING and QUICK in command for command in commands)


def _without_block(command: Command) -> Command:
    at = command.index(b"BLOCK")
    return command[:at] + command[at + 2 :]
