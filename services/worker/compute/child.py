"""The child process that computes one job at a time, so that a job can be killed: `python -m services.worker.compute.child`.

GMP and FLINT hold the interpreter's lock for as long as they compute: only a process of its own can be stopped.
It reads jobs from standard input and writes reports to standard output (`frames.py`).
"""

import argparse
import contextlib
import signal
import sys

from services.jobs.messages import Answer
from services.runtime.tether import tether
from services.worker.compute.answer import compute
from services.worker.compute.frames import READY, Report, encode, read_jobs, write_payload
from services.worker.compute.limit import limit
from services.worker.compute.primes import Finding
from services.worker.prove.answer import prove, prove_unasked
from services.worker.prove.parted import Parted
from services.worker.prove.proof import Certifier


def main() -> None:
    """Limit this process, then answer until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m services.worker.compute.child", description=__doc__)
    parser.add_argument("--memory", type=int, required=True, metavar="MIB", help="address space that this process may use")
    parser.add_argument("--prove", action="store_true", help="the jobs are numbers that passed all tests, to be proven prime")
    parser.add_argument("--briefly", action="store_true", help="with --prove: by factors where they are found soon")
    parser.add_argument("--parent", type=int, required=True, metavar="PID", help="process with which this one ends")
    arguments = parser.parse_args()
    tether(arguments.parent, signal.SIGKILL)
    limit(arguments.memory)
    if arguments.prove:
        certifier = Certifier(arguments.memory // 2)
        certifier.start()
        parted = Parted(sys.stdin.buffer, tell)
        tell(READY)
        with contextlib.suppress(EOFError):  # the worker ended while a proof was made in parts
            for job in read_jobs(sys.stdin.buffer):
                tell(prove(job, certifier, parted, briefly=arguments.briefly))
    else:
        tell(READY)
        for job in read_jobs(sys.stdin.buffer):
            tell(prove_unasked(job, compute(job, note=note)))


def note(finding: Finding) -> None:
    """Tell what is known of the job under way."""
    tell(Report(Answer(0, finding.verdict, finding.method, factors=finding.factors), final=False))


def tell(report: Report) -> None:
    """Write a report, at once."""
    write_payload(sys.stdout.buffer, encode(report))


if __name__ == "__main__":
    main()
