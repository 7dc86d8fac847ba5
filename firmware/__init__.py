"""Firmware of a Wrench board."""

import sys

if sys.platform == "rp2":
    # MicroPython looks for these on the filesystem at every single import, 3 to 6 ms each, unless
    # they are among the modules that are loaded.
    path = sys.path[:]
    sys.path.clear()
    for name in ("array", "binascii", "io", "machine", "os", "select", "struct", "time"):
        sys.modules[name] = __import__(name)
    sys.path.extend(path)
    del path, name
