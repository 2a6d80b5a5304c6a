"""The web process: sockets and HTTP on one side, the job queue on the other."""
