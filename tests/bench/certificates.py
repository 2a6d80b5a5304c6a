"""Measures what a certificate costs: `python -m tests.bench.certificates`. Prints the table of docs/certificates.md."""

import argparse
import resource
import subprocess
import sys
import time

import gmpy2
import msgspec

from certificates import read, verify
from services.worker.compute.frames import LENGTH, framed
from services.worker.prove.certify import MEMORY, Made, Route
from services.worker.prove.proof import checked

COLUMNS = ("Digits", "Steps", "Certify: CPU, wall", "Verify Primo's text", "Verify PARI's text", "Size: Primo's, PARI's", "Memory")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.certificates", description=__doc__)
    parser.add_argument("--digits", type=int, nargs="+", default=[100, 300, 500, 700, 1000], metavar="N", help="decimal digits")
    parser.add_argument("--kind", type=Route, choices=list(Route), default=Route.ECPP, help="as of services.worker.prove.certify")
    parser.add_argument("--memory", type=int, default=MEMORY, metavar="MIB", help="PARI's stack, at most")
    options = parser.parse_args()
    print(line(*COLUMNS), line(*["---:"] * len(COLUMNS)), sep="\n", flush=True)
    for digits in options.digits:
        print(row(digits, options.kind, options.memory), flush=True)


def row(digits: int, kind: Route, memory: int) -> str:
    """One line of the table: of the least prime with so many digits."""
    n = gmpy2.next_prime(gmpy2.mpz(10) ** (digits - 1))
    command = [sys.executable, "-m", "services.worker.prove.certify", "--serve", "--kind", kind, "--memory", str(memory)]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ran = subprocess.run(command, input=framed(str(n).encode()), stdout=subprocess.PIPE, check=True)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    made = msgspec.msgpack.decode(ran.stdout[LENGTH:], type=Made)
    proof = checked(n, made.pari)
    verified = [time_verifying(text) if text else "none" for text in (proof.primo, proof.pari)]
    sizes = f"{len(proof.primo) / 1000:.1f}, {len(proof.pari) / 1000:.1f} kB"
    memory_used = f"{after.ru_maxrss >> 10} MiB"  # the most that any of the processes so far used: grow the sizes
    return line(f"{digits:,}", str(proof.steps), f"{cpu:.2f}, {wall:.2f} s", *verified, sizes, memory_used)


def line(*cells: str) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def time_verifying(text: bytes) -> str:
    """CPU and wall time of reading and verifying it."""
    cpu, wall = time.process_time(), time.perf_counter()
    verify(read(text))
    return f"{time.process_time() - cpu:.3f}, {time.perf_counter() - wall:.3f} s"


if __name__ == "__main__":
    main()
