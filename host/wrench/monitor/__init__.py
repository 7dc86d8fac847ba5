"""Parts of a live screen, and the board's frames as quantities in engineering units.

`readings` turns frames into values. The other modules draw, as lines of rich text of an exact
width: `symbols` chooses the characters, `styles` the colours; `bars`, `graph` and `frame` are what
a screen is put together from. `keyboard` keeps typed characters off it.
"""
