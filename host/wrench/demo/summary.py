"""What happened in a run, told in one paragraph from its record."""

from __future__ import annotations

import statistics

from wrench.demo.record import Phase, Record

_SETTLED_S = 2.0
_OF_A_WINDOW = ("vibration", "acceleration peak")


def summary(record: Record) -> str:
    """One paragraph. Times are device time, as in the list of events."""
    parts = [_asked(record), _at_speed(record), _limited(record), _ended(record), _pin(record)]
    parts += [_wear(record), _losses(record)]
    return " ".join(part for part in parts if part)


def _asked(record: Record) -> str:
    rated = record.rated_rpm
    felt = (
        f"The sensor felt {record.recording}, played as it is whatever the shaft does. "
        if record.recording
        else ""
    )
    return felt + (
        f"At {record.start_s:.1f} s the motor was asked for {record.asked:.0%} of its rated "
        f"{rated:,} rpm."
    ).replace("%", " %")


def _at_speed(record: Record) -> str:
    reached_s = record.phases.get(Phase.AT_SPEED)
    if reached_s is None:
        return "The ramp did not end before another limit bound."
    settled = _velocity(record, reached_s + 0.5, reached_s + 0.5 + _SETTLED_S)
    status = record.at(reached_s + 0.5 + _SETTLED_S)
    if status is None or settled is None:
        return f"The ramp ended at {reached_s:.1f} s."
    felt = "The sensor then felt" if record.recording else "There the bearing gave"
    shaft = ""
    if status.speed_rpm is not None:
        shaft = (
            f", with the shaft at {status.speed_rpm:,} rpm under load "
            f"({100 * status.speed_rpm / record.rated_rpm:.0f} % of rated)"
        )
    return (
        f"The {status.limit} held the command at {100 * status.command:.0f} % from "
        f"{reached_s:.1f} s on{shaft}. "
        f"{felt} a velocity RMS of {settled:.2f} mm/s."
    )


def _limited(record: Record) -> str:
    if record.first_limit is None:
        most = max((w.velocity_mm_s for w in record.windows), default=0.0)
        limit = record.board.protection.vibration.velocity_limit_mm_s
        return (
            f"No protecting limit had to bind: the velocity RMS rose to {most:.2f} mm/s at most, "
            f"and the limit is {limit:g} mm/s."
        )
    time_s, name = record.first_limit
    commands = [s.command for s in record.statuses if s.time_s >= time_s and s.command > 0]
    before = record.at(time_s)
    text = f"At {time_s:.1f} s the {name} became the limit that binds"
    if name == "vibration":
        level = record.board.protection.vibration.velocity_limit_mm_s
        above = [
            w.velocity_mm_s
            for w in record.windows
            if w.time_s <= time_s and w.velocity_mm_s >= level
        ]
        if above:
            text += f" (a window of {above[-1]:.2f} mm/s, limit {level:g})"
    if before and commands:
        lowest = min(commands)
        if before.command - lowest < 0.03:
            return f"{text}, and held the command at {before.command * 100:.0f} % of rated."
        text += (
            f", and the command came down from {before.command * 100:.0f} % to "
            f"{lowest * 100:.0f} % of rated"
        )
        speeds = [
            s.speed_rpm
            for s in record.statuses
            if s.time_s >= time_s and s.command > 0 and s.speed_rpm is not None
        ]
        if speeds and before.speed_rpm is not None:
            text += f", the shaft from {before.speed_rpm:,} to {min(speeds):,} rpm"
    return text + "."


def _ended(record: Record) -> str:
    if record.trip_s is None:
        why = "the recording's end" if record.recording else "the end of the time allowed"
        time_s = record.phases.get(Phase.ENDED, record.now_s)
        return f"There was no trip: at {time_s:.1f} s, {why}, the motor was stopped."
    text = f"At {record.trip_s:.2f} s the controller tripped: {record.fault}"
    if record.fault not in _OF_A_WINDOW or record.above_trip_s is None:
        return text + "."
    vibration = record.board.protection.vibration
    before = [window for window in record.windows if window.time_s <= record.trip_s]
    last = before[-1]
    peak_trip_g = vibration.acceleration_peak_trip_g
    if peak_trip_g is None or last.velocity_mm_s >= vibration.velocity_trip_mm_s:
        value, level = f"{last.velocity_mm_s:.2f}", f"{vibration.velocity_trip_mm_s:g} mm/s"
    else:
        value, level = f"a peak of {last.peak_g:.1f}", f"{peak_trip_g:g} g"
    return (
        f"{text}, at {value} with the trip level at {level}, "
        f"{record.trip_s - record.above_trip_s:.2f} s after the end of the first of the windows in "
        f"a row above it (windows of {record.board.vibration.window_ms:.0f} ms, and a delay of "
        f"{vibration.delay_ms} ms set in the board file)."
    )


def _pin(record: Record) -> str:
    off_s = record.pin_off_s
    if off_s is None:
        return "The PWM was never seen off at the pin."
    text = f"Seen at the pin, whatever the firmware says, the motor was off at {off_s:.2f} s"
    if record.above_trip_s is not None and record.fault in _OF_A_WINDOW:
        text += f", {off_s - record.above_trip_s:.2f} s after that window"
    if record.stop_s is not None:
        text += f"; the shaft stood {record.stop_s - off_s:.1f} s later"
    return text + "."


def _wear(record: Record) -> str:
    if record.wear is None:
        return ""
    before, after = record.wear
    text = f"The bearing's wear went from {100 * before:.0f} % to {100 * after:.0f} % of seizure"
    if record.compression != 1.0:
        end_s = record.trip_s or record.phases.get(Phase.ENDED, record.now_s)
        days = record.compression * (end_s - record.start_s) / 86_400
        text += f", compressed: on the machine this run would have taken about {days:.0f} days"
    return text + "."


def _losses(record: Record) -> str:
    losses = record.losses
    text = (
        f"{record.samples:,} samples were taken and judged, {losses.samples} lost; "
        f"{record.frames:,} frames received, {losses.frames} lost"
    )
    factor = record.elapsed_s / record.wall_s if record.wall_s > 0 else 0.0
    pace = f"{record.elapsed_s:.0f} s of device time took {record.wall_s:.0f} s"
    return f"{text}. {pace} ({factor:.2f}× real time)."


def _velocity(record: Record, from_s: float, to_s: float) -> float | None:
    values = [w.velocity_mm_s for w in record.windows if from_s <= w.time_s <= to_s]
    return statistics.median(values) if values else None
