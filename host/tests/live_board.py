"""A scripted board that lives: it sends by itself as a clock goes, runs, stops, trips, and can be
unplugged. What it answers is the wire's; its machine is a few numbers."""

from __future__ import annotations

import math
import struct
import threading
from collections.abc import Callable
from typing import Any

from scripted_board import ScriptedBoard

from wrench.errors import PortError
from wrench_firmware import records, wire

STATUS_US, FEATURES_US, RATE_HZ, BLOCK = 80_000, 250_000, 3200, 32
LEVELS = {"vibration": (1200, 1800, 4500), "acceleration peak": (None, None, 12_000)}
_TICK_US = 10_000


class LiveBoard(ScriptedBoard):
    """A board on the other end of `open`, alive while its clock goes.

    `mode`, `limit`, `fault` and `measured` are what its next status tells; `refusal` is what it
    answers to `run`; `deaf` makes it answer nothing. Device time is that of the clock since it was
    made or last reset.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self.answer = self._obey
        self.mode, self.limit, self.fault = "idle", "none", "none"
        self.command_permille = 0
        self.refusal = ""
        self.deaf = False
        self.dropped_frames = 0
        self.lost_samples = 0
        self.streams = False
        self.plugged = True
        self.boot_count = 7
        self.log: list[bytes] = []
        self.measured: dict[str, Any] = {"velocity_um_s": 640, "bearing_mdegc": 24_500}
        self.opened = 0
        self._clock = clock
        self._began_s = clock()
        self._lock = threading.RLock()

    # ---- what happens to it ----------------------------------------------------------------------
    def open(self) -> LiveBoard:
        """Its port; raises PortError while it is unplugged."""
        if not self.plugged:
            raise PortError("there is no board; plug it in")
        self._outbox.clear()
        self.opened += 1
        return self

    def unplug(self) -> None:
        """Its port goes; a run that the link owns ends."""
        with self._lock:
            self.plugged = False
            if self.mode in ("starting", "running", "limiting"):
                self.mode, self.fault, self.command_permille = "tripped", "link lost", 0

    def plug_in(self) -> None:
        """Its port comes back."""
        self.plugged = True

    def reset(self) -> None:
        """It starts anew: another boot, another time."""
        with self._lock:
            self.boot_count += 1
            self.mode, self.fault, self.command_permille = "idle", "none", 0
            self._began_s = self._clock()
            self.time_us = self._sequence = 0
            self.streams = False

    def trip(self, fault: str, value: int = 0) -> None:
        """Its motor is off, for a reason."""
        with self._lock:
            self.mode, self.fault, self.command_permille = "tripped", fault, 0
            self.happen("trip", wire.FAULTS.index(fault), value)

    def happen(self, code: str, detail: int = 0, value: int = 0) -> None:
        """Tell an event."""
        with self._lock:
            self.send("event", code=wire.EVENTS.index(code), detail=detail, value=value)

    def remember(self, time_us: int, code: str, detail: int = 0, value: int = 0) -> None:
        """An event that is in the black box alone."""
        number = wire.EVENTS.index(code)
        sequence = len(self.log) + 1
        entry = (sequence, time_us, self.boot_count, number, detail, value, 1, 0)
        self.log.append(struct.pack(records.EVENT_FORMAT, *entry))

    def send(self, name: str, **values: Any) -> None:
        """Send a frame with the counters of losses as they are."""
        values.setdefault("dropped", self.dropped_frames)
        values.setdefault("lost", self.lost_samples)
        super().send(name, **values)

    # ---- the port --------------------------------------------------------------------------------
    @property
    def in_waiting(self) -> int:
        with self._lock:
            self._live()
            return len(self._outbox)

    def read(self, size: int = 1, /) -> bytes:
        with self._lock:
            self._live()
            self._reads = 0
            return super().read(size)

    def write(self, data: bytes, /) -> int:
        with self._lock:
            self._check()
            return super().write(data)

    def _check(self) -> None:
        if not self.plugged:
            raise PortError("memory has gone (the board was unplugged); try again")

    def _live(self) -> None:
        self._check()
        now_us = round((self._clock() - self._began_s) * 1e6)
        while self.time_us + _TICK_US <= now_us:
            self.time_us += _TICK_US
            if self.streams:
                self._waveform()
            if self.time_us % STATUS_US == 0:
                self._status()
            if self.time_us % FEATURES_US == 0:
                self._features()

    def _status(self) -> None:
        turning = self.mode in ("starting", "running", "limiting")
        known: dict[str, Any] = {name: wire.ABSENT for name, _ in wire.QUANTITIES}
        known |= {"speed_rpm": 3 * self.command_permille, "current_ma": 1800 if turning else 0}
        known |= {"supply_mv": 11_900, "power_mw": 21_000 if turning else 0} | self.measured
        self.send(
            "status",
            mode=wire.MODES.index(self.mode),
            limit=wire.LIMITS.index(self.limit),
            fault=wire.FAULTS.index(self.fault),
            speed_command_permille=self.command_permille,
            derate_cap_permille=700,
            ceiling_permille=700,
            duty_permille=self.command_permille,
            flags=(1 << wire.FLAGS.index("window settled"))
            | (turning << wire.FLAGS.index("run owned by link")),
            **known,
        )

    def _features(self) -> None:
        axes = {f"velocity_{axis}_um_s": 640 for axis in "xyz"}
        axes |= {f"peak_{axis}_mg": 250 for axis in "xyz"}
        self.send("features", samples=800, window_ms=250, **axes)

    def _waveform(self) -> None:
        first = self.time_us * RATE_HZ // 1_000_000
        tail = b"".join(
            struct.pack("<3h", round(100 * math.sin(0.2 * (first + k))), first % 7, 250)
            for k in range(BLOCK)
        )
        self.send("waveform", first_sample=first, samples=BLOCK, scale_ug=4000, tail=tail)

    # ---- commands --------------------------------------------------------------------------------
    def _obey(self, name: str, sequence: int) -> None:
        if self.deaf:
            return
        reason = "done"
        arguments = self.heard[-1][2]
        if name == "hello":
            self.send(
                "greeting",
                version=wire.VERSION,
                schema_hash=wire.schema_hash(),
                sample_rate_hz=RATE_HZ,
                boot_count=self.boot_count,
                board_name=b"bench drill",
                firmware_version=b"0.2.0",
            )
        elif name == "run":
            reason = self._run(arguments[0])
        elif name == "stop":
            self.mode = "tripped" if self.mode == "tripped" else "idle"
            self.command_permille = 0
        elif name == "reset_trip":
            reason = "done" if self.mode == "tripped" else "not tripped"
            if self.mode == "tripped":
                self.mode, self.fault = "idle", "none"
        elif name == "stream":
            self.streams = bool(arguments[0])
        elif name == "get_levels":
            reason = self._levels(wire.FAULTS[arguments[0]])
        elif name == "read_log":
            self._log(arguments[0])
        if name != "heartbeat":
            self.reply(name, sequence, reason)

    def _run(self, permille: int) -> str:
        if self.refusal:
            return self.refusal
        if self.mode == "tripped":
            return "tripped: reset first"
        self.mode, self.limit = "running", "derate cap" if permille >= 700 else "operator"
        self.command_permille = min(700, permille)
        return "done"

    def _levels(self, protection: str) -> str:
        if protection not in LEVELS:
            return "nothing there"
        levels = [wire.ABSENT if it is None else it for it in LEVELS[protection]]
        names = ("alarm", "limit", "trip", "board_alarm", "board_limit", "board_trip")
        values = dict(zip(names, levels * 2, strict=True))
        self.send("levels", protection=wire.FAULTS.index(protection), delay_ms=300, **values)
        return "done"

    def _log(self, first: int) -> None:
        wanted = self.log[first - 1 :] if first <= len(self.log) else []
        self.send(
            "log",
            oldest=1,
            newest=len(self.log),
            first=first,
            records=len(wanted),
            tail=b"".join(wanted),
        )
