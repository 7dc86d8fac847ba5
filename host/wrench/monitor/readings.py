"""A board's frames as quantities in engineering units."""

from __future__ import annotations

from dataclasses import dataclass

from wrench.link import Frame
from wrench_firmware import wire

AXES = ("x", "y", "z")


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
    duty: float
    speed_rpm: int | None
    velocity_mm_s: float | None
    peak_g: float | None
    bearing_c: float | None
    current_a: float | None
    supply_v: float | None
    control_overruns: int
    bad_frames: int
    settled: bool


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


_SETTLED = 1 << wire.FLAGS.index("window settled")


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
        duty=frame["duty_permille"] / 1000,
        speed_rpm=frame["speed_rpm"],
        velocity_mm_s=_thousandths(frame["velocity_um_s"]),
        peak_g=_thousandths(frame["peak_mg"]),
        bearing_c=_thousandths(frame["bearing_mdegc"]),
        current_a=_thousandths(frame["current_ma"]),
        supply_v=_thousandths(frame["supply_mv"]),
        control_overruns=frame["control_overruns"],
        bad_frames=frame["bad_frames"],
        settled=bool(frame["flags"] & _SETTLED),
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
