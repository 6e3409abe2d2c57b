"""Tests: depot."""
