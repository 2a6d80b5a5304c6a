"""Proves one large prime by elliptic curves over many workers: what each computes is a part, and what joins them is the chain."""
