"""Settings of the web process."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from services.runtime.settings import URL, Port, Seconds, Settings

# What browsers send: scheme and host, no path, not even a final slash.
_ORIGIN = re.compile(r"https?://[^/\s,*]+")

Count = Annotated[int, Field(ge=1, le=10_000_000)]


class WebSettings(Settings):
    """Tell WebSocket and HTTP clients whether integers are prime, by way of workers behind Redis."""

    port: Port = Field(8888, description="port for clients")
    address: str = Field("", description="address to listen on; all interfaces if empty")
    metrics_port: Port | None = Field(None, description="port for /metrics, /healthz, /readyz; port + 1000 unless set")
    prometheus_url: URL = Field(
        "", pattern=r"^(https?://\S+)?$", description="where Prometheus answers, for the operators' page; none if empty"
    )
    operators_access: Path | None = Field(
        None, description="folder with the password and the token for the dead letters on the operators' page; none: it lists none"
    )
    processes: int = Field(1, ge=0, le=64, description="processes to fork, each an instance of its own; 0: one per CPU")
    behind_proxy: bool = Field(False, description="believe X-Real-IP and X-Scheme; only where none but the proxy connects")
    allowed_origins: str = Field("*", description="origins that may open a socket, separated by commas; * for any")
    max_digits: Annotated[int, Field(ge=20, le=1_000_000)] = Field(10_000, description="digits of the largest number taken")
    max_proof_digits: Annotated[int, Field(ge=20, le=10_000)] = Field(
        1_500, description="digits of the largest number that is proven prime on request"
    )
    max_in_flight: Count = Field(1_000, description="unanswered messages per socket; above, the socket is not read")
    max_pending: Count = Field(100_000, description="unanswered jobs per process; above, new ones are refused as busy")
    clients_by: Literal["address", "socket"] = Field(
        "address",
        description="what is one client, whose questions take turns with others': address (IPv6: its /64) or socket",
    )
    client_share: Annotated[float, Field(gt=0, le=1)] = Field(
        0.125,
        description="part of a process' time that one client may take while others are served, down to a quarter of that while "
        "the machine is full; 1: no bound",
    )
    client_rate: Annotated[float, Field(ge=0, le=10_000)] = Field(
        1.0, description="seconds of estimated work that a client may have done in a second, per process; 0: no bound"
    )
    client_burst: Annotated[float, Field(gt=0, le=1_000_000)] = Field(
        10_800.0, description="seconds of estimated work that a client may ask for at once, per process"
    )
    max_queued_entries: Count = Field(20_000, description="entries in one lane's stream; above, jobs wait in the web process")
    gather: Annotated[float, Field(ge=0, le=0.1)] = Field(
        0.005, description="seconds that a busy process collects jobs before it writes them, which is less work a job; 0: none"
    )
    session_ttl: Annotated[int, Field(ge=1, le=86_400)] = Field(
        600, description="seconds that a session outlives its socket, with the answers that its client did not get"
    )
    # a script takes all of one session's requests at once, and Lua unpacks at most 8,000 values
    session_in_flight: Annotated[int, Field(ge=1, le=2_000)] = Field(
        256, description="unanswered requests per session; above, new ones are refused as busy"
    )
    ping: Annotated[float, Field(ge=0.1, le=50)] = Field(
        25.0, description="seconds between two pings of a socket; a peer silent for 1.2 times as long is dead"
    )
    long_poll: Seconds = Field(60.0, description="seconds that GET /primes/N, or the next line of an upload, is waited for at most")
    deflate: bool = Field(False, description="whether clients may compress their WebSocket messages (permessage-deflate)")
    max_uploads: Annotated[int, Field(ge=1, le=1_000)] = Field(
        4, description="uploads per process that are read or queued at once; above, new ones are refused as busy"
    )
    upload_begins: Annotated[float, Field(ge=0, le=10_000)] = Field(
        20.0, description="uploads a second that one client may begin, per process, and ten seconds' worth at once; 0: no bound"
    )
    upload_silence: Seconds = Field(20.0, description="seconds that an upload's client may send nothing; then it is ended with 408")
    upload_rate: Annotated[int, Field(ge=0, le=1_048_576)] = Field(
        1_024, description="bytes a second that an upload's body has at least, after `upload_silence` seconds of grace; 0: no bound"
    )
    upload_ttl: Annotated[int, Field(ge=1, le=604_800)] = Field(
        3600, description="seconds that an upload is kept after it was read, and after it was last asked for"
    )
    upload_memory: Annotated[int, Field(ge=16, le=1_048_576)] = Field(
        128, description="MiB of Redis that all uploads may take, and one client half of it; above, new ones are refused as busy"
    )

    trace_sample: Annotated[float, Field(ge=0, le=1)] = Field(
        0.01, description="part of the questions that is traced where `traces` is set; those of clients that trace come on top"
    )

    @property
    def most_digits_to_prove(self) -> int:
        """Digits of the largest number that is proven: one that is too large to be taken is too large for that."""
        return min(self.max_digits, self.max_proof_digits)

    @field_validator("allowed_origins")
    @classmethod
    def _check_origins(cls, origins: str) -> str:
        for origin in origins.split(",") if origins != "*" else ():
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"expected * alone or origins such as https://example.org, {origin!r} is neither")
        return origins
