"""The chain of numbers of a proof by elliptic curves: which parts are wanted next, and what has come of those before.

It is pure: what it does depends on the outcomes that it learned alone, and whoever drives it hands the parts out.
"""

import zlib
from collections import deque

import gmpy2
import msgspec
from gmpy2 import mpz

from certificates.ecpp import exceeds_bound
from services.worker.prove.ecpp import orders
from services.worker.prove.ecpp.pace import Paces
from services.worker.prove.ecpp.parts import Curve, CurveFound, Failed, Order, Outcome, Part, Tail, TailProven, read
from services.worker.prove.ecpp.search import POINT, Search, curve_tests

TAIL_BITS = 600  # a number of so many bits is proven in one part, by PARI

MOST_FAILURES = 3  # of one part; then the chain goes on without the number that it is of
MOST_REFUSED = 100  # numbers that are left for others; a proof meets one or two, if any
MOST_SAVED = 256 << 20  # bytes of what was saved, decompressed: 10,000 digits take some 20 MB


class SavedStep(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A step and its curve, if that has been found."""

    order: Order
    curve: CurveFound | None


class Saved(msgspec.Struct, array_like=True, frozen=True):
    """A chain, without what its last number's search has come to."""

    n: str
    steps: tuple[SavedStep, ...]
    refused: tuple[str, ...]
    tail: str


class _Step:
    """A number, the order that leads to the next one, and the curve as soon as it was found."""

    def __init__(self, n: mpz, order: Order, curve: CurveFound | None = None) -> None:
        self.n = n
        self.order = order
        self.curve = curve
        self.given = curve is not None  # whether its part was

    @property
    def cofactor(self) -> mpz:
        return orders.cofactor(self.n, read(self.order.t), read(self.order.s))

    def text(self, curve: CurveFound) -> str:
        """As it stands in PARI's vector."""
        t, s = read(self.order.t), read(self.order.s)
        return f"[{self.n}, {t}, {s}, {read(curve.a)}, [{read(curve.x)}, {read(curve.y)}]]"


class _Task:
    """A part that was given out; `step`: of a curve's part."""

    def __init__(self, part: Part, step: _Step | None = None) -> None:
        self.part = part
        self.step = step
        self.failures = 0


class Chain:
    """Steps from n down to a number that is proven at once.

    A step found is never revised, though a better one might come: only where a number has no successor, or a part has failed for
    good, it goes back.
    """

    def __init__(self, n: mpz) -> None:
        self.n = n
        self.revision = 0  # grows with each step, curve and whatever else is worth saving
        self.failure = ""  # why there will be no certificate
        self._steps: list[_Step] = []
        self._refused: set[mpz] = set()  # numbers that no step shall lead to: they have no successor, or what they need failed
        self._paces = Paces()
        self._search: Search | None = None  # of the last number; None where that is proven in one part
        self._tail = ""  # PARI's certificate of the last number
        self._tasks: dict[int, _Task] = {}  # given out and wanted
        self._lost: deque[int] = deque()  # of these, to be given out again
        self._count = 0  # parts given out so far
        self._tail_given = False
        self._untold: list[_Step] = []  # steps whose curve was found since `found` told of such ones
        self._go_on()

    @classmethod
    def restore(cls, n: mpz, saved: bytes) -> "Chain":
        """A chain that goes on from what was saved. Raises ValueError where that cannot be read, or is of another number."""
        state = read_saved(saved)
        if state.n != gmpy2.digits(n):
            raise ValueError("the saved chain is of another number")
        chain = cls(n)
        for step in state.steps:
            chain._steps.append(restore_step(chain.last, step))  # its own
        chain._untold = [step for step in chain._steps if step.curve]
        chain._refused = {read(text) for text in state.refused}
        chain._tail = state.tail
        chain._go_on()
        return chain

    def save(self) -> bytes:
        """What `restore` takes: all steps and curves, but not what the search for the next step has come to."""
        steps = tuple(SavedStep(step.order, step.curve) for step in self._steps)
        refused = tuple(gmpy2.digits(q, 16) for q in sorted(self._refused))
        return zlib.compress(msgspec.msgpack.encode(Saved(gmpy2.digits(self.n), steps, refused, self._tail)))

    @property
    def last(self) -> mpz:
        """The number that the steps lead to."""
        return self._steps[-1].cofactor if self._steps else self.n

    @property
    def digits_left(self) -> int:
        """Of the last number."""
        return len(gmpy2.digits(self.last))

    @property
    def over(self) -> bool:
        """Whether there is a certificate, or will be none; told without putting its text together, which takes some 10 ms."""
        return bool(self.failure) or (bool(self._tail) and all(step.curve for step in self._steps))

    @property
    def certificate(self) -> bytes | None:
        """PARI's text, once all is done. Nobody has checked that the steps lead to each other."""
        if self.failure or not self.over:
            return None
        texts = [step.text(step.curve) for step in self._steps if step.curve]
        return ("[" + "".join(f"{text}, " for text in texts) + self._tail.removeprefix("[")).encode()

    def found(self) -> list[bytes]:
        """The steps whose curves were found since this was asked last, each as it will stand in the certificate."""
        untold, self._untold = self._untold, []
        return [step.text(step.curve).encode() for step in untold if step.curve]

    def next(self, workers: int = 1) -> tuple[int, Part] | None:
        """A part to hand out, and its number; None where nothing is wanted until an outcome comes. `workers`: how many compute."""
        if self.failure:
            return None
        while self._lost:
            number = self._lost.popleft()
            if number in self._tasks:
                return number, self._tasks[number].part
        self._paces.workers = workers
        task = self._descend() or self._ascend() or self._descend(idle=True)
        if task is None:
            return None
        self._count += 1
        self._tasks[self._count] = task
        return self._count, task.part

    def _descend(self, idle: bool = False) -> _Task | None:
        """Towards a next step, or the end. `idle`: with what may be of no use, too."""
        if self._search:
            part = self._search.next(idle)
            return _Task(part) if part else None
        if self._tail or self._tail_given:
            return None
        self._tail_given = True
        return _Task(Tail(gmpy2.digits(self.last)))

    def _ascend(self) -> _Task | None:
        """A curve, the one that takes longest first, so that the last ones are short."""
        step = max((step for step in self._steps if not step.given), key=self._curve_us, default=None)
        if step is None:
            return None
        step.given = True
        return _Task(Curve(gmpy2.digits(step.n), step.order), step)

    def _curve_us(self, step: _Step) -> float:
        """Microseconds that the curve of a step takes, as estimated."""
        test_us = self._paces.tests.cost(step.n.bit_length())
        return test_us * (POINT + curve_tests(step.order, test_us))

    def is_wanted(self, number: int) -> bool:
        """Whether the outcome of a part that was given out is still of use."""
        return number in self._tasks and not self.failure

    def again(self, number: int) -> None:
        """The part was lost: it is given out once more."""
        if number in self._tasks and number not in self._lost:
            self._lost.append(number)

    def learn(self, number: int, outcome: Outcome) -> None:
        """What came of a part; nothing happens where that is not wanted."""
        if not self.is_wanted(number):
            return
        task = self._tasks[number]
        try:
            if isinstance(outcome, Failed):
                raise ValueError(outcome.reason)
            self._apply(task, outcome)
        except ValueError as error:
            self._fail(number, task, str(error))
        else:
            self._tasks.pop(number, None)
            self._go_back()

    def _apply(self, task: _Task, outcome: Outcome) -> None:
        """Raises ValueError where the outcome is none of the part's."""
        if task.step and isinstance(outcome, CurveFound):
            task.step.curve = outcome
            self._untold.append(task.step)
            self.revision += 1
        elif isinstance(task.part, Tail) and isinstance(outcome, TailProven) and outcome.text.startswith("[["):
            self._tail = outcome.text
            self.revision += 1
        elif self._search and not task.step:
            order = self._search.learn(task.part, outcome)
            if order:
                self._steps.append(_Step(self._search.n, order))
                self._go_on()
                self.revision += 1
        else:
            raise ValueError(f"{type(outcome).__name__} is no outcome of this {type(task.part).__name__}")

    def _fail(self, number: int, task: _Task, reason: str) -> None:
        """A part that fails for good takes its number with it: a process that dies of it may do so each time."""
        task.failures += 1
        if task.failures < MOST_FAILURES:
            self.again(number)
        else:
            position = self._steps.index(task.step) if task.step else len(self._steps) - 1
            self._refuse(position, f"a part failed {MOST_FAILURES} times: {reason}")

    def _go_on(self) -> None:
        """From the last number; what was wanted for the one before is not any more."""
        self._tasks = {number: task for number, task in self._tasks.items() if task.step in self._steps}
        n = self.last
        self._search = Search(n, self._refused, self._paces, not self._steps) if n.bit_length() > TAIL_BITS else None

    def _go_back(self) -> None:
        """Where the last number has no successor."""
        if self._search and self._search.exhausted:
            self._refuse(len(self._steps) - 1, "no discriminants are left")

    def _refuse(self, position: int, reason: str) -> None:
        """Look for another number than the one that this step leads to; before the first step there is none."""
        if position < 0 or len(self._refused) == MOST_REFUSED:
            self.failure = reason
            return
        self._refused.add(self._steps[position].cofactor)
        del self._steps[position:]
        self._untold = [step for step in self._untold if step in self._steps]
        self._tail, self._tail_given = "", False
        self._go_on()
        self.revision += 1


def read_saved(saved: bytes) -> Saved:
    """What was saved. Raises ValueError."""
    decompressor = zlib.decompressobj()
    try:
        text = decompressor.decompress(saved, MOST_SAVED)
    except zlib.error as error:
        raise ValueError(f"the saved chain is damaged: {error}") from None
    if not decompressor.eof:
        raise ValueError("the saved chain is cut off, or too long")
    return msgspec.msgpack.decode(text, type=Saved)


def restore_step(n: mpz, saved: SavedStep) -> _Step:
    """A step from n. Raises ValueError where it is none."""
    t, s = read(saved.order.t), read(saved.order.s)
    if s < 1 or (n + 1 - t) % s or not exceeds_bound(orders.cofactor(n, t, s), n):
        raise ValueError("a step of the saved chain does not fit its number")
    return _Step(n, saved.order, saved.curve)
