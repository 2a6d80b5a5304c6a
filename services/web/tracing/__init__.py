"""Traces of questions, from their acceptance to their answer; imported only where tracing is on."""
