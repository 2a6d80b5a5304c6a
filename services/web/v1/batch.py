"""A batch of JSON-RPC requests is answered in one message."""

from dataclasses import dataclass, field

from services.web.v1 import responses


@dataclass(slots=True, eq=False)
class Batch:
    """The responses to one batch, sent together when the last is there."""

    open: int = 1  # requests without a response, and one for the reading of the batch itself
    responses: list[bytes] = field(default_factory=list)
    dissolved: bool = False  # whether what is still to come goes out singly

    def close_one(self) -> list[bytes]:
        """One of `open` is done; returns the one message to send, if it was the last."""
        self.open -= 1
        return [responses.array(self.responses)] if not self.open and self.responses else []

    def dissolve(self) -> list[bytes]:
        """Hold nothing more; returns the message with what was held."""
        self.dissolved = True
        return [responses.array(self.responses)] if self.responses else []
