"""What a client asks: an integer or an expression, read, and weighed by what it will cost."""
