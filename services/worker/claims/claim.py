"""What a worker holds when it has claimed a stream entry: one type for each kind of entry."""

import msgspec

from services.jobs import names
from services.jobs.chunks import Chunk
from services.jobs.messages import Answer, Job
from services.jobs.names import Lane


class Entry(msgspec.Struct, frozen=True):
    """Where the entry stands, whom to answer, and how often it was delivered (1: to us first).

    A struct, since its constructor is in C and every batch makes one.
    """

    lane: Lane
    id: bytes
    reply_to: str
    deliveries: int
    queue_ms: int  # from the write to this claim, by Redis' clock and this one's


class JobsClaim(Entry, frozen=True):
    """A batch of quick jobs."""

    jobs: list[Job]


class KnownClaim(Entry, frozen=True):
    """Costly jobs whose answer an earlier run found, so that nothing is left to compute."""

    jobs: list[Job]
    known: Answer

    def answers(self) -> list[Answer]:
        """The known answer as that of each job."""
        return [msgspec.structs.replace(self.known, id=job.id, queue_ms=self.queue_ms) for job in self.jobs]


class RunClaim(Entry, frozen=True):
    """A heavy question or one to be proven, for all who ask it; those are its askers in Redis."""

    job: Job  # of who asked first

    @property
    def askers(self) -> str:
        """The key of those who wait."""
        return names.askers(self.lane, self.id.decode())


class ChunkClaim(Entry, frozen=True):
    """Some lines of an upload."""

    upload: str  # its id
    chunk: Chunk


BatchClaim = JobsClaim | KnownClaim  # jobs whose answers go out together
Claim = JobsClaim | KnownClaim | RunClaim | ChunkClaim


def jobs_of(claim: Claim) -> list[Job]:
    """The jobs of clients that may want to know how far they are: an upload's lines have none."""
    match claim:
        case JobsClaim() | KnownClaim():
            return claim.jobs
        case RunClaim():
            return [claim.job]
        case ChunkClaim():
            return []
