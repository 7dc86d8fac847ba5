"""The virtual bench: an emulated board, the machine around it, and everything between them, in
lock-step.

One step is 5 ms of device time. While the emulator computes step k in its own process, the machine
computes what step k + 1 will feel from what the pins did in step k - 1: two cores are busy and the
order never depends on timing, so two runs with one seed are identical.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from wrench.bench import DEFAULT_CORE, DEFAULT_EMULATOR
from wrench.bench.emulator import NOMINAL, ChipClock, Emulator, StepRequest, StepSeen
from wrench.bench.emulator.traffic import Trace
from wrench.errors import BenchError, PortError

STEP_NS = 5_000_000
CONSOLE, LINK = 0, 1


class Surroundings(Protocol):
    """What is wired to the board: it turns what the pins did into what the pins will see."""

    watched_gpio: list[int]
    devices: list[dict[str, object]]

    def power_on(self, now_ns: int) -> list[tuple[float, int, int | None]]:
        """Power has come: the levels that the wiring gives to undriven pins, as step inputs."""
        ...

    def step(self, request: StepRequest, start_ns: int, seen: StepSeen | None) -> None:
        """Fill in what the board will feel during the step that begins at `start_ns`.

        `seen` is what the pins did two steps before, None for the first two.
        """
        ...


class SerialEnd(Protocol):
    """The host's end of one serial function."""

    def received(self, data: bytes) -> None:
        """Bytes from the board."""
        ...

    def lost(self) -> None:
        """The board has gone from the bus; the end detaches itself."""
        ...


class VirtualBench:
    """An emulated board and its surroundings.

    `flash` is the content of the flash chip (an image and, where there is one, a filesystem).
    `surroundings` may be None for a bare board. `flash_times_ns` says how long the chip takes to
    erase and to program (`emulator.TYPICAL_FLASH_TIMES_NS` where it is not given). `clock` is the
    chip's crystal and what its timer begins at; everything else, `now_s` too, keeps true time.
    `trace` keeps what pins, buses and USB did, for the method of that name. `emulator` is one of
    `wrench.bench.EMULATORS`, `core` one of `wrench.bench.CORES`.
    """

    def __init__(
        self,
        flash: bytes,
        surroundings: Surroundings | None = None,
        *,
        xip_miss_cycles: int = 0,
        step_ns: int = STEP_NS,
        flash_times_ns: dict[str, int] | None = None,
        clock: ChipClock = NOMINAL,
        trace: bool = False,
        emulator: str = DEFAULT_EMULATOR,
        core: str = DEFAULT_CORE,
    ) -> None:
        self.surroundings = surroundings
        self.clock = clock
        self._step_ns = step_ns
        self._emulator = Emulator(
            flash,
            watched=surroundings.watched_gpio if surroundings else list(range(26)),
            devices=surroundings.devices if surroundings else [],
            xip_miss_cycles=xip_miss_cycles,
            flash_times_ns=flash_times_ns,
            clock=clock,
            trace=trace,
            emulator=emulator,
            core=core,
        )
        self._submitted_ns = 0
        self._inflight = 0
        self._history: deque[StepSeen | None] = deque([None, None], maxlen=2)
        self.seen: StepSeen | None = None
        self._inputs: list[tuple[float, int, int | None]] = []
        self._usb_plugged: bool | None = None
        self._power: bool | None = None
        self._power_off_ns: float | None = None
        self._power_off_at_write_ns: float | None = None
        self._reset_pin = False
        self._timer_begins_us: int | None = None
        self._outgoing: dict[int, bytes] = {}
        self._packets: list[bytes] = []
        self._button_held: bool | None = None
        self.on_packets: Callable[[list[bytes]], None] | None = None
        self._ports: dict[int, SerialEnd] = {}
        self._wanted: list[tuple[bool, bool]] = [(False, True), (False, True)]
        self.on_step: list[Callable[[StepSeen], None]] = []
        self.resets: list[tuple[float, int]] = []
        if surroundings:
            self._inputs += surroundings.power_on(0)

    # -- time ----------------------------------------------------------------------------
    @property
    def now_s(self) -> float:
        """Device time up to which the bench has been computed, in seconds."""
        return self.seen.now_ns / 1e9 if self.seen else 0.0

    @property
    def next_ns(self) -> float:
        """Device time at which the next step begins, and with it what is done to the board now; to
        within the time of an instruction while a step is under way."""
        late_ns = 0.0
        if self.seen:
            late_ns = self.seen.now_ns - (self._submitted_ns - self._inflight * self._step_ns)
        return self._submitted_ns + late_ns

    def advance(self, duration_s: float) -> None:
        """Run for this much device time, rounded up to whole steps."""
        steps = max(1, round(duration_s * 1e9 / self._step_ns))
        for _ in range(steps):
            self.step()
        self.settle()

    def step(self) -> None:
        """Begin a step and take what the one before it did, so that both processes are at work."""
        self._submit()
        if self._inflight > 1:
            self._collect()

    def settle(self) -> None:
        """Wait for the step that `step` has begun."""
        while self._inflight:
            self._collect()

    def _submit(self) -> None:
        request = StepRequest(self._step_ns, inputs=self._inputs, sent=self._outgoing)
        request.serial = list(self._wanted)
        request.usb_plugged, request.power = self._usb_plugged, self._power
        request.button_held, request.packets = self._button_held, self._packets
        request.power_off_ns = self._power_off_ns
        request.power_off_at_write_ns = self._power_off_at_write_ns
        request.reset_pin = self._reset_pin
        request.timer_begins_us, self._timer_begins_us = self._timer_begins_us, None
        self._power_off_ns = self._power_off_at_write_ns = None
        self._reset_pin = False
        self._inputs, self._outgoing, self._packets = [], {}, []
        self._usb_plugged = self._power = self._button_held = None
        if self.surroundings:
            # Two steps before, whether or not the last one has been collected.
            self.surroundings.step(request, self._submitted_ns, self._history[self._inflight - 2])
        self._emulator.submit(request)
        self._submitted_ns += self._step_ns
        self._inflight += 1

    def _collect(self) -> None:
        seen = self._emulator.collect()
        self._inflight -= 1
        self._history.append(seen)
        self.seen = seen
        self.resets += seen.resets
        for index, data in seen.serial:
            if index in self._ports:
                self._ports[index].received(data)
        if seen.packets and self.on_packets is not None:
            self.on_packets(seen.packets)
        if seen.detached:
            for port in list(self._ports.values()):
                port.lost()
        for watcher in self.on_step:
            watcher(seen)

    # -- stimulus ------------------------------------------------------------------------
    def drive_pin(self, gpio: int, level: int | None, after_ns: float = 0) -> None:
        """Drive a pin from outside (0, 1) or let go (None), `after_ns` into the next step."""
        self._inputs.append((after_ns, gpio, level))

    def plug_usb(self, plugged: bool) -> None:
        """Pull the USB cable, or put it back; the board stays powered."""
        self._usb_plugged = plugged
        if not plugged:
            for port in list(self._ports.values()):
                port.lost()

    def cut_power(self, after_ns: float = 0.0, *, at_write: bool = False) -> None:
        """Take the board's power away; flash keeps its content, everything else is lost. Now, or
        `after_ns` into the next step, or `after_ns` after the flash chip next begins to write,
        which it then does in part.
        """
        if at_write:
            self._power_off_at_write_ns = after_ns
        elif after_ns > 0.0:
            self._power_off_ns = after_ns
        else:
            self._power = False
            for port in list(self._ports.values()):
                port.lost()

    def press_reset(self) -> None:
        """Pull the chip's RUN pin low for a moment: it begins anew, with all its power on."""
        self._reset_pin = True

    def begin_timer_at(self, count_us: int) -> None:
        """Let the chip's microsecond timer count from there at its next power-on or reset, and at
        those after it; see `ChipClock`."""
        self.clock = ChipClock(self.clock.off_ppm, count_us)
        self._timer_begins_us = count_us

    def restore_power(self) -> None:
        """Give the board its power back."""
        self._power = True
        if self.surroundings:
            self._inputs += self.surroundings.power_on(self._submitted_ns)

    def hold_button(self, held: bool) -> None:
        """Press the BOOTSEL button, or let go; the board looks at it when its power comes."""
        self._button_held = held

    def read_flash(self) -> bytes:
        """The flash chip's content now."""
        self.settle()
        return self._emulator.read_flash()

    def read_memory(self, address: int, size: int) -> bytes:
        """What the chip's SRAM holds there now; the chip does not notice."""
        self.settle()
        return self._emulator.read_memory(address, size)

    def trace(self, since_ns: float = 0.0) -> Trace:
        """What pins, buses and USB did since then, as far as `Emulator.trace` keeps it; lets no
        time pass. Raises BenchError where the emulator is gone."""
        return self._emulator.trace(since_ns)

    # -- serial --------------------------------------------------------------------------
    @property
    def serial_functions(self) -> int:
        """How many serial functions the board shows: 0 is the console, 1 the link."""
        return self.seen.serial_functions if self.seen else 0

    @property
    def in_bootsel(self) -> bool:
        """True while the boot ROM shows its USB interfaces; see `wrench.bench.boot_port`."""
        return self.seen is not None and self.seen.boot_pipe

    def send_packets(self, packets: list[bytes]) -> None:
        """Queue packets of 64 bytes at most for the boot ROM; they travel with the next step.
        `on_packets` is called with those that come back."""
        self._packets += packets

    def unsent_bytes(self, function: int) -> int:
        """Bytes on their way to a serial function that the board has not taken yet."""
        unsent = self.seen.unsent if self.seen else []
        return unsent[function] if function < len(unsent) else 0

    def open(self, function: int, timeout_s: float = 3.0) -> BenchPort:
        """Open the board's serial function (0 is the console); its reads let the device time pass.

        Raises PortError when the board does not show it within `timeout_s` of device time.
        """
        deadline = self.now_s + timeout_s
        while self.serial_functions <= function:
            if self.now_s >= deadline:
                raise PortError(
                    f"the emulated board shows no serial function {function} "
                    f"after {timeout_s:g} s; is its firmware running?"
                )
            self.advance(self._step_ns / 1e9)
        if function in self._ports:
            raise PortError("this port of the emulated board is open already; close it first")
        port = BenchPort(self, function)
        self.attach(function, port)
        return port

    def attach(self, function: int, port: SerialEnd) -> None:
        """Give a port the bytes of a serial function and raise its DTR."""
        self._ports[function] = port
        self._wanted[function] = (True, True)

    def detach(self, function: int) -> None:
        """Drop a port: DTR falls and nobody reads any more."""
        self._ports.pop(function, None)
        self._wanted[function] = (False, True)

    def hold_reading(self, function: int, reading: bool) -> None:
        """Let the host keep the port open without reading from it, or read again."""
        if function in self._ports:
            self._wanted[function] = (True, reading)

    def send(self, function: int, data: bytes) -> None:
        """Queue bytes for the board; they travel with the next step."""
        self._outgoing[function] = self._outgoing.get(function, b"") + data

    def close(self) -> None:
        """End the emulator."""
        while self._inflight:
            try:
                self._collect()
            except BenchError:
                break
        self._emulator.close()

    def __enter__(self) -> VirtualBench:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class BenchPort:
    """A serial port of the emulated board with pyserial's methods, on device time: waiting lets the
    board run.
    """

    def __init__(self, bench: VirtualBench, function: int) -> None:
        self._bench = bench
        self._function = function
        self._buffer = bytearray()
        self._gone = False
        self.timeout: float | None = None
        self.is_open = True

    @property
    def port(self) -> str:
        """A name for messages."""
        return f"virtual bench, serial function {self._function}"

    @property
    def in_waiting(self) -> int:
        """Bytes ready to be read; lets no time pass."""
        self._check()
        return len(self._buffer)

    def inWaiting(self) -> int:  # noqa: N802  (pyserial's old name, which mpremote uses)
        """Same as `in_waiting`."""
        return self.in_waiting

    def read(self, size: int = 1) -> bytes:
        """Up to `size` bytes; waits up to `timeout` seconds of device time, for ever where it is
        None.
        """
        deadline = None if self.timeout is None else self._bench.now_s + self.timeout
        while len(self._buffer) < size:
            self._check()
            if deadline is not None and self._bench.now_s >= deadline:
                break
            self._bench.advance(0)
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def read_available(self) -> bytes:
        """Whatever has arrived; lets no time pass."""
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def write(self, data: bytes) -> int:
        """Queue bytes for the board; they are on its USB with the next step."""
        self._check()
        self._bench.send(self._function, bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing to do: bytes leave with the next step."""

    def reset_input_buffer(self) -> None:
        """Forget what has arrived."""
        self._buffer.clear()

    def close(self) -> None:
        """Close: DTR falls."""
        if self.is_open:
            self.is_open = False
            self._bench.detach(self._function)

    def received(self, data: bytes) -> None:
        """Bytes from the board."""
        self._buffer += data

    def lost(self) -> None:
        """The board has gone from the bus."""
        self._gone = True
        self.close()

    def _check(self) -> None:
        if self._gone:
            raise PortError(
                "the board has gone from the bus (reset, unplugged or without power); "
                "open the port again"
            )
        if not self.is_open:
            raise PortError("this port is closed; open it again")


class Pacer:
    """Keeps device time from running ahead of the wall clock; never tries to catch up more than 100
    ms.
    """

    def __init__(self, factor: float = 1.0) -> None:
        self._factor = factor
        self._wall = time.monotonic()
        self._device_s: float | None = None

    def ahead_s(self, device_s: float) -> float:
        """Seconds of wall time to wait before the next step; 0 where the bench is late."""
        now = time.monotonic()
        if self._device_s is None:
            self._device_s, self._wall = device_s, now
        lead = (device_s - self._device_s) / self._factor - (now - self._wall)
        if lead < -0.1:
            self._device_s, self._wall = device_s, now
            return 0.0
        return max(0.0, lead)
