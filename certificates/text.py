"""What the texts of a certificate share: how long they may be, and the error that says where one is none."""

# Bounds, checked before anything is parsed. They are generous: 50,000 digits is where the records of elliptic curves stand.
MOST_BYTES = 64 << 20  # of a text: 10,000 digits take about 20 MB
MOST_DIGITS = 50_000  # of one number, in whatever base it is written
MOST_STEPS = 10_000  # 10,000 digits take about 1,500
MOST_DEPTH = 100  # of N-1 certificates within each other; each level is a smaller number, and two or three are usual

SHOWN = 40  # characters of a text that an error quotes


class Malformed(ValueError):
    """The text is no certificate; the message says where, what came, and what was expected."""


class Unwritable(ValueError):
    """A format has no form for the certificate; the message says why."""


def quote(text: str) -> str:
    """So much of a text as an error shows."""
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "…")
