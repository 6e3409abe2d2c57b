"""Faces: parse, call one operation, render."""
