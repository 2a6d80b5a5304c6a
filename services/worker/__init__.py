"""The worker: claims jobs from Redis, computes them, sends the answers back."""
