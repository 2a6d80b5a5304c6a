"""The canary: asks for numbers that it knows, through nginx as clients do, and measures what comes."""
