"""Ids of requests, as canonical JSON text: the same id always looks the same."""

import msgspec

ID_BYTES = 128  # longest id, as JSON text: it is kept for as long as the history keeps its answer
NO_ID = "null"  # the id of an answer to what has no readable one

_encoder = msgspec.json.Encoder()


def write_id(id: "int | str | msgspec.UnsetType") -> str:
    """The id as canonical JSON text. Raises ValueError."""
    size = len(id) if isinstance(id, str) else 0  # at least; a long one is not copied to be measured
    text = b"" if size > ID_BYTES else _encoder.encode(id)
    if (size := max(size, len(text))) > ID_BYTES:
        raise ValueError(f"Expected an id of at most {ID_BYTES} bytes, got {size:,}")
    return text.decode()
