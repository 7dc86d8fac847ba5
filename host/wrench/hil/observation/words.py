"""An excerpt in a few lines of text, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from wrench.hil.observation.excerpt import Excerpt, LineSeen

_EDGES = 3
_NOTES = 8


def lines(excerpt: Excerpt) -> list[str]:
    """When the watched line and the others last changed, the duty, what the board told, and what
    was done last."""
    told = list(_lines(excerpt))
    width = max((len(name) for name, _ in told), default=0)
    return [f"{name:<{width}}  {text}" for name, text in told]


def _lines(excerpt: Excerpt) -> Iterator[tuple[str, str]]:
    begin_s, end_s = excerpt.begin_ns / 1e9, excerpt.end_ns / 1e9
    yield "device time", f"{begin_s:.3f} to {end_s:.3f} s"
    if excerpt.failure:
        yield "failure", f"{time(excerpt.failure.time_ns)}  {excerpt.failure.text}"
    if not excerpt.powered or not excerpt.powered[-1][1]:
        yield "power", "off"
    for at_ns, _ in excerpt.resets:
        yield "reset", time(at_ns)
    for seen in excerpt.lines:
        if seen.line.pwm:
            yield f"{seen.line.name} duty", _duty(seen)
        else:
            yield seen.line.name, _edges(seen)
    for name, states in excerpt.states.items():
        at_ns, text = states[-1]
        since = f", told {time(at_ns)}" if at_ns >= excerpt.begin_ns else ""
        yield name, text + since
    for what, from_ns, until_ns in excerpt.flash_writes[-_EDGES:]:
        yield "flash", f"{time(from_ns)}  {what}, {(until_ns - from_ns) / 1e6:.1f} ms"
    for note in excerpt.notes[-_NOTES:]:
        yield note.by, f"{time(note.time_ns)}  {note.text}{repeated(note.times)}"
    for sentence in excerpt.missing:
        yield "not seen", sentence


def time(at_ns: float) -> str:
    """Device time to the microsecond."""
    return f"{at_ns / 1e9:.6f} s"


def repeated(times: int) -> str:
    """What follows a note of something done again and again."""
    return f" ({times} times)" if times > 1 else ""


def _duty(seen: LineSeen) -> str:
    """Step by step where it changed, the last few."""
    changes: list[tuple[float, float]] = []
    for stretch in seen.stretches:
        duty = 100.0 * stretch.high
        if not changes or abs(changes[-1][1] - duty) >= 0.5:
            changes.append((stretch.begin_ns, duty))
    if not changes:
        return "not seen"
    text = ", then ".join(f"{duty:.1f} % from {time(at_ns)}" for at_ns, duty in changes[-_EDGES:])
    ended = [at_ns for at_ns, _ in seen.changes()][1:]
    if ended and ended[-1] < seen.stretches[-1].begin_ns:
        return f"{text}; last edge at {time(ended[-1])}"
    return f"{text}; {100.0 * seen.stretches[-1].high:.1f} % in the end"


def _edges(seen: LineSeen) -> str:
    edges = sum(one.edges for one in seen.stretches)
    level = ("low", "high")[seen.stretches[-1].after]
    if not edges:
        return f"{level} all the time"
    known = [(at_ns, new) for at_ns, new in list(seen.changes())[1:] if new is not None][-_EDGES:]
    last = ", ".join(f"{('falls', 'rises')[new]} at {time(at_ns)}" for at_ns, new in known)
    many = f"{edges} edges, the last: " if edges > len(known) else ""
    return f"{many}{last}"
