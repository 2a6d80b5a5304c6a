"""Frames as clients send them, well formed or not."""

import itertools

MASK = b"\x37\xfa\x21\x3d"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(
    payload: bytes = b"", *, opcode: int = TEXT, final: bool = True, reserved: int = 0, mask: bytes | None = MASK, form: int = 0
) -> bytes:
    """One frame; `form`: bits of its length, if not as few as can be."""
    masked = 0x80 if mask is not None else 0
    size = len(payload)
    form = form or (7 if size < 126 else 16 if size < 1 << 16 else 64)
    head = bytes([0x80 * final | reserved | opcode, masked | {7: size, 16: 126, 64: 127}[form]])
    length = b"" if form == 7 else size.to_bytes(form // 8)
    if mask is None:
        return head + length + payload
    return head + length + mask + bytes(byte ^ key for byte, key in zip(payload, itertools.cycle(mask), strict=False))
