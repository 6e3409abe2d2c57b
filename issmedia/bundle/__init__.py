"""The carrier format: volumes written and read."""
