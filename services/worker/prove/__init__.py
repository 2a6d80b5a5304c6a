"""Proofs of primality, and the certificates that are kept of them."""
