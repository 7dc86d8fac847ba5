"""The protocol's one definition, and that both sides read it alike.

Frames are packed by the firmware's own Telemetry on the real MicroPython VM and decoded by the
host's own decoder.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from micropython_vm import Vm

from wrench.link import Decoder, Frame
from wrench_firmware import wire

LISTS = {
    "IMAGES": wire.IMAGES,
    "RESET_CAUSES": wire.RESET_CAUSES,
    "MODES": wire.MODES,
    "LIMITS": wire.LIMITS,
    "FAULTS": wire.FAULTS,
    "FLAGS": wire.FLAGS,
    "EVENTS": wire.EVENTS,
    "REASONS": wire.REASONS,
}
DATA = [name for kind, (name, _) in wire.MESSAGES.items() if kind < wire.HELLO]
FIELDS = {name: [field for field, _, _ in fields] for name, fields in wire.MESSAGES.values()}
CODE_BYTES = {"B": 1, "b": 1, "H": 2, "h": 2, "I": 4, "i": 4, "Q": 8}


@pytest.fixture(scope="module")
def vm() -> Iterator[Vm]:
    vm = Vm("wire_device.py")
    yield vm
    vm.close()


def call(method: str, *arguments: Any, at_us: int = 0, times: int = 1) -> tuple[Any, ...]:
    """A call of the firmware's telemetry."""
    return at_us, method, arguments, times


def told(vm: Vm, *calls: tuple[Any, ...]) -> list[Frame]:
    """Frames that the firmware sends for these calls."""
    decoder = Decoder()
    sent = vm.ask("tell", calls)
    assert isinstance(sent, str), sent
    frames = list(decoder.feed(bytes.fromhex(sent)))
    assert decoder.bad_frames == 0
    return frames


# ---- the definition ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LISTS)
def test_a_list_names_nothing_twice_and_fits_its_byte(name: str) -> None:
    assert len(set(LISTS[name])) == len(LISTS[name])
    assert len(LISTS[name]) <= (8 if name == "FLAGS" else 256)


def test_messages_and_fields_are_named_once() -> None:
    names = [name for name, _ in wire.MESSAGES.values()]
    assert len(set(names)) == len(names)
    for _, fields in wire.MESSAGES.values():
        assert len({field for field, _, _ in fields}) == len(fields)


def test_units_that_look_like_lists_are_lists() -> None:
    units = {unit for _, fields in wire.MESSAGES.values() for _, _, unit in fields}
    assert {unit for unit in units if unit.isupper()} <= LISTS.keys()


def test_both_pythons_have_the_same_hash_and_sizes(vm: Vm) -> None:
    found = vm.ask("schema")
    sizes = {
        name: sum(CODE_BYTES.get(code) or int(code[:-1]) for _, code, _ in fields)
        for name, fields in wire.MESSAGES.values()
    }
    assert found == [wire.schema_hash(), sizes, wire.DATA_HEAD_BYTES, wire.COMMAND_HEAD_BYTES]
    largest = max(sizes.values()) + wire.DATA_HEAD_BYTES + wire.CRC_BYTES
    assert largest <= wire.MAX_DATA_BYTES
    largest = max(sizes[name] for name in sizes if name not in DATA)
    assert largest + wire.COMMAND_HEAD_BYTES + wire.CRC_BYTES + 1 <= wire.MAX_COMMAND_BYTES


@pytest.mark.parametrize(
    "change",
    [
        ("speed_permille", "I", "1/1000 of rated speed"),
        ("speed_permille", "H", "1/100 of rated speed"),
        ("speed", "H", "1/1000 of rated speed"),
        None,
    ],
    ids=["code", "unit", "name", "gone"],
)
def test_the_hash_changes_with_a_field(
    monkeypatch: pytest.MonkeyPatch, change: tuple[str, str, str] | None
) -> None:
    before = wire.schema_hash()
    monkeypatch.setitem(wire.MESSAGES, wire.RUN, ("run", (change,) if change else ()))
    assert wire.schema_hash() != before


def test_the_hash_changes_with_any_message_its_fields_and_their_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = {wire.schema_hash()}
    changes = 0
    for kind, (name, fields) in list(wire.MESSAGES.items()):
        others = [(name + "s", fields), (name, (*fields, ("more", "B", "")))]
        others += [(name, (*fields[:n], *fields[n + 1 :])) for n in range(len(fields))]
        others += [(name, tuple(reversed(fields)))] if len(fields) > 1 else []
        for other in others:
            with monkeypatch.context() as patch:
                patch.setitem(wire.MESSAGES, kind, other)
                seen.add(wire.schema_hash())
                changes += 1
        with monkeypatch.context() as patch:
            patch.delitem(wire.MESSAGES, kind)
            seen.add(wire.schema_hash())
            changes += 1
    for name, value in [*LISTS.items(), ("DATA_HEAD", wire.DATA_HEAD)]:
        with monkeypatch.context() as patch:
            patch.setattr(wire, name, tuple(reversed(value)))
            seen.add(wire.schema_hash())
            changes += 1
    with monkeypatch.context() as patch:
        patch.setattr(wire, "VERSION", wire.VERSION + 1)
        seen.add(wire.schema_hash())
    assert len(seen) == changes + 2


def test_the_hash_does_not_depend_on_the_order_of_the_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = wire.schema_hash()
    monkeypatch.setattr(wire, "MESSAGES", dict(reversed(wire.MESSAGES.items())))
    assert wire.schema_hash() == before


def test_the_firmware_s_numbers_are_places_in_the_lists(vm: Vm) -> None:
    special = {
        "above the board's ceiling": "ABOVE_CEILING",
        "tripped: reset first": "TRIPPED",
        "the cause of the trip is still there": "CAUSE_PRESENT",
        "e-stop is open": "ESTOP_OPEN",
        "motor is turning: stop first": "TURNING",
        "sensor not ready": "NOT_READY",
    }
    reasons = [special.get(name, name.upper().replace(" ", "_")) for name in wire.REASONS]
    events = ["EVENT_" + name.upper().replace(" ", "_") for name in wire.EVENTS]
    assert vm.ask("numbers", "commands", reasons) == list(range(len(wire.REASONS)))
    assert vm.ask("numbers", "telemetry", events) == list(range(len(wire.EVENTS)))


# ---- what the firmware packs, the host unpacks ---------------------------------------------------

INT32 = st.integers(-(1 << 31), (1 << 31) - 1)
U32 = st.integers(0, (1 << 32) - 1)
U16 = st.integers(0, (1 << 16) - 1)


def text(most: int) -> st.SearchStrategy[bytes]:
    """Bytes of a text field, which the wire pads with zeros."""
    return st.binary(max_size=most).map(lambda data: data.replace(b"\0", b"."))


identities = st.binary(min_size=7, max_size=7).map(lambda data: data + b"\x2b")


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, (1 << 64) - 1),
    st.tuples(U16, st.integers(0, len(wire.IMAGES) - 1), st.integers(0, 3), U32, U32, U32, U32),
    st.tuples(identities, text(24), text(12), text(12)),
)
def test_a_greeting_comes_back(
    vm: Vm, time_us: int, numbers: tuple[int, ...], texts: tuple[bytes, ...]
) -> None:
    (frame,) = told(vm, call("greeting", *numbers, *(t.hex() for t in texts), at_us=time_us))
    assert (frame.name, frame.time_us, frame.sequence, frame.tail) == ("greeting", time_us, 0, b"")
    expected = [*numbers, *texts]
    expected[1:3] = [wire.IMAGES[numbers[1]], wire.RESET_CAUSES[numbers[2]]]
    assert frame.values == dict(zip(FIELDS["greeting"], expected, strict=True))


def test_an_identity_that_ends_in_zeros_comes_back_whole(vm: Vm) -> None:
    identity = bytes.fromhex("e661640843735300")
    (frame,) = told(vm, call("greeting", 1, 0, 0, 0, 0, 0, 3200, identity.hex(), "", "", ""))
    assert frame["unique_id"] == identity


GOVERNOR = {"mode": 4, "limit": 4, "fault": 9, "command_permille": 612, "cap_permille": 700}
INPUTS = {"speed_rpm": 1836, "bearing_mdegc": 41_237, "current_ma": -1234, "supply_mv": 12_345}
STATUS = {
    "mode": "limiting",
    "limit": "bearing vibration",
    "fault": "link lost",
    "flags": 0b1011,
    "speed_command_permille": 612,
    "derate_cap_permille": 700,
    "duty_permille": 587,
    "speed_rpm": 1836,
    "velocity_um_s": 70_000,
    "acceleration_peak_mg": 9001,
    "bearing_temperature_cdeg": 4123,
    "current_ma": -1234,
    "supply_mv": 12_345,
    "control_overruns": 3,
    "bad_frames": 4,
}


def status(vm: Vm, peak_mg: int = 9001, overruns: int = 3, **inputs: int) -> Frame:
    """The status that the firmware sends for what it knows."""
    features = {"worst_velocity_um_s": 70_000, "worst_peak_mg": peak_mg}
    knows = [GOVERNOR, {"duty_permille": 587}, INPUTS | inputs, features, 0b1011, overruns, 4]
    (frame,) = told(vm, call("status", *knows))
    return frame


def test_a_status_comes_back(vm: Vm) -> None:
    frame = status(vm)
    assert list(frame.values.items()) == list(STATUS.items())
    assert list(frame.values) == FIELDS["status"]


@pytest.mark.parametrize(
    ("known", "field", "told_as"),
    [
        ({"speed_rpm": 70_000}, "speed_rpm", 65_535),
        ({"supply_mv": 80_000}, "supply_mv", 65_535),
        ({"current_ma": 40_000}, "current_ma", 32_767),
        ({"current_ma": -40_000}, "current_ma", -32_768),
        ({"bearing_mdegc": -52_635}, "bearing_temperature_cdeg", -5264),
        ({"peak_mg": 70_000}, "acceleration_peak_mg", 65_535),
        ({"overruns": 65_537}, "control_overruns", 1),
    ],
)
def test_what_does_not_fit_its_field_is_told_as_the_most_that_does(
    vm: Vm, known: dict[str, int], field: str, told_as: int
) -> None:
    frame = status(vm, **known)
    assert frame.values == STATUS | {field: told_as}


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, (1 << 16) - 1), min_size=11, max_size=11), st.tuples(U32, U32, U32))
def test_features_come_back(vm: Vm, numbers: list[int], velocities: tuple[int, ...]) -> None:
    samples, window_ms, *rest = numbers
    velocities = tuple(v >> 1 for v in velocities)
    # On the chip these are views of int32 arrays; any sequence packs alike.
    features = {
        "window_samples": samples,
        "rms_mg": rest[0:3],
        "peak_mg": rest[3:6],
        "crest_centi": rest[6:9],
        "velocity_um_s": velocities,
    }
    (frame,) = told(vm, call("features", features, window_ms))
    expected = [samples, window_ms, *rest, 0, *velocities]
    assert frame.values == dict(zip(FIELDS["features"], expected, strict=True))


@given(st.sampled_from(wire.EVENTS), U16, INT32)
@settings(max_examples=20, deadline=None)
def test_an_event_comes_back(vm: Vm, event: str, detail: int, value: int) -> None:
    (frame,) = told(vm, call("event", wire.EVENTS.index(event), detail, value))
    assert frame.values == {"code": event, "detail": detail, "value": value}


@given(st.integers(0, 255), st.sampled_from(wire.REASONS), U16)
@settings(max_examples=20, deadline=None)
def test_a_reply_comes_back(vm: Vm, command: int, reason: str, sequence: int) -> None:
    (frame,) = told(vm, call("reply", command, wire.REASONS.index(reason), sequence))
    expected = {"command": command, "reason": reason, "command_sequence": sequence}
    assert frame.values == expected


@pytest.mark.parametrize("count", [16, 1, 160])
def test_a_waveform_comes_back_and_the_next_frame_is_whole(vm: Vm, count: int) -> None:
    noise = random.Random(count)
    samples = [noise.randint(-32_768, 32_767) for _ in range(3 * count)]
    first, scale_ug = 0xFFFF_FFF0, 3906
    frame, after = told(
        vm, call("waveform", first, samples, count, scale_ug), call("event", 1, 2, 3)
    )
    assert frame.values == {"first_sample": first, "samples": count, "scale_ug": scale_ug}
    assert list(struct.unpack(f"<{3 * count}h", frame.tail)) == samples
    assert after.values == {"code": "run", "detail": 2, "value": 3}
    assert after.tail == b""


def test_every_message_of_the_board_is_tested_here() -> None:
    assert sorted(DATA) == ["event", "features", "greeting", "reply", "status", "waveform"]


# ---- numbering and losses ------------------------------------------------------------------------

OPEN, FULL = call("link", True, True), call("link", True, False)
CLOSED = call("link", False, False)
EVENT = call("event", 0, 0, 0)


def test_a_dropped_frame_is_counted_and_keeps_its_number(vm: Vm) -> None:
    frames = told(vm, EVENT, FULL, EVENT, EVENT, OPEN, EVENT, EVENT)
    assert [(f.sequence, f.dropped_frames) for f in frames] == [(0, 0), (3, 2), (4, 2)]


def test_while_no_host_listens_nothing_is_numbered_or_dropped(vm: Vm) -> None:
    frames = told(vm, EVENT, CLOSED, EVENT, EVENT, OPEN, EVENT)
    assert [(f.sequence, f.dropped_frames) for f in frames] == [(0, 0), (1, 0)]


def test_counters_of_losses_wrap_at_sixteen_bits(vm: Vm) -> None:
    frames = told(vm, call("losses", 65_535, 65_535), EVENT, call("losses", 65_537, 65_536), EVENT)
    assert [(f.lost_samples, f.dropped_frames) for f in frames] == [(65_535, 65_535), (1, 0)]


def test_frame_numbers_wrap_at_sixteen_bits_without_a_gap(vm: Vm) -> None:
    many = call("event", 0, 0, 0, times=65_535)
    frames = told(vm, FULL, many, OPEN, EVENT, EVENT, EVENT)
    assert [f.sequence for f in frames] == [65_535, 0, 1]


def test_device_time_has_sixty_four_bits(vm: Vm) -> None:
    times = [0, 0xFFFF_FFFF, 0x1_0000_0000, 0xFFFF_FFFF_FFFF_FFFF]
    frames = told(vm, *(call("event", 0, 0, 0, at_us=time_us) for time_us in times))
    assert [f.time_us for f in frames] == times
