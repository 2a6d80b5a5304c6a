"""What web and worker agree on: names in Redis, messages, chunks, evidence, expressions. It imports nothing of ours."""
