"""What a worker tells another of a part of a proof, in MessagePack; what came of it is `prove/ecpp/parts.py`'s."""

import msgspec


class Told(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What came of a part."""

    proof: str
    number: int  # by which the proof knows the part
    teller: str  # the child process that computed it: so many of them are at work
    outcome: bytes


_encoder = msgspec.msgpack.Encoder()
_told = msgspec.msgpack.Decoder(Told)


def encode(told: Told) -> bytes:
    """As it travels."""
    return _encoder.encode(told)


def decode(payload: bytes) -> Told:
    """Raises msgspec.DecodeError."""
    return _told.decode(payload)
