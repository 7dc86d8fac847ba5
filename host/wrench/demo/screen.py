"""The run as one screen, drawn from its record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.text import Text

from wrench.demo.record import Phase, Record, Weight
from wrench.monitor import styles
from wrench.monitor.bars import bar, mark_column, sparkline
from wrench.monitor.frame import beside, fit, framed, spread
from wrench.monitor.graph import Level, graph, span_s
from wrench.monitor.readings import AXES, Status
from wrench.monitor.symbols import Symbols

_WEIGHTS = {
    Weight.GOOD: styles.GOOD,
    Weight.WATCH: styles.WATCH,
    Weight.LIMITED: styles.LIMITED,
    Weight.BAD: styles.BAD,
}
_PHASES = {
    Phase.SPIN_UP: styles.GOOD,
    Phase.AT_SPEED: styles.GOOD,
    Phase.LIMITED: styles.LIMITED,
    Phase.TRIPPED: styles.BAD,
    Phase.ENDED: styles.TITLE,
}
_STEPS = ("flashed", "spin up", "derate cap", "limit", "trip", "end")
_LEAST_WIDTH, _LEAST_HEIGHT = 56, 20
_SPEED_LINES = 5
_TWO_GRAPHS_HEIGHT = 34
_AXES_WIDTH = 116


def render(record: Record, width: int, height: int, symbols: Symbols) -> list[Text]:
    """At most `height` lines of at most `width` columns."""
    width = min(width, 200)
    if width < _LEAST_WIDTH or height < _LEAST_HEIGHT:
        return _small(record, width, height, symbols)
    rest = height - 2 - _SPEED_LINES
    with_steps = height >= 23
    rest -= with_steps
    lower = 6 if height < 22 else 7 if height < _TWO_GRAPHS_HEIGHT else 9
    lines = [_title(record, width, symbols)]
    if with_steps:
        lines.append(_steps(record, width, symbols))
    lines += _speed(record, width, symbols)
    lines += _trends(record, width, rest - lower, symbols, two=height >= _TWO_GRAPHS_HEIGHT)
    lines += _lower(record, width, lower, symbols)
    lines.append(_losses(record, width, symbols))
    return [fit(line, width) for line in lines][:height]


def _title(record: Record, width: int, symbols: Symbols) -> Text:
    left = Text.assemble((" Wrench demo", styles.TITLE), f": {record.subject}")
    right = Text(f"{record.phase.title.upper()} ", style=_PHASES[record.phase])
    board = f" on {record.board.name}, emulated"
    if left.cell_len + len(board) + right.cell_len + 2 <= width:
        left.append(board)
    return spread(_folded(left, symbols), right, width)


def _steps(record: Record, width: int, symbols: Symbols) -> Text:
    """Where the story is: what is behind, what is now, what is to come."""
    line = Text(" ")
    now = record.phase + 1
    for at, name in enumerate(_STEPS):
        phase = Phase(at - 1) if at else None
        happened = phase is None or phase in record.phases
        if at == now:
            line.append(f"{symbols.now} {name}", style=_PHASES[record.phase])
        elif at < now and happened:
            line.append(f"{symbols.done} {name}", style=styles.GOOD)
        else:
            line.append(f"{name}", style=styles.FAINT)
        if at < len(_STEPS) - 1:
            line.append(f"  {symbols.then} ", style=styles.FAINT)
    return line


# ---- speed ---------------------------------------------------------------------------------------
def _speed(record: Record, width: int, symbols: Symbols) -> list[Text]:
    status = record.statuses[-1] if record.statuses else None
    command = status.command if status else 0.0
    cap = status.cap if status else record.board.motor.derate_cap
    rpm = status.speed_rpm if status else 0
    rated = record.rated_rpm
    wide = width >= 72
    remarks = ("says the firmware", "seen at the pin", _tacho(rpm))
    room = 19 if wide else 0
    bar_width = width - 4 - 18 - room
    style = _PHASES[record.phase] if record.phase < Phase.TRIPPED else styles.BAD
    rows = (
        ("command", command, style),
        ("PWM", record.pin_duty, styles.ACCENT),
        ("shaft", None if rpm is None else rpm / rated, styles.ACCENT),
    )
    lines: list[Text] = []
    for (name, value, colour), remark in zip(rows, remarks, strict=True):
        shown = "    -" if value is None else f"{100 * value:5.1f}"
        line = Text(f"{name:<9}{shown} % ")
        line.append(" ").append_text(bar(value or 0.0, bar_width, symbols, style=colour, mark=cap))
        if wide:
            line.append(f"  {remark}", style=styles.FAINT)
        lines.append(line)
    return framed(
        lines, width, symbols, title=_held(record, status), foot=_scale(cap, rated, bar_width, wide)
    )


def _tacho(rpm: int | None) -> str:
    return "no tacho" if rpm is None else f"{rpm:,} rpm, tacho"


def _scale(cap: float, rated: int, bar_width: int, wide: bool) -> Text:
    """Words below the bars: the derate cap below its mark, the rated speed at the end."""
    marks = [" "] * (18 + bar_width + (19 if wide else 0))
    cap_text, rated_text = f" derate cap {100 * cap:.0f} % ", f" rated {rated:,} rpm "
    cap_at = 18 + mark_column(cap, bar_width) - len(cap_text) + 2
    rated_at = 18 + bar_width - (len(rated_text) // 2 if wide else len(rated_text))
    marks[cap_at : cap_at + len(cap_text)] = cap_text
    if rated_at >= cap_at + len(cap_text):
        marks[rated_at : rated_at + len(rated_text)] = rated_text
    return Text("".join(marks), style=styles.FAINT)


def _held(record: Record, status: Status | None) -> Text:
    """Mode and binding limit in words."""
    title = Text("Speed: ", style=styles.TITLE)
    if status is None:
        return title.append("no status yet")
    style = _PHASES[record.phase] if status.mode != "tripped" else styles.BAD
    if status.mode == "tripped":
        return title.append(f"TRIPPED by {status.fault}, motor off", style=style)
    title.append(status.mode, style=style)
    if status.limit != "none":
        title.append(
            ", held by the " if status.limit in ("ramp", "derate cap", "operator") else ", held by "
        )
        title.append(status.limit, style=style)
    return title


# ---- trends --------------------------------------------------------------------------------------
def levels(record: Record) -> list[Level]:
    """The board's levels of the velocity RMS, in mm/s."""
    vibration = record.board.protection.vibration
    return [
        Level("alarm", vibration.velocity_alarm_mm_s, styles.WATCH),
        Level("limit", vibration.velocity_limit_mm_s, styles.LIMITED),
        Level("trip", vibration.velocity_trip_mm_s, styles.BAD),
    ]


def _trends(record: Record, width: int, height: int, symbols: Symbols, *, two: bool) -> list[Text]:
    length_s = span_s(max(record.now_s, 35.0))
    points = [(window.time_s, window.velocity_mm_s) for window in record.windows]
    now = points[-1][1] if points else 0.0
    top = max(
        1.15 * record.board.protection.vibration.velocity_trip_mm_s,
        1.05 * max((v for _, v in points), default=0.0),
    )
    first = height - height // 3 if two else height
    lines = framed(
        graph(
            points, width - 4, first - 2, symbols,
            start_s=0.0, length_s=length_s, top=top, levels=levels(record),
        ),
        width,
        symbols,
        title=f"Velocity RMS, worst axis: {now:.2f} mm/s",
        note=symbols.fold(_condition(record)),
    )  # fmt: skip
    if two:
        speeds = [
            (s.time_s, 100 * s.speed_rpm / record.rated_rpm)
            for s in record.statuses
            if s.speed_rpm is not None
        ]
        cap = Level("cap", 100 * record.board.motor.derate_cap, styles.WATCH)
        lines += framed(
            graph(
                speeds, width - 4, height - first - 2, symbols,
                start_s=0.0, length_s=length_s, top=100.0, levels=[cap],
                least_gutter=11, style=styles.ACCENT,
            ),
            width,
            symbols,
            title="Shaft speed, % of rated",
        )  # fmt: skip
    return lines


def _condition(record: Record) -> str:
    if record.recording:
        return "a recording, played as it is"
    if record.compression == 1.0:
        return ""
    return f"wear compressed: 1 s = {record.compression / 3600:.1f} h"


# ---- readings and events -------------------------------------------------------------------------
def _lower(record: Record, width: int, height: int, symbols: Symbols) -> list[Text]:
    room = height - 2
    left = 36 if width >= 78 else 24
    if width >= _AXES_WIDTH:
        left = 44
    blocks = [_readings(record, left, room, symbols)]
    if width >= _AXES_WIDTH:
        blocks.append(_axes(record, 38, room, symbols))
        left += 38
    blocks.append(_events(record, width - left, room, symbols))
    return beside(*blocks)


@dataclass(frozen=True)
class _Row:
    """One reading: its value now, and all there were."""

    name: str
    value: str
    values: Sequence[float]
    least_span: float


def _measured(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _readings(record: Record, width: int, room: int, symbols: Symbols) -> list[Text]:
    windows, statuses = record.windows, record.statuses[::5] + record.statuses[-1:]
    rows = (
        _row("peak", "{:.2f} g", [w.peak_g for w in windows], 0.2),
        _row("bearing", "{:.1f} °C", _measured(s.bearing_c for s in statuses), 1.0),
        _row("motor", "{:.2f} A", _measured(s.current_a for s in statuses), 0.3),
        _row("crest", "{:.1f}", [w.crest for w in windows], 1.0),
        _row("supply", "{:.2f} V", _measured(s.supply_v for s in statuses), 0.1),
    )
    lines = [
        Text.assemble(
            f"{row.name:<8}",
            (f"{symbols.fold(row.value):>9}  ", styles.TITLE),
            sparkline(
                row.values,
                width - 23,
                symbols,
                style=styles.ACCENT,
                least_span=row.least_span,
            ),
        )
        for row in rows
    ]
    return framed(_filled(lines, room), width, symbols, title="Readings")


def _row(name: str, form: str, values: Sequence[float], least_span: float) -> _Row:
    return _Row(name, form.format(values[-1]) if values else "-", values, least_span)


def _axes(record: Record, width: int, room: int, symbols: Symbols) -> list[Text]:
    lines = [Text("axis   mm/s   g RMS  g peak  crest", style=styles.FAINT)]
    if record.windows:
        for name, axis in zip(AXES, record.windows[-1].axes, strict=True):
            values = f"{axis.velocity_mm_s:7.2f} {axis.rms_g:7.3f} {axis.peak_g:7.2f}"
            lines.append(Text(f"{name:<4}{values} {axis.crest:6.1f}"))
    return framed(_filled(lines, room), width, symbols, title="By axis")


def _events(record: Record, width: int, room: int, symbols: Symbols) -> list[Text]:
    lines = [
        Text.assemble(
            (f"{event.time_s:6.2f}  ", styles.FAINT),
            (symbols.fold(event.text), _WEIGHTS[event.weight]),
        )
        for event in record.events[-room:]
    ]
    return framed(_filled(lines, room), width, symbols, title="Events, s of device time")


def _filled(lines: list[Text], room: int) -> list[Text]:
    return [*lines[:room], *[Text("")] * (room - len(lines))]


def _losses(record: Record, width: int, symbols: Symbols) -> Text:
    losses = record.losses
    style = styles.BAD if losses.samples or losses.frames else styles.GOOD
    factor = f"{record.real_time_factor:.2f}" if record.real_time_factor else "-.--"
    frames = losses.frames_dropped + losses.frames_missing
    long = f" {record.samples:,} samples, {losses.samples} lost; "
    long += f"{frames} frames lost, {losses.bad_frames} bad"
    short = f" lost {losses.samples}, dropped {frames}, bad {losses.bad_frames}"
    for left, right in (
        (long, f"device {record.now_s:.1f} s, {factor}× real time"),
        (long, f"{record.now_s:.1f} s, {factor}×"),
        (short, f"{record.now_s:.1f} s, {factor}×"),
    ):
        if len(left) + len(right) < width:
            break
    return spread(Text(left, style=style), Text(symbols.fold(right), style=styles.FAINT), width)


def _small(record: Record, width: int, height: int, symbols: Symbols) -> list[Text]:
    """What matters most, for a terminal in which the screen has no room."""
    status = record.statuses[-1] if record.statuses else None
    command = status.command if status else 0.0
    velocity = record.windows[-1].velocity_mm_s if record.windows else 0.0
    lines = [
        Text(record.phase.title.upper(), style=_PHASES[record.phase]),
        _held(record, status),
        Text(f"command {100 * command:.0f} %, PWM {100 * record.pin_duty:.0f} %"),
        Text(f"velocity RMS {velocity:.2f} mm/s"),
        _losses(record, width, symbols),
        Text(f"(the screen needs {_LEAST_WIDTH}x{_LEAST_HEIGHT})", style=styles.FAINT),
    ]
    return [fit(line, width) for line in lines][:height]


def _folded(line: Text, symbols: Symbols) -> Text:
    if not symbols.unicode:
        line.plain = symbols.fold(line.plain)
    return line
