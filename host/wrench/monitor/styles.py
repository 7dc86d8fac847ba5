"""Colours by meaning. None of them carries what the text does not say."""

from __future__ import annotations

GOOD = "green"
WATCH = "yellow"
LIMITED = "dark_orange"
BAD = "bold red"
PLAIN = "default"
FAINT = "bright_black"
TITLE = "bold"
ACCENT = "cyan"
