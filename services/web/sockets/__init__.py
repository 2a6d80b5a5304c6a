"""WebSockets: frames, the transport below them, and pings."""
