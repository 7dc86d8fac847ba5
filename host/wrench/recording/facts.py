"""What `wrench info` tells of a recording: as plain values, and as lines for people."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from wrench.chronicle import described
from wrench.recording import schema
from wrench.recording.reader import Recording
from wrench.units import counted

_EVENTS_SHOWN = 20
_GAPS_SHOWN = 10


def facts(recording: Recording) -> dict[str, Any]:
    """Everything that is told, as JSON takes it; what cannot be told is None."""
    topics = recording.topics
    duration_s = recording.duration_s
    rate, sd = recording.rate()
    losses = recording.losses()
    events = recording.events()
    started = recording.started
    metadata = recording.metadata["wrench"]
    return {
        "file": str(recording.path),
        "bytes": recording.size,
        "complete": recording.is_complete,
        "being_recorded": recording.is_being_recorded,
        "started": None if started is None else started.isoformat(),
        "device_time_at_start_us": recording.start_time_us,
        "duration_s": duration_s,
        "wrench_version": metadata.get("wrench_version"),
        "board": recording.greeting,
        "board_file": metadata.get("board_file") or None,
        "topics": {
            topic: {
                "messages": count,
                "per_second": count / duration_s if duration_s else None,
                "schema": recording.schemas[topic],
            }
            for topic, count in sorted(topics.items())
        },
        "waveform": {
            "samples": topics.get(schema.WAVEFORM_TOPIC, 0),
            "rate_hz": _known(rate),
            "rate_sd_hz": _known(sd),
            "nominal_hz": recording.greeting["sample_rate_hz"],
            "gaps": [asdict(gap) for gap in recording.gaps()],
        },
        "losses": {name: int(column[-1]) for name, column in losses.columns.items() if len(column)},
        "events": [asdict(event) for event in events],
        # Last: reading is what finds the damage.
        "problems": recording.problems,
    }


def lines(told: dict[str, Any]) -> Iterator[str]:
    """The same for people."""
    board, waveform = told["board"], told["waveform"]
    yield f"{told['file']}: {told['duration_s']:.1f} s, {told['bytes'] / 1e6:.1f} MB"
    if told["started"]:
        at_s = told["device_time_at_start_us"] / 1e6
        yield f"started    {told['started']}, {at_s:.1f} s after the board's reset"
    yield (
        f"board      {board['board_name']}, firmware {board['firmware_version']} "
        f"({board['firmware_hash']:08x}), id {board['unique_id']}"
    )
    yield f"board file {told['board_file'] or 'not known to the recorder'}"
    now = ", and goes on" if told["being_recorded"] else ""
    yield f"recorded   by wrench {told['wrench_version']}{now}"
    if waveform["samples"]:
        yield f"waveform   {counted(waveform['samples'], 'sample')} of x, y, z{_rate(waveform)}"
    else:
        yield "waveform   none"
    yield from _gap_lines(waveform["gaps"])
    losses = told["losses"]
    if losses:
        lost = {name: count for name, count in losses.items() if name != "device_time_us" and count}
        parts = [f"{name.replace('_', ' ')} {count}" for name, count in lost.items()]
        yield f"losses     {', '.join(parts) or 'nothing lost'}"
    for topic, it in told["topics"].items():
        per_second = "" if it["per_second"] is None else f", {it['per_second']:.1f} a second"
        yield f"  {topic:<17} {it['messages']:>10,} {it['schema']}{per_second}"
    yield from _event_lines(told["events"])
    for problem in told["problems"]:
        yield f"damaged    {problem}"


def _rate(waveform: dict[str, Any]) -> str:
    if waveform["rate_hz"] is None:
        return ""
    return (
        f", {waveform['rate_hz']:.3f} ± {waveform['rate_sd_hz']:.3f} Hz by device time "
        f"(nominal {waveform['nominal_hz']} Hz)"
    )


def _gap_lines(gaps: list[dict[str, Any]]) -> Iterator[str]:
    for gap in gaps[:_GAPS_SHOWN]:
        yield (
            f"gap        at {gap['start_s']:.3f} s, {gap['end_s'] - gap['start_s']:.3f} s, "
            f"{counted(gap['missing_samples'], 'sample')}: {gap['why']}"
        )
    if len(gaps) > _GAPS_SHOWN:
        missing = sum(gap["missing_samples"] for gap in gaps[_GAPS_SHOWN:])
        more = counted(len(gaps) - _GAPS_SHOWN, "gap")
        yield f"           and {more} more, {counted(missing, 'sample')}"


def _event_lines(events: list[dict[str, Any]]) -> Iterator[str]:
    shown = events if len(events) <= _EVENTS_SHOWN else events[-_EVENTS_SHOWN:]
    if len(shown) < len(events):
        counts = Counter(event["name"] for event in events)
        told = ", ".join(f"{count} {name}" for name, count in counts.most_common())
        yield f"events     {told}; the last {len(shown)}:"
    for event in shown:
        value = event["value"]
        text = described(event["name"], event["detail"], None if value is None else round(value))
        yield f"event      {event['time_s']:9.3f} s  {text}"


def _known(number: float) -> float | None:
    return None if math.isnan(number) else number
