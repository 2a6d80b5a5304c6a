"""Proofs in parts: which wait in Redis, who computes them, and the worker that puts a proof together."""
