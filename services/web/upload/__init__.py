"""Uploads: files of numbers over HTTP, cut into chunks, answered line by line."""
