"""Tells primes from composites by other means than the service: nothing here is fast, everything is short."""

from math import isqrt


def sieve(end: int) -> list[bool]:
    """Whether each n below `end` is prime (Eratosthenes)."""
    prime = [n >= 2 for n in range(end)]
    for n in range(2, isqrt(end - 1) + 1):
        if prime[n]:
            prime[n * n :: n] = [False] * len(range(n * n, end, n))
    return prime


def primes(end: int) -> list[int]:
    """All primes below `end`."""
    return [n for n, is_prime in enumerate(sieve(end)) if is_prime]


def passes_strong_test(n: int, base: int) -> bool:
    """Whether odd n is a strong probable prime to this base (Miller-Rabin); a multiple of `n` as a base says nothing."""
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    power = pow(base, odd, n)
    return power in (0, 1) or any(pow(base, odd << k, n) == n - 1 for k in range(twos))


def is_prime(n: int) -> bool:
    """Exact below 3.3e24 (Sorenson and Webster): strong tests to the 13 smallest primes."""
    assert n < 3_317_044_064_679_887_385_961_981, "the oracle does not reach so far"
    return n == 2 or (n > 2 and n % 2 == 1 and all(passes_strong_test(n, base) for base in primes(42)))


def mersenne_is_prime(exponent: int) -> bool:
    """Whether 2^exponent - 1 is prime, for an odd prime exponent (Lucas-Lehmer)."""
    n = (1 << exponent) - 1
    s = 4
    for _ in range(exponent - 2):
        s = (s * s - 2) % n
    return s == 0


def carmichael_numbers(end: int) -> list[int]:
    """All below `end`: odd, composite, free of squares, and p - 1 divides n - 1 for each prime factor p (Korselt)."""
    factors: list[list[int]] = [[] for _ in range(end)]
    for p in primes(end):
        for multiple in range(p, end, p):
            factors[multiple].append(p)
    return [n for n in range(3, end, 2) if len(factors[n]) > 1 and korselt(n, factors[n])]


def korselt(n: int, factors: list[int]) -> bool:
    """Korselt's criterion for n with these prime factors."""
    return all(n % (p * p) and (n - 1) % (p - 1) == 0 for p in factors)
