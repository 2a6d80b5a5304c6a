"""Random primes for the tests, and parts that are computed once in all of them."""

import random
from functools import cache

import gmpy2
from gmpy2 import mpz

from services.worker.prove.ecpp.chain import Chain
from services.worker.prove.ecpp.parts import Outcome, Part, compute, decode_outcome, decode_part, encode_outcome, encode_part

MEMORY = 64  # MiB of PARI's stack


@cache
def prime(digits: int, seed: int) -> mpz:
    return gmpy2.next_prime(mpz(random.Random(seed).randrange(10 ** (digits - 1), 10**digits)))


def composite(digits: int, seed: int) -> mpz:
    """Of two primes of half the size."""
    return prime(digits // 2, seed) * prime(digits - digits // 2, seed + 1)


@cache
def computed(part: bytes) -> bytes:
    return encode_outcome(compute(decode_part(part), MEMORY))


def outcome(part: Part) -> Outcome:
    """As another process would send it."""
    return decode_outcome(computed(encode_part(part)))


def finish(chain: Chain, most: int = 2_000) -> int:
    """Compute what the chain wants, one part after the other; returns how many."""
    for count in range(most):
        wanted = chain.next()
        if wanted is None:
            return count
        number, part = wanted
        chain.learn(number, outcome(part))
    raise AssertionError(f"the chain wants more than {most} parts")
