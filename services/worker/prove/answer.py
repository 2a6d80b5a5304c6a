"""From a job whose number passed all tests to its answer with a certificate, asked for or not."""

import time

import gmpy2
import msgspec

from services.jobs import expression
from services.jobs.evidence import CertificateName
from services.jobs.messages import Answer, Fault, Job, Operation, Verdict
from services.worker.compute.answer import MOST_DIGITS, read_number, tell_value
from services.worker.compute.frames import Report
from services.worker.compute.operations import perform
from services.worker.compute.primes import by_witness, find_witness, ignore
from services.worker.prove import factored, proof
from services.worker.prove.proof import Certifier, InParts, NotPrime, Proof, ProofFailed

# µs of the tests above which nothing is proven unasked: a proof by factors takes about as long as they do, and a job has 300 s.
PROVEN_BELOW = 60_000_000


def prove(job: Job, certifier: Certifier, in_parts: InParts, *, briefly: bool = False) -> Report:
    """The answer with a certificate; `briefly`: by factors where they are found soon, a proof that costs less and says less."""
    started = time.perf_counter_ns()
    asked = n = read_number(job)
    number, value = "", tell_value(job, asked)
    if job.operation is not Operation.IS_PRIME:  # what the tests found is found again, which costs little beside its proof
        number, finding = perform(job.operation, asked, ignore)
        if not number:
            return Report(Answer(job.id, finding.verdict, finding.method, value=value))
        n = gmpy2.mpz(number)
    try:
        made = (proof.search(n) if briefly else None) or proof.prove(n, certifier, in_parts)
    except NotPrime:  # the tests were wrong, which nobody has seen yet
        if number:
            return Report(_unproven(job, "the number that was found is composite"))
        finding = by_witness(find_witness(n))
        return Report(Answer(job.id, finding.verdict, finding.method, evidence=finding.evidence, value=value))
    except ProofFailed as error:
        return Report(msgspec.structs.replace(_unproven(job, str(error)), number=number))
    return _report(Answer(job.id, Verdict.PRIME, number=number, value=value), made, started)


def _unproven(job: Job, why: str) -> Answer:
    method = f"BPSW and Miller-Rabin; no proof: {why}"
    return Answer(job.id, Verdict.UNKNOWN, method, fault=Fault.UNPROVEN, best=Verdict.PROBABLY_PRIME)


def prove_unasked(job: Job, answer: Answer) -> Report:
    """What the tests said of the job's number, or that it is proven where factors of its neighbours show it cheaply."""
    if answer.verdict is not Verdict.PROBABLY_PRIME or job.operation is not Operation.IS_PRIME or answer.compute_us > PROVEN_BELOW:
        return Report(answer)
    started = time.perf_counter_ns()
    hints = factored.hints(expression.read(job.number, MOST_DIGITS).tree) if job.expression else set()
    made = proof.by_factors(read_number(job), hints)
    return Report(answer) if made is None else _report(answer, made, started)


def _report(answer: Answer, made: Proof, started: int) -> Report:
    """The answer with its certificate; `started`: time.perf_counter_ns() of the proof's beginning."""
    elapsed = answer.compute_us + (time.perf_counter_ns() - started) // 1000
    method = f"{made.kind} certificate of {made.steps} {'step' if made.steps == 1 else 'steps'}, verified"
    proven = msgspec.structs.replace(
        answer, verdict=Verdict.PRIME, method=method, compute_us=elapsed, evidence=CertificateName(made.sha256)
    )
    return Report(proven, primo=made.primo, pari=made.pari)
