"""Reads a certificate from whichever text it is written in: Primo's, that of Math::Prime::Util, or PARI's."""

from .mpu import TITLE as MPU_TITLE
from .mpu import read_mpu
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
    beginning = text[: len(TITLE) + len(text) - len(text.lstrip())].lstrip()
    if beginning.startswith(TITLE[:6]):
        return read_primo(text)
    return read_mpu(text) if beginning.startswith(MPU_TITLE[:4]) else read_pari(text)
