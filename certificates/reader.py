"""Reads a certificate from whichever of the two texts that it is written in: Primo's or PARI's."""

from .pari import read_pari
from .primo import TITLE, read_primo
from .structure import Certificate
from .text import MOST_BYTES, Malformed


def read(data: bytes) -> Certificate:
    """The certificate that the text holds, in whichever format. Raises Malformed."""
    if len(data) > MOST_BYTES:
        raise Malformed(f"expected at most {MOST_BYTES} bytes, got {len(data)}")
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError as error:
        raise Malformed(f"byte {error.start}: expected ASCII, got 0x{data[error.start]:02X}") from None
    return read_primo(text) if text.lstrip().startswith(TITLE[:6]) else read_pari(text)
