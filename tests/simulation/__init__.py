"""Histories of the whole service in one process, under a seeded scheduler that owns time, order, replies and faults.

The clocks are replaced before any part of the service is imported: some of it keeps the function it was given.
"""

from tests.simulation import clock

clock.replace()
