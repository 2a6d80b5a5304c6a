"""From a job to its answer: reads its number, computes, and says how long that took. It does no I/O."""

import time

import gmpy2

from services.jobs import expression
from services.jobs.evaluation import NoInteger, evaluate
from services.jobs.messages import MOST_SHOWN, Answer, Fault, Job, Operation, Value, Verdict
from services.worker.compute.operations import perform
from services.worker.compute.primes import Note, examine, ignore

MOST_DIGITS = 1_000_000  # of an expression: the largest bound that a web process may set and has checked

_IS_PRIME = Operation.IS_PRIME  # the class is asked for its member each time


def compute(job: Job, queue_ms: int = 0, note: Note = ignore) -> Answer:
    """The answer to one job, with the time it took; none to one whose time is over. `note`: see `examine`.

    Raises UnknownOperation.
    """
    if job.expires and job.expires <= time.time() * 1000:
        return Answer(job.id, Verdict.UNKNOWN, queue_ms=queue_ms, fault=Fault.DEADLINE)
    number, value, started = "", None, time.perf_counter_ns()
    try:
        if job.expression or job.operation is not _IS_PRIME:
            n = read_number(job)
            value = tell_value(job, n)
            number, finding = perform(job.operation, n, note)
        else:  # as nearly all are
            finding = examine(job.number, note)
    except NoInteger:
        return Answer(job.id, Verdict.UNKNOWN, queue_ms=queue_ms, fault=Fault.NO_INTEGER)
    elapsed = (time.perf_counter_ns() - started) // 1000
    shown = finding.evidence
    return Answer(job.id, finding.verdict, finding.method, queue_ms, elapsed, None, shown, None, number, value, finding.factors)


def read_number(job: Job) -> gmpy2.mpz:
    """What the job is about. Raises NoInteger."""
    return evaluate(expression.read(job.number, MOST_DIGITS).tree) if job.expression else gmpy2.mpz(job.number)


def tell_value(job: Job, n: gmpy2.mpz) -> Value | None:
    """The value of the job's expression, if it is one, as far as its answer carries it."""
    if not job.expression:
        return None
    digits = gmpy2.num_digits(n)  # or one more
    if digits > MOST_SHOWN + 1:
        return Value(digits - (abs(n) < gmpy2.mpz(10) ** (digits - 1)))
    text = str(n)
    digits = len(text.lstrip("-"))
    return Value(digits, text if digits <= MOST_SHOWN else "")
