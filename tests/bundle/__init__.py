"""Tests: bundle."""
