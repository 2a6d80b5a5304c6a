"""The protocol `primes.v1`: requests with ids, sessions that outlive their sockets."""
