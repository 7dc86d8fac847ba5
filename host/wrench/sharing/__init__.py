"""One port, many commands: the first process that opens a board's link starts a hub, and every
later one joins it.

::

    wrench monitor --+                +-- reader --> queue for each client
    wrench record  --+-- connection --+                                     hub -- serial port
    wrench stop    --+                +-- commands in turn, a stop first

The hub (`hub`) is a small process of its own, because the port must not close while anybody uses
it: the board takes a closed link for an operator who has gone, and trips. So it outlives the
command that started it, and ends a second after the last one has gone; at once, where that one
owned a run: a closed port stops the motor sooner than a heartbeat that is missed. It holds the port
for this user alone: clients and hub talk over a socket in a folder that no one else can enter
(`place`), and prove to each other that they know a key which is kept there (`messages`). What waits
for whom, and what gives way, is decided in `queues`, without any port or thread.

A hub passes on the board's frames, and the clients' commands, whole. It starts and stops nothing
and sends no heartbeat: a run lives and dies with the client that owns it.

A command that is the only one goes through a hub, too. Measured by host/benchmarks/sharing.py on
2 cores that were busy with other work (load 6), with the widest waveform there is (26,667 Hz on
three axes, 833 frames/s of 223 bytes): 0.17 s to start a hub, 4 ms to join one; a frame takes
0.21 ms through it and 0.11 ms without (median; 99 of 100 within 2.9 ms and 2.0 ms); none is lost;
the hub takes 8 % of a core. At most 287,000 frames/s pass. Where no hub can be started, because
there is no folder for it or no process, `wrench.transport` opens the port as any program does.
"""

from wrench.sharing.client import SharedPort, connect, let_go
from wrench.sharing.place import Hub, SharingError, canonical, running

__all__ = ["Hub", "SharedPort", "SharingError", "canonical", "connect", "let_go", "running"]
