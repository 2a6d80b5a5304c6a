"""From a job whose number passed all tests to its answer with a certificate."""

import time

from services.jobs.evidence import CertificateName
from services.jobs.messages import Answer, Fault, Job, Verdict
from services.worker.compute.answer import read_number
from services.worker.compute.frames import Report
from services.worker.compute.primes import by_witness, find_witness
from services.worker.prove import proof
from services.worker.prove.proof import NotPrime, ProofFailed


def prove(job: Job, memory: int) -> Report:
    """The answer with a certificate; `memory`: MiB that this process may use, half of it for PARI's stack."""
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
    answer = Answer(job.id, Verdict.PRIME, method, compute_us=elapsed, evidence=CertificateName(made.sha256))
    return Report(answer, primo=made.primo, pari=made.pari)
