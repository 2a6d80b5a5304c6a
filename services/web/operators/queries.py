"""What Prometheus is asked for the operators' page."""

from dataclasses import dataclass

# Minutes that the page may look back, each with the seconds between two points: about a hundred points each.
STEPS = {15: 10, 60: 30, 360: 180, 1440: 720}


@dataclass(frozen=True, slots=True)
class Query:
    """One question: its lines belong to `figure` and are called by the values of labels, or `name` if there is one line alone."""

    figure: str
    expr: str  # WINDOW stands for the seconds over which a rate is taken
    by: tuple[str, ...] = ()
    name: str = ""


def latency(lane: str, percent: int) -> Query:
    """The time within which so many per cent of a lane's jobs were answered."""
    expr = f'sum by (le) (rate(primes_web_job_seconds_bucket{{lane="{lane}"}}[WINDOW]))'
    return Query(lane, f"histogram_quantile({percent / 100}, {expr})", name=f"p{percent}")


QUERIES = (
    Query("rate", "sum by (lane) (rate(primes_web_jobs_answered_total[WINDOW]))", by=("lane",)),
    *(latency(lane, percent) for lane in ("quick", "heavy") for percent in (50, 95, 99)),
    Query("age", "lane:primes_queue_oldest_seconds:max", by=("lane",)),
    Query("connections", "sum by (instance) (primes_web_connections)", by=("instance",)),
    # 0, not nothing: stopped workers leave DNS, and with them go their series
    *(Query("processes", f'sum(up{{job="{job}"}}) or vector(0)', name=job) for job in ("web", "worker")),
    Query("dead", "max(primes_dead_letters)", name="dead letters"),
    Query(
        "canary",
        'sum by (lane) (rate(primes_canary_checks_total{outcome="right"}[WINDOW]))'
        " / sum by (lane) (rate(primes_canary_checks_total[WINDOW]))",
        by=("lane",),
    ),
    Query("burn", "lane_slo:primes_budget_burn:1h", by=("slo", "lane")),
)
