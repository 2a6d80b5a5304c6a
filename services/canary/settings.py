"""Settings of the canary."""

from typing import Annotated

from pydantic import Field

from services.jobs.names import Lane
from services.runtime.settings import URL, Port, ServiceSettings

Pause = Annotated[float, Field(ge=0.1, le=3600)]


class CanarySettings(ServiceSettings):
    """Ask for numbers that are known, again and again, through nginx; count right and wrong answers."""

    metrics_port: Port = Field(9020, description="port for /metrics, /healthz, /readyz")
    metrics_address: str = Field("", description="address of that port; all interfaces if empty")
    canary_url: URL = Field("ws://127.0.0.1/chatsocket", pattern=r"^wss?://\S+$", description="the WebSocket to ask")
    canary_interval: Pause = Field(5.0, description="seconds between two rounds of quick questions")
    canary_timeout: Pause = Field(3.0, description="seconds from the opening of the socket until a missing answer counts as none")
    # A proof takes 0.3 s of CPU, 1 % of a core at this pace; each answer is kept, 240 an hour in 4,096 places.
    canary_costly_interval: Pause = Field(
        30.0, description="seconds between two rounds of costly questions: one number for the heavy lane, one to be proven"
    )
    # Twice a lease: a job whose worker died is taken over and answered in time.
    canary_costly_timeout: Pause = Field(
        20.0, description="seconds from the opening of the socket until a missing costly answer counts as none"
    )

    def interval(self, lane: Lane) -> float:
        """Seconds between two rounds in this lane."""
        return self.canary_interval if lane is Lane.QUICK else self.canary_costly_interval

    def timeout(self, lane: Lane) -> float:
        """Seconds for a round in this lane."""
        return self.canary_timeout if lane is Lane.QUICK else self.canary_costly_timeout
