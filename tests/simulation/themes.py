"""Plans about one thing each that chance alone would seldom bring together."""

from collections.abc import Callable
from random import Random

from tests.simulation.numbers import HEAVY, draw_heavy, draw_number
from tests.simulation.plan import Fault, Plan, Step


def _outages(chance: Random, seed: int) -> Plan:
    """Redis stands still again and again, for longer than a lease, while long jobs run: nobody's fault, so no job is poison."""
    steps = [Step(0.1 + 0.1 * index, 0, "ask", number=number, proof=index == 0) for index, number in enumerate(HEAVY[:3])]
    pause = chance.uniform(2.5, 3.5)
    stalls = [Fault(1.0 + index * pause, "stall", seconds=chance.uniform(2.0, 2.4)) for index in range(5)]
    return Plan(seed, 1.0 + 5 * pause, 1, 3, 1, steps, stalls, slowness=50.0, hurry=True)


def _crowd(chance: Random, seed: int) -> Plan:
    """A worker dies while others hold many long jobs."""
    steps = [Step(0.1 + index * 0.02, 0, "ask", number=draw_heavy(chance)) for index in range(24)]
    faults = [Fault(chance.uniform(0.7, 2.0), "kill", "worker-2", seconds=chance.uniform(0.1, 1.0))]
    return Plan(seed, 3.0, 1, 3, 1, steps, faults, children=8, slowness=50.0)


def _cancels(chance: Random, seed: int) -> Plan:
    """What is asked is cancelled just when a worker takes it, or shortly before or after."""
    steps = _asked_and_cancelled(chance, 16, 0.3, 0.1, 0.02)
    return Plan(seed, 2.1, 1, 1, 1, steps, [], hurry=True, children=chance.choice((1, 8)))


def _claims(chance: Random, seed: int) -> Plan:
    """What is asked is cancelled so soon that a worker hears of it in the very turn in which it takes its claim."""
    steps = _asked_and_cancelled(chance, 24, 0.6, 0.06, 0.012)
    return Plan(seed, 2.2, 1, 1, 1, steps, [], children=8, hurry=True, pace=0.001)


def _asked_and_cancelled(chance: Random, count: int, first: float, apart: float, latest: float) -> list[Step]:
    """So many costly requests from `first` on, one every `apart`, each cancelled `latest` after it or before; in seconds."""
    steps = []
    for index in range(count):
        at = first + apart * index
        steps.append(Step(at, 0, "ask", number=draw_heavy(chance)))
        steps.append(Step(at + chance.uniform(0.0, latest), 0, "cancel", which=index))
    return steps


def _doubt(chance: Random, seed: int) -> Plan:
    """The replies to writes are lost, and what they wrote is cancelled, or its time is over, before it is written again.

    Half of the clients come back over another socket then: one that goes on over the same is not sent what it gave up.
    """
    moves = chance.random() < 0.5
    steps = [Step(0.1, 0, "ask", number="7"), Step(0.1, 0, "ask", number=HEAVY[0])]  # from here on Redis knows the scripts
    faults = []
    for index in range(2, 8):
        at = 0.5 * index + chance.uniform(0, 0.1)
        noticed = chance.choice((0.02, 0.1, 0.3))
        faults.append(Fault(at, "cut", "web-0", seconds=noticed, mode="down"))
        deadline = chance.choice((0.0, 0.0, 0.3))
        steps.append(Step(at + chance.uniform(-0.01, noticed), 0, "ask", number=draw_number(chance, 0.5), deadline=deadline))
        cancelled = at + noticed + chance.uniform(-0.01, 0.06)
        steps.append(Step(cancelled, 0, "cancel", which=index))
        if moves:
            steps.append(Step(cancelled + chance.uniform(0.005, 0.1), 0, "drop"))
    steps.sort(key=lambda step: step.at)
    return Plan(seed, 4.5, chance.choice((1, 2)), 1, 1, steps, faults, slowness=5.0 if moves else 1.0, hurry=True)


def _set_back(chance: Random, seed: int) -> Plan:
    """Redis comes back older by a little, twice, while clients ask; on some machines its clock went back before."""
    steps = sorted(_asked_by_two(chance), key=lambda step: step.at)
    faults = [_back(chance, chance.uniform(1.0, 1.5)), _back(chance, 2.3)]
    if chance.random() < 0.4:
        clock = Fault(chance.uniform(0.3, 0.9), "redis-clock", amount=-chance.choice((0.3, 3000.0)))
        faults = [clock, *faults]
    return Plan(seed, 3.0, 1, 1, 2, steps, faults, hurry=True)


def _asked_by_two(chance: Random) -> list[Step]:
    return [Step(chance.uniform(0.1, 2.5), index % 2, "ask", number=draw_number(chance, 0.1)) for index in range(12)]


def _set_back_and_dropped(chance: Random, seed: int) -> Plan:
    """Redis comes back older, twice, and clients lose their sockets about when they hear of it, before any answer."""
    steps = _asked_by_two(chance)
    faults = [_back(chance, chance.uniform(1.0, 1.5)), _back(chance, 2.3)]
    drops = [(fault.at + chance.uniform(0.1, 1.2), client) for fault in faults for client in (0, 0, 1, 1)]
    steps += [Step(at, client, "drop", seconds=chance.choice((0.0, 0.3))) for at, client in drops]
    steps.sort(key=lambda step: step.at)
    return Plan(seed, 3.0, 1, 1, 2, steps, faults, hurry=True)


def _set_back_to_before(chance: Random, seed: int) -> Plan:
    """Redis loses its data, sessions are made anew and go to other sockets; then it comes back as it was before that loss."""
    steps = [Step(chance.uniform(0.1, 0.7), client, "ask", number=draw_number(chance, 0.1)) for client in (0, 0, 1, 1)]
    steps += [Step(chance.uniform(0.8, 2.2), index % 2, "ask", number=draw_number(chance, 0.1)) for index in range(6)]
    steps += [Step(chance.uniform(0.9, 2.2), client, "drop", seconds=chance.choice((0.0, 0.2))) for client in (0, 1)]
    steps += [Step(chance.uniform(2.3, 3.2), client, chance.choice(("ask", "drop")), number="91") for client in (0, 0, 1, 1)]
    steps.sort(key=lambda step: step.at)
    lost = Fault(0.75, "away", seconds=0.02, mode=chance.choice(("emptied", "back")), amount=chance.uniform(0.5, 2.0))
    faults = [lost, Fault(2.25, "away", seconds=0.02, mode="back", amount=chance.uniform(1.4, 2.2))]
    return Plan(seed, 3.3, chance.choice((1, 2)), 1, 2, steps, faults, hurry=True)


def _uploads_set_back(chance: Random, seed: int) -> Plan:
    """The same while uploads are read, or just after their end: one of few pieces, and one of many."""
    steps = [Step(0.2, 0, "upload", which=60, seconds=0.1), Step(0.3, 0, "upload", which=300, seconds=0.025)]
    back = _back(chance, chance.uniform(0.9, 1.5), 0.8)
    return Plan(seed, 2.0, 1, 1, 0, steps, [back], uploading=1, slowness=chance.choice((0.02, 0.02, 0.02, 1.0)), hurry=True)


def _back(chance: Random, at: float, most: float = 0.6) -> Fault:
    return Fault(at, "away", seconds=0.02, mode="back", amount=chance.uniform(0.02, most))


def _batches(chance: Random, seed: int) -> Plan:
    """Redis loses its data while batches are half answered."""
    steps = []
    for index in range(4):
        numbers = [draw_number(chance, 0.0), draw_number(chance, 0.0), draw_heavy(chance)]
        steps.append(Step(0.3 + 0.4 * index + chance.uniform(0, 0.2), index % 2, "batch", number=",".join(numbers)))
    mode = chance.choice(("kept", "emptied"))
    faults = [Fault(chance.uniform(0.8, 2.0), "away", seconds=chance.uniform(0.02, 0.3), mode=mode)]
    return Plan(seed, 2.5, 1, 1, 2, steps, faults, slowness=2.0, hurry=True)


def _moves(chance: Random, seed: int) -> Plan:
    """One client comes back over many sockets at once, again and again.

    Half of them ask just then, and cancel the second request while the first is being written.
    """
    steps = [Step(0.3, 0, "ask", number=draw_number(chance, 0.0))]
    cancels = chance.random() < 0.5
    for index in range(8):
        at = 0.6 + 0.4 * index
        steps.append(Step(at, 0, "crowd", which=chance.randint(3, 6)))
        if cancels:
            asked = at + chance.uniform(0.0, 0.004)
            steps += [Step(asked + 0.0003 * n, 0, "ask", number=draw_number(chance, 0.1)) for n in range(2)]
            steps.append(Step(asked + chance.uniform(0.0003, 0.001), 0, "cancel", which=2 + 2 * index))
    steps.sort(key=lambda step: step.at)
    faults = [Fault(0.0, "slow", f"web-{web}", seconds=9.0, amount=10.0) for web in range(3) if chance.random() < 0.5]
    return Plan(seed, 4.0, 3, 1, 1, steps, faults, hurry=True)


def _moves_set_back(chance: Random, seed: int) -> Plan:
    """The same while Redis comes back older, and those that held the session before may not have heard that it moved."""
    steps, faults = [Step(0.2, 0, "ask", number=draw_number(chance, 0.0))], []
    for at in (0.8, 2.4):
        steps.append(Step(at, 0, "crowd", which=chance.randint(2, 4)))
        for _ in range(2):
            asked, deadline = at + chance.uniform(-0.002, 0.01), chance.choice((0.0, 0.03, 0.3))
            steps.append(Step(asked, 0, "ask", number=draw_number(chance, 0.5), deadline=deadline))
        faults.append(_back(chance, at + chance.uniform(0.01, 0.1)))
        steps.append(Step(at + chance.uniform(0.2, 0.6), 0, chance.choice(("drop", "crowd")), which=2))
    faults += [Fault(0.3, "deaf", f"web-{web}", seconds=chance.uniform(0.5, 3.0)) for web in range(3) if chance.random() < 0.5]
    steps.sort(key=lambda step: step.at)
    faults.sort(key=lambda fault: fault.at)
    return Plan(seed, 3.4, 3, 1, 1, steps, faults, hurry=True)


def _leaving(chance: Random, seed: int) -> Plan:
    """The time of some who wait for a computation is over; their web process died, and the worker is cut off from Redis."""
    steps = []
    for _ in range(8):
        number = draw_heavy(chance)
        steps.append(Step(0.3, 0, "ask", number=number))
        steps.append(Step(0.31, 1, "ask", number=number, deadline=round(chance.uniform(0.9, 2.0), 3)))
    steps.sort(key=lambda step: step.at)
    cuts = [Fault(chance.uniform(0.9, 2.0), "cut", "worker-0", mode=chance.choice(("up", "down"))) for _ in range(8)]
    faults = [Fault(0.5, "kill", "web-0", seconds=0.1), Fault(0.6, "slow", "worker-0", seconds=3.0, amount=10.0), *cuts]
    return Plan(seed, 2.5, 1, 1, 2, steps, faults, children=8, slowness=50.0, hurry=True)


def _clock_back(chance: Random, seed: int) -> Plan:
    """Redis' clock is set back while a worker computes, and the worker dies."""
    steps = [Step(0.1 + 0.1 * index, 0, "ask", number=draw_heavy(chance)) for index in range(3)]
    at = chance.uniform(0.5, 1.5)
    died = at + chance.choice((0.0, 0.5)) * chance.random()
    faults = [
        Fault(at, "redis-clock", amount=-chance.choice((60.0, 3000.0))),
        Fault(died, "kill", "worker-0", seconds=chance.choice((0.1, 9.0))),
    ]
    return Plan(seed, 2.5, 1, 2, 1, steps, faults, slowness=5.0, hurry=True)


def _clock_ahead(chance: Random, seed: int) -> Plan:
    """Redis is started anew, and later its clock jumps ahead by more than a session lives, which is made anew then."""
    steps = [Step(chance.uniform(0.1, 1.0), client, "ask", number=draw_number(chance, 0.3)) for client in (0, 1)]
    steps += [Step(chance.uniform(1.5, 3.0), client, "ask", number=draw_number(chance, 0.1)) for client in (0, 0, 1, 1)]
    steps.sort(key=lambda step: step.at)
    faults = [Fault(chance.uniform(0.3, 1.2), "away", seconds=0.04, mode="kept"), Fault(1.8, "redis-clock", amount=3000.0)]
    return Plan(seed, 3.0, 1, 1, 2, steps, faults, hurry=True)


def _stand(chance: Random, seed: int) -> Plan:
    """A worker's heavy lane takes no step any more, by whatever fault."""
    steps = [Step(chance.uniform(0.1, 2.0), 0, "ask", number=draw_heavy(chance)) for _ in range(3)]
    steps.sort(key=lambda step: step.at)
    return Plan(seed, 2.5, 1, 1, 1, steps, [Fault(chance.uniform(0.5, 1.5), "stand", "worker-0")], hurry=True)


# What each is about, with its share of all plans.
THEMES: tuple[tuple[float, Callable[[Random, int], Plan]], ...] = (
    (0.06, _outages),
    (0.04, _crowd),
    (0.06, _cancels),
    (0.08, _claims),
    (0.05, _doubt),
    (0.04, _set_back),
    (0.06, _set_back_and_dropped),
    (0.04, _set_back_to_before),
    (0.10, _uploads_set_back),
    (0.05, _batches),
    (0.06, _moves),
    (0.06, _moves_set_back),
    (0.05, _leaving),
    (0.06, _clock_back),
    (0.02, _clock_ahead),
    (0.02, _stand),
)
