"""A run made up of frames, as the demo's record takes them: limited at 14 s, tripped at 31.5 s."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wrench.boards import load_board
from wrench.demo.record import Phase, Record
from wrench.link import Frame
from wrench_firmware import wire


def frame(name: str, time_s: float, **values: Any) -> Frame:
    """A frame with these values, everything else 0 or the first name."""
    kind = {title: number for number, (title, _) in wire.MESSAGES.items()}[name]
    tables = {"MODES": wire.MODES, "LIMITS": wire.LIMITS, "FAULTS": wire.FAULTS}
    tables["EVENTS"] = wire.EVENTS
    known = {field: tables[unit][0] if unit in tables else 0 for field, _, unit in _fields(kind)}
    assert not values.keys() - known.keys()
    return Frame(name, known | values, round(time_s * 1e6), 0, 0, 0)


def status(time_s: float, mode: str, limit: str, command: int, **values: Any) -> Frame:
    """A status frame; `command` in 1/1000, the shaft follows it."""
    return frame(
        "status",
        time_s,
        mode=mode,
        limit=limit,
        speed_command_permille=command,
        derate_cap_permille=700,
        ceiling_permille=700,
        speed_rpm=3 * command,
        supply_mv=11_900,
        current_ma=1_800,
        bearing_mdegc=24_500,
        **values,
    )


def window(time_s: float, velocity_um_s: int, peak_mg: int = 1_500) -> Frame:
    """A features frame of 800 samples, the y axis being the worst."""
    return frame(
        "features",
        time_s,
        samples=800,
        velocity_x_um_s=velocity_um_s // 2,
        velocity_y_um_s=velocity_um_s,
        peak_y_mg=peak_mg,
        crest_y_centi=430,
    )


def limit(time_s: float, name: str, command: int) -> Frame:
    """The event that another limit binds."""
    return frame("event", time_s, code="limit", detail=wire.LIMITS.index(name), value=command)


def record() -> Record:
    """A record before its run."""
    return Record(
        load_board("pico-adxl345"),
        "a bearing wearing out",
        ["Wear is compressed."],
        compression=74_000.0,
    )


def blind(told: Frame) -> Frame:
    """The same frame from a board that measures nothing but vibration."""
    if told.name != "status":
        return told
    quantities = {name: None for name, _ in wire.QUANTITIES}
    return Frame(told.name, told.values | quantities, told.time_us, 0, 0, 0)


def play(until_s: float = 36.0, seen: Callable[[Frame], Frame] = lambda told: told) -> Record:
    """The record of the run up to that device time; `seen` may change what the board tells."""
    run = record()
    run.begin(0.7, 1.5)
    frames = [frame("event", 1.5, code="run", value=700), limit(5.0, "derate cap", 700)]
    frames += [limit(14.0, "vibration", 697)]
    for step in range(1, 144):
        at = 1.5 + 0.25 * step
        if at < 5.0:
            frames.append(status(at, "starting", "ramp", round(200 * (at - 1.5))))
        elif at < 14.0:
            frames.append(status(at, "running", "derate cap", 700))
        elif at < 31.5:
            command = max(350, 700 - round(40 * (at - 14.0)))
            frames.append(status(at, "limiting", "vibration", command))
        else:
            rpm = max(0, round(1_050 - 700 * (at - 31.5)))
            rest = status(at, "tripped", "none", 0, fault="vibration").values | {"speed_rpm": rpm}
            frames.append(frame("status", at, **rest))
        velocity = 650 + round(100 * max(0.0, at - 5.0))
        velocity = 300 if at > 31.6 else 4_700 if at >= 30.9 else min(velocity, 4_000)
        frames.append(window(at, velocity))
    trip = frame("event", 31.5, code="trip", detail=wire.FAULTS.index("vibration"), value=4_700)
    frames.append(trip)
    for item in sorted(frames, key=lambda each: each.time_us):
        if item.time_us > until_s * 1e6:
            break
        run.take(seen(item), 0, 0)
        newest = run.statuses[-1] if run.statuses else None
        run.pin_duty = newest.command if newest else 0.0
        if item is trip:
            run.motor_off(31.4995)
    if until_s >= 36.0:
        run.enter(Phase.ENDED)
    run.wear = (0.21, 0.68)
    run.wall_s, run.real_time_factor = 27.0, 1.25
    return run


def _fields(kind: int) -> tuple[tuple[str, str, str], ...]:
    return wire.MESSAGES[kind][1]
