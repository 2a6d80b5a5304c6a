"""What is answered over HTTP, but for uploads."""
