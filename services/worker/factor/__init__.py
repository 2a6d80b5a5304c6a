"""What a worker's child process does to find the factors of a number."""
