"""Starts the stack on this machine: `python -m local`, or `make local`."""

import argparse
import os
import resource
import sys
from pathlib import Path
from urllib.parse import quote

from local import ports, programs, stack, state
from local.terminal import Terminal


def main() -> int:
    """Check, prepare, run until the end; returns the exit status."""
    arguments = _parse(sys.argv[1:])
    directory = arguments.state.resolve()
    try:
        with state.held(directory), state.sockets(directory) as sockets:
            ports.require_free(arguments.http_port, arguments.operators_port)
            values = _programs()
            state.prepare(directory, arguments.http_port, arguments.operators_port)
            values |= {
                "STATE": str(directory),
                "SOCKETS": str(sockets),
                "PYTHON": sys.executable,
                "HTTP_PORT": str(arguments.http_port),
                "OPERATORS_PORT": str(arguments.operators_port),
                "REDIS_URL": f"unix://{quote(str(sockets / 'redis.sock'))}",
            }
            os.environ.update({f"LOCAL_{name}": value for name, value in values.items()})
            os.chdir(state.ROOT)
            _raise_descriptor_limit()
            return 0 if stack.run(Terminal(sys.stdout)) else 1
    except (state.InUse, state.Unusable, state.BadSetting, ports.Unusable, programs.NotFound) as error:
        print(f"python -m local: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # before Supervisor took over the signals, so nothing runs yet
        return 130


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local",
        description="Run nginx, four web processes, Redis, two workers, the canary and, if installed, Prometheus on this"
        " machine, until Ctrl-C.",
    )
    parser.add_argument(
        "--http-port",
        type=port,
        default=os.environ.get("HTTP_PORT", "8080"),
        metavar="PORT",
        help="port of nginx on 127.0.0.1 (default: $HTTP_PORT, else 8080)",
    )
    parser.add_argument(
        "--operators-port",
        type=port,
        default=os.environ.get("OPERATORS_PORT", "8090"),
        metavar="PORT",
        help="port of the operators' page on 127.0.0.1 (default: $OPERATORS_PORT, else 8090)",
    )
    parser.add_argument(
        "--state",
        type=Path,
        default=state.ROOT / ".local",
        metavar="DIR",
        help="directory for all that the processes write (default: .local in the repository)",
    )
    return parser.parse_args(arguments)


def port(text: str) -> int:
    """A port's number; argparse shows this function's name when the text is none."""
    if not 1 <= (number := int(text)) <= 65535:
        raise argparse.ArgumentTypeError(f"expected a port from 1 to 65535, got {number}")
    return number


def _programs() -> dict[str, str]:
    """Find the servers, say which they are, and return what the configuration needs to know of them."""
    nginx, redis = programs.find(programs.NGINX), programs.find(programs.REDIS)
    print(nginx.description, redis.description, sep="\n")
    prometheus = _prometheus()
    return {
        "NGINX": str(nginx.path),
        "REDIS": str(redis.path),
        "PROMETHEUS": str(prometheus),
        "PROMETHEUS_RUNS": str(prometheus is not None),
        "PROMETHEUS_URL": f"http://127.0.0.1:{ports.PROMETHEUS}" if prometheus else "",
        "TETHER": programs.find_tether(),
    }


def _prometheus() -> Path | None:
    """Prometheus, if it can be run; says so if not: the stack does without."""
    try:
        found = programs.find(programs.PROMETHEUS)
    except programs.NotFound as error:
        print(f"{error}: nothing collects metrics (apt-get install --no-install-recommends prometheus)")
        return None
    if not ports.is_free(ports.PROMETHEUS):
        print(f"port {ports.PROMETHEUS} is in use: no prometheus is started (does the system run one of its own?)")
        return None
    print(found.description)
    return found.path


def _raise_descriptor_limit() -> None:
    """Allow as many open files, hence clients, as this user may have (`ulimit -n`)."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
