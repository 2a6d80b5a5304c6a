"""Tells primes from composites by strong tests, which decide every number below 3.3e24."""

# The 13 smallest primes as bases of the strong probable prime test decide every n below this bound
# (Sorenson and Webster, "Strong pseudoprimes to twelve prime bases", 2017; OEIS A014233).
BASES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41)
BASES_BOUND = 3_317_044_064_679_887_385_961_981

SMALL_BITS = 64  # of a number that other programs take for prime without a proof


def is_small_prime(n: int) -> bool:
    """Whether n is a prime below 3.3e24, by strong tests that are exact there."""
    if n < 2 or n >= BASES_BOUND:
        return False
    return n in BASES or (all(n % p for p in BASES) and not any(fails_strong_test(n, base) for base in BASES))


def fails_strong_test(n: int, base: int) -> bool:
    """Whether odd n > 2 fails the strong probable prime test (Miller-Rabin) to this base. A multiple of n says nothing."""
    if base % n == 0:
        return False
    twos = ((n - 1) & (1 - n)).bit_length() - 1
    power = pow(base, (n - 1) >> twos, n)
    if power in (1, n - 1):
        return False
    for _ in range(twos - 1):
        power = power * power % n
        if power == n - 1:
            return False
    return True
