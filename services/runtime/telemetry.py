"""Begins tracing in a process that was told to, and says what is missing where it cannot."""

from typing import TYPE_CHECKING

from services.runtime.settings import refuse

if TYPE_CHECKING:
    from services.runtime.tracing import Tracing

MISSING = "--traces (PRIMES_TRACES): Expected an image that was built with TRACING=true, which has OpenTelemetry"


def trace(url: str, role: str, instance: str) -> "Tracing":
    """The way of spans to the collector at `url`; ends the process with status 2 where OpenTelemetry is not installed."""
    try:
        from services.runtime.tracing import Tracing  # noqa: PLC0415  # only here, so that other processes do without it
    except ModuleNotFoundError as error:
        refuse(f"python -m services.{role}", [f"{MISSING}: {error}"])
    return Tracing(url, role, instance)
