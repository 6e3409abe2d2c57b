"""The tests of issmedia: the second reader of its design."""
