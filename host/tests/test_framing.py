"""CRC-32 and COBS of the firmware, on the real MicroPython VM, against the host's libraries."""

from __future__ import annotations

import binascii
from collections.abc import Iterator

import pytest
from cobs import cobs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from micropython_vm import Vm

batched = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)

# Mostly zeros, none at all, and runs about the longest that COBS has.
byte_strings = st.one_of(
    st.binary(max_size=80),
    st.lists(st.sampled_from([0, 0, 1, 255]), max_size=80).map(bytes),
    st.integers(250, 515).map(lambda n: b"\x07" * n),
    st.tuples(st.integers(250, 260), st.binary(max_size=20)).map(lambda t: b"\xff" * t[0] + t[1]),
)
batches = st.lists(byte_strings, min_size=1, max_size=40)

EDGES = [
    b"",
    b"\0",
    b"\0\0",
    b"\1",
    *(b"x" * n + tail for n in (253, 254, 255, 508, 509) for tail in (b"", b"\0", b"y")),
]


@pytest.fixture(scope="module")
def vm() -> Iterator[Vm]:
    vm = Vm("framing_device.py")
    yield vm
    vm.close()


def _with_crc(data: bytes) -> bytes:
    return data + binascii.crc32(data).to_bytes(4, "little")


def test_crc_has_its_published_check_value(vm: Vm) -> None:
    # CRC-32/ISO-HDLC of "123456789" is CBF43926.
    assert vm.ask("crc", [[b"123456789".hex()]]) == [[b"123456789\x26\x39\xf4\xcb".hex(), 13]]


@batched
@given(batches)
def test_crc_is_the_library_s(vm: Vm, batch: list[bytes]) -> None:
    batch = [*EDGES, *batch]
    answers = vm.ask("crc", [[data.hex()] for data in batch])
    for data, (frame, end) in zip(batch, answers, strict=True):
        assert bytes.fromhex(frame) == _with_crc(data)
        assert end == len(data) + 4


@batched
@given(batches, st.integers(0, 10_000))
def test_a_damaged_frame_is_seen(vm: Vm, batch: list[bytes], where: int) -> None:
    frames = [_with_crc(data) for data in batch if data]
    damaged = []
    for frame in frames:
        flipped = bytearray(frame)
        flipped[where % len(frame)] ^= 1 << where % 8
        damaged.append(bytes(flipped))
    assert vm.ask("crc_matches", [[f.hex()] for f in frames]) == [1] * len(frames)
    assert vm.ask("crc_matches", [[f.hex()] for f in damaged]) == [0] * len(frames)


def test_a_frame_too_short_for_a_crc_does_not_match(vm: Vm) -> None:
    assert vm.ask("crc_matches", [[_with_crc(b"")[:n].hex()] for n in range(5)]) == [0] * 5


@batched
@given(batches)
def test_encoding_is_the_library_s(vm: Vm, batch: list[bytes]) -> None:
    batch = [*EDGES, *batch]
    answers = vm.ask("encode", [[data.hex()] for data in batch])
    for data, (coded, nothing_else_touched) in zip(batch, answers, strict=True):
        assert bytes.fromhex(coded) == cobs.encode(data) + b"\0"
        assert nothing_else_touched


@batched
@given(batches)
def test_decoding_undoes_the_library_s(vm: Vm, batch: list[bytes]) -> None:
    batch = [*EDGES, *batch]
    answers = vm.ask("decode", [[cobs.encode(data).hex()] for data in batch])
    assert [bytes.fromhex(data) for data, _ in answers] == batch


@batched
@given(batches)
def test_what_is_not_cobs_is_refused_as_the_library_refuses_it(vm: Vm, batch: list[bytes]) -> None:
    batch = [*batch, *(cobs.encode(data)[:-1] for data in batch if data), b"\x03a", b"\x02\0"]
    for data, (decoded, end) in zip(
        batch, vm.ask("decode", [[d.hex()] for d in batch]), strict=True
    ):
        try:
            expected = cobs.decode(data)
        except cobs.DecodeError:
            assert end == -1
        else:
            assert bytes.fromhex(decoded) == expected


@batched
@given(batches, st.integers(0, 300))
def test_find_zero_finds_the_first(vm: Vm, batch: list[bytes], start: int) -> None:
    calls = [[data.hex(), min(start, len(data)), len(data)] for data in batch]
    expected = [data.find(b"\0", min(start, len(data))) for data in batch]
    assert vm.ask("find_zero", calls) == expected


@batched
@given(batches, st.integers(0, 7), st.integers(0, 7))
def test_copy_moves_those_bytes_and_no_other(
    vm: Vm, batch: list[bytes], start: int, at: int
) -> None:
    batch = [data for data in batch if len(data) >= start]
    calls = [[data.hex(), start, at, len(data) - start] for data in batch]
    expected = [(b"\xaa" * at + data[start:] + b"\xaa\xaa").hex() for data in batch]
    assert vm.ask("copy", calls) == expected
