"""The protocol's one definition, and that both sides read it alike.

Frames are packed by the firmware's own Telemetry on the real MicroPython VM and decoded by the
host's own decoder.
"""

from __future__ import annotations

import random
import re
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
    "LEVELS": wire.LEVELS,
    "FLAGS": wire.FLAGS,
    "EVENTS": wire.EVENTS,
    "REASONS": wire.REASONS,
}
DATA = [name for kind, (name, _) in wire.MESSAGES.items() if kind < wire.HELLO]
FIELDS = {name: [field for field, _, _ in fields] for name, fields in wire.MESSAGES.values()}
KINDS = {name: kind for kind, (name, _) in wire.MESSAGES.items()}
CODE_BYTES = {"B": 1, "b": 1, "H": 2, "h": 2, "I": 4, "i": 4, "Q": 8}
# Fields of bits, by the list that names them.
BITS = {"FLAGS": 16}


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
    assert len(LISTS[name]) <= BITS.get(name, 256)


def test_every_fault_has_a_bit_among_the_alarms() -> None:
    (code,) = [code for name, code, _ in wire.STATUS_STATE if name == "alarms"]
    assert len(wire.FAULTS) <= 8 * CODE_BYTES[code]


def test_messages_and_fields_are_named_once() -> None:
    names = [name for name, _ in wire.MESSAGES.values()]
    assert len(set(names)) == len(names)
    for _, fields in wire.MESSAGES.values():
        assert len({field for field, _, _ in fields}) == len(fields)


def test_units_that_look_like_lists_are_lists() -> None:
    units = {unit for _, fields in wire.MESSAGES.values() for _, _, unit in fields}
    assert {unit for unit in units if unit.isupper()} <= LISTS.keys()


def sizes(fields: Any) -> int:
    """Bytes of a sequence of fields, by the table above."""
    return sum(CODE_BYTES.get(code) or int(code[:-1]) for _, code, _ in fields)


def test_the_chip_has_the_hash_and_sizes_of_the_definition(vm: Vm) -> None:
    found, formats, heads, parts = vm.ask("schema")
    assert found == wire.schema_hash()
    assert formats == {
        str(kind): [wire.struct_format(fields), sizes(fields), sizes(fields)]
        for kind, (_, fields) in wire.MESSAGES.items()
    }
    assert heads == [sizes(wire.DATA_HEAD), sizes(wire.COMMAND_HEAD), 4]
    assert parts == [[sizes(part)] * 2 for part in (wire.STATUS_STATE, wire.FEATURES_HEAD)]


def test_every_message_fits_a_frame() -> None:
    around = wire.DATA_HEAD_BYTES + wire.CRC_BYTES
    assert max(sizes(wire.MESSAGES[KINDS[n]][1]) for n in DATA) + around <= wire.MAX_DATA_BYTES
    around = wire.COMMAND_HEAD_BYTES + wire.CRC_BYTES + 1
    commands = [fields for kind, (_, fields) in wire.MESSAGES.items() if kind >= wire.HELLO]
    assert max(map(sizes, commands)) + around <= wire.MAX_COMMAND_BYTES


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
        "the motor's supply is too low": "SUPPLY_LOW",
        "too soon after the last stop": "TOO_SOON",
        "less protective than the board file: hold the button at power-up first": "LESS_PROTECTIVE",
        "levels must rise from alarm to limit to trip": "OUT_OF_ORDER",
        "this cannot be changed": "FIXED",
        "nothing there": "NOTHING_THERE",
        "probation can be held back, not hurried": "NOT_HURRIED",
        "the flash does not keep it": "NOT_KEPT",
    }
    reasons = [special.get(name, name.upper().replace(" ", "_")) for name in wire.REASONS]
    events = ["EVENT_" + re.sub("[ -]", "_", name.upper()) for name in wire.EVENTS]
    assert vm.ask("numbers", "commands", reasons) == list(range(len(wire.REASONS)))
    assert vm.ask("numbers", "wire_format", events) == list(range(len(wire.EVENTS)))


# ---- what the firmware packs, the host unpacks ---------------------------------------------------

SENTINELS = (wire.ABSENT, wire.BROKEN)
INT32 = st.integers(-(1 << 31), (1 << 31) - 1).filter(lambda number: number not in SENTINELS)
U32 = st.integers(0, (1 << 32) - 1)
U16 = st.integers(0, (1 << 16) - 1)


def text(most: int) -> st.SearchStrategy[bytes]:
    """Bytes of a text field, which the wire pads with zeros."""
    return st.binary(max_size=most).map(lambda data: data.replace(b"\0", b"."))


identities = st.binary(min_size=7, max_size=7).map(lambda data: data + b"\x2b")


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, (1 << 64) - 1),
    st.tuples(U16, st.integers(0, len(wire.IMAGES) - 1), st.integers(0, 3)),
    st.tuples(U32, U32, U32, U32, U32),
    st.tuples(identities, text(32), text(12), text(12), text(12)),
)
def test_a_greeting_comes_back(
    vm: Vm,
    time_us: int,
    named: tuple[int, int, int],
    numbers: tuple[int, ...],
    texts: tuple[bytes, ...],
) -> None:
    given_texts = (t.hex() for t in texts)
    (frame,) = told(vm, call("greeting", *named, *numbers, *given_texts, at_us=time_us))
    assert (frame.name, frame.time_us, frame.sequence, frame.tail) == ("greeting", time_us, 0, b"")
    version, image, cause = named
    expected = [version, wire.IMAGES[image], wire.RESET_CAUSES[cause], *numbers, texts[0].hex()]
    expected += [text.decode(errors="replace") for text in texts[1:]]
    assert frame.values == dict(zip(FIELDS["greeting"], expected, strict=True))


def test_an_identity_that_ends_in_zeros_comes_back_whole(vm: Vm) -> None:
    identity = bytes.fromhex("e661640843735300")
    numbers = [2, 0, 0, 0, 0, 0, 3200, 1]
    (frame,) = told(vm, call("greeting", *numbers, identity.hex(), "", "", "", ""))
    assert frame["unique_id"] == identity.hex()


GOVERNOR = {"mode": 5, "limit": 6, "fault": 24, "command_permille": 612}
STATE = {
    "mode": "limiting",
    "limit": "vibration",
    "fault": "link lost",
    "probation_step": 2,
    "flags": 0b1010_1011,
    "speed_command_permille": 612,
    "derate_cap_permille": 700,
    "ceiling_permille": 650,
    "duty_permille": 587,
    "control_overruns": 3,
    "bad_frames": 4,
    "stray_bytes": 5,
    "alarms": 1 << 28 | 1 << 1,
}
# Each its own, so that two that change places are seen.
READINGS = [(-1) ** n * (1000 * n + 7) for n in range(len(wire.QUANTITIES))]


def status(vm: Vm, quantities: list[int], **other: int) -> Frame:
    """The status that the firmware sends for what it knows."""
    order = ["probation_step", "flags", "derate_cap_permille", "ceiling_permille"]
    order += ["duty_permille", "control_overruns", "bad_frames", "stray_bytes", "alarms"]
    known = STATE | other
    (frame,) = told(vm, call("status", GOVERNOR, *(known[name] for name in order), quantities))
    return frame


def test_a_status_comes_back(vm: Vm) -> None:
    frame = status(vm, READINGS)
    names = [name for name, _ in wire.QUANTITIES]
    assert frame.values == STATE | dict(zip(names, READINGS, strict=True))
    assert list(frame.values) == FIELDS["status"]
    assert frame.tail == b""


@settings(max_examples=20, deadline=None)
@given(st.lists(INT32, min_size=len(READINGS), max_size=len(READINGS)))
def test_every_quantity_comes_back_in_full(vm: Vm, readings: list[int]) -> None:
    frame = status(vm, readings)
    assert [frame[name] for name, _ in wire.QUANTITIES] == readings


@pytest.mark.parametrize("name", [name for name, _ in wire.QUANTITIES])
@pytest.mark.parametrize("sentinel", SENTINELS, ids=["absent", "broken"])
def test_what_is_not_measured_or_broken_is_none_and_nothing_else_is(
    vm: Vm, name: str, sentinel: int
) -> None:
    names = [quantity for quantity, _ in wire.QUANTITIES]
    frame = status(vm, [sentinel if n == name else READINGS[i] for i, n in enumerate(names)])
    assert [n for n in names if frame[n] is None] == [name]


def test_the_firmware_s_absent_and_broken_are_the_wire_s(vm: Vm) -> None:
    assert vm.ask("numbers", "quantities", ["ABSENT", "BROKEN"]) == [wire.ABSENT, wire.BROKEN]


def test_the_firmware_s_quantities_are_numbered_as_the_wire_has_them(vm: Vm) -> None:
    names = [name.upper() for name, _ in wire.QUANTITIES]
    assert vm.ask("numbers", "quantities", names) == list(range(len(names)))
    assert vm.ask("numbers", "quantities", ["COUNT"]) == [len(names)]


@pytest.mark.parametrize("counter", ["control_overruns", "bad_frames", "stray_bytes"])
def test_a_counter_wraps_at_sixteen_bits(vm: Vm, counter: str) -> None:
    frame = status(vm, READINGS, **{counter: (1 << 16) + 11})
    assert frame[counter] == 11


@settings(max_examples=20, deadline=None)
@given(
    st.tuples(U16, U16, INT32, INT32),
    st.lists(INT32, min_size=3 * len(wire.AXIS_FEATURES), max_size=3 * len(wire.AXIS_FEATURES)),
)
def test_features_come_back(vm: Vm, head: tuple[int, ...], axes: list[int]) -> None:
    (frame,) = told(vm, call("features", *head, axes))
    expected = dict(zip(FIELDS["features"], [*head, *axes], strict=True))
    assert frame.values == expected
    assert list(frame.values)[4:7] == ["rms_x_mg", "rms_y_mg", "rms_z_mg"]


@given(st.sampled_from(wire.EVENTS), st.integers(0, 255), INT32)
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


@pytest.mark.parametrize(("count", "before"), [(16, 0), (1, 3), (32, 5), (160, 0)])
def test_a_waveform_comes_back_and_the_next_frame_is_whole(vm: Vm, count: int, before: int) -> None:
    noise = random.Random(count)
    samples = [noise.randint(-32_768, 32_767) for _ in range(3 * (before + count + 2))]
    number, scale_ug = 0xFFFF_FFF0, 3906
    frame, after = told(
        vm, call("waveform", number, samples, before, count, scale_ug), call("event", 1, 2, 3)
    )
    assert frame.values == {"first_sample": number, "samples": count, "scale_ug": scale_ug}
    sent = samples[3 * before : 3 * (before + count)]
    assert list(struct.unpack(f"<{3 * count}h", frame.tail)) == sent
    assert after.values == {"code": "run", "detail": 2, "value": 3}
    assert after.tail == b""


LONGEST_TAIL = {
    name: wire.MAX_DATA_BYTES - wire.DATA_HEAD_BYTES - wire.CRC_BYTES - sizes(fields)
    for name, fields in wire.MESSAGES.values()
}
# Fields as the firmware gives them, and as the host shows them.
ANSWERS: dict[str, tuple[tuple[int, ...], list[Any]]] = {
    "log": ((7, 0xFFFF_FFFF, 9, 3), [7, 0xFFFF_FFFF, 9, 3]),
    "capture": ((2, 5, 24_832, 0x0102_0304), [2, 5, 24_832, 0x0102_0304]),
    "setting": ((3, 8, -7, 15, -(1 << 31), 1 << 30), [3, 8, -7, 15, -(1 << 31), 1 << 30]),
    "levels": (
        (9, 60_000, wire.ABSENT, 90_000, 300, 65_000, wire.BROKEN, -90_000),
        ["bearing too hot", 60_000, None, 90_000, 300, 65_000, None, -90_000],
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("length", ["none", "some", "longest"])
def test_an_answer_comes_back_with_its_tail_and_the_next_frame_is_whole(
    vm: Vm, name: str, length: str
) -> None:
    fields, shown = ANSWERS[name]
    size = {"none": 0, "some": 72, "longest": LONGEST_TAIL[name]}[length]
    tail = random.Random(size).randbytes(size)
    frame, after = told(vm, call("answer", KINDS[name], tail.hex(), *fields), EVENT)
    assert (frame.name, frame.tail) == (name, tail)
    assert frame.values == dict(zip(FIELDS[name], shown, strict=True))
    assert (after.name, after.tail) == ("event", b"")


def test_every_message_of_the_board_is_tested_here() -> None:
    by_name = {"event", "features", "greeting", "reply", "status", "waveform"}
    assert set(DATA) == by_name | ANSWERS.keys()


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
