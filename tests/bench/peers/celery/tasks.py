"""The task of the row `celery`, and its worker: `REDIS_PORT=… celery --app tests.bench.peers.celery.tasks worker`."""

import os

from celery import Celery
from flint import fmpz

REDIS = f"redis://127.0.0.1:{os.environ.get('REDIS_PORT', '6379')}/0"

app = Celery("primes", broker=REDIS, backend=REDIS)
app.conf.result_expires = 60  # seconds


@app.task
def is_prime(number: int) -> bool:
    return bool(fmpz(number).is_prime())
