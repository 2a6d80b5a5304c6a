"""A quick prime waits for its proof, within bounds; all else of its batch is told at once."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from services.jobs.evidence import CertificateName
from services.jobs.messages import Answer, Job, Operation, Verdict
from services.jobs.names import Lane
from services.worker.claims.claim import JobsClaim, KnownClaim
from services.worker.compute.answer import compute
from services.worker.lanes import quick_proofs
from services.worker.lanes.quick_proofs import Late, QuickProofs, await_proofs
from services.worker.prove.keep import Certificates

MERSENNE = str(2**127 - 1)
CURVES = str(10**99 + 289)  # whose neighbours have too few small factors


class Kept:
    """Redis, as far as certificates need it."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    async def evalsha(self, *call: Any) -> int:
        self.calls.append(call)
        return 1


def claim(*jobs: Job) -> JobsClaim:
    return JobsClaim(Lane.QUICK, b"1-0", "web", 1, 3, list(jobs))


def divide(proofs: QuickProofs, *jobs: Job) -> tuple[list[Job], list[Answer], Late | None]:
    batch, answers, late = proofs.divide(claim(*jobs), [compute(job, 3) for job in jobs])
    assert not isinstance(batch, KnownClaim)
    return batch.jobs, answers, late


def proving(scenario: Callable[[QuickProofs, Kept], Awaitable[None]]) -> None:
    """With a child that proves."""

    async def run() -> None:
        kept = Kept()
        proofs = QuickProofs(512, Certificates(kept, 60, 4))  # type: ignore[arg-type]
        running = asyncio.create_task(proofs.run())
        try:
            await scenario(proofs, kept)
        finally:
            running.cancel()
            await asyncio.wait([running])

    asyncio.run(run())


def test_primes_are_proven_by_factors_or_curves_and_their_certificates_kept_before_they_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(quick_proofs, "STARTING", 60.0)
    monkeypatch.setattr(quick_proofs, "PATIENCE", 60.0)

    async def scenario(proofs: QuickProofs, kept: Kept) -> None:
        small, first, second = (
            Job(1, "97"),
            Job(2, MERSENNE, session="s"),
            Job(3, CURVES, expires=int(time.time() * 1000) + 600_000),
        )
        jobs, answers, late = divide(proofs, small, first, second)
        assert (jobs, [answer.id for answer in answers]) == ([small], [1])
        assert late is not None
        assert late.claim.jobs == [first, second]
        told = await await_proofs(late)
        assert [(answer.id, answer.verdict, answer.queue_ms) for answer in told] == [(2, Verdict.PRIME, 3), (3, Verdict.PRIME, 3)]
        assert [answer.method.split()[0] for answer in told] == ["N-1", "ECPP"]
        names = [answer.evidence for answer in told]
        assert all(isinstance(name, CertificateName) for name in names)
        assert len(kept.calls) == 2

    proving(scenario)


def test_what_has_no_better_answer_is_told_at_once() -> None:
    async def scenario(proofs: QuickProofs, kept: Kept) -> None:
        for job in (
            Job(1, MERSENNE),  # of the plain protocol
            Job(1, "97", session="s"),
            Job(1, str(2**127 + 1), session="s"),
            Job(1, MERSENNE, Operation.NEXT_PRIME, session="s"),
            Job(1, MERSENNE, session="s", expires=1),
        ):
            jobs, answers, late = divide(proofs, job)
            assert (jobs, len(answers), late) == ([job], 1, None)
        known = KnownClaim(Lane.QUICK, b"1-0", "web", 1, 3, [Job(1, MERSENNE, session="s")], Answer(1, Verdict.PROBABLY_PRIME))
        assert proofs.divide(known, known.answers()) == (known, known.answers(), None)

    proving(scenario)


def test_one_too_many_is_told_as_the_tests_have_it() -> None:
    async def scenario(proofs: QuickProofs, kept: Kept) -> None:
        jobs, _, late = divide(proofs, *(Job(id, MERSENNE, session="s") for id in range(quick_proofs.MOST + 1)))
        assert late is not None
        assert (len(jobs), len(late.proofs)) == (1, quick_proofs.MOST)

    proving(scenario)


def test_a_prime_is_told_as_the_tests_have_it_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick_proofs, "STARTING", 0.0)

    async def scenario(proofs: QuickProofs, kept: Kept) -> None:
        _, _, late = divide(proofs, Job(1, MERSENNE, session="s"))
        assert late is not None
        (told,) = await await_proofs(late)
        assert (told.id, told.verdict) == (1, Verdict.PROBABLY_PRIME)

    proving(scenario)


def test_a_prime_whose_child_cannot_start_is_told_as_the_tests_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick_proofs, "STARTING", 60.0)
    monkeypatch.setattr(quick_proofs, "PATIENCE", 60.0)

    async def run() -> None:
        proofs = QuickProofs(16, Certificates(Kept(), 60, 4))  # type: ignore[arg-type]  # too little memory for any proof
        running = asyncio.create_task(proofs.run())
        _, _, late = divide(proofs, Job(1, CURVES, session="s"))
        assert late is not None
        (told,) = await await_proofs(late)
        assert told.verdict is Verdict.PROBABLY_PRIME
        running.cancel()
        await asyncio.wait([running])

    asyncio.run(run())
