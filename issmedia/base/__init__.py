"""Errors, digests, safe files, units, events: the standard library only; knows nothing of repositories."""
