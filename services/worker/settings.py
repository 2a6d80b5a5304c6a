"""Settings of the worker."""

import os
from typing import Annotated

from pydantic import Field

from services.jobs.settings import Port, Seconds, Settings


class WorkerSettings(Settings):
    """Take jobs from Redis, compute them, send the answers back."""

    metrics_port: Port = Field(9010, description="port for /metrics, /healthz, /readyz")
    metrics_address: str = Field("", description="address of that port; all interfaces if empty")
    heavy_processes: int = Field(
        default_factory=lambda: max(1, len(os.sched_getaffinity(0)) // 2),
        ge=1,
        le=64,
        description="child processes for heavy jobs; half the CPUs unless set",
    )
    lease: Annotated[float, Field(ge=1, le=600)] = Field(
        10.0, description="seconds that a claim lasts without renewal; a dead worker's jobs start again after that"
    )
    deadline: Seconds = Field(300.0, description="seconds that one job may compute")
    max_deliveries: Annotated[int, Field(ge=1, le=100)] = Field(
        3, description="times that a job may be started before it is set aside as poison"
    )
    child_memory: Annotated[int, Field(ge=128, le=1_048_576)] = Field(
        512, description="MiB of address space a child process may use"
    )
