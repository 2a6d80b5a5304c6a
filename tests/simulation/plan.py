"""What happens in a history from outside: what clients do, and what befalls the parts. Drawn from a seed; it can be thinned out."""

from random import Random

import gmpy2
import msgspec


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """One act of one client.

    "ask" (`number`, `deadline`, `proof`), "batch" (numbers between commas, in one message), "cancel" (its request `which`), "drop"
    its socket and stay away for `seconds`, "crowd" (come back over `which` sockets at once), "upload" (`which` lines, with so many
    `seconds` between their pieces).
    """

    at: float
    client: int
    kind: str
    number: str = ""
    deadline: float = 0.0
    proof: bool = False
    which: int = 0
    seconds: float = 0.0


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """One fault.

    Of a process, `target`: "kill" and "term" (started again after `seconds`), "stop" (for `seconds`), "cut" (its connections
    to Redis, by `mode`), "deaf" (publications are lost for `seconds`), "slow", "clock" (wrong by `amount` seconds), "child" (what
    befalls its next child or job, by `mode`).
    Of Redis: "stall", "away" (by `mode` with its data, emptied, or back to the data of `amount` seconds before), "demote",
    "redis-clock".
    """

    at: float
    kind: str
    target: str = ""
    seconds: float = 0.0
    mode: str = ""
    amount: float = 0.0


class Plan(msgspec.Struct, frozen=True):
    """A history from outside; `seed` draws the delays and all else that no plan names."""

    seed: int
    length: float  # seconds until everything is healed
    webs: int
    workers: int
    clients: int
    steps: list[Step]
    faults: list[Fault]
    plain: int = 0  # of the clients, the last ones, speak the plain protocol
    uploading: int = 0  # clients that send uploads, beside these
    children: int = 1  # child processes for heavy jobs of each worker
    slowness: float = 1.0  # by which computations take longer

    @property
    def size(self) -> int:
        """What is left to thin out."""
        return len(self.steps) + len(self.faults)


_HEAVY = [gmpy2.next_prime(gmpy2.mpz(10) ** (120 + index)).digits() for index in range(6)]
_COMPOSITE = [(gmpy2.mpz(10) ** (115 + index) * 2 + 1).digits() for index in range(4)]

PROCESS_FAULTS = ("kill", "term", "stop", "cut", "deaf", "slow", "child")
REDIS_FAULTS = ("stall", "away", "empty", "back", "demote", "redis-clock")
LENGTHS = (1.5, 5.0), (1.5, 5.0), (3.0, 8.0), (8.0, 16.0)  # seconds
DISTANCES = 0.01, 0.04, 0.1, 0.6, 2.0  # seconds that Redis is set back by
JUMPS = -3000.0, -5.0, 5.0, 3000.0  # seconds by which its clock is set
SLOW = (1, 1.0), (1, 1.0), (1, 1.0), (8, 20.0)  # child processes of a worker, and how slow they are
OUTAGES = 0.03  # share of plans that are about outages one after the other
CROWDS = 0.03  # and about a death among many long jobs
MOST_STEPS = 30
MOST_FAULTS = 8


def draw(seed: int) -> Plan:
    """The plan of a seed: a few kinds of faults at a time, so that each is seen without the others too."""
    chance = Random(f"plan {seed}")
    length = chance.uniform(*chance.choice(LENGTHS))
    webs, workers, clients = chance.randint(1, 3), chance.randint(1, 2), chance.randint(1, 4)
    heavy = chance.choice((0.1, 0.5, 0.9))
    kinds = chance.sample(PROCESS_FAULTS + REDIS_FAULTS, chance.randint(0, 4))
    if (theme := chance.random()) < OUTAGES:
        return _draw_outages(chance, seed, webs, workers)
    if theme < OUTAGES + CROWDS:
        return _draw_crowd(chance, seed, webs)
    steps = _draw_steps(chance, length, clients, heavy)
    targets = [f"web-{index}" for index in range(webs)] + [f"worker-{index}" for index in range(workers)]
    faults = sorted(
        (_draw_fault(chance, length, chance.choice(kinds), targets) for _ in range(chance.randint(1, MOST_FAULTS) if kinds else 0)),
        key=lambda fault: fault.at,
    )
    plain = chance.choice((0, 0, min(1, clients - 1), clients - 1))
    uploads = [
        Step(chance.uniform(0.1, length), clients, "upload", which=chance.randint(1, 60), seconds=chance.choice((0.0, 0.01, 0.2)))
        for _ in range(chance.choice((0, 0, 0, 1, 2)))
    ]
    return Plan(seed, length, webs, workers, clients, steps + uploads, faults, plain, min(1, len(uploads)), *chance.choice(SLOW))


def _draw_outages(chance: Random, seed: int, webs: int, workers: int) -> Plan:
    """Redis stands still again and again, for longer than a lease, while long jobs run: nobody's fault, so no job is poison."""
    steps = [Step(0.1 + index, 0, "ask", number=number, proof=index % 2 == 0) for index, number in enumerate(_HEAVY)]
    pause = chance.uniform(2.5, 4.0)
    stalls = [Fault(1.0 + index * pause, "stall", seconds=chance.uniform(2.0, 2.5)) for index in range(4)]
    return Plan(seed, 1.0 + 4 * pause, webs, max(2, workers), 1, steps, stalls, slowness=10.0)


def _draw_crowd(chance: Random, seed: int, webs: int) -> Plan:
    """A worker dies while others hold many long jobs."""
    steps = [Step(0.1 + index * 0.02, 0, "ask", number=_draw_heavy(chance)) for index in range(24)]
    faults = [Fault(chance.uniform(0.7, 2.0), "kill", "worker-2", seconds=chance.uniform(0.1, 1.0))]
    return Plan(seed, 3.0, webs, 3, 1, steps, faults, children=8, slowness=50.0)


def _draw_steps(chance: Random, length: float, clients: int, heavy: float) -> list[Step]:
    cancels, drops, deadlines = chance.choice((0.0, 0.2, 0.5)), chance.choice((0.0, 0.1, 0.3)), chance.choice((0.0, 0.3))
    proofs, batches, crowds = chance.choice((0.0, 0.3)), chance.choice((0.0, 0.0, 0.3)), chance.choice((0.0, 0.0, 0.15))
    steps: list[Step] = []
    asked = [0] * clients
    at = 0.1
    while at < length and len(steps) < MOST_STEPS:
        at += chance.choice((0.0, 0.001, 0.01, 0.1, 0.5, 1.0)) * chance.random()
        client = chance.randrange(clients)
        if asked[client] and chance.random() < drops:
            steps.append(Step(at, client, "drop", seconds=chance.choice((0.0, 0.0, 0.3, 2.0))))
            continue
        if asked[client] and chance.random() < crowds:
            steps.append(Step(at, client, "crowd", which=chance.randint(2, 4)))
            continue
        if chance.random() < batches:
            several = [draw_number(chance, heavy) for _ in range(chance.randint(2, 4))]
            steps.append(Step(at, client, "batch", number=",".join(several)))
            asked[client] += len(several)
            continue
        deadline = round(chance.choice((0.05, 0.5, 2.0)) * chance.uniform(0.5, 1.5), 3) if chance.random() < deadlines else 0.0
        proof = chance.random() < proofs
        steps.append(Step(at, client, "ask", number=draw_number(chance, heavy), deadline=deadline, proof=proof))
        asked[client] += 1
        if chance.random() < cancels:
            late = chance.choice((0.0, 0.001, 0.01, 0.1, 1.0)) * chance.random()
            steps.append(Step(at + late, client, "cancel", which=asked[client] - 1))
    return sorted(steps, key=lambda step: step.at)


def _draw_heavy(chance: Random) -> str:
    """One that nobody else asks."""
    return str(chance.randrange(10**119, 10**120) | 1)


def draw_number(chance: Random, heavy: float) -> str:
    """A heavy one with this probability, else one of up to 30 digits."""
    if chance.random() < heavy:
        return _draw_heavy(chance) if chance.random() < 0.2 else chance.choice(_HEAVY + _COMPOSITE)
    return str(chance.randrange(10 ** chance.randint(1, 30)))


def _draw_fault(chance: Random, length: float, kind: str, targets: list[str]) -> Fault:
    at = chance.uniform(0.1, length)
    seconds = chance.choice((0.05, 0.3, 1.0, 2.5, 6.0)) * chance.uniform(0.5, 1.5)
    target = chance.choice(targets)
    workers = [name for name in targets if name.startswith("worker")]
    drawn = {
        "cut": Fault(at, kind, target, seconds=chance.choice((0.0, 0.01, 1.0, 5.0)), mode=chance.choice(("up", "down", "down"))),
        "child": Fault(at, kind, chance.choice(workers), mode=chance.choice(("die", "stillborn"))),
        "slow": Fault(at, kind, target, seconds=seconds, amount=chance.choice((10.0, 100.0))),
        "stall": Fault(at, kind, seconds=seconds),
        "demote": Fault(at, kind, seconds=seconds),
        "away": Fault(at, "away", seconds=seconds, mode="kept"),
        "back": Fault(at, "away", seconds=min(seconds, 1.0), mode="back", amount=chance.choice(DISTANCES)),
        "redis-clock": Fault(at, kind, amount=chance.choice(JUMPS)),
        "empty": Fault(at, "away", seconds=seconds, mode="emptied"),
    }
    return drawn.get(kind, Fault(at, kind, target, seconds=seconds))
