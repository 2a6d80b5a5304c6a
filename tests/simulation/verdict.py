"""What a finished history says against the service: of its clients, and of what is left in it. No I/O of its own."""

import math
from dataclasses import replace

from services.jobs.messages import SENTENCES, Fault
from tests.chaos.history import Event, Figures, Shown, is_prime, judge, position, right
from tests.simulation.client import Client, Request
from tests.simulation.plain_client import PlainClient
from tests.simulation.plan import Plan
from tests.simulation.upload_client import UploadClient

AnyClient = Client | PlainClient | UploadClient
ON_ITS_WAY = 0.25  # seconds that an answer may take to its client, so that Redis loses it before it is shown
POISONED, LATE = SENTENCES[Fault.POISON], SENTENCES[Fault.DEADLINE]


def judge_client(client: Client, plan: Plan, losses: list[float]) -> list[str]:
    """What became of a client's requests, by the judge of the chaos suite; errors that the client brought about count as right.

    `losses`: when Redis came back without some of its data, or its clock let the time that sessions live be over.
    """
    requests = {request.id: request for request in client.requests}
    events = [_excuse(event, requests, plan) for event in _without_repetitions(client, losses)]
    figures = judge(events)
    contradicted = [each for each in client.requests if _contradicts(each) and not _is_undone(each, client, losses)]
    wrong = [f"{each.id}: told cancelled, answered {each.answers}" for each in contradicted]
    return client.complaints + wrong + _describe(figures, client, plan)


def _without_repetitions(client: Client, losses: list[float]) -> list[Event]:
    """The history without the one repetition that the protocol admits: Redis lost an answer, computed it once more, and the
    connection was lost when the client had an offset of that Redis, and none behind the repetition.
    """
    first: dict[str, Shown] = {}
    events: list[Event] = []
    for event in client.history:
        if isinstance(event, Shown) and (former := first.setdefault(event.request, event)) is not event:
            epoch, number = position(event.offset)
            since, after = position(client.resumed.get(event.socket, "0"))
            lost = any(former.at - ON_ITS_WAY <= at <= event.at for at in losses)
            if lost and position(former.offset)[0] < epoch == since and after < number:
                continue
        events.append(event)
    return events


def _is_undone(request: Request, client: Client, losses: list[float]) -> bool:
    """Whether Redis lost data after it was asked to cancel, and before the one answer: the cancellation is lost with it, and
    the request, which is asked again, is computed.
    """
    shown = [event.at for event in client.history if isinstance(event, Shown) and event.request == request.id]
    return len(shown) == 1 and any(request.cancelling <= at <= shown[0] for at in losses)


def judge_other(client: PlainClient | UploadClient, plan: Plan) -> list[str]:
    """What became of a plain client's numbers, or of uploads."""
    excused = [*([POISONED] if _may_poison(plan) else []), *([LATE] if _may_hang(plan) else [])]
    blamed = [each for each in client.complaints if not any(sentence in each for sentence in excused)]
    lost = [f"lost: {len(client.waiting)} numbers of {type(client).__name__}"] if client.waiting else []
    return [f"wrong: {each}" for each in blamed] + lost


def _may_poison(plan: Plan) -> bool:
    """Whether processes died as often as a job may be started."""
    kills = sum(fault.kind in {"kill", "term"} and fault.target.startswith("worker") for fault in plan.faults)
    return kills + sum(fault.kind == "child" for fault in plan.faults) >= 3


def _may_hang(plan: Plan) -> bool:
    """Whether a computation may last until no worker waits for it any longer."""
    return any(fault.mode == "hang" for fault in plan.faults)


def _excuse(event: Event, requests: dict[str, Request], plan: Plan) -> Event:
    """The event, or that of the right answer in place of an error that is right too."""
    if not isinstance(event, Shown) or event.request not in requests:
        return event
    request = requests[event.request]
    if not _admits(request, event.verdict, plan):
        return event
    return replace(event, verdict="prime" if is_prime(request.number) else "composite" if int(request.number) > 1 else "neither")


def _admits(request: Request, verdict: str, plan: Plan) -> bool:
    """Whether an error is one that this client, or this plan, brought about."""
    match verdict:
        case "error cancelled":
            return request.cancelling < math.inf
        case "error deadline":
            return request.deadline > 0 or _may_hang(plan)
        case "error poison":
            return _may_poison(plan)
    return False


def _contradicts(request: Request) -> bool:
    return request.cancelled is True and any(answer != "error cancelled" for answer in request.answers)


def _describe(figures: Figures, client: Client, plan: Plan) -> list[str]:
    """Each kind of fault with the requests that show it."""
    found: list[str] = []
    if figures.lost:
        found.append(f"lost: {[each.id for each in client.waiting]}")
    if figures.duplicated:
        found.append(f"duplicated: {[(each.id, each.answers) for each in client.requests if len(each.answers) > 1]}")
    if figures.wrong:
        bad = [
            each
            for each in client.requests
            if any(not (right(each.number, one) or _admits(each, one, plan)) for one in each.answers)
        ]
        found.append(f"wrong: {[(each.id, each.answers) for each in bad]}")
    several_ways = any(step.kind in {"batch", "crowd"} for step in plan.steps)  # by which answers come beside each other
    epochs_fall = any(fault.kind == "redis-clock" and fault.amount < 0 for fault in plan.faults)  # they are times of that clock
    ordered = not several_ways and not epochs_fall
    if figures.disordered and ordered:
        found.append(f"out of order: {figures.disordered}")
    return found
