"""How hypothesis searches: the same examples in every run; `pytest --hypothesis-profile=search tests/unit` tries many new ones."""

from hypothesis import settings

# A run that fails must fail again, so the examples are drawn the same way each time and nothing is kept between runs.
settings.register_profile("facts", max_examples=60, derandomize=True, deadline=None, database=None)
settings.register_profile("search", max_examples=5_000, deadline=None, database=None, print_blob=True)
settings.load_profile("facts")
