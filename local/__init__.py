"""Runs the whole stack as processes of this machine, without Docker and without root: `python -m local`."""
