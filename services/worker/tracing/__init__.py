"""What a worker tells of jobs that are traced; imported only where tracing is on."""
