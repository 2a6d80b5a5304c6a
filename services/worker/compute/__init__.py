"""The arithmetic, and the child process in which costly arithmetic runs."""
