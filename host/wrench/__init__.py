"""Keeps a machine with an improvised bearing running: slower, watched, and stopped in time."""

__version__ = "0.1.0"
