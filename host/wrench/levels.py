"""What a board protects: the levels at which it tells, slows down and stops, beside the reading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wrench.errors import RefusedError
from wrench.link import Frame, Link
from wrench.units import Unit, unit_of
from wrench_firmware import wire

NOT_THERE = "nothing there"
CEILING = "speed"
"""What `wrench limits set` calls the operator's lasting limit, beside the protections."""

# What each protection watches. Where it watches several, the one that its limit and trip are about.
WATCHED: dict[str, str] = {
    "vibration": "velocity_um_s",
    "acceleration peak": "peak_mg",
    "crest factor": "crest_centi",
    "envelope": "envelope_mg",
    "over-current": "current_ma",
    "short circuit": "current_ma",
    "stall": "standing_ms",
    "seizure": "seizing",
    "bearing too hot": "bearing_mdegc",
    "driver too hot": "driver_mdegc",
    "brown-out": "supply_mv",
    "supply too high": "supply_mv",
    "over-speed": "speed_rpm",
    "tacho lost": "tacho_silent_ms",
    "e-stop": "estop_open",
    "driver fault": "driver_fault",
    "sensor silent": "sensor_silent_ms",
    "sensor stuck": "sensor_stuck_ms",
    "sensor saturated": "sensor_saturated",
    "sensor noisy": "sensor_noisy",
    "wrong sensor": "sensor_identity",
    "samples lost": "samples_lost",
    "link lost": "heartbeat_age_ms",
    "control overrun": "control_interval_us",
}


@dataclass(frozen=True)
class Protection:
    """One protection of a board. Numbers are the wire's; `unit` writes them for people.

    `value` is what is measured now, None where it is not. A level is None where there is none;
    `board_...` are those of the board file.
    """

    name: str
    quantity: str
    unit: Unit
    value: int | None
    alarm: int | None
    limit: int | None
    trip: int | None
    delay_ms: int
    board_alarm: int | None
    board_limit: int | None
    board_trip: int | None

    def level(self, name: str) -> int | None:
        """A level by its name in `wire.LEVELS`."""
        return getattr(self, name)

    def board_level(self, name: str) -> int | None:
        """The board file's."""
        return getattr(self, f"board_{name}")

    @property
    def changed(self) -> list[str]:
        """Names of the levels that are not the board file's."""
        return [name for name in wire.LEVELS if self.level(name) != self.board_level(name)]

    def as_json(self) -> dict[str, Any]:
        """The same in readable units."""
        levels = {name: self.unit.of(self.level(name)) for name in wire.LEVELS}
        board = {f"board_{name}": self.unit.of(self.board_level(name)) for name in wire.LEVELS}
        return {
            "protection": self.name,
            "quantity": self.quantity,
            "unit": self.unit.symbol,
            "value": self.unit.of(self.value),
            **levels,
            "delay_ms": self.delay_ms,
            **board,
        }


def protection_named(text: str) -> str:
    """The name in `wire.FAULTS` that a person means: "Over-Current", "bearing-too-hot". Raises
    ValueError with a sentence."""
    wanted = _plain(text)
    for name in wire.FAULTS[1:]:
        if _plain(name) == wanted:
            return name
    close = [name for name in WATCHED if wanted and wanted in _plain(name)]
    hint = f"did you mean {' or '.join(close)}?" if close else "`wrench limits` lists them"
    raise ValueError(f"there is no protection {text!r}; {hint}")


def protections(link: Link, status: Frame) -> list[Protection]:
    """Every protection that the board has, in the order of `wire.FAULTS`; `status` is how it stands
    now. Raises LinkError."""
    found: list[Protection] = []
    for name in WATCHED:
        try:
            found.append(protection(link, name, status))
        except RefusedError as refusal:
            if refusal.reason != NOT_THERE:
                raise
    return found


def protection(link: Link, name: str, status: Frame) -> Protection:
    """One protection by its name in `wire.FAULTS`; raises RefusedError where the board has it not,
    LinkError."""
    levels = link.levels(name).values
    quantity = WATCHED.get(name, "")
    return Protection(
        name,
        quantity,
        unit_of(quantity) if quantity else Unit(""),
        _now(name, quantity, status),
        **{key: levels[key] for key in levels if key != "protection"},
    )


def _now(name: str, quantity: str, status: Frame) -> int | None:
    if name == "supply too high":
        supplies = [status[key] for key in ("supply_1_mv", "supply_2_mv", "supply_3_mv")]
        return max((value for value in supplies if value is not None), default=None)
    return status.values.get(quantity)


def _plain(text: str) -> str:
    return " ".join(text.lower().replace("-", " ").replace("_", " ").split())
