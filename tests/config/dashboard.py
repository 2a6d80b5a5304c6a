"""The queries of a Grafana dashboard file, as Prometheus takes them."""

import json
import re
from pathlib import Path

# What Grafana puts in for its variables, when a query is run without Grafana.
VARIABLES = {
    "instance": ".*",  # "All"
    "__rate_interval": "1m",  # Grafana's own would be 20 s or more; a minute forgives a missed scrape
}


def dashboard_queries(path: Path) -> list[tuple[str, str]]:
    """Title of the panel and PromQL expression, for each query of each panel."""
    panels = json.loads(path.read_text())["panels"]
    return [(panel["title"], substitute(target["expr"])) for panel in panels for target in panel.get("targets", ())]


def substitute(expr: str) -> str:
    """The expression with its Grafana variables filled in; one that is not in VARIABLES is a KeyError."""
    return re.sub(r"\$(\w+)", lambda variable: VARIABLES[variable[1]], expr)
