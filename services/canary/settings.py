"""Settings of the canary."""

from typing import Annotated

from pydantic import Field

from services.runtime.settings import Port, ServiceSettings


class CanarySettings(ServiceSettings):
    """Ask for numbers that are known, again and again, through nginx; count right and wrong answers."""

    metrics_port: Port = Field(9020, description="port for /metrics, /healthz, /readyz")
    metrics_address: str = Field("", description="address of that port; all interfaces if empty")
    canary_url: str = Field("ws://127.0.0.1/chatsocket", pattern=r"^wss?://\S+$", description="the WebSocket to ask")
    canary_interval: Annotated[float, Field(ge=0.1, le=3600)] = Field(5.0, description="seconds between two rounds of questions")
    canary_timeout: Annotated[float, Field(ge=0.1, le=3600)] = Field(
        3.0, description="seconds from the opening of the socket until a missing answer counts as none"
    )
