"""Certificates that are kept in Redis for whoever wants to check them."""

import zlib
from pathlib import Path

import redis.asyncio

from services.broker.script import CLOCK, Script
from services.jobs import names
from services.jobs.evidence import CertificateName
from services.jobs.messages import Job, Wanted
from services.worker.claims.persistence import persist
from services.worker.compute.frames import Report

KEEP_CERTIFICATE = Script(CLOCK, Path(__file__).parent / "scripts" / "keep_certificate.lua")


EXTRA = 400  # bytes that Redis takes for one beside its texts: two keys' entries, names, times

UNASKED = 4  # the part of the memory that certificates which nobody asked for may take is one in so many


class Certificates:
    """Bounded in bytes and time: one that was let go is made anew for who asks for it.

    Those that were made unasked have a share of their own, so that they never push out one that somebody asked for.
    """

    def __init__(self, redis: redis.asyncio.Redis, ttl: int, memory: int) -> None:
        """`ttl` in seconds, `memory` in MiB of Redis for all together."""
        self._redis = redis
        self._ttl = ttl
        self._most_unasked = (memory << 20) // UNASKED
        self._most_asked = (memory << 20) - self._most_unasked

    async def keep_of(self, report: Report, job: Job) -> None:
        """The report's certificate, if it has one, before anybody is told of it; until Redis has it."""
        evidence = report.answer.evidence
        if isinstance(evidence, CertificateName) and report.pari:
            asked = job.wanted is not Wanted.VERDICT
            await persist(lambda: self.keep(evidence.sha256, report.primo, report.pari, asked=asked))

    async def keep(self, sha256: str, primo: bytes, pari: bytes, *, asked: bool) -> None:
        """Keep both texts of one under its hash. Raises what the Redis client raises."""
        most = self._most_asked if asked else self._most_unasked
        keys, arguments = keep_call(sha256, primo, pari, self._ttl, most, asked=asked)
        await KEEP_CERTIFICATE(self._redis, keys, *arguments)


def keep_call(
    sha256: str, primo: bytes, pari: bytes, ttl: int, most: int, *, asked: bool
) -> tuple[list[str], list[str | bytes | int]]:
    """Keys and arguments of keep_certificate.lua; `ttl` in seconds, `most` in bytes for all of its share."""
    of_all = names.CERTIFICATES_ASKED, names.CERTIFICATES_UNASKED, names.CERTIFICATES_BYTES, names.CERTIFICATES_FORMER
    keys = [names.certificate(sha256), *of_all]
    texts = zlib.compress(primo), zlib.compress(pari)
    return keys, ["asked" if asked else "unasked", sha256, ttl, most, names.certificate(""), *texts, EXTRA]
