"""docs/settings.md, from the classes that read settings and from the compose file's variables."""

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic.fields import FieldInfo

from services.canary.settings import CanarySettings
from services.runtime.settings import ServiceSettings, Settings
from services.web.settings import WebSettings
from services.worker.settings import WorkerSettings

COMPOSE = [Path(__file__).parents[1] / name for name in ("docker-compose.yml", "docker-compose.tls.yml")]

HEAD = """# Settings

`make reference` writes this page from the code; a test fails when it is not current.

## The compose stack

`docker compose` reads these from the environment, or from a file `.env` beside `docker-compose.yml`.
`make local` reads `HTTP_PORT` (8080 unless set, on loopback only), `OPERATORS_PORT`, and every `PRIMES_…` of the next section.
What `local/supervisord.conf` says of a process itself wins: ports and addresses, `PRIMES_PROCESSES`, where Redis is.
It tells nginx what the table says of nginx, with `PRIMES_` before each name (`PRIMES_ALLOWED_HOSTS`).
TLS and the names of the web processes are the compose stack's own.
On a swarm `deploy/swarm/up.sh` passes on what is said of processes and nginx, but ports and `WEB_SERVERS`.
Its `--help` tells what it reads beside that.
nginx is not started with a bad value either, and says which one it is.

| Variable | Default | Meaning |
| --- | --- | --- |
"""

SERVICES = """
## Each service

A service reads its settings from the environment or from the command line, which wins.
`PRIMES_MAX_DIGITS=500` is `--max-digits 500`.
A bad value stops the process before it opens a port, and is named; a variable that no setting has is ignored.
In the compose stack, set those without a variable above in a `compose.override.yml`.
`python -m services.web --help` lists them too.
"""

# Which class reads what: each table has the fields that its class adds to its parent's.
TABLES: tuple[tuple[str, type[ServiceSettings]], ...] = (
    ("All services", ServiceSettings),
    ("Web process and worker", Settings),
    ("Web process", WebSettings),
    ("Worker", WorkerSettings),
    ("Canary", CanarySettings),
)

# Defaults that are computed when the process starts, by setting.
COMPUTED = {"instance": "the host's name", "heavy_processes": "half the CPUs", "part_processes": "half the CPUs"}

# What does not fit into the sentence that `--help` shows.
NOTES = {
    "redis_url": "`redis://`, `rediss://` or `unix://`",
    "max_digits": "a URL ends at 32 KB, whatever this says",
    "max_proof_digits": "the time grows with about the fourth power; `PRIMES_MAX_DIGITS` bounds it too",
    "ping": "nginx cuts a silent socket off after 65",
    "long_poll": "nginx ends a wait of 200",
    "gather": "a busy process is one whose last write carried 4 jobs or more",
    "processes": "each has a metrics port of its own",
    "certificate_ttl": "from its making",
}

# What the compose file's variables are for.
VARIABLES = {
    "HTTP_PORT": "port of nginx on the host, on all interfaces",
    "OPERATORS_PORT": "port of the operators' page on the host's loopback",
    "NOFILE": "open files in nginx and in each web process; a client takes two in nginx and one in web",
    "LOG_LEVEL": "`PRIMES_LOG_LEVEL` of web processes, workers and canary",
    "LOG_FORMAT": "`PRIMES_LOG_FORMAT` of the same",
    "MAX_DIGITS": "`PRIMES_MAX_DIGITS` of the web processes",
    "ALLOWED_HOSTS": "of nginx: hosts that may be asked for on port 80, separated by commas, without ports: `example.org`, "
    "`*.example.org`, an address; `*` for any. `localhost`, `127.0.0.1`, `[::1]` and `nginx` always may",
    "OPERATORS_HOSTS": "of nginx: hosts that may be asked for on the operators' port, beside those that always may",
    "TRUSTED_PROXIES": "of nginx: addresses or networks of the proxies in front of it, separated by commas; what they write in "
    "`X-Forwarded-For` is believed",
    "SOCKETS_PER_ADDRESS": "of nginx: open WebSockets of one client address, or of one /64 of IPv6; 0: any number",
    "HANDSHAKES_PER_ADDRESS": "of nginx: new WebSockets a second of the same, and 40 times as many at once; 0: any number",
    "WEB_SERVERS": "of nginx: names of the web processes with their ports; a name may have any number of addresses",
    "TLS_FOLDER": "of nginx with `docker-compose.tls.yml`, as all below up to `HSTS_SECONDS`: the folder of certificate and key; "
    "on a swarm it has no default, and TLS is there where it is set",
    "TLS_CERTIFICATE": "its file with the certificate and its chain, as PEM",
    "TLS_KEY": "its file with the key, readable for the user 101",
    "HTTPS_PORT": "port of TLS on the host, on all interfaces",
    "HTTPS_REDIRECT": "`true`: what comes by plain HTTP is sent to `https://` on port 443, but for `/healthz`, `/readyz` and the "
    "names that always may be asked for",
    "HSTS_SECONDS": "seconds for which browsers that came by TLS ask for nothing else; 0: they are not told",
    "ALLOWED_ORIGINS": "`PRIMES_ALLOWED_ORIGINS` of the web processes",
    "HEAVY_PROCESSES": "`PRIMES_HEAVY_PROCESSES` of each worker",
    "PART_PROCESSES": "`PRIMES_PART_PROCESSES` of each worker",
    "PROMETHEUS_PORT": "port of Prometheus on the host's loopback",
    "ALERTMANAGER_PORT": "port of Alertmanager (profile `alerts`) on the host's loopback",
    "ALERT_WEBHOOK": "address to which Alertmanager posts what fires and what ended; without one it only shows",
    "GRAFANA_PORT": "port of Grafana (profile `grafana`) on the host's loopback",
    "JAEGER_PORT": "port of Jaeger (profile `tracing`) on the host's loopback",
    "TRACES": "`PRIMES_TRACES` of web processes and workers",
    "TRACE_SAMPLE": "`PRIMES_TRACE_SAMPLE` of the web processes",
    "PYTHON_IMAGE": "base of the web and worker images",
    "NGINX_IMAGE": "image to run, here and below: for a mirror of your own",
    "REDIS_IMAGE": "",
    "PROMETHEUS_IMAGE": "",
    "REDIS_EXPORTER_IMAGE": "",
    "NGINX_EXPORTER_IMAGE": "",
    "ALERTMANAGER_IMAGE": "",
    "JAEGER_IMAGE": "",
    "GRAFANA_IMAGE": "",
}


def page() -> str:
    """The whole text."""
    tables = (f"\n### {title}\n\n{table(settings)}" for title, settings in TABLES)
    return HEAD + "".join(compose_rows()) + SERVICES + "".join(tables)


def compose_rows() -> Iterator[str]:
    """A line for each variable that the compose file reads, in the order of VARIABLES."""
    defaults = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", "".join(file.read_text() for file in COMPOSE)))
    if defaults.keys() != VARIABLES.keys():
        raise LookupError(f"the compose files and VARIABLES differ in {', '.join(defaults.keys() ^ VARIABLES.keys())}")
    for name, meaning in VARIABLES.items():
        yield line(f"`{name}`", code(defaults[name]), meaning)


def table(settings: type[ServiceSettings]) -> str:
    """The settings that this class adds."""
    (parent,) = settings.__bases__
    inherited = getattr(parent, "model_fields", {})
    head = "| Variable | Option | Default | Takes | Meaning |\n| --- | --- | --- | --- | --- |\n"
    return head + "".join(row(name, field) for name, field in settings.model_fields.items() if name not in inherited)


def row(name: str, field: FieldInfo) -> str:
    """One setting."""
    meaning = "; ".join(filter(None, (field.description, NOTES.get(name))))
    option = f"`--{name.replace('_', '-')}`"
    return line(f"`PRIMES_{name.upper()}`", option, default(name, field), bounds(field), meaning)


def default(name: str, field: FieldInfo) -> str:
    """What it is unless set; nothing where that is nothing."""
    if field.default_factory:
        return COMPUTED[name]
    return code(str(field.default).lower() if isinstance(field.default, bool) else str(field.default or ""))


def bounds(field: FieldInfo) -> str:
    """The numbers that it takes; nothing where it takes no number."""
    known = {bound: getattr(each, bound) for each in field.metadata for bound in ("ge", "gt", "le") if hasattr(each, bound)}
    if not known:
        return ""
    low = f"{known['ge']:,}" if "ge" in known else f"above {known['gt']:,}"
    return f"{low} up to {known['le']:,}"


def code(text: str) -> str:
    """In back-quotes, if there is any."""
    return f"`{text}`" if text else ""


def line(*cells: str) -> str:
    """One line of a table."""
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|\n"
