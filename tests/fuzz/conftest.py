"""How the readers are tried: each run draws other inputs, from the seed that `python -m tests.fuzz` gives it."""

from hypothesis import HealthCheck, settings

EXAMPLES = 100  # of each test in a round, which takes seconds

settings.register_profile(
    "fuzz",
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],  # a loaded machine draws slowly
)
settings.load_profile("fuzz")
