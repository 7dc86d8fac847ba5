"""MicroPython's raw REPL on any open port: mpremote's transport, without its own way of opening and
waiting.
"""

from __future__ import annotations

from typing import Any

from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

__all__ = ["RawRepl", "TransportError", "TransportExecError"]


class RawRepl(SerialTransport):
    """mpremote's serial transport over a port that is open already.

    It waits in the port's `read`, whose time-out is wall time on a real port and device time on the
    virtual bench; mpremote's own loop sleeps on the wall clock. Its methods raise `TransportError`
    and `TransportExecError`.
    """

    def __init__(self, port: Any) -> None:
        self.serial = port
        self.device_name = port.port
        self.in_raw_repl = False
        self.use_raw_paste = True
        self.mounted = False
        self.is_pty = False
        port.timeout = 10

    def read_until(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        min_num_bytes: int,
        ending: bytes,
        timeout: float | None = 10,
        data_consumer: Any = None,
        timeout_overall: float | None = None,
    ) -> bytes:
        """Read until `ending`; returns what came when `timeout` seconds pass without a byte."""
        del min_num_bytes
        limits = [limit for limit in (timeout, timeout_overall) if limit is not None]
        before = self.serial.timeout
        self.serial.timeout = min(limits) if limits else None
        data = b""
        try:
            while not data.endswith(ending):
                byte = self.serial.read(1)
                if not byte:
                    break
                if data_consumer:
                    data_consumer(byte)
                    data = byte
                else:
                    data += byte
        finally:
            self.serial.timeout = before
        return data
