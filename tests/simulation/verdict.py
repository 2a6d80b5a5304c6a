"""What a finished history says against the service: of its clients, and of what is left in it. No I/O of its own."""

from dataclasses import replace

from tests.chaos.history import Event, Figures, Shown, is_prime, judge, right
from tests.simulation.client import Client, Request
from tests.simulation.plan import Plan


def judge_client(client: Client, plan: Plan) -> list[str]:
    """What became of a client's requests, by the judge of the chaos suite; errors that the client brought about count as right."""
    requests = {request.id: request for request in client.requests}
    events = [_excuse(event, requests, plan) for event in client.history]
    figures = judge(events)
    wrong = [f"{each.id}: told cancelled, answered {each.answers}" for each in client.requests if _contradicts(each)]
    return client.complaints + wrong + _describe(figures, client, plan)


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
    kills = sum(fault.kind in {"kill", "term"} and fault.target.startswith("worker") for fault in plan.faults)
    deaths = sum(fault.kind == "child" for fault in plan.faults)
    match verdict:
        case "error cancelled":
            return request.cancelling
        case "error deadline":
            return request.deadline > 0
        case "error poison":
            return kills + deaths >= 3
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
    ordered = all(step.kind not in {"batch", "crowd"} for step in plan.steps)  # these bring answers over several ways
    if figures.disordered and ordered:
        found.append(f"out of order: {figures.disordered}")
    return found
