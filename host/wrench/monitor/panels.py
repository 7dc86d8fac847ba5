"""The parts of the screen, each drawn from a `Watch` into lines of an exact size."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rich.text import Text

from wrench.hints import FAULT_HINTS, fault_hint, limit_hint
from wrench.monitor import styles
from wrench.monitor.bars import bar, mark_column, sparkline
from wrench.monitor.frame import fit, framed, ruled, spread
from wrench.monitor.graph import Level, graph
from wrench.monitor.happenings import ORDINARY_LIMITS
from wrench.monitor.plot import Scale, spectrum_lines, waveform_lines
from wrench.monitor.readings import AXES, Status
from wrench.monitor.symbols import Symbols
from wrench.monitor.watch import Levels, Line, Points, Watch
from wrench.monitor.waveform import Spectrum, spectrum, spectrum_samples

SPANS_S = (60.0, 600.0, 3600.0)
LEAST_WIDTH, LEAST_HEIGHT = 60, 20
_MESSAGE_S = 8.0
_OLD_S = 2.0
_WAVE_S = (0.05, 0.1, 0.2, 0.5)
_TURNS_SHOWN = 4.0
_NAMED_WIDTH = 56
_KEYS_NAMED = ("stop", "run", "help", "quit")
_LABEL = 18


@dataclass
class View:
    """How the user wants to see it. `control` is whether this screen may command the board."""

    symbols: Symbols
    control: bool = True
    framed: bool = True
    """Frames around the panels; where lines are few, a rule above each."""
    axis: int = 0
    span_s: float = SPANS_S[0]
    paused_s: float | None = None
    """Device time at which the picture was paused."""
    waveform: Scale = field(default_factory=lambda: Scale(0.01))
    spectrum: Scale = field(default_factory=lambda: Scale(0.001))

    def next_axis(self) -> str:
        """Turn to the next axis; returns its name."""
        self.axis = (self.axis + 1) % len(AXES)
        return AXES[self.axis]

    def next_span(self) -> float:
        """Turn to the next length of the trends; returns it in seconds."""
        self.span_s = SPANS_S[(SPANS_S.index(self.span_s) + 1) % len(SPANS_S)]
        return self.span_s


Draw = Callable[[Watch, View, int, int], list[Text]]


def _inner(view: View, width: int, height: int) -> tuple[int, int]:
    """What a panel of that size has room for."""
    return (width - 4, height - 2) if view.framed else (width - 1, height - 1)


def _panel(
    view: View,
    lines: list[Text],
    width: int,
    height: int,
    *,
    title: Text | str,
    note: Text | str = "",
    foot: Text | None = None,
) -> list[Text]:
    """Lines with a title; `foot` is for the lower edge, where there are frames."""
    lines = _filled(lines, _inner(view, width, height)[1])
    if not view.framed:
        return ruled(lines, width, view.symbols, title=title, note=note)
    return framed(lines, width, view.symbols, title=title, note=note, foot=foot)


# ---- the top -------------------------------------------------------------------------------------
def title(watch: Watch, view: View, width: int, height: int) -> list[Text]:
    """Who the board is, and how its mode is."""
    left = Text(" Wrench monitor", style=styles.TITLE)
    if watch.board_name:
        left.append(f"  {view.symbols.fold(watch.board_name)}", style=styles.PLAIN)
    if watch.greeting is not None and width >= 120:
        version = watch.greeting["firmware_version"]
        left.append(f"  firmware {version}, boot {watch.greeting['boot_count']}", styles.FAINT)
    right = Text()
    if view.paused_s is not None:
        right.append(f"PAUSED at {view.paused_s:.1f} s  ", style=styles.WATCH)
    if not view.control:
        right.append("read-only  ", style=styles.FAINT)
    mode, style = _mode(watch)
    right.append(f"{mode.upper()} ", style=style)
    room = width - right.cell_len - 1
    left.truncate(max(0, room))
    return [spread(left, right, width)]


def _mode(watch: Watch) -> tuple[str, str]:
    if not watch.live or watch.status is None:
        return "no link", styles.BAD
    mode = watch.status.mode
    if mode == "tripped":
        return mode, styles.BAD
    if mode == "limiting":
        return mode, styles.LIMITED
    return mode, styles.GOOD if watch.status.turning else styles.PLAIN


def speed(watch: Watch, view: View, width: int, height: int) -> list[Text]:
    """Speed against the cap, and what binds."""
    status = watch.status
    symbols = view.symbols
    cap = status.cap if status else None
    wide = width >= 72
    room = 18 if wide else 0
    columns = _inner(view, width, height)[0] - _LABEL - room
    style = _mode(watch)[1] if status and status.turning else styles.ACCENT
    command = status.command if status else None
    rows: list[tuple[str, float | None, str, str]] = [
        ("command", command, style, _wish(watch)),
        ("duty", status.duty if status else None, styles.ACCENT, "of the PWM"),
    ]
    lines: list[Text] = []
    for name, value, colour, remark in rows:
        shown = "    -" if value is None else f"{100 * value:5.1f}"
        line = Text(f"{name:<9}{shown} %  ")
        line.append_text(bar(value or 0.0, columns, symbols, style=colour, mark=cap))
        if wide:
            line.append(f"  {remark}", style=styles.FAINT)
        lines.append(line)
    note = _shaft(status)
    foot: Text | None = None
    if status and view.framed:
        foot = _scale(status, columns, wide)
    elif status:
        note = Text.assemble((f"{_caps(status)}, ", styles.FAINT), note)
    return _stale(
        _panel(view, lines, width, height, title=_held(watch), note=note, foot=foot), watch
    )


def _wish(watch: Watch) -> str:
    if watch.report.owns_run and watch.report.target_permille:
        return f"asked {watch.report.target_permille / 10:g} %"
    return "of rated speed"


def _caps(status: Status) -> str:
    ceiling = f"ceiling {100 * status.ceiling:.0f} %, " if status.ceiling < status.cap else ""
    return f"{ceiling}cap {100 * status.cap:.0f} %"


def _shaft(status: Status | None) -> Text:
    if status is None:
        return Text("")
    if status.speed_rpm is None:
        return Text("no tacho", style=styles.FAINT)
    return Text(f"shaft {status.speed_rpm:,} rpm", style=styles.ACCENT)


def _scale(status: Status, columns: int, wide: bool) -> Text:
    """Words below the bars: the derate cap below its mark, the rated speed at the end."""
    marks = [" "] * (_LABEL + columns + (18 if wide else 0))
    cap = f" derate cap {100 * status.cap:.0f} % "
    at = max(0, _LABEL + mark_column(status.cap, columns) - len(cap) + 2)
    marks[at : at + len(cap)] = cap
    rated = " rated "
    end = _LABEL + columns - len(rated)
    if end >= at + len(cap):
        marks[end : end + len(rated)] = rated
    if status.ceiling < status.cap:
        ceiling = f" ceiling {100 * status.ceiling:.0f} % "
        place = _LABEL + mark_column(status.ceiling, columns) - len(ceiling) + 2
        if place >= 0 and place + len(ceiling) <= at:
            marks[place : place + len(ceiling)] = ceiling
    return Text("".join(marks), style=styles.FAINT)


def _held(watch: Watch) -> Text:
    """Mode, binding limit and owner in words."""
    status = watch.status
    text = Text("Speed: ", style=styles.TITLE)
    if status is None:
        return text.append("no status yet", style=styles.PLAIN)
    if not watch.live:
        return text.append(f"as it was at {status.time_s:.1f} s", style=styles.BAD)
    _, style = _mode(watch)
    if status.mode == "tripped":
        return text.append(f"TRIPPED by {status.fault}, motor off", style=styles.BAD)
    text.append(status.mode, style=style)
    if status.limit != "none":
        the = "the " if status.limit in ORDINARY_LIMITS else ""
        text.append(f", held by {the}", styles.PLAIN).append(status.limit, style=style)
    return text


def owner(watch: Watch) -> str:
    """Whose run it is, in words; empty where none is on."""
    status = watch.status
    if status is None or not status.turning:
        return ""
    if watch.report.owns_run:
        return "this monitor's run: it stops when the monitor ends"
    if "run owned by link" in status.flags:
        return "another host's run"
    return "a run started at the board"


# ---- words ---------------------------------------------------------------------------------------
def news(watch: Watch, view: View, width: int, height: int) -> list[Text]:
    """What a person should know now, most urgent first: the answer to the last command, the lost
    link, the trip and where to look, alarms, what holds the speed.
    """
    lines: list[Text] = []
    for text in _news(watch, view):
        lines += _wrapped(text, width - 2)
    if len(lines) > height:
        # `news_in_full` has all of it; a sentence that ends in the middle would mislead.
        last = lines[height - 1]
        more = f" {view.symbols.fold('…')} ? for all"
        words = last.plain
        while len(words) + len(more) > width - 2 and " " in words:
            words = words.rpartition(" ")[0]
        lines[height - 1] = Text(words + more, style=last.style)
    lines = [Text(" ").append_text(line) for line in lines[:height]]
    return [fit(line, width) for line in _filled(lines, height)]


def news_in_full(watch: Watch, view: View) -> str:
    """The same without regard to room, a line each, and an empty one where there is any."""
    lines = [text.plain for text in _news(watch, view)]
    return "\n".join([*lines, "", ""]) if lines else ""


def _news(watch: Watch, view: View) -> list[Text]:
    return [
        Text(view.symbols.fold(text), style=style)
        for text, style in (
            [*_messages(watch), *_state(watch)]
            if watch.live
            else [*_state(watch), *_messages(watch)]
        )
    ]


def _messages(watch: Watch) -> list[tuple[str, str]]:
    message = watch.message_within(_MESSAGE_S)
    return [(message.text, message.style)] if message else []


def _state(watch: Watch) -> list[tuple[str, str]]:
    status = watch.status
    if not watch.live or status is None:
        return [(f"Waiting for the board: {watch.waiting or 'no status yet'}", styles.BAD)]
    told: list[tuple[str, str]] = []
    age_s = watch.report.frame_age_s
    if age_s is not None and age_s > _OLD_S:
        old = f"The link is slow: what is shown may be {age_s:.0f} s old. A stop goes out at once."
        told.append((old, styles.BAD))
    if status.mode == "tripped":
        told.append((_told(status.fault, fault_hint), styles.BAD))
    for alarm in status.alarms:
        if status.mode != "tripped" or alarm != status.fault:
            told.append((_alarm(alarm, turning=status.turning), styles.WATCH))
    if status.mode != "tripped" and status.limit not in ("none", "ramp"):
        style = styles.PLAIN if status.limit in ORDINARY_LIMITS else styles.LIMITED
        told.append((_told(status.limit, limit_hint), style))
    if mine := owner(watch):
        told.append((f"{mine[0].upper()}{mine[1:]}.", styles.FAINT))
    return told


def _alarm(name: str, *, turning: bool) -> str:
    """The hint's own words are those of the trip that has not come."""
    look = fault_hint(name).look if name in FAULT_HINTS else ""
    if turning and look:
        look = f"The board stops if it gets worse. At a standstill: {look[0].lower()}{look[1:]}"
    return f"Alarm: {name}. {look}".rstrip()


def _told(name: str, hint_of: Callable[[str], object]) -> str:
    try:
        return str(hint_of(name))
    except KeyError:
        return f"{name}: this wrench does not know it; install matching firmware"


def _wrapped(text: Text, width: int) -> list[Text]:
    words = text.plain.split()
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return [Text(line, style=text.style) for line in lines]


# ---- trends --------------------------------------------------------------------------------------
def velocity(watch: Watch, view: View, width: int, height: int) -> list[Text]:
    """Velocity RMS over time, with its levels."""
    return _trend(
        watch,
        view,
        width,
        height,
        points=watch.velocity,
        protection="vibration",
        name="Velocity RMS",
        unit="mm/s",
    )


def peak(watch: Watch, view: View, width: int, height: int) -> list[Text]:
    """Peak acceleration over time, with its levels."""
    return _trend(
        watch,
        view,
        width,
        height,
        points=watch.peak,
        protection="acceleration peak",
        name="Acceleration peak",
        unit="g",
    )


def _trend(
    watch: Watch,
    view: View,
    width: int,
    height: int,
    *,
    points: Points,
    protection: str,
    name: str,
    unit: str,
) -> list[Text]:
    inner, room = _inner(view, width, height)
    end_s = max(watch.now_s, view.span_s)
    start_s = end_s - view.span_s
    seen = _since(points, start_s)
    levels = _levels(watch.levels.get(protection))
    highest = max((value for _, value in seen if value is not None), default=0.0)
    top = 1.08 * max([highest, *(level.value for level in levels)]) or 1.0
    now = points[-1][1] if points else None
    shown = "-" if now is None else f"{now:.2f} {unit}"
    note = f"{view.span_s / 60:.0f} min" if width >= 40 else ""
    if protection not in watch.levels and watch.status and watch.status.turning and width >= 40:
        note = f"levels are read at rest, {note}"
    heading = f"{name}, worst axis: {shown}" if width >= _NAMED_WIDTH else f"{name} {shown}"
    lines = graph(
        seen,
        inner,
        room,
        view.symbols,
        start_s=start_s,
        length_s=view.span_s,
        top=top,
        levels=levels,
        least_gutter=11,
    )
    return _stale(_panel(view, lines, width, height, title=heading, note=note), watch)


def _since(points: Points, start_s: float) -> Sequence[tuple[float, float | None]]:
    # A deque is slow in its middle: what is older than the span is not looked at one by one.
    held = list(points)
    return held[bisect.bisect_left(held, start_s, key=lambda point: point[0]) :]


def _levels(levels: Levels | None) -> list[Level]:
    if levels is None:
        return []
    named = (
        ("alarm", levels.alarm, styles.WATCH),
        ("limit", levels.limit, styles.LIMITED),
        ("trip", levels.trip, styles.BAD),
    )
    return [Level(name, value, style) for name, value, style in named if value is not None]


# ---- waveform and spectrum -----------------------------------------------------------------------
def waveform(watch: Watch, view: View, width: int, height: int) -> list[Text]:
    """Some turns of one axis, its mean removed."""
    axis = AXES[view.axis]
    held = watch.waveform
    length_s = _wave_s(watch)
    values = None if held is None else held.newest(round(held.rate_hz * length_s), view.axis)
    if held is None or values is None or len(values) < 8 or not _streams(watch, view):
        return _no_waveform(watch, view, width, height, f"Waveform {axis}")
    values = values - values.mean()
    highest = float(abs(values).max())
    top = view.waveform.fit(1.05 * highest)
    missing = f", {held.missing_samples:,} missing" if held.missing_samples else ""
    lines = waveform_lines(
        values,
        *_inner(view, width, height),
        view.symbols,
        top=top,
        length_s=len(values) / held.rate_hz,
    )
    heading = f"Waveform {axis}: {highest:.2f} g peak"
    note = f"{held.rate_hz:,} Hz{missing}"
    return _stale(_panel(view, lines, width, height, title=heading, note=note), watch)


def spectrum_panel(watch: Watch, view: View, width: int, height: int) -> list[Text]:
    """Amplitudes of acceleration of one axis over frequency."""
    axis = AXES[view.axis]
    held = watch.waveform
    found: Spectrum | None = None
    if held is not None and _streams(watch, view):
        wanted = spectrum_samples(held.rate_hz)
        values = held.newest(wanted, view.axis)
        if len(values) >= 64:
            found = spectrum(values[-(1 << (len(values).bit_length() - 1)) :], held.rate_hz)
    if found is None:
        return _no_waveform(watch, view, width, height, f"Spectrum {axis}")
    hz, amplitude_g = found.highest
    top = view.spectrum.fit(amplitude_g)
    lines = spectrum_lines(found, *_inner(view, width, height), view.symbols, top=top)
    heading = f"Spectrum {axis}: {1000 * amplitude_g:.0f} mg at {hz:.0f} Hz"
    note = f"Hann, {found.step_hz:.3g} Hz"
    return _stale(_panel(view, lines, width, height, title=heading, note=note), watch)


def _streams(watch: Watch, view: View) -> bool:
    return watch.report.waveform_on or view.paused_s is not None or not watch.live


def _wave_s(watch: Watch) -> float:
    """Some turns of the shaft, or a tenth of a second."""
    rpm = watch.status.speed_rpm if watch.status else None
    if not rpm:
        return _WAVE_S[1]
    wanted = _TURNS_SHOWN * 60.0 / rpm
    return next((length for length in _WAVE_S if length >= wanted), _WAVE_S[-1])


def _no_waveform(watch: Watch, view: View, width: int, height: int, heading: str) -> list[Text]:
    reason = watch.report.waveform
    why = f"no waveform: {reason}" if reason else "no waveform yet"
    if not watch.live:
        why = "no link"
    why = view.symbols.fold(why)
    lines = [Text(""), *_wrapped(Text(why, style=styles.FAINT), width - 4)]
    if height < 6:
        lines = lines[1:]
    return _panel(view, lines, width, height, title=heading)


# ---- readings ------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Reading:
    name: str
    value: str
    history: str = ""
    least_span: float = 0.0
    style: str = styles.TITLE


def readings(watch: Watch, view: View, width: int, height: int) -> list[Text]:
    """Temperatures, current, supplies, and the rest of what the board measures."""
    inner, room = _inner(view, width, height)
    rows = _readings(watch)
    # Two columns where one has not the room for all.
    if len(rows) > room and inner >= 34:
        left = inner // 2
        lines = [
            Text.assemble(
                fit(_reading(rows[at], left - 1, watch, view), left),
                _reading(rows[at + room], inner - left, watch, view)
                if at + room < len(rows)
                else "",
            )
            for at in range(min(room, len(rows)))
        ]
    else:
        lines = [_reading(row, inner, watch, view) for row in rows]
    return _stale(_panel(view, lines, width, height, title="Readings"), watch)


def _reading(row: _Reading, width: int, watch: Watch, view: View) -> Text:
    text = Text.assemble(f"{row.name:<8}", (f"{view.symbols.fold(row.value):>8}", row.style))
    room = width - 18
    if row.history and room >= 8:
        values = [v for _, v in watch.histories[row.history] if v is not None]
        text.append("  ").append_text(
            sparkline(
                values[-600:], room, view.symbols, style=styles.ACCENT, least_span=row.least_span
            )
        )
    return text


def _readings(watch: Watch) -> list[_Reading]:
    s = watch.status
    w = watch.window

    def shown(value: float | None, form: str) -> str:
        return "-" if value is None else form.format(value)

    def styled(value: float | None, protection: str) -> str:
        levels = watch.levels.get(protection)
        if value is None or levels is None:
            return styles.TITLE
        for level, style in (
            (levels.trip, styles.BAD),
            (levels.limit, styles.LIMITED),
            (levels.alarm, styles.WATCH),
        ):
            if level is not None and value >= level:
                return style
        return styles.TITLE

    current = s.current_a if s else None
    bearing = s.bearing_c if s else None
    driver = s.driver_c if s else None
    rows = [
        _Reading(
            "current", shown(current, "{:.2f} A"), "current", 0.3, styled(current, "over-current")
        ),
        _Reading("supply", shown(s.supply_v if s else None, "{:.2f} V"), "supply", 0.2),
        _Reading(
            "bearing",
            shown(bearing, "{:.1f} °C"),
            "bearing",
            1.0,
            styled(bearing, "bearing too hot"),
        ),
        _Reading(
            "driver", shown(driver, "{:.1f} °C"), "driver", 1.0, styled(driver, "driver too hot")
        ),
        _Reading("power", shown(s.power_w if s else None, "{:.1f} W"), "power", 1.0),
        _Reading("crest", shown(w.crest if w else None, "{:.1f}")),
    ]
    if s and sum(value is not None for value in s.supplies_v) > 1:
        rows[5:5] = [
            _Reading(f"supply {n}", shown(value, "{:.2f} V"))
            for n, value in enumerate(s.supplies_v, 1)
            if value is not None
        ]
    if s and s.envelope_g is not None:
        rows.append(_Reading("envelope", f"{s.envelope_g:.3f} g"))
    if w:
        rows.append(_Reading("kurtosis", f"{max(axis.kurtosis for axis in w.axes):.1f}"))
    return rows


def by_axis(watch: Watch, view: View, width: int, height: int) -> list[Text]:
    """Features of each axis."""
    lines = [Text("axis   mm/s   g RMS  g peak  crest  kurt.", style=styles.FAINT)]
    if watch.window:
        for at, (name, axis) in enumerate(zip(AXES, watch.window.axes, strict=True)):
            values = f"{axis.velocity_mm_s:7.2f} {axis.rms_g:7.3f} {axis.peak_g:7.2f}"
            text = f"{name:<4}{values} {axis.crest:6.1f} {axis.kurtosis:6.1f}"
            lines.append(Text(text, style=styles.ACCENT if at == view.axis else styles.PLAIN))
    return _stale(_panel(view, lines, width, height, title="By axis"), watch)


# ---- events and the link -------------------------------------------------------------------------
def events(watch: Watch, view: View, width: int, height: int) -> list[Text]:
    """The newest events, the last one at the bottom."""
    _, room = _inner(view, width, height)
    wide = width >= 50
    newest = list(watch.events)[-room:] if room > 0 else []
    lines = [_event(line, wide, view) for line in newest]
    note = "wall clock, s of device time" if wide else "s of device time"
    return _panel(view, lines, width, height, title="Events", note=note)


def _event(line: Line, wide: bool, view: View) -> Text:
    time_s = " " * 8 if line.time_s is None else f"{line.time_s:8.2f}"
    came = "" if not wide else f"{line.came:%H:%M:%S} " if line.came else " " * 9
    return Text.assemble(
        (f"{came}{time_s}  ", styles.FAINT), (view.symbols.fold(line.text), line.style)
    )


def link_line(watch: Watch, view: View, width: int, height: int) -> list[Text]:
    """The link and what was lost, in one line."""
    return [spread(*_link_words(watch, width), width)]


def _link_words(watch: Watch, width: int) -> tuple[Text, Text]:
    """The link, and what was lost, in full where they have room for it in `width` columns."""
    report = watch.report
    losses = report.losses
    left = (
        f" {report.bytes_per_s / 1000:.1f} kB/s  age {_ms(report.frame_age_s)}  "
        f"latency {_ms(report.latency_s)}"
        if report.connected
        else " no link"
    )
    right = (
        f"lost: {losses.samples} samples; frames {losses.missing} missing, {losses.broken} bad, "
        f"{losses.frames} dropped "
    )
    short = (
        f" lost {losses.samples} s, frames {losses.missing} m {losses.broken} b {losses.frames} d "
    )
    lost = losses.samples or losses.missing or losses.broken or losses.frames
    style = styles.BAD if lost else styles.GOOD
    words = right if len(left) + len(right) < width else short
    return Text(left, style=styles.FAINT), Text(words, style=style)


def link_panel(watch: Watch, view: View, width: int, height: int) -> list[Text]:
    """The link and what was lost, a line each."""
    report = watch.report
    losses = report.losses
    status = watch.status
    stream = "on" if report.waveform_on else report.waveform or "off"
    rows: list[tuple[str, str, bool]] = [
        ("received", f"{report.bytes_per_s / 1000:.1f} kB/s", False),
        ("frame age, at most", _ms(report.frame_age_s), False),
        ("latency of an answer", _ms(report.latency_s), False),
        ("samples lost", f"{losses.samples:,}", losses.samples > 0),
        ("frames missing", f"{losses.missing:,}", losses.missing > 0),
        ("frames bad", f"{losses.broken:,}", losses.broken > 0),
        ("dropped by the board", f"{losses.frames:,}", losses.frames > 0),
        ("not shown in time", f"{report.skipped:,}", report.skipped > 0),
        (
            "waveform missing",
            f"{watch.waveform.missing_samples if watch.waveform else 0:,} samples",
            bool(watch.waveform and watch.waveform.missing_samples),
        ),
        ("waveform", stream, False),
    ]
    if status:
        rows.append(
            (
                "board understood not",
                f"{status.bad_frames} frames, {status.stray_bytes} bytes",
                False,
            )
        )
        rows.append(("control overruns", f"{status.control_overruns}", status.control_overruns > 0))
    lines = [
        Text.assemble((f"{name:<22}", styles.FAINT), (value, styles.BAD if bad else styles.PLAIN))
        for name, value, bad in rows
    ]
    return _panel(view, lines, width, height, title="Link, since the monitor began")


def _ms(seconds: float | None) -> str:
    if seconds is None:
        return "- ms"
    return f"{1000 * seconds:.0f} ms" if seconds < 10.0 else f"{seconds:.0f} s"


# ---- what matters most, where there is little room -----------------------------------------------
def small(watch: Watch, view: View, width: int, height: int) -> list[Text]:
    """The state in words, for a terminal in which the screen has no room."""
    status, window = watch.status, watch.window
    mode, style = _mode(watch)
    lines = [Text(mode.upper(), style=style), _held(watch)]
    if status:
        lines.append(Text(f"command {100 * status.command:.0f} % of rated"))
    if window:
        lines.append(Text(f"velocity {window.velocity_mm_s:.2f} mm/s, peak {window.peak_g:.2f} g"))
    lines += _news(watch, view)
    link, lost = _link_words(watch, 0)
    lines += [link, lost]
    lines.append(Text(f"(the screen needs {LEAST_WIDTH}x{LEAST_HEIGHT})", style=styles.FAINT))
    return [fit(line, width) for line in _filled(lines, height)]


def keys(watch: Watch, view: View, width: int, height: int) -> list[Text]:
    """What can be typed; where there is not the room for all words, those that matter most."""
    commands = [("s", "stop"), ("r", "run"), ("+-", "speed"), ("x", "reset"), ("c", "capture")]
    looks = [("a", "axis"), ("t", "trend"), ("p", "pause"), ("?", "help"), ("q", "quit")]
    named = (commands if view.control else []) + looks
    least = [(key, what if what in _KEYS_NAMED else "") for key, what in named]
    lines = (_keys(named, "  "), _keys(named, " "), _keys(least, " "))
    line = next((it for it in lines if it.cell_len <= width), lines[-1])
    return [fit(line, width)]


def _keys(named: list[tuple[str, str]], gap: str) -> Text:
    line = Text("")
    for key, what in named:
        line.append(f"{gap if line else ' '}{key}", style=styles.TITLE)
        line.append(f" {what}" if what else "", style=styles.FAINT)
    return line


def _filled(lines: list[Text], room: int) -> list[Text]:
    return [*lines[: max(0, room)], *[Text("")] * max(0, room - len(lines))]


def _stale(lines: list[Text], watch: Watch) -> list[Text]:
    """Without the link nothing is as it is now: no colour but that of what is over."""
    if watch.live:
        return lines
    return [Text(line.plain, style=styles.FAINT, no_wrap=True) for line in lines]
