"""Ids of requests, as canonical JSON text: the same id always looks the same."""

import msgspec

ID_BYTES = 128  # longest id, as JSON text: it is kept for as long as the history keeps its answer
NO_ID = "null"  # the id of an answer to what has no readable one

_encoder = msgspec.json.Encoder()


def write_id(id: "int | str | msgspec.UnsetType") -> str:
    """The id as canonical JSON text. Raises ValueError."""
    text = _encoder.encode(id)
    if len(text) > ID_BYTES:
        raise ValueError(f"Expected an id of at most {ID_BYTES} bytes, got {len(text):,}")
    return text.decode()
