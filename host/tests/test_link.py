"""Bytes to frames and back, and the conversation with a board that is scripted in memory."""

from __future__ import annotations

import itertools
import random
import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from cobs import cobs
from hypothesis import given, settings
from hypothesis import strategies as st
from micropython_vm import Vm
from numpy.typing import NDArray
from scripted_board import KINDS, ScriptedBoard, coded, data_frame

from wrench import link as link_module
from wrench.blackbox import Event
from wrench.errors import LinkError, RefusedError
from wrench.link import HEARTBEAT_US, Decoder, Frame, Link, encode
from wrench_firmware import records, wire

DATA = [name for kind, (name, _) in wire.MESSAGES.items() if kind < wire.HELLO]
MS = 1000


def decoded(decoder: Decoder, *pieces: bytes) -> list[Frame]:
    """Every frame that these pieces complete."""
    return [frame for piece in pieces for frame in decoder.feed(piece)]


# ---- frames out of a stream ----------------------------------------------------------------------

numbers = st.integers(0, (1 << 16) - 1)
contents = st.tuples(
    st.sampled_from(DATA), st.integers(0, (1 << 64) - 1), numbers, numbers, st.binary(max_size=300)
)
noises = st.binary(max_size=60)


def frames_of(series: list[tuple[Any, ...]], first: int = 0) -> list[bytes]:
    """Frames numbered from `first`, whose last field is whatever follows the fields."""
    return [
        data_frame(name, (first + n) & 0xFFFF, time_us, 0, lost, tail=tail)
        for n, (name, time_us, _, lost, tail) in enumerate(series)
    ]


def chopped(data: bytes, noise: random.Random) -> list[bytes]:
    """The bytes in pieces of any size, as a port hands them out."""
    cuts = sorted(noise.randint(0, len(data)) for _ in range(noise.randint(0, 12)))
    return [data[a:b] for a, b in itertools.pairwise([0, *cuts, len(data)])]


@settings(max_examples=100, deadline=None)
@given(st.lists(contents, max_size=10), numbers, st.randoms(use_true_random=False))
def test_frames_come_out_whole_however_they_are_cut(
    series: list[tuple[Any, ...]], first: int, noise: random.Random
) -> None:
    padded = b"".join(b"\0" * noise.randint(0, 3) + data for data in frames_of(series, first))
    decoder = Decoder()
    frames = decoded(decoder, *chopped(padded, noise))
    assert [(f.name, f.time_us, f.lost_samples, f.tail) for f in frames] == [
        (name, time_us, lost, tail) for name, time_us, _, lost, tail in series
    ]
    assert [f.sequence for f in frames] == [(first + n) & 0xFFFF for n in range(len(series))]
    assert (decoder.bad_frames, decoder.missing_frames) == (0, 0)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(contents, noises), max_size=8), noises, st.randoms(use_true_random=False))
def test_garbage_between_frames_is_counted_and_costs_none_of_them(
    series: list[tuple[Any, bytes]], last: bytes, noise: random.Random
) -> None:
    garbage = [g + b"\0" for _, g in series]
    frames = frames_of([content for content, _ in series])
    stream = b"".join(g + f for g, f in zip(garbage, frames, strict=True)) + last + b"\0"
    decoder = Decoder()
    out = decoded(decoder, *chopped(stream, noise))
    assert [f.sequence for f in out] == list(range(len(frames)))
    pieces = b"".join([*garbage, last]).split(b"\0")
    assert decoder.bad_frames == len([piece for piece in pieces if piece])
    assert decoder.missing_frames == 0


def test_a_stream_joined_in_the_middle_costs_one_frame() -> None:
    stream = b"".join(frames_of([("status", 0, 0, 0, b"")] * 3))
    decoder = Decoder()
    assert [f.sequence for f in decoded(decoder, stream[7:])] == [1, 2]
    assert (decoder.bad_frames, decoder.missing_frames) == (1, 0)


@settings(max_examples=150, deadline=None)
@given(st.lists(contents, min_size=1, max_size=5), st.integers(0, 1 << 20), st.integers(0, 7))
def test_a_flipped_bit_costs_its_frame_and_at_most_the_next(
    series: list[tuple[Any, ...]], where: int, bit: int
) -> None:
    frames = frames_of(series)
    stream = bytearray(b"".join(frames))
    whole = decoded(Decoder(), bytes(stream))
    at = where % len(stream)
    stream[at] ^= 1 << bit
    hit = next(n for n in range(len(frames)) if at < sum(map(len, frames[: n + 1])))
    closing = at == sum(map(len, frames[: hit + 1])) - 1
    decoder = Decoder()
    out = decoded(decoder, bytes(stream))
    assert out == [f for f in whole if f.sequence not in ({hit, hit + 1} if closing else {hit})]
    assert decoder.bad_frames > 0 or (closing and hit == len(frames) - 1)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=10))
def test_whatever_comes_the_decoder_does_not_raise(pieces: list[bytes]) -> None:
    decoder = Decoder()
    assert decoded(decoder, *pieces) == []
    whole = b"".join(pieces).split(b"\0")[:-1]
    assert decoder.bad_frames == len([piece for piece in whole if piece])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x02",
        struct.pack(wire.DATA_HEAD_FORMAT, wire.STATUS, 0, 1, 2, 3, 4),
        struct.pack(wire.DATA_HEAD_FORMAT, wire.STATUS, 0, 1, 2, 3, 4)[:-1],
        struct.pack(wire.DATA_HEAD_FORMAT, 63, 0, 1, 2, 3, 4) + bytes(100),
        cobs.decode(data_frame("status")[:-1])[:-5],
    ],
    ids=["empty", "kind alone", "head alone", "cut head", "unknown kind", "one byte short"],
)
def test_a_sound_crc_alone_makes_no_frame(body: bytes) -> None:
    decoder = Decoder()
    assert [f.name for f in decoded(decoder, coded(body), data_frame("event"))] == ["event"]
    assert decoder.bad_frames == 1


def test_a_number_that_this_version_cannot_name_is_shown() -> None:
    (frame,) = decoded(Decoder(), data_frame("status", mode=99, fault=15))
    assert (frame["mode"], frame["fault"]) == ("unknown 99", "e-stop")


def test_a_flood_without_an_end_of_frame_takes_no_memory() -> None:
    decoder = Decoder()
    flood = b"\x55" * 1000
    tracemalloc.start()
    try:
        for _ in range(1000):
            assert decoded(decoder, flood) == []
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held_bytes < 20 * wire.MAX_DATA_BYTES
    assert decoder.bad_frames > 0
    assert [f.name for f in decoded(decoder, b"\0", data_frame("event"))] == ["event"]


def test_the_longest_frame_is_not_taken_for_a_flood() -> None:
    tail = bytes(range(256)) * 3
    frame = data_frame("waveform", tail=tail)
    out = decoded(Decoder(), *(frame[n : n + 1] for n in range(len(frame))))
    assert [f.tail for f in out] == [tail]


# ---- gaps ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sequences", "missing"),
    [
        ([0, 1, 2], 0),
        ([7], 0),
        ([0, 2], 1),
        ([0, 10, 12], 10),
        ([65_534, 65_535, 0, 1], 0),
        ([65_535, 1], 1),
        ([65_000, 10], 545),
        ([0, 40_000], 39_999),
    ],
)
def test_gaps_in_the_board_s_numbers_are_missing_frames(sequences: list[int], missing: int) -> None:
    decoder = Decoder()
    decoded(decoder, *(data_frame("event", n) for n in sequences))
    assert decoder.missing_frames == missing


@settings(max_examples=60, deadline=None)
@given(numbers, st.lists(st.booleans(), max_size=40))
def test_every_frame_lost_on_the_way_is_missing_once(first: int, kept: list[bool]) -> None:
    decoder = Decoder()
    kept = [True, *kept, True]
    stream = frames_of([("event", 0, 0, 0, b"")] * len(kept), first)
    out = decoded(decoder, *(f for f, keep in zip(stream, kept, strict=True) if keep))
    assert len(out) == kept.count(True)
    assert decoder.missing_frames == kept.count(False)


@pytest.mark.parametrize("before", [0, 65_535])
def test_a_frame_that_the_board_says_it_dropped_is_not_missing(before: int) -> None:
    decoder = Decoder()
    after = (before + 3) & 0xFFFF
    decoded(decoder, data_frame("event", 10, dropped=before))
    decoded(decoder, data_frame("event", 14, dropped=after))
    assert decoder.missing_frames == 0
    decoded(decoder, data_frame("event", 16, dropped=after))
    assert decoder.missing_frames == 1


# ---- commands, understood by the firmware's own reader on MicroPython ----------------------------


@pytest.fixture(scope="module")
def vm() -> Iterator[Vm]:
    vm = Vm("wire_device.py")
    yield vm
    vm.close()


class Heard:
    """What the firmware made of some bytes."""

    def __init__(self, vm: Vm, *chunks: bytes, refusals: dict[str, str] | None = None) -> None:
        reasons = {KINDS[name]: wire.REASONS.index(why) for name, why in (refusals or {}).items()}
        packets = [chunk[n : n + 64].hex() for chunk in chunks for n in range(0, len(chunk), 64)]
        answer = vm.ask("hear", packets, reasons)
        assert isinstance(answer, list), answer
        carried_out, self.bad_frames, self.stray_bytes, sent = answer
        self.carried_out = [(wire.MESSAGES[kind][0], tuple(given)) for kind, given in carried_out]
        frames = decoded(Decoder(), bytes.fromhex(sent))
        assert {frame.name for frame in frames} <= {"reply"}
        self.replies = [(f["command"], f["reason"], f["command_sequence"]) for f in frames]


COMMANDS = {name: len(fields) for kind, (name, fields) in wire.MESSAGES.items() if kind >= 64}
RANGES = {"B": (0, 255), "H": (0, 0xFFFF), "I": (0, (1 << 32) - 1), "Q": (0, (1 << 64) - 1)}
RANGES["i"] = (-(1 << 31), (1 << 31) - 1)


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("value", [0, 1, 0xFF])
def test_the_firmware_understands_every_command(vm: Vm, name: str, value: int) -> None:
    values = (value,) * COMMANDS[name]
    heard = Heard(vm, encode(name, 0xABCD, *values))
    assert heard.carried_out == [(name, values)]
    answered = [] if name == "heartbeat" else [(KINDS[name], "done", 0xABCD)]
    assert heard.replies == answered
    assert heard.bad_frames == 0


@pytest.mark.parametrize("name", COMMANDS)
def test_a_refusal_carries_its_reason_and_changes_nothing(vm: Vm, name: str) -> None:
    for reason in wire.REASONS[1:]:
        heard = Heard(vm, encode(name, 7, *(0,) * COMMANDS[name]), refusals={name: reason})
        assert heard.carried_out == []
        assert heard.replies == [(KINDS[name], reason, 7)]


@pytest.mark.parametrize("name", [name for name in COMMANDS if COMMANDS[name]])
def test_every_argument_arrives_as_it_was_sent(vm: Vm, name: str) -> None:
    ranges = [RANGES[code] for _, code, _ in wire.MESSAGES[KINDS[name]][1]]
    noise = random.Random(name)
    sets = [tuple(low for low, _ in ranges), tuple(high for _, high in ranges)]
    sets += [tuple(noise.randint(low, high) for low, high in ranges) for _ in range(20)]
    codes = [code for _, code, _ in wire.MESSAGES[KINDS[name]][1]]
    for values in sets:
        arrives = tuple(map(arriving, codes, values))
        assert Heard(vm, encode(name, 1, *values)).carried_out == [(name, arrives)]


def arriving(code: str, value: int) -> int:
    """Of 32 bits, the nearest that the chip has without taking memory."""
    return min(max(value, -(1 << 30)), (1 << 30) - 1) if code in "Ii" else value


def body(kind: int, payload: bytes = b"", sequence: int = 9) -> bytes:
    """A command's head and payload."""
    return struct.pack(wire.COMMAND_HEAD_FORMAT, kind, 0, sequence) + payload


@pytest.mark.parametrize(
    ("frame", "kind", "reason"),
    [
        (body(200), 200, "unknown command"),
        (body(max(wire.MESSAGES) + 1, b"\1\2"), max(wire.MESSAGES) + 1, "unknown command"),
        (body(wire.LEVEL, bytes(29)), wire.LEVEL, "unknown command"),
        (body(wire.STATUS, bytes(32)), wire.STATUS, "unknown command"),
        (body(0), 0, "unknown command"),
        (body(wire.RUN), wire.RUN, "wrong length"),
        (body(wire.RUN, b"\1"), wire.RUN, "wrong length"),
        (body(wire.RUN, b"\1\0\0"), wire.RUN, "wrong length"),
        (body(wire.STOP, b"\0"), wire.STOP, "wrong length"),
        (body(wire.HEARTBEAT, b"\0"), wire.HEARTBEAT, "wrong length"),
        (body(wire.RUN, bytes(49)), wire.RUN, "wrong length"),
        (body(wire.READ_CAPTURE, bytes(8)), wire.READ_CAPTURE, "wrong length"),
        (body(wire.SET_LEVEL, bytes(5)), wire.SET_LEVEL, "wrong length"),
    ],
)
def test_what_is_no_command_is_answered_and_changes_nothing(
    vm: Vm, frame: bytes, kind: int, reason: str
) -> None:
    heard = Heard(vm, coded(frame))
    assert heard.carried_out == []
    assert heard.replies == [(kind, reason, 9)]
    assert (heard.bad_frames, heard.stray_bytes) == (0, 0)


@pytest.mark.parametrize(
    "data",
    [
        coded(body(wire.RUN)[:3]),
        coded(b""),
        b"\x01\0",
        b"\x09abc\0",
        encode("run", 1, 700)[:-2] + b"\0",
        coded(body(wire.RUN, b"\1\0" + bytes(70))),
        b"\x55" * 200 + b"\0",
    ],
    ids=["short head", "crc alone", "empty", "no cobs", "cut", "too long", "flood"],
)
def test_what_is_no_frame_is_counted_without_an_answer(vm: Vm, data: bytes) -> None:
    for chunks in ([data], [data[:2], data[2:]]):
        heard = Heard(vm, *chunks, b"\0\0", encode("stop", 3))
        assert (heard.bad_frames, heard.stray_bytes) == (1, len(data) - 1)
        assert heard.carried_out == [("stop", ())]
        assert heard.replies == [(KINDS["stop"], "done", 3)]


def test_every_flipped_bit_in_a_command_is_seen(vm: Vm) -> None:
    sound = encode("run", 5, 700)
    for at in range(len(sound) - 1):
        flipped = bytearray(sound)
        flipped[at] ^= 1 << at % 8
        heard = Heard(vm, bytes(flipped), encode("stop", 6))
        assert heard.carried_out == [("stop", ())]
        pieces = [piece for piece in flipped.split(b"\0") if piece]
        assert (heard.bad_frames, heard.stray_bytes) == (len(pieces), sum(map(len, pieces)))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(list(COMMANDS)), st.integers(0, 255)),
            st.binary(min_size=1, max_size=90).map(lambda data: data.replace(b"\0", b"\1")),
        ),
        max_size=20,
    ),
    st.randoms(use_true_random=False),
)
def test_commands_are_carried_out_once_and_in_order_whatever_lies_between(
    vm: Vm, traffic: list[tuple[str, int] | bytes], noise: random.Random
) -> None:
    stream = b""
    expected: list[tuple[str, tuple[int, ...]]] = []
    bad = stray = 0
    for item in traffic:
        if isinstance(item, bytes):
            stream += item + b"\0"
            bad += 1
            stray += len(item)
        else:
            name, value = item
            values = (value,) * COMMANDS[name]
            stream += encode(name, len(expected), *values)
            expected.append((name, values))
    heard = Heard(vm, *chopped(stream, noise))
    assert heard.carried_out == expected
    assert (heard.bad_frames, heard.stray_bytes) == (bad, stray)
    assert [sequence for _, _, sequence in heard.replies] == [
        n for n, (name, _) in enumerate(expected) if name != "heartbeat"
    ]


# ---- the conversation ----------------------------------------------------------------------------


@pytest.fixture
def board() -> ScriptedBoard:
    return ScriptedBoard()


@pytest.fixture
def link(board: ScriptedBoard) -> Link:
    return Link(board)


def test_hello_brings_the_greeting(board: ScriptedBoard, link: Link) -> None:
    for _ in range(5):
        board.send("status")
    greeting = link.hello()
    assert greeting.name == "greeting"
    assert board.commands("hello") == [0]


def test_hello_to_a_silent_board_says_what_to_do(board: ScriptedBoard, link: Link) -> None:
    board.answer = board.silent
    with pytest.raises(LinkError, match=r"memory.*`wrench flash`"):
        link.hello()


@pytest.mark.parametrize(
    ("version", "schema"),
    [(wire.VERSION + 1, wire.schema_hash()), (wire.VERSION, wire.schema_hash() ^ 1), (0, 0)],
)
def test_another_protocol_is_refused_with_the_command_that_mends_it(
    board: ScriptedBoard, link: Link, version: int, schema: int
) -> None:
    board.answer = lambda *_: board.send("greeting", version=version, schema_hash=schema)
    with pytest.raises(LinkError, match=rf"protocol {version} .*{schema:08x}.*`wrench flash`"):
        link.hello()


def test_half_a_frame_of_whoever_was_there_before_costs_no_greeting(
    board: ScriptedBoard, link: Link
) -> None:
    board.left_behind = b"\x05half"
    assert link.hello()["version"] == wire.VERSION
    assert board.garbage == [b"\x05half"]


def test_a_board_that_tells_and_does_not_answer_does_not_hold_hello_for_ever(
    board: ScriptedBoard, link: Link
) -> None:
    board.answer = board.silent

    def tell() -> None:
        board.time_us += 50_000
        board.send("status")

    board.goes_on = tell
    with pytest.raises(LinkError, match="`wrench flash`"):
        link.hello(2.0)
    assert 2_000_000 <= board.time_us <= 2_200_000


def test_a_device_that_talks_but_is_no_board_does_not_hold_hello_for_ever(
    board: ScriptedBoard, link: Link
) -> None:
    board.answer = board.silent
    board.goes_on = lambda: board.send_raw(b"Temperature: 21.5 C, all is well\r\n")
    with pytest.raises(LinkError, match="`wrench flash`"):
        link.hello()


@pytest.mark.parametrize("reason", wire.REASONS[1:])
def test_a_refusal_is_raised_with_the_board_s_reason(
    board: ScriptedBoard, link: Link, reason: str
) -> None:
    board.answer = lambda name, sequence: board.reply(name, sequence, reason)
    with pytest.raises(RefusedError) as refusal:
        link.command("reset_trip")
    assert reason in str(refusal.value)
    assert "reset trip" in str(refusal.value)


def test_no_reply_is_told(board: ScriptedBoard, link: Link) -> None:
    board.answer = board.silent
    with pytest.raises(LinkError, match=r"did not answer 'stop'.*unplug") as error:
        link.stop()
    assert not isinstance(error.value, RefusedError)


def test_no_reply_is_told_while_telemetry_goes_on(
    board: ScriptedBoard, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "_CATCH_UP_S", 0.0)

    def a_status_every_40_ms() -> None:
        board.time_us += 40 * MS
        board.send("status")

    board.answer, board.goes_on = board.silent, a_status_every_40_ms
    with pytest.raises(LinkError, match="did not answer"):
        link.command("stop")
    assert 900 * MS <= board.time_us <= 10_000 * MS
    assert link.receive(0) is not None, "what came meanwhile is still there"


def test_a_reply_to_something_else_is_not_taken_for_one(board: ScriptedBoard, link: Link) -> None:
    def late(name: str, sequence: int) -> None:
        board.reply(name, sequence - 1, "out of range")
        board.reply(name, sequence)

    board.answer = late
    link.command("stop")
    kept = link.receive(0)
    assert kept
    assert kept["reason"] == "out of range"


def test_what_comes_before_a_reply_stays_in_order(board: ScriptedBoard, link: Link) -> None:
    board.send("event", detail=1)
    assert link.receive(0)
    board.send("event", detail=2)

    def busy(name: str, sequence: int) -> None:
        for detail in (3, 4):
            board.send("event", detail=detail)
        board.reply(name, sequence)
        board.send("event", detail=5)

    board.answer = busy
    link.command("stop")
    link.command("stop")
    seen = [frame["detail"] for frame in iter(lambda: link.receive(0), None)]
    assert seen == [2, 3, 4, 5, 3, 4, 5]


def test_commands_are_numbered_and_carry_their_argument(board: ScriptedBoard, link: Link) -> None:
    link.run(650)
    link.command("set_limit", 600)
    link.stop()
    assert [(name, values) for _, name, values in board.heard] == [
        ("run", (650,)),
        ("set_limit", (600,)),
        ("stop", ()),
    ]


def test_command_numbers_wrap_at_sixteen_bits(vm: Vm) -> None:
    assert Heard(vm, encode("stop", 65_536 + 5)).replies == [(KINDS["stop"], "done", 5)]


# ---- the black box, settings and levels ----------------------------------------------------------


class Keeper:
    """A board that keeps `events` and answers `read_log` with up to three of them at a time;
    other questions it answers with what `told` has for them, in turn."""

    def __init__(self, board: ScriptedBoard, events: list[Event]) -> None:
        self.board = board
        self.events = events
        self.told: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        board.answer = self

    def __call__(self, name: str, sequence: int) -> None:
        board = self.board
        if name == "read_log":
            (first,) = board.heard[-1][2]
            found = [event for event in self.events if event.sequence >= first][:3]
            ends = (self.events[0].sequence, self.events[-1].sequence) if self.events else (0, 0)
            tail = b"".join(map(record_of, found))
            fields = {"oldest": ends[0], "newest": ends[1], "first": first, "records": len(found)}
            board.send("log", **fields, tail=tail)
        elif self.told.get(name):
            answer, fields = self.told[name].pop(0)
            board.send(answer, **fields)
        board.reply(name, sequence)


def record_of(event: Event) -> bytes:
    """An event as the log message carries it."""
    numbers = (event.sequence, event.time_us, event.boot, event.code, event.detail, event.value)
    return struct.pack(records.EVENT_FORMAT, *numbers, event.count, event.span_us >> 20)


def event(sequence: int) -> Event:
    """An event of some kind."""
    return Event(sequence, 1_000_000 * sequence, 3, sequence % 19, 7, -sequence, 1, 0)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 11])
def test_the_whole_log_is_read_in_order(board: ScriptedBoard, link: Link, count: int) -> None:
    keeper = Keeper(board, [event(5 + 2 * n) for n in range(count)])
    assert list(link.log()) == keeper.events
    assert list(link.log(9)) == [known for known in keeper.events if known.sequence >= 9]


def test_a_part_of_the_log_tells_what_there_is(board: ScriptedBoard, link: Link) -> None:
    keeper = Keeper(board, [event(n) for n in range(100, 140)])
    frame, events = link.read_log(110)
    assert (frame["oldest"], frame["newest"], frame["records"]) == (100, 139, 3)
    assert events == keeper.events[10:13]
    assert board.heard[-1][1:] == ("read_log", (110,))


def test_a_log_that_grows_is_read_to_where_it_ended(board: ScriptedBoard, link: Link) -> None:
    keeper = Keeper(board, [event(n) for n in range(4)])
    seen: list[int] = []
    for known in link.log():
        seen.append(known.sequence)
        keeper.events.append(event(len(keeper.events)))
        assert len(seen) < 20
    assert seen == [0, 1, 2, 3]


def test_what_comes_between_question_and_answer_stays_in_order(
    board: ScriptedBoard, link: Link
) -> None:
    keeper = Keeper(board, [event(1)])

    def busy(name: str, sequence: int) -> None:
        board.send("event", detail=1)
        keeper(name, sequence)
        board.send("event", detail=2)

    board.answer = busy
    link.read_log(0)
    assert [frame["detail"] for frame in iter(lambda: link.receive(0), None)] == [1, 2]


def test_an_answer_that_got_lost_is_asked_for_again(board: ScriptedBoard, link: Link) -> None:
    keeper = Keeper(board, [event(1)])
    lost = 2

    def no_room_at_first(name: str, sequence: int) -> None:
        nonlocal lost
        if lost:
            lost -= 1
            board.reply(name, sequence)
        else:
            keeper(name, sequence)

    board.answer = no_room_at_first
    assert link.read_log(0)[1] == keeper.events
    assert len(board.commands("read_log")) == 3
    lost = 1000
    with pytest.raises(LinkError, match=r"'read_log' got lost 3 times.*try again"):
        link.read_log(0)


def test_the_answer_to_another_question_is_not_taken_for_it(
    board: ScriptedBoard, link: Link
) -> None:
    keeper = Keeper(board, [])
    fields = {"settings": 8, "factory": 1, "least": 0, "most": 9}
    keeper.told["get_setting"] = [
        ("setting", {"setting": 4, "value": 1, **fields}),
        ("setting", {"setting": 5, "value": 2, **fields}),
    ]
    assert link.setting(5)["value"] == 2
    assert len(board.commands("get_setting")) == 2


def test_all_settings_are_as_many_as_the_board_says(board: ScriptedBoard, link: Link) -> None:
    keeper = Keeper(board, [])
    fields = {"settings": 3, "factory": 700, "least": 0, "most": 1000}
    keeper.told["get_setting"] = [
        ("setting", {"setting": n, "value": 100 * n, **fields}) for n in range(3)
    ]
    found = link.settings()
    assert [(frame["setting"], frame["value"]) for frame in found] == [(0, 0), (1, 100), (2, 200)]
    assert [heard[2] for heard in board.heard] == [(0,), (1,), (2,)]


def test_levels_are_asked_for_and_set_by_name(board: ScriptedBoard, link: Link) -> None:
    number = wire.FAULTS.index("bearing too hot")
    values = {"alarm": wire.ABSENT, "limit": 70_000, "trip": 80_000, "delay_ms": 300}
    values |= {"board_alarm": wire.ABSENT, "board_limit": 75_000, "board_trip": 85_000}
    keeper = Keeper(board, [])
    keeper.told["get_levels"] = [("levels", {"protection": number, **values})]
    levels = link.levels("bearing too hot")
    assert levels["protection"] == "bearing too hot"
    assert (levels["alarm"], levels["limit"], levels["board_trip"]) == (None, 70_000, 85_000)
    link.set_level("bearing too hot", "trip", 78_000)
    assert [heard[1:] for heard in board.heard] == [
        ("get_levels", (number,)),
        ("set_level", (number, wire.LEVELS.index("trip"), 78_000)),
    ]


def test_a_level_that_is_refused_is_told_with_the_reason(board: ScriptedBoard, link: Link) -> None:
    reason = "less protective than the board file: hold the button at power-up first"
    board.answer = lambda name, sequence: board.reply(name, sequence, reason)
    with pytest.raises(RefusedError, match=f"set level: {reason}"):
        link.set_level("vibration", "trip", 9_000)


def test_the_wall_time_arrives_in_full(board: ScriptedBoard, link: Link) -> None:
    link.set_time(1_790_000_000_123)
    assert board.heard == [(0, "set_time", (1_790_000_000_123,))]


def kept_capture(slot: int, number: int, counts: NDArray[np.int16]) -> bytes:
    """A capture as the board keeps it: the directory's page, then the waveform."""
    data = counts.astype("<i2").tobytes()
    check = 0
    for at in range(0, len(data), records.PAGE_BYTES):
        page = data[at : at + records.PAGE_BYTES].ljust(records.PAGE_BYTES, b"\xff")
        check = zlib.crc32(struct.pack("<II", check, zlib.crc32(page)))
    head = (records.ENDED, slot, 3, number, 5_000_000, 77, 3200, 3906, len(counts), 1, 1, check)
    page = struct.pack(records.CAPTURE_FORMAT, *head) + struct.pack("<i", 4321)
    page = page.ljust(records.CAPTURE_CHECKED_BYTES, b"\xff")
    return page + struct.pack("<I", zlib.crc32(page)) + data


def test_captures_are_put_together_and_come_oldest_first(board: ScriptedBoard, link: Link) -> None:
    noise = np.random.default_rng(1)
    waves = [noise.integers(-4096, 4096, (n, 3)).astype(np.int16) for n in (300, 4096)]
    slots = [kept_capture(0, 8, waves[0]), b"", kept_capture(2, 7, waves[1])]

    def answer(name: str, sequence: int) -> None:
        slot, offset = board.heard[-1][2]
        piece = slots[slot][offset : offset + 512]
        fields = {"slot": slot, "slots": len(slots), "size": len(slots[slot]), "offset": offset}
        board.send("capture", **fields, tail=piece)
        board.reply(name, sequence)

    board.answer = answer
    found = link.captures()
    assert [(one.slot, one.number, one.whole) for one in found] == [(2, 7, True), (0, 8, True)]
    for one, wave in zip(found, reversed(waves), strict=True):
        assert (one.counts == wave).all()
        assert (one.fault, one.quantities) == ("vibration", [4321])
    assert link.capture(1) is None


def test_a_board_that_keeps_no_captures_has_none(board: ScriptedBoard, link: Link) -> None:
    board.answer = lambda name, sequence: board.reply(name, sequence, "out of range")
    assert link.captures() == []
    with pytest.raises(RefusedError, match="out of range"):
        link.capture(0)


# ---- the heartbeat of whoever owns a run ---------------------------------------------------------


def pass_time(board: ScriptedBoard, link: Link, times_us: list[int], burst: int = 1) -> None:
    """The board sends a status at each of these times; the host reads after every `burst`."""
    for n, time_us in enumerate(times_us, 1):
        board.time_us = time_us
        board.send("status")
        if n % burst == 0 or n == len(times_us):
            while link.receive(0):
                pass


STATUS_TIMES = list(range(1_000 * MS, 4_000 * MS, 40 * MS))


def test_a_mere_listener_sends_nothing(board: ScriptedBoard, link: Link) -> None:
    link.hello()
    pass_time(board, link, STATUS_TIMES)
    assert board.commands("heartbeat") == []


def test_whoever_owns_a_run_is_heard_with_every_status(board: ScriptedBoard, link: Link) -> None:
    link.run(500)
    pass_time(board, link, STATUS_TIMES)
    beats = board.commands("heartbeat")
    assert beats[0] == STATUS_TIMES[0]
    assert beats == STATUS_TIMES[::2], "those come every 40 ms here"
    assert HEARTBEAT_US == 75 * MS


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 300 * MS), min_size=1, max_size=60), st.integers(1, 60))
def test_heartbeats_are_never_closer_than_75_ms_of_device_time(
    gaps_us: list[int], burst: int
) -> None:
    board = ScriptedBoard()
    link = Link(board)
    link.run(500)
    times_us = list(itertools.accumulate(gaps_us, initial=1_000 * MS))
    pass_time(board, link, times_us, burst)
    due: list[int] = []
    for time_us in times_us:
        if not due or time_us - due[-1] >= 75 * MS:
            due.append(time_us)
    assert len(board.commands("heartbeat")) == len(due)
    if burst == 1:
        assert board.commands("heartbeat") == due


@pytest.mark.parametrize("reading", [1, 10, 75])
def test_heartbeats_go_out_while_a_reply_is_waited_for(
    board: ScriptedBoard, link: Link, reading: int
) -> None:
    link.run(500)

    def slow(name: str, sequence: int) -> None:
        if name == "set_limit":
            for time_us in range(1_000 * MS, 1_400 * MS, reading * 4 * MS):
                board.time_us = time_us
                board.send("status")
            board.reply(name, sequence)

    board.answer = slow
    link.command("set_limit", 600)
    assert len(board.commands("heartbeat")) >= 2


def test_a_stopped_run_is_no_longer_kept_alive(board: ScriptedBoard, link: Link) -> None:
    link.run(500)
    pass_time(board, link, STATUS_TIMES[:10])
    before = len(board.commands("heartbeat"))
    link.stop()
    pass_time(board, link, STATUS_TIMES[10:])
    assert len(board.commands("heartbeat")) == before > 0


def test_a_run_whose_stop_got_lost_is_no_longer_kept_alive(
    board: ScriptedBoard, link: Link
) -> None:
    link.run(500)
    board.answer = board.silent
    with pytest.raises(LinkError):
        link.stop()
    pass_time(board, link, STATUS_TIMES)
    assert board.commands("heartbeat") == []


def test_a_run_that_was_refused_is_not_owned(board: ScriptedBoard, link: Link) -> None:
    board.answer = lambda name, sequence: board.reply(name, sequence, "e-stop is open")
    with pytest.raises(RefusedError, match="e-stop"):
        link.run(500)
    pass_time(board, link, STATUS_TIMES)
    assert board.commands("heartbeat") == []


def test_a_refused_change_of_speed_does_not_disown_the_run(
    board: ScriptedBoard, link: Link
) -> None:
    link.run(500)
    board.answer = lambda name, sequence: (
        board.reply(name, sequence, "out of range") if name == "run" else None
    )
    with pytest.raises(RefusedError, match="out of range"):
        link.run(60_000)
    pass_time(board, link, STATUS_TIMES)
    assert board.commands("heartbeat") != []


def test_a_run_that_another_has_taken_over_is_no_longer_kept_alive(board: ScriptedBoard) -> None:
    vars(board)["sequences"] = range(0x300, 0x400)
    link = Link(board)
    link.run(500)
    assert (link.owns_run, link.taken_over) == (True, False)
    board.reply("run", 0x405, "too soon after the last stop")
    board.reply("stream", 0x406)
    pass_time(board, link, STATUS_TIMES[:20])
    assert (link.owns_run, link.taken_over) == (True, False)
    before = len(board.commands("heartbeat"))
    board.reply("run", 0x407)
    pass_time(board, link, STATUS_TIMES[20:])
    assert (link.owns_run, link.taken_over) == (False, True)
    assert len(board.commands("heartbeat")) == before > 0
    link.run(600)
    assert (link.owns_run, link.taken_over) == (True, False)


def test_of_two_runs_that_are_answered_at_once_the_later_one_counts(board: ScriptedBoard) -> None:
    vars(board)["sequences"] = range(0x300, 0x400)
    link = Link(board)

    def answer(name: str, sequence: int) -> None:
        board.reply(name, sequence)
        board.reply(name, 0x407)

    board.answer = answer
    link.run(500)
    assert (link.owns_run, link.taken_over) == (False, True)


def test_the_answer_to_a_run_that_has_been_stopped_since_gives_nothing(
    board: ScriptedBoard, link: Link
) -> None:
    board.answer = board.silent
    sequence = link.post("run", 500)
    link.post("stop")
    board.reply("run", sequence)
    pass_time(board, link, STATUS_TIMES)
    assert not link.owns_run
    assert board.commands("heartbeat") == []


# ---- what is now, and what was -------------------------------------------------------------------


def test_how_it_stands_is_not_told_by_what_waited(board: ScriptedBoard, link: Link) -> None:
    for mode in ("tripped", "tripped"):
        board.send("status", mode=wire.MODES.index(mode))
        board.send("event")
    assert link.receive(1.0) is not None

    def answer(name: str, sequence: int) -> None:
        board.send("status", mode=wire.MODES.index("tripped"))
        board.agree(name, sequence)
        board.send("features")
        board.send("status", mode=wire.MODES.index("idle"))
        board.send("status", mode=wire.MODES.index("starting"))

    board.answer = answer
    assert link.status()["mode"] == "idle"
    left = [link.receive(0.0) for _ in range(6)]
    names = [(frame.name, frame.values.get("mode")) for frame in left if frame]
    assert names == [
        ("event", None),
        ("event", None),
        ("features", None),
        ("status", "starting"),
    ]


def test_a_board_that_falls_silent_is_told(board: ScriptedBoard, link: Link) -> None:
    assert board.goes_on is None
    with pytest.raises(LinkError, match="sent nothing for"):
        link.status()


def test_an_answer_that_waited_is_not_taken_for_a_new_one(board: ScriptedBoard, link: Link) -> None:
    board.send("event")
    board.send("levels", protection=1, trip=4000)
    assert link.receive(1.0) is not None

    def answer(name: str, sequence: int) -> None:
        if len(board.commands("get_levels")) > 1:
            board.send("levels", protection=1, trip=3500)
        board.reply(name, sequence)

    board.answer = answer
    assert link.levels("vibration")["trip"] == 3500


def test_who_has_read_nothing_for_a_minute_still_hears_the_answer(
    board: ScriptedBoard, link: Link
) -> None:
    def a_status() -> None:
        board.time_us += 40 * MS
        board.send("status")

    for _ in range(1500):
        a_status()
    link.stop()
    assert len(board.commands("stop")) == 1, "said once"
    for _ in range(1500):
        a_status()
    board.goes_on = a_status
    assert link.status().time_us == board.time_us


def test_a_stop_whose_answer_gets_lost_is_said_again(
    board: ScriptedBoard, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "_CATCH_UP_S", 0.0)

    def answer(name: str, sequence: int) -> None:
        if len(board.commands("stop")) == 3:
            board.reply(name, sequence)

    def go_on() -> None:
        board.time_us += 40 * MS
        board.send("status")

    board.answer, board.goes_on = answer, go_on
    link.stop()
    assert len(board.commands("stop")) == 3
    with pytest.raises(LinkError, match="did not answer 'stop'"):
        link.stop()


def test_commands_are_numbered_within_the_range_of_the_port(board: ScriptedBoard) -> None:
    numbers: list[int] = []

    def answer(name: str, sequence: int) -> None:
        numbers.append(sequence)
        board.reply(name, sequence)

    board.answer = answer
    vars(board)["sequences"] = range(0x300, 0x304)
    link = Link(board)
    for number in range(6):
        link.command("get_setting", number)
    assert set(numbers) == set(range(0x300, 0x304))
    assert all(a != b for a, b in itertools.pairwise(numbers))
