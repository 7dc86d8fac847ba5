# Rendered from a board file; see wrench.boards.render.
from typing import Any

def __getattr__(name: str) -> Any: ...
