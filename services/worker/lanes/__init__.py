"""What a worker does with the entries of each lane."""
