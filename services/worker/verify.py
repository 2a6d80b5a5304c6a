"""Checks certificates beside the worker: `python -m services.worker.verify FILE…` is `python -m certificates`."""

import sys

from certificates.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
