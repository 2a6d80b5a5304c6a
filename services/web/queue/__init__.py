"""The way of jobs into Redis and of answers back."""
