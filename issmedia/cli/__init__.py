"""Faces: parse, call one operation, render."""

import gc

gc.set_threshold(50_000, 20, 20)
"""Python's rounds for cyclic garbage are made rarer before the modules are loaded: some ms of each command."""
