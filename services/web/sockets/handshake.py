"""The handshake of RFC 6455: what a request must say to become a WebSocket."""

import base64
import binascii
from dataclasses import dataclass

from tornado.httputil import HTTPServerRequest

VERSION = "13"
_KEY = 16  # bytes that a key stands for


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why it becomes none: 426 where the client can do something about it by upgrading, else 400."""

    status: int
    message: str


def refuse(request: HTTPServerRequest) -> Refusal | None:
    """What is wrong with a handshake, if anything is."""
    fields = request.headers
    version, key = fields.get("Sec-WebSocket-Version"), fields.get("Sec-WebSocket-Key")
    if request.version == "HTTP/1.0":
        return Refusal(426, "Expected HTTP/1.1, got HTTP/1.0")
    if "websocket" not in _members(fields.get("Upgrade", "")):
        return Refusal(426, f"Expected websocket in the header Upgrade, got {_shown(fields.get('Upgrade'))}")
    if "upgrade" not in _members(fields.get("Connection", "")):
        return Refusal(400, f"Expected upgrade in the header Connection, got {_shown(fields.get('Connection'))}")
    if version != VERSION:
        return Refusal(426, f"Expected {VERSION} in the header Sec-WebSocket-Version, got {_shown(version)}")
    if not _is_key(key or ""):
        return Refusal(400, f"Expected {_KEY} bytes as base64 in the header Sec-WebSocket-Key, got {_shown(key)}")
    return None


def _members(field: str) -> list[str]:
    return [member.strip().lower() for member in field.split(",")]


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == _KEY
    except (binascii.Error, ValueError):
        return False


def _shown(field: str | None) -> str:
    return "none" if field is None else repr(field[:100])
