"""Asks a process on this host whether it is ready; status 0 if so: `python -IS healthcheck.py PORT`, for container healthchecks.

It imports next to nothing, since it runs every few seconds in every container.
"""

import socket
import sys

TIMEOUT = 3  # seconds

with socket.create_connection(("127.0.0.1", int(sys.argv[1])), TIMEOUT) as connection:
    connection.sendall(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
    response = b""
    while chunk := connection.recv(4096):
        response += chunk
head, _, body = response.partition(b"\r\n\r\n")
print(body.decode(errors="replace"))
sys.exit(b" 200 " not in head.partition(b"\r\n")[0])
