"""Bundles kept for ever: whatever issmedia wrote once, every later issmedia reads."""
