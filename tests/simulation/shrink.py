"""Thins a failing plan out until nothing of it can go."""

from collections.abc import Callable

import msgspec

from tests.simulation.plan import Fault, Plan, Step

Fails = Callable[[Plan], bool]


def shrink(plan: Plan, fails: Fails) -> Plan:
    """The plan without whatever it fails without, large parts first."""
    size = max(1, plan.size // 2)
    while True:
        shrunk = _without_parts(plan, size, fails)
        if size == 1 and shrunk.size == plan.size:
            return shrunk
        plan, size = shrunk, max(1, size // 2)


def _without_parts(plan: Plan, size: int, fails: Fails) -> Plan:
    """The plan without those runs of so many acts that it fails without."""
    at = 0
    while at < plan.size:
        acts: list[Step | Fault] = [*plan.faults, *plan.steps]
        left = acts[:at] + acts[at + size :]
        thinner = msgspec.structs.replace(
            plan,
            faults=[act for act in left if isinstance(act, Fault)],
            steps=[act for act in left if isinstance(act, Step)],
        )
        if fails(thinner):
            plan = thinner
        else:
            at += size
    return plan


def describe(plan: Plan) -> list[str]:
    """Its acts in the order of time, one a line."""
    acts: list[Step | Fault] = sorted([*plan.faults, *plan.steps], key=lambda act: act.at)
    head = f"{plan.webs} web processes, {plan.workers} workers, {plan.clients} clients; healed at {plan.length:.3f} s"
    return [head, *(_describe_act(act) for act in acts)]


def _describe_act(act: Step | Fault) -> str:
    fields = {name: value for name, value in msgspec.structs.asdict(act).items() if value and name not in {"at", "kind"}}
    who = f"client {act.client}: " if isinstance(act, Step) else ""
    fields.pop("client", None)
    return f"{act.at:8.3f} s  {who}{act.kind} " + ", ".join(f"{name} {value}" for name, value in fields.items())
