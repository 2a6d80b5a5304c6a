"""The ports of the stack on 127.0.0.1, and whether they are free."""

import errno
import socket

WEB = {8000 + n: f"web{n}" for n in range(4)}  # fixed: nginx' upstream block names them
METRICS = {
    **{9000 + n: f"metrics of web{n}" for n in range(4)},
    **{9010 + n: f"metrics of worker{n}" for n in range(2)},
    9020: "metrics of the canary",
}
PROMETHEUS = 9090


class Unusable(Exception):
    """The stack cannot listen on a port that it needs; the message names the port and says what to do."""


def require_free(http_port: int, operators_port: int) -> None:
    """Raise `Unusable` unless every port that the stack cannot do without is free."""
    if http_port == operators_port:  # nginx would begin all the same, and serve no operators
        raise Unusable(f"port {http_port} is wanted for clients and for operators; choose another: OPERATORS_PORT=… make local")
    for variable, port, use in (("HTTP_PORT", http_port, "nginx"), ("OPERATORS_PORT", operators_port, "nginx, for operators")):
        if port in WEB | METRICS or not is_free(port):
            raise Unusable(f"port {port} ({use}) is in use; choose another: {variable}=… make local")
    taken = [f"{port} ({use})" for port, use in (WEB | METRICS).items() if not is_free(port)]
    if taken:
        raise Unusable(
            f"in use: port {', '.join(taken)}; the stack has no others. Does it run already, perhaps from another"
            f" checkout? This tells who listens: ss -ltnp 'sport = :{taken[0].split()[0]}'"
        )


def is_free(port: int) -> bool:
    """Tell whether a process of this user could listen there now. Raises `Unusable` where none but root's may."""
    with socket.socket() as probe:
        # As the servers do: closed connections that linger in TIME_WAIT do not hold a port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            raise Unusable(f"port {port} is for root only; choose one from 1024 up: HTTP_PORT=… make local") from None
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True
