"""The search for one number's successor: which parts are wanted, and which of the orders that came are worth a test."""

import functools
import heapq
import math
import operator
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import gmpy2
from gmpy2 import mpz

from services.worker.prove.ecpp import discriminants, orders
from services.worker.prove.ecpp.classgroups import prime_factors
from services.worker.prove.ecpp.pace import Paces
from services.worker.prove.ecpp.parts import (
    Cofactors,
    CofactorsTested,
    Order,
    Orders,
    OrdersFound,
    Outcome,
    Part,
    Roots,
    RootsFound,
    read,
)

MERTENS = 1.781  # e^gamma: a number without prime factors below b is prime e^gamma ln b times as often as any other of its size

# What a step costs beside its tests, in tests, as measured at 1,000 digits.
ROOTS = 20.0  # half of which are for discriminants that are not used
POINT = 20.0  # the point on the curve, and the verification
MORE_POINTS = {-3: 2.5, -4: 1.5}  # times as much beyond that, where there are six twists, or four
QUADRATIC = 2.0  # a root of a polynomial of degree 2
SPLIT, SPLIT_POWER = 2.0, 1.9  # of a polynomial of a higher degree: so many times this power of the degree

LONG_CURVE = 200.0  # tests: a curve that takes so long counts twice, since the whole proof may have to wait for it

FIELD_US = 300  # microseconds of a class field for each class; more where these are many:
FIELD_CLASSES = 100

WEAK = 0.4  # of the bits that a step should gain: so many are taken before another tier is begun; a guess

FIRST_TIERS = (1100, 1900, 3600, 6000)  # bits of n up to which the search begins with these tiers of discriminants

# The least part of discriminants, in the time of so many tests: to divide the primorial takes one or two, for whatever number.
PRIMORIAL = 8.0

MOST_ITEMS = 4_000  # of a part, whatever the pace
MOST_READY = 4_000  # discriminants that wait to be handed out; more are not looked for

LONGEST_CURVE_US = 30_000_000  # of an order that is worth a test: what takes twice as long is taken for lost


def curve_tests(order: Order, test_us: float) -> float:
    """What the curve of an order costs, in tests of so many microseconds, beyond what every curve does."""
    classes = order.class_number
    tests = sum(SPLIT * q**SPLIT_POWER if q > 2 else QUADRATIC for q in prime_factors(classes))
    tests += POINT * MORE_POINTS.get(order.discriminant, 0.0)
    return tests + FIELD_US * classes * (1 + classes / FIELD_CLASSES) / test_us


class Rule(NamedTuple):
    """Which orders are worth a test: those whose gain, less that of the time that their curve costs, reaches the bound."""

    bits_per_test: float  # by which the whole proof advances in the time of one test
    least: float  # bits

    @classmethod
    def best(cls, bits: int, paces: Paces) -> "Rule":
        """That by which a step gains most for its time.

        The bits of an order's small primes are taken to be distributed exponentially, with the mean of the bound's bits.
        """
        mean = orders.smooth_bits(mpz(1) << (bits - 1))
        tests = bits / (MERTENS * mean)  # until one passes
        making = 3 * paces.orders.cost(bits) / paces.tests.cost(bits)  # of an order, in tests: a third of discriminants have one
        beside = ROOTS + POINT + QUADRATIC * 4  # at the least
        rate = max((least + mean) / (tests * (1 + making * math.exp(least / mean)) + beside) for least in range(4 * mean))
        return cls(rate, rate * (tests + ROOTS))


class Search:
    """Looks for an order with a prime cofactor; takes the first that comes, since the best are tested first."""

    def __init__(self, n: mpz, refused: Collection[mpz], paces: Paces, thorough: bool) -> None:
        """`thorough`: also with the discriminants of the last bounds, since there is no other number to go back to."""
        self.n = n
        self._text = gmpy2.digits(n)
        self._bits = n.bit_length()
        self._refused = refused  # numbers that are no successors, since they have none themselves
        self._paces = paces
        self._rule = Rule.best(self._bits, paces)
        self._open = 0  # parts that were given out and have not come back
        self._roots: dict[int, str] = {}  # known, by signed prime
        self._known = 0  # the same, a bit for each of PRIMES
        self._usable = 0  # primes in the tiers so far that are squares modulo n, a bit for each of PRIMES
        self._tier: int = sum(self._bits > most for most in FIRST_TIERS)
        self._unseen: deque[int] = deque()  # bits of PRIMES in the tiers so far whose discriminants nobody has looked at
        self._wanted_roots: deque[int] = deque()  # bits of PRIMES, not given out yet
        self._asked_roots = 0  # the same that were given out or wait for it, a bit for each
        self._waiting: dict[int, list[discriminants.Discriminant]] = {}  # by the bit of a prime whose root is not known
        self._ready: list[discriminants.Discriminant] = []  # a heap: their roots are known
        self._pool: list[tuple[float, Order]] = []  # a heap of orders not given out: the least is the best
        self._first = 0  # bits of PRIMES that were in the tiers so far
        self._bounds = discriminants.TIERS if not thorough else (*discriminants.TIERS, discriminants.LAST_TIER)
        self._open_tier()

    @property
    def _is_last(self) -> bool:
        """Whether the last bounds are in force."""
        return self._tier > len(discriminants.TIERS)

    def _open_tier(self) -> None:
        """Go on with the discriminants of the next tier; in the last one the primes of the former have more of them."""
        bound = self._bounds[self._tier]
        self._tier += 1
        first = self._first
        while self._first < len(discriminants.PRIMES) and abs(discriminants.PRIMES[self._first]) < bound:
            if gmpy2.jacobi(discriminants.PRIMES[self._first], self.n) == 1:
                self._usable |= 1 << self._first
            self._first += 1
        opened = range(0 if self._is_last else first, self._first)
        self._unseen.extend(bit for bit in opened if self._usable >> bit & 1)

    def _look_for_roots(self, count: int) -> None:
        """Have so many roots wanted, if there are discriminants that need them."""
        look = discriminants.last if self._is_last else discriminants.usable
        while self._unseen and len(self._wanted_roots) < count and len(self._ready) < MOST_READY:
            bit = self._unseen.popleft()
            came = list(look(bit, self._usable))
            needed = functools.reduce(operator.or_, (known.primes for known in came), 0) & ~self._asked_roots
            self._wanted_roots.extend(bit for bit in range(needed.bit_length()) if needed >> bit & 1)
            self._asked_roots |= needed
            self._place(came)

    def next(self, idle: bool = False) -> Part | None:
        """The part that is wanted most; None until others come back, or for ever. `idle`: a worker has nothing else to do."""
        part = self._choose(idle)
        self._open += part is not None
        return part

    def _choose(self, idle: bool) -> Part | None:
        while True:
            if self._pool and -self._pool[0][0] >= self._rule.least:
                return self._take_orders(self._rule.least)
            if self._ready:
                return self._take_discriminants()
            self._look_for_roots(self._paces.tests.count(self._bits, self._paces.target_us) * self._paces.workers)
            if self._wanted_roots:
                return self._take_roots()
            if self._ready:
                return self._take_discriminants()
            usual = self._tier < len(discriminants.TIERS)
            weak = self._weak(usual, idle)
            if self._pool and -self._pool[0][0] >= weak:
                return self._take_orders(weak)
            if self._tier == len(self._bounds) or (self._open and not (usual and idle)):
                return None
            self._open_tier()

    def _weak(self, usual: bool, idle: bool) -> float:
        """The least score of an order that is tested now, where no discriminants are ready; `usual`: usual ones are left.

        The last orders are shared by all who are idle: one part after the other would occupy one worker alone.
        """
        return self._rule.least * WEAK if usual or (self._open and not idle) else -math.inf

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left to try."""
        ended = self._tier == len(self._bounds)
        return ended and not (self._open or self._pool or self._ready or self._wanted_roots or self._unseen)

    def _take_roots(self) -> Roots:
        count = self._paces.share(self._paces.tests, self._bits, len(self._wanted_roots))
        bits = [self._wanted_roots.popleft() for _ in range(min(count, len(self._wanted_roots)))]
        return Roots(self._text, tuple(discriminants.PRIMES[bit] for bit in bits))

    def _take_discriminants(self) -> Orders:
        least_us = PRIMORIAL * self._paces.tests.cost(self._bits)
        count = min(self._paces.share(self._paces.orders, self._bits, len(self._ready), least_us), len(self._ready), MOST_ITEMS)
        taken = [heapq.heappop(self._ready) for _ in range(count)]
        needed = functools.reduce(operator.or_, (known.primes for known in taken))
        primes = [prime for bit, prime in enumerate(discriminants.PRIMES) if needed >> bit & 1]
        return Orders(self._text, tuple(known.value for known in taken), tuple((prime, self._roots[prime]) for prime in primes))

    def _take_orders(self, least: float) -> Cofactors:
        taken = []
        for _ in range(min(self._paces.share(self._paces.tests, self._bits, len(self._pool)), MOST_ITEMS)):
            if not self._pool or -self._pool[0][0] < least:
                break
            taken.append(heapq.heappop(self._pool)[1])
        return Cofactors(self._text, tuple(taken))

    def learn(self, part: Part, outcome: Outcome) -> Order | None:
        """What came of a part that was given out; the order that leads on. Raises ValueError where the two do not fit."""
        found = None
        if isinstance(part, Roots) and isinstance(outcome, RootsFound) and len(part.primes) == len(outcome.roots):
            self._paces.tests.learn(self._bits, len(part.primes), outcome.compute_us)
            self._learn_roots(part.primes, outcome.roots)
        elif isinstance(part, Orders) and isinstance(outcome, OrdersFound):
            self._paces.orders.learn(self._bits, len(part.discriminants), outcome.compute_us)
            self._learn_orders(outcome.orders)
        elif isinstance(part, Cofactors) and isinstance(outcome, CofactorsTested) and 0 <= outcome.composite <= len(part.orders):
            tests = min(outcome.composite + 1, len(part.orders))
            self._paces.tests.learn(self._bits, tests, outcome.compute_us)
            found = self._learn_tests(part.orders[outcome.composite :])
        else:
            raise ValueError(f"{type(outcome).__name__} is no outcome of this {type(part).__name__}")
        self._open -= 1
        return found

    def _learn_roots(self, primes: Sequence[int], roots: Sequence[str]) -> None:
        self._roots.update(zip(primes, roots, strict=True))
        bits = [discriminants.BITS[prime] for prime in primes]
        self._known |= sum(1 << bit for bit in bits)
        for bit in bits:
            self._place(self._waiting.pop(bit, ()))

    def _place(self, came: Iterable[discriminants.Discriminant]) -> None:
        """Among the ready ones, if all roots are known."""
        for discriminant in came:
            missing = discriminant.primes & ~self._known
            if missing:
                self._waiting.setdefault(missing.bit_length() - 1, []).append(discriminant)
            else:
                heapq.heappush(self._ready, discriminant)

    def _learn_orders(self, came: Sequence[Order]) -> None:
        test_us = self._paces.tests.cost(self._bits)
        for order in came:
            tests = curve_tests(order, test_us)
            if tests * test_us <= LONGEST_CURVE_US:
                heapq.heappush(self._pool, (-self._score(order, tests), order))

    def _score(self, order: Order, tests: float) -> float:
        """Bits that it gains, less those that are gained elsewhere in the time of its curve."""
        tests *= 1 + tests / LONG_CURVE
        return math.log2(read(order.s)) - self._rule.bits_per_test * tests

    def _learn_tests(self, passed: Sequence[Order]) -> Order | None:
        """The first of these passed, the others have not been tested."""
        if not passed:
            return None
        if orders.cofactor(self.n, read(passed[0].t), read(passed[0].s)) not in self._refused:
            return passed[0]
        self._learn_orders(passed[1:])
        return None
