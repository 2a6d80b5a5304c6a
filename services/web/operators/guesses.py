"""Slows down whoever guesses the operators' token, and nobody for long."""

FREE = 20  # wrong tokens of one address that nobody waits for: operators mistype, and scripts have the token of yesterday
PERIOD = 3.0  # seconds after which one more is looked at: nobody guesses 256 bits at that pace, and an operator can wait so long
ADDRESSES = 1_024  # that are kept; 100 KB

OTHERS = ""  # the address of all that come when so many are kept


class Guesses:
    """What was guessed wrong lately, by address. Time is given as seconds of any one clock."""

    def __init__(self) -> None:
        self._forgotten: dict[str, float] = {}  # by address: when its last wrong token will be forgotten, each taking PERIOD

    def wait(self, address: str, now: float) -> float:
        """Seconds until a token of this address is looked at; 0 if it is now."""
        return max(0.0, self._forgotten.get(self._kept(address, now), now) - now - (FREE - 1) * PERIOD)

    def note_wrong(self, address: str, now: float) -> None:
        """A token of this address was looked at and is wrong."""
        address = self._kept(address, now)
        self._forgotten[address] = max(now, self._forgotten.get(address, now)) + PERIOD

    def _kept(self, address: str, now: float) -> str:
        """The name under which the address is kept."""
        if address in self._forgotten or len(self._forgotten) < ADDRESSES:
            return address
        self._forgotten = {known: until for known, until in self._forgotten.items() if until > now}
        return address if len(self._forgotten) < ADDRESSES else OTHERS
