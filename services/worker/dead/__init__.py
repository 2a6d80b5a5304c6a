"""The operators' command for dead letters: `python -m services.worker.dead`."""
