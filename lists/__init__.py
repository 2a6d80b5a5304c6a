"""Reads the files that lists of numbers are kept in: the web process and the Python client share it, and the page has its twin."""
