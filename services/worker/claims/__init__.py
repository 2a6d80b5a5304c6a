"""Entries that a worker claims, holds, renews and gives back."""
