"""The plain protocol: a number in, a sentence out."""
