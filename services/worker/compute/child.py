"""The child process that computes one job at a time, so that a job can be killed: `python -m services.worker.compute.child`.

GMP and FLINT hold the interpreter's lock for as long as they compute: only a process of its own can be stopped.
It speaks over standard input and output: four bytes of length (big endian), then MessagePack; a job in, reports out.
"""

import argparse
import contextlib
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from typing import BinaryIO

import gmpy2
import msgspec

from services.jobs import expression
from services.jobs.evidence import Certificate
from services.jobs.messages import Answer, Fault, Job, Operation, Verdict
from services.runtime.tether import tether
from services.worker.compute.evaluation import NoInteger, evaluate
from services.worker.compute.neighbours import find
from services.worker.compute.primes import Finding, Note, by_witness, examine, examine_large, find_witness, ignore
from services.worker.prove import proof
from services.worker.prove.proof import NotPrime, ProofFailed

LENGTH = 4  # bytes that announce a frame's length
MOST_DIGITS = 1_000_000  # of an expression: the largest bound that a web process may set and has checked
NICENESS = 10  # heavy jobs yield to the quick lane and to the web processes


class Report(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What is known of a job so far or, at last, its answer, with the certificate that it names."""

    answer: Answer
    final: bool = True
    primo: bytes = b""  # the certificate as text in Primo's format
    pari: bytes = b""  # and in PARI's


_IS_PRIME = Operation.IS_PRIME  # the class is asked for its member each time

READY = Report(Answer(0, Verdict.UNKNOWN), final=False)  # the child's first word: it takes jobs from here on


class Reporter:
    """Writes reports."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._encoder = msgspec.msgpack.Encoder()

    def tell(self, report: Report) -> None:
        """Write one, at once."""
        frame = self._encoder.encode(report)
        self._stream.write(len(frame).to_bytes(LENGTH, "big") + frame)
        self._stream.flush()

    def note(self, finding: Finding) -> None:
        """What is known of the job under way."""
        self.tell(Report(Answer(0, finding.verdict, finding.method), final=False))


def main() -> None:
    """Limit this process, then answer until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m services.worker.compute.child", description=__doc__)
    parser.add_argument("--memory", type=int, required=True, metavar="MIB", help="address space that this process may use")
    parser.add_argument("--prove", action="store_true", help="the jobs are numbers that passed all tests, to be proven prime")
    parser.add_argument("--parent", type=int, required=True, metavar="PID", help="process with which this one ends")
    arguments = parser.parse_args()
    tether(arguments.parent, signal.SIGKILL)
    limit(arguments.memory)
    reporter = Reporter(sys.stdout.buffer)
    reporter.tell(READY)
    for job in read_jobs(sys.stdin.buffer):
        reporter.tell(prove(job, arguments.memory) if arguments.prove else Report(compute(job, note=reporter.note)))


def limit(memory: int) -> None:
    """Bound memory (MiB) and priority; be the first to go when the container runs out of memory."""
    resource.setrlimit(resource.RLIMIT_AS, (memory << 20, memory << 20))
    os.nice(NICENESS)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the worker ends its children itself


def read_jobs(stream: BinaryIO) -> Iterator[Job]:
    """Jobs until the stream ends."""
    decoder = msgspec.msgpack.Decoder(Job)
    while header := stream.read(LENGTH):
        yield decoder.decode(stream.read(int.from_bytes(header, "big")))


def compute(job: Job, queue_ms: int = 0, note: Note = ignore) -> Answer:
    """The answer to one job, with the time it took; none to one whose time is over. `note`: see `examine`."""
    if job.expires and job.expires <= time.time() * 1000:
        return Answer(job.id, Verdict.UNKNOWN, queue_ms=queue_ms, fault=Fault.DEADLINE)
    number, started = "", time.perf_counter_ns()
    try:
        if job.expression or job.operation is not _IS_PRIME:
            number, finding = look(job, note)
        else:  # as nearly all are
            finding = examine(job.number, note)
    except NoInteger:
        return Answer(job.id, Verdict.UNKNOWN, queue_ms=queue_ms, fault=Fault.NO_INTEGER)
    elapsed = (time.perf_counter_ns() - started) // 1000
    return Answer(job.id, finding.verdict, finding.method, queue_ms, elapsed, None, finding.evidence, None, number)


def look(job: Job, note: Note) -> tuple[str, Finding]:
    """The prime that was found, if one was asked for, and the finding. Raises NoInteger."""
    n = read_number(job)
    return ("", examine_large(n, note)) if job.operation is Operation.IS_PRIME else find(job.operation, n)


def read_number(job: Job) -> gmpy2.mpz:
    """What the job is about. Raises NoInteger."""
    return evaluate(expression.read(job.number, MOST_DIGITS).tree) if job.expression else gmpy2.mpz(job.number)


def prove(job: Job, memory: int) -> Report:
    """The answer with a certificate, to a job whose number passed all tests; `memory`: MiB, half of it for PARI's stack."""
    started = time.perf_counter_ns()
    n = read_number(job)
    try:
        made = proof.prove(n, memory // 2)
    except NotPrime:  # the tests were wrong, which nobody has seen yet
        finding = by_witness(find_witness(n))
        return Report(Answer(job.id, finding.verdict, finding.method, evidence=finding.evidence))
    except ProofFailed as error:
        method = f"BPSW and Miller-Rabin; no proof: {error}"
        return Report(Answer(job.id, Verdict.UNKNOWN, method, fault=Fault.UNPROVEN, best=Verdict.PROBABLY_PRIME))
    elapsed = (time.perf_counter_ns() - started) // 1000
    method = f"{made.kind} certificate of {made.steps} steps, verified"
    answer = Answer(job.id, Verdict.PRIME, method, compute_us=elapsed, evidence=Certificate(made.sha256))
    return Report(answer, primo=made.primo, pari=made.pari)


if __name__ == "__main__":
    main()
