"""What Redis forgot when it came back: its first connection begins a new term, in which no old number is given again."""

import logging
from typing import Any

from prometheus_client import Counter

from services.broker.script import CLOCK, SCRIPTS, Script
from services.jobs import names
from services.jobs.names import Lane

log = logging.getLogger(__name__)

TERMS = Counter("primes_redis_terms_total", "Times this process was the first to reach a Redis that had been started anew")

_term = Script(CLOCK, SCRIPTS / "term.lua")


async def begin(connection: Any) -> None:  # redis-py names no type for what its two kinds of connection have in common
    """Greet Redis over a new connection, and begin a new term where none of us has reached this Redis before.

    Raises what the Redis client raises: the connection is then given up, and nothing was asked over it.
    """
    await connection.on_connect()
    await connection.send_command("EVAL", _term.source, 1, names.TERM, *map(names.stream, Lane))
    if await connection.read_response() is not None:
        TERMS.inc()
        log.warning("Redis was started anew: all sessions begin a new epoch, their clients are told to ask again")
