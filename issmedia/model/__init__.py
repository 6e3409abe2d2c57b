"""Frozen types and pure functions: no files, clock, randomness or environment."""
