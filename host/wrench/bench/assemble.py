"""Puts a virtual bench together: a board, the machine around it, and what the flash chip holds."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from wrench import image as images
from wrench.bench import DEFAULT_CORE, DEFAULT_EMULATOR
from wrench.bench.emulator import FLASH_BASE, FLASH_BYTES, NOMINAL, ChipClock
from wrench.bench.plant import (
    MPU6050,
    MPU9250,
    Adxl345Signal,
    AnalogSignal,
    BearingGeometry,
    MachineParameters,
    MpuSignal,
    Plant,
    Playback,
    Replay,
    Scenario,
    SensorSignal,
    scenario,
)
from wrench.bench.plant.supply import SupplyParameters
from wrench.bench.virtual import CONSOLE, STEP_NS, VirtualBench
from wrench.bench.wiring import WiredMachine
from wrench.boards import Board
from wrench.cache import cache_folder
from wrench.deploy import Deployment, deployment, recipe
from wrench.errors import ImageError
from wrench.flash import flash as install
from wrench.flash import plain

_KEPT = {"flashed": 8, "changed": 32, "installed": 24}
_SAG_AT_FULL_POWER = 0.04


@dataclass
class Assembly:
    """A bench and its parts; `notes` are sentences about them that a person should read."""

    board: Board
    scenario: Scenario
    machine: WiredMachine
    bench: VirtualBench
    notes: list[str] = field(default_factory=list)


def assemble(
    board: Board,
    flash: bytes,
    *,
    condition: str = "healthy",
    seed: int = 1,
    replay: Playback | None = None,
    xip_miss_cycles: int = 0,
    step_ns: int = STEP_NS,
    flash_times_ns: dict[str, int] | None = None,
    clock: ChipClock = NOMINAL,
    trace: bool = False,
    emulator: str = DEFAULT_EMULATOR,
    core: str = DEFAULT_CORE,
) -> Assembly:
    """Start an emulated board with its machine around it.

    Parameters:
        flash: content of the flash chip; see `bare_flash`.
        condition: name of a scenario.
        seed: of all randomness in the machine and its sensors.
        replay: a recording to feel instead of the machine's own vibration.
        xip_miss_cycles, flash_times_ns, clock, trace, emulator, core: as `VirtualBench` takes them.

    Raises:
        BenchError: an unknown scenario, or the emulator does not start.
        RecordingError: the recording is missing, or is none.
    """
    chosen = scenario(condition)
    signal = signal_of(board, seed)
    recording = None
    if replay is not None:
        recording = Replay(replay, signal.rate_hz, signal.range_g, seed)
    plant = Plant(machine_of(board), chosen, seed, signal.site(), recording)
    machine = WiredMachine(board, plant, signal)
    bench = VirtualBench(
        flash,
        machine,
        xip_miss_cycles=xip_miss_cycles,
        step_ns=step_ns,
        flash_times_ns=flash_times_ns,
        clock=clock,
        trace=trace,
        emulator=emulator,
        core=core,
    )
    notes = [chosen.compression] if chosen.compression else []
    return Assembly(board, chosen, machine, bench, notes + (recording.notes if recording else []))


def signal_of(board: Board, seed: int) -> SensorSignal:
    """The vibration sensor that a board file declares, one of its kind by `seed`."""
    v = board.vibration
    if v.driver == "adxl345":
        return Adxl345Signal(seed, rate_hz=v.rate_hz, range_g=v.range_g)
    if v.driver == "analog":
        return AnalogSignal(
            seed,
            axes=["xyz".index(axis) for axis in v.axes],
            rate_hz=v.rate_hz,
            volts_per_g=v.volts_per_g,
            zero_g_v=v.zero_g_v,
            range_g=v.range_g,
            bandwidth_hz=v.bandwidth_hz,
            reference_v=board.adc.reference_v,
        )
    kind = MPU6050 if v.driver == "mpu6050" else MPU9250
    return MpuSignal(kind, seed, range_g=v.range_g)


def machine_of(board: Board) -> MachineParameters:
    """The machine that a board file declares: its motor's rating, its bearing, its tacho, its
    supplies. A supply's resistance is what makes it sag by 4 % at its `max_power_w`."""
    base = MachineParameters()
    motor = base.motor
    speed_rpm, volts = float(board.motor.rated_speed_rpm), board.motor.supply_nominal_v
    if (speed_rpm, volts) != (motor.rated_speed_rpm, motor.rated_voltage_v):
        # Another winding of the same motor: its back-EMF at rated speed is what the copper leaves.
        emf_v = motor.torque_constant_nm_a * motor.rated_speed_rpm / motor.rated_voltage_v * volts
        motor = replace(
            motor,
            rated_speed_rpm=speed_rpm,
            rated_voltage_v=volts,
            torque_constant_nm_a=emf_v / speed_rpm,
        )
    bearing = base.bearing
    if b := board.bearing:
        geometry = BearingGeometry(
            b.balls, b.ball_diameter_mm, b.pitch_diameter_mm, b.contact_angle_deg
        )
        bearing = replace(bearing, geometry=geometry)
    supplies = tuple(
        SupplyParameters(nominal_v, _SAG_AT_FULL_POWER * nominal_v**2 / part.max_power_w)
        for _, part in board.ordered_supplies
        for nominal_v in (part.nominal_v or volts,)
    )
    pulses = board.tacho.pulses_per_rev if board.tacho else 1
    return replace(
        base,
        motor=motor,
        supplies=supplies or (SupplyParameters(volts),),
        bearing=bearing,
        tacho_pulses_per_turn=pulses,
    )


def bare_flash(image: images.Image) -> bytes:
    """The flash chip of a board that has this image and no filesystem yet.

    Raises ImageError where the image does not begin where the chip does.
    """
    base, content = images.read_uf2(image.path)
    if base != FLASH_BASE:
        raise ImageError(
            f"{image.path} begins at {base:#x}, which no board boots; get another with "
            "`wrench image get`"
        )
    return content.ljust(FLASH_BYTES, b"\xff")


def flashed(board: Board, kind: str = "stock", changed: Mapping[str, bytes] | None = None) -> bytes:
    """The flash chip of a board with this wrench's firmware installed, kept in the cache; `changed`
    holds other texts for some of its modules.

    Installs it on an emulated board where the cache has none; takes a few seconds. Raises
    ImageError, BenchError, FlashError.
    """
    image = images.find_named(kind)
    folder = "changed" if changed else "flashed"
    made = recipe(board, changed)
    return _kept(folder, board.name, image, made, lambda: deployment(board, changed))


def installed(image: str, files: Mapping[str, bytes | str]) -> bytes:
    """The flash chip of a board with an image, by its kind or the path of a UF2 file, and these
    files by their path on the board, kept in the cache. Raises as `flashed` does.
    """
    wanted = plain(files)
    digest = hashlib.sha256()
    for name in sorted(wanted.files):
        digest.update(name.encode() + b"\0" + wanted.files[name] + b"\0")
    found = images.find_named(image)
    return _kept("installed", "chip", found, digest.hexdigest(), lambda: wanted)


def _kept(
    folder: str, label: str, image: images.Image, digest: str, wanted: Callable[[], Deployment]
) -> bytes:
    """From this folder of the cache, or installed on an emulated board; the same digest stands for
    the same files."""
    name = f"{label}-{digest[:16]}-{image.sha256[:12]}.flash"
    path = cache_folder(folder) / name
    if path.is_file() and path.stat().st_size == FLASH_BYTES:
        return path.read_bytes()
    with VirtualBench(bare_flash(image)) as bench:
        install(bench.open(CONSOLE), wanted())
        content = bench.read_flash()
    staged = path.with_suffix(f".{os.getpid()}")
    staged.write_bytes(content)
    staged.replace(path)
    older = sorted(path.parent.glob("*.flash"), key=lambda it: it.stat().st_mtime)
    for outdated in older[: -_KEPT[folder]]:
        outdated.unlink(missing_ok=True)
    return content
