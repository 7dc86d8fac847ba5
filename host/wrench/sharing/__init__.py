"""One port, many commands: the first process that opens a board's link starts a hub, and every
later one joins it.
"""

from wrench.sharing.client import SharedPort, connect, let_go
from wrench.sharing.place import Hub, SharingError, running

__all__ = ["Hub", "SharedPort", "SharingError", "connect", "let_go", "running"]
