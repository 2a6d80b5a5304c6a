"""Settings of the worker."""

import os
from typing import Annotated

from pydantic import Field

from services.runtime.settings import Port, Seconds, Settings


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
    short_processes: int = Field(
        1,
        ge=0,
        le=64,
        description="further ones for short heavy jobs, up to 1,200 digits or so, while all others are busy; 0: none",
    )
    proof_processes: int = Field(1, ge=1, le=64, description="child processes for proofs")
    short_proof_processes: int = Field(
        1,
        ge=0,
        le=64,
        description="further ones for short proofs, of up to 200 digits or so, while all others are busy; 0: none",
    )
    part_processes: int = Field(
        default_factory=lambda: max(1, len(os.sched_getaffinity(0)) // 2),
        ge=0,
        le=64,
        description="child processes for parts of long proofs, of all workers' together; half the CPUs unless set; "
        "0: this worker has others compute the parts of its own",
    )
    lease: Annotated[float, Field(ge=1, le=600)] = Field(
        10.0, description="seconds that a claim lasts without renewal; a dead worker's jobs start again after that"
    )
    deadline: Seconds = Field(300.0, description="seconds that one job may compute")
    proof_deadline: Annotated[float, Field(gt=0, le=86_400)] = Field(900.0, description="seconds that one proof may take")
    max_deliveries: Annotated[int, Field(ge=1, le=100)] = Field(
        3, description="child processes, or workers, that may end with a job in hand before it is set aside as poison"
    )
    child_memory: Annotated[int, Field(ge=128, le=1_048_576)] = Field(
        512, description="MiB of address space a child process may use"
    )
    proof_memory: Annotated[int, Field(ge=128, le=1_048_576)] = Field(
        1024, description="MiB of address space a process that proves may use; half of it is PARI's stack"
    )
    cache_ttl: Annotated[int, Field(ge=0, le=604_800)] = Field(
        3600, description="seconds that a costly answer is kept for clients that ask the same later; 0: not at all"
    )
    certificate_ttl: Annotated[int, Field(ge=1, le=2_592_000)] = Field(
        86_400, description="seconds that a certificate can be fetched"
    )
    certificate_memory: Annotated[int, Field(ge=4, le=1_048_576)] = Field(
        64, description="MiB of Redis that certificates may take; above, the oldest go"
    )
