"""Who asks: the client whose share of the service a question takes."""

import ipaddress
from typing import NamedTuple

TRACEPARENT = 256  # characters of a W3C traceparent that are looked at: version 00 has 55, a later one may have more

NETWORK = 64  # bits of an IPv6 address that tell clients apart: who has one address has all with the same ones


class Client(NamedTuple):
    """Questions take turns by client, and those of one client by flow. Neither name has blanks."""

    name: str
    flow: str = "-"  # a socket or an upload; requests of HTTP share one
    traceparent: str = ""  # of the handshake of its socket, as it was sent


SELF = Client("-")  # nobody in particular


def name(address: str) -> str:
    """What clients at this address are called: IPv4 by address, IPv6 by network. What is no address stays as it is."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "".join(address.split()) or SELF.name
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(found), NETWORK), strict=False))
