"""The plan that a seed draws: an ordinary one, of a few kinds of faults, or one about one thing."""

from random import Random

from tests.simulation.numbers import draw_number
from tests.simulation.plan import Fault, Plan, Step
from tests.simulation.themes import THEMES

PROCESS_FAULTS = ("kill", "term", "stop", "cut", "deaf", "slow", "clock", "child")
REDIS_FAULTS = ("stall", "away", "empty", "back", "demote", "redis-clock")
CHILD_FAULTS = ("die", "die", "stillborn", "stillborn", "hang", "stuck")
# Seconds until all is healed, and the share of each: many short histories show more than few long ones.
LENGTHS, OF_THESE = ((0.5, 1.5), (1.5, 4.0), (3.0, 8.0), (8.0, 16.0)), (0.5, 0.3, 0.17, 0.03)
WEBS, WORKERS, CLIENTS = (1, 1, 2, 2, 3), (1, 1, 1, 2), (1, 2, 2, 3, 4)
DISTANCES = 0.01, 0.04, 0.1, 0.6, 2.0  # seconds that Redis is set back by
JUMPS = -3000.0, -5.0, 5.0, 3000.0  # seconds by which a clock is set
SLOW = (1, 1.0), (1, 1.0), (1, 1.0), (8, 20.0)  # child processes of a worker, and how slow they are
HURRIED = 0.75  # share of plans whose computations take no time once all is healed: what is left to see is seen sooner
MOST_STEPS = 30
MOST_FAULTS = 8


def draw(seed: int) -> Plan:
    """The plan of a seed: a few kinds of faults at a time, so that each is seen without the others too."""
    chance = Random(f"plan {seed}")
    theme = chance.random()
    for share, draw_about in THEMES:
        if (theme := theme - share) < 0:
            return draw_about(chance, seed)
    return _draw_usual(chance, seed)


def _draw_usual(chance: Random, seed: int) -> Plan:
    """One of few kinds of acts, in any order."""
    length = chance.uniform(*chance.choices(LENGTHS, OF_THESE)[0])
    webs, workers, clients = chance.choice(WEBS), chance.choice(WORKERS), chance.choice(CLIENTS)
    heavy = chance.choice((0.1, 0.5, 0.9))
    kinds = chance.sample(PROCESS_FAULTS + REDIS_FAULTS, chance.randint(0, 4))
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
    children, slowness = chance.choice(SLOW)
    # Where lines are slow, a chunk that was taken over, which a child examines one by one, lasts longer than anyone waits here.
    hurry = chance.random() < HURRIED or bool(uploads and slowness > 1)
    spared = chance.choice((0, 0, 1))
    return Plan(
        seed, length, webs, workers, clients, steps + uploads, faults, plain, min(1, len(uploads)), children, slowness, hurry,
        spared,
    )  # fmt: skip


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


def _draw_fault(chance: Random, length: float, kind: str, targets: list[str]) -> Fault:
    at = chance.uniform(0.1, length)
    seconds = chance.choice((0.05, 0.3, 1.0, 2.5, 6.0)) * chance.uniform(0.5, 1.5)
    target = chance.choice(targets)
    workers = [name for name in targets if name.startswith("worker")]
    drawn = {
        "cut": Fault(at, kind, target, seconds=chance.choice((0.0, 0.01, 1.0, 5.0)), mode=chance.choice(("up", "down", "down"))),
        "child": Fault(chance.choice((0.0, at)), kind, chance.choice(workers), mode=chance.choice(CHILD_FAULTS)),
        "clock": Fault(at, kind, target, amount=chance.choice(JUMPS)),
        "slow": Fault(at, kind, target, seconds=seconds, amount=chance.choice((10.0, 100.0))),
        "stall": Fault(at, kind, seconds=seconds),
        "demote": Fault(at, kind, seconds=seconds),
        "away": Fault(at, "away", seconds=seconds, mode="kept"),
        "back": Fault(at, "away", seconds=min(seconds, 1.0), mode="back", amount=chance.choice(DISTANCES)),
        "redis-clock": Fault(at, kind, amount=chance.choice(JUMPS)),
        "empty": Fault(at, "away", seconds=seconds, mode="emptied"),
    }
    return drawn.get(kind, Fault(at, kind, target, seconds=seconds))
