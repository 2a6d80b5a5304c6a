"""docs/metrics.md, from the metrics that the code makes."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

from prometheus_client import REGISTRY

import services

HEAD = """# Metrics

`make reference` writes this page from the code; a test fails when it is not current.

Every web process, worker and canary serves these at `/metrics` on its port for operators.
In the compose stack these ports are 9000, 9010 and 9020.
`prometheus_client` adds the metrics of Python and of the process.
Prometheus puts `job` (`web`, `worker`, `canary`) and `instance` to them.
Names end in their unit.
Labels have few values, never a number or a client, so there are as many series after a thousand million numbers as before.

| Metric | Type | Labels | Meaning |
| --- | --- | --- | --- |
"""

TAIL = """
## Labels

`lane` is `quick`, `heavy` or `proof`; a web process counts by the lane that it chose, `quick` or `heavy`.
`verdict` is a verdict or what came instead of one.
`failed` is a fault of ours (poison, lost) in `primes_web_jobs_answered_total`, and any fault in `primes_worker_jobs_total`.

The exporters add `redis_…` and `nginx_…`.
Recording rules (`monitoring/prometheus/rules/recording.yml`) derive from all these what alerts and the dashboard share.
"""

# What does not fit into the sentence that each metric carries in the code.
NOTES = {
    "primes_canary_checks_total": (
        "`wrong`: the verdict, or evidence that does not hold; `waits`: no answer in time, and the server said that it is queued or"
        " running; `none`: an error, or no answer in time and no word of it"
    ),
    "primes_dead_letters": "every worker reports the same",
    "primes_event_loop_lag_seconds": "measured four times a second",
    "primes_queue_oldest_seconds": "every worker reports the same",
    "primes_queue_pending": "every worker reports the same",
    "primes_queue_waiting": "every worker reports the same",
    "primes_web_closes_total": (
        "the server's code, else the client's. 1002, 1007, 1009: the client broke the protocol; 1006: no close frame;"
        " 1011: no pong; 1012: drain; 4001 to 4003: [primes.v1](protocol-v1.md)"
    ),
    "primes_web_http_requests_total": (
        "`route` as in [protocol.md](protocol.md), `other` for no such route; health checks and WebSockets are not counted"
    ),
    "primes_web_jobs_cancelled_total": "their plain or HTTP client left, or its time was up",
    "primes_web_jobs_joined_total": "`joined` waits for another's run, `known` has an answer that was kept",
    "primes_web_messages_total": "of the plain protocol",
    "primes_web_resumes_total": "`false`: some was gone, or the session was unknown",
    "primes_web_rpc_requests_total": "members of batches too; `unreadable` ones have no method that we know, or bad params",
    "primes_web_uploads_total": (
        "`read` to the end; `abandoned`: the client left, or Redis was away; `failed`: no such text; `lost`: gone from Redis;"
        " `busy`: refused; `repeated`: answered from the first of their key"
    ),
    "primes_worker_queue_wait_seconds": "by Redis' clock and the worker's",
    "primes_worker_takeovers_total": "or given back by a worker that stopped",
}


def metrics() -> dict[str, Any]:  # prometheus_client keeps names, types, labels and buckets private
    """Each metric of ours by the name that Prometheus knows, in the order of names."""
    for module in pkgutil.walk_packages(services.__path__, "services."):
        importlib.import_module(module.name)
    collectors: set[Any] = set(REGISTRY._collector_to_names)
    ours = [metric for metric in collectors if getattr(metric, "_name", "").startswith("primes_")]
    return dict(sorted((metric._name + ("_total" if metric._type == "counter" else ""), metric) for metric in ours))


def row(name: str, metric: Any) -> str:
    """One line of the table."""
    note = f" ({NOTES[name]})" if name in NOTES else ""
    kind = metric._type
    if kind == "histogram":
        bounds = [bound for bound in metric._upper_bounds if bound != float("inf")]
        note += f"; buckets from {bounds[0]:g} to {bounds[-1]:g}"
    told = "; ".join(labels(metric))
    return f"| `{name}` | {kind} |{f' {told} ' if told else ' '}| {metric._documentation}{note} |\n"


def labels(metric: Any) -> Iterator[str]:
    """Each label, with the values that the code has made before anything happened."""
    made = list(getattr(metric, "_metrics", {}))
    for place, label in enumerate(metric._labelnames):
        values = sorted({child[place] for child in made})
        yield f"`{label}`: {', '.join(values)}" if values else f"`{label}`"


def page() -> str:
    """The whole text."""
    return HEAD + "".join(row(name, metric) for name, metric in metrics().items()) + TAIL
