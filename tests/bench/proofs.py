"""Compares what proofs of primality cost by digits: `make bench-proofs`, `python -m tests.bench.proofs`."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack

from tests.bench.engine import Computer, Plan, Results, circumstances, draw, measure, show
from tests.bench.provers import PROVERS, missing

COUNTS = {50: 20, 100: 10, 200: 5, 300: 3}  # digits, and how many primes share one measurement: proofs differ from prime to prime
WHOLE = Plan(tuple(COUNTS), 3, 60)
QUICK = Plan((50, 100), 1, 10)


def main() -> int:
    """Measure and show; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.proofs", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="up to 100 digits, once, some seconds")
    plan = QUICK if parser.parse_args().quick else WHOLE
    lacking = missing()
    names = [name for name in PROVERS if name not in lacking]
    try:
        results = run(plan, names)
    except KeyboardInterrupt:
        print("python -m tests.bench.proofs: interrupted, everything that it started has ended", file=sys.stderr)
        return 130
    print(*describe(results, plan, names), *(f"- {reason}" for reason in lacking.values()), sep="\n")
    wrong = list(results.disagreements())
    for line in wrong:
        print(f"python -m tests.bench.proofs: not proven by all: {line}", file=sys.stderr)
    return 1 if wrong else 0


def run(plan: Plan, names: list[str]) -> Results:
    """Every cell once, then every cell again, and so on: what changes on the machine meets all provers alike."""
    results = Results()
    drawn = {digits: list(draw(digits, "prime", COUNTS[digits])) for digits in plan.digits}
    for number in (number for numbers in drawn.values() for number in numbers):
        results.verdicts[number]["made to be"] = True
    with ExitStack() as stack:
        computers = {name: stack.enter_context(Computer(name, "tests.bench.provers")) for name in names}
        for _ in range(plan.repetitions):
            for digits, numbers in drawn.items():
                for name, computer in computers.items():
                    measure(results, computer, (name, digits, "prime"), numbers, plan.seconds)
    return results


def describe(results: Results, plan: Plan, names: list[str]) -> Iterator[str]:
    """A table in Markdown, and with what it was made."""
    yield f"CPU time of one proof, mean of up to {max(COUNTS.values())} primes, median of up to {plan.repetitions} repetitions:"
    yield ""
    yield "| Call | What there is then | " + " | ".join(f"{digits} digits" for digits in plan.digits) + " |"
    yield "| --- | --- |" + " ---: |" * len(plan.digits)
    for name in names:
        cells = [show(results, (name, digits, "prime")) for digits in plan.digits]
        yield "| " + " | ".join([PROVERS[name].call, PROVERS[name].worth, *cells]) + " |"
    yield ""
    yield from (f"- {line}" for line in circumstances("tests.bench.proofs"))


if __name__ == "__main__":
    sys.exit(main())
