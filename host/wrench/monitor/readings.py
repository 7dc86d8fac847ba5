"""A board's frames as quantities in engineering units."""

from __future__ import annotations

from dataclasses import dataclass

from wrench import readout
from wrench.link import Frame
from wrench_firmware import wire

AXES = ("x", "y", "z")
TURNING = ("starting", "running", "limiting")


@dataclass(frozen=True, slots=True)
class Status:
    """How the board stands. Speeds are fractions of rated speed; names are the wire's. What the
    board does not measure is None.
    """

    time_s: float
    mode: str
    limit: str
    fault: str
    command: float
    cap: float
    ceiling: float
    duty: float
    speed_rpm: int | None
    velocity_mm_s: float | None
    peak_g: float | None
    bearing_c: float | None
    driver_c: float | None
    current_a: float | None
    power_w: float | None
    supply_v: float | None
    supplies_v: tuple[float | None, ...]
    """Each supply by itself; `supply_v` is what feeds the motor."""
    envelope_g: float | None
    alarms: tuple[str, ...]
    """Names of the faults that the standing alarms may become."""
    flags: tuple[str, ...]
    control_overruns: int
    bad_frames: int
    stray_bytes: int

    @property
    def settled(self) -> bool:
        """Whether the board has seen a whole window of vibration."""
        return "window settled" in self.flags

    @property
    def turning(self) -> bool:
        """Whether a run is on."""
        return self.mode in TURNING


@dataclass(frozen=True, slots=True)
class AxisFeatures:
    """One axis over one window: velocity RMS, acceleration RMS and peak, crest factor, kurtosis
    (3 for a Gaussian), envelope RMS.
    """

    velocity_mm_s: float
    rms_g: float
    peak_g: float
    crest: float
    kurtosis: float
    envelope_g: float


@dataclass(frozen=True, slots=True)
class Window:
    """One window, its axes in the order of `AXES`; `time_s` is when the board sent it."""

    time_s: float
    samples: int
    axes: tuple[AxisFeatures, ...]

    @property
    def velocity_mm_s(self) -> float:
        """Velocity RMS of the worst axis."""
        return max(axis.velocity_mm_s for axis in self.axes)

    @property
    def peak_g(self) -> float:
        """Peak acceleration of the worst axis."""
        return max(axis.peak_g for axis in self.axes)

    @property
    def crest(self) -> float:
        """The greatest crest factor of the axes."""
        return max(axis.crest for axis in self.axes)


def _thousandths(value: int | None) -> float | None:
    return None if value is None else value / 1000


def status(frame: Frame) -> Status:
    """The quantities of a status frame."""
    return Status(
        time_s=frame.time_us / 1e6,
        mode=frame["mode"],
        limit=frame["limit"],
        fault=frame["fault"],
        command=frame["speed_command_permille"] / 1000,
        cap=frame["derate_cap_permille"] / 1000,
        ceiling=frame["ceiling_permille"] / 1000,
        duty=frame["duty_permille"] / 1000,
        speed_rpm=frame["speed_rpm"],
        velocity_mm_s=_thousandths(frame["velocity_um_s"]),
        peak_g=_thousandths(frame["peak_mg"]),
        bearing_c=_thousandths(frame["bearing_mdegc"]),
        driver_c=_thousandths(frame["driver_mdegc"]),
        current_a=_thousandths(frame["current_ma"]),
        power_w=_thousandths(frame["power_mw"]),
        supply_v=_thousandths(frame["supply_mv"]),
        supplies_v=tuple(_thousandths(frame[f"supply_{n}_mv"]) for n in (1, 2, 3)),
        envelope_g=_thousandths(frame["envelope_mg"]),
        alarms=tuple(readout.alarms(frame)),
        flags=tuple(readout.named_bits(frame["flags"], wire.FLAGS)),
        control_overruns=frame["control_overruns"],
        bad_frames=frame["bad_frames"],
        stray_bytes=frame["stray_bytes"],
    )


def window(frame: Frame) -> Window:
    """The quantities of a features frame."""
    axes = tuple(
        AxisFeatures(
            velocity_mm_s=frame[f"velocity_{axis}_um_s"] / 1000,
            rms_g=frame[f"rms_{axis}_mg"] / 1000,
            peak_g=frame[f"peak_{axis}_mg"] / 1000,
            crest=frame[f"crest_{axis}_centi"] / 100,
            kurtosis=frame[f"kurtosis_{axis}_centi"] / 100,
            envelope_g=frame[f"envelope_{axis}_mg"] / 1000,
        )
        for axis in AXES
    )
    return Window(frame.time_us / 1e6, frame["samples"], axes)
