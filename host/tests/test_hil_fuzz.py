"""Hostile bytes: what is drawn, what it must be taken for, and what reads it on the host."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from scripted_board import data_frame

from wrench import link
from wrench.blackbox import decode_events
from wrench.hil import fuzz, fuzz_chip, fuzz_host, wire_truth
from wrench.hil.fuzz_chip import LEFT, REST, RUN, Batch, Seen, Stint, batch, may_be_sent, stint
from wrench.hil.hostile import COMMANDS
from wrench.hil.invariants import Violation
from wrench.link import Decoder, Frame, encode
from wrench.sharing import queues
from wrench_firmware import wire


# ---- what is drawn -------------------------------------------------------------------------------
def drawn(count: int, seed: int = 1) -> list[bytes]:
    chance = Random(seed)
    return [COMMANDS.draw(chance) for _ in range(count)]


def test_a_seed_draws_the_same_frames_and_another_one_others() -> None:
    assert fuzz.stint_of(1, 3, 50) == fuzz.stint_of(1, 3, 50)
    assert fuzz.stint_of(1, 3, 50) != fuzz.stint_of(2, 3, 50)
    assert drawn(50) != drawn(50, 2)


def test_every_kind_of_command_comes_sound_refused_and_spoiled() -> None:
    heard = [one for chunk in drawn(20_000) for one in wire_truth.heard(chunk)]
    assert {one.kind for one in heard if one.arguments is not None} == {
        kind for kind in wire.MESSAGES if kind >= wire.HELLO
    }
    assert {one.refused for one in heard} == {None, "unknown command", "wrong length"}
    spoiled = sum(one.kind is None for one in heard) / len(heard)
    assert 0.3 < spoiled < 0.7
    assert any(one.stray_bytes > 500 for one in heard)
    assert any(
        len(piece) == wire.MAX_COMMAND_BYTES for c in drawn(20_000) for piece in c.split(b"\0")
    )


@pytest.mark.parametrize(
    ("during", "never"),
    [
        (REST, {"run", "maintenance"}),
        (RUN, {"run", "stop", "heartbeat", "set_level"}),
        (LEFT, {"run", "stop", "heartbeat", "set_level", "maintenance"}),
    ],
)
def test_what_would_rightly_do_what_is_forbidden_is_kept_out(during: str, never: set[str]) -> None:
    values = {"run": (500,), "set_level": (5, 2, 100)}
    for name in ("run", "stop", "heartbeat", "set_level", "maintenance", "hello"):
        frame = encode(name, 1, *values.get(name, ()))
        assert may_be_sent(during, frame) == (name not in never)
        assert may_be_sent(during, b"\x05" + frame), "spoiled, it is nothing"
        assert may_be_sent(during, encode("hello", 1) + frame) == (name not in never)
    assert may_be_sent(during, encode("run", 1, 0))
    assert may_be_sent(during, encode("run", 1, 1001))


def test_a_stint_as_code_is_the_same_stint() -> None:
    made = fuzz.stint_of(7, 2, 20)
    told: list[Stint] = []
    names = {"withstand": told.append, "stint": stint, "batch": batch}
    exec(made.as_code("again") + "\ntest_again()\n", names)
    assert told == [made]


def test_a_stint_is_shrunk_to_what_breaks_the_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    run, bad = encode("run", 1, 500), b"\x07\x07\0"

    def tell(it: Stint) -> fuzz_chip.Told:
        sent = [chunk for one in it.batches for chunk in one.chunks]
        broken = bad in sent and run in sent[sent.index(bad) :]
        violation = Violation("asked", 1.0, "so") if broken else None
        return fuzz_chip.Told(it, Seen(), 1.0, violation, len(it.batches) - 1)

    noise = tuple(drawn(40))
    batches = Batch(REST, noise), Batch(REST, (*noise, bad, *noise)), Batch(REST, (*noise, run))
    monkeypatch.setattr(fuzz_chip, "tell", tell)
    least = fuzz.shrunk(tell(Stint("pico-adxl345", "stock", 1, batches)))
    assert [one.chunks for one in least.stint.batches] == [(bad,), (run,)]


# ---- what it must be taken for -------------------------------------------------------------------
def test_what_a_command_is_taken_for() -> None:
    sound = encode("set_setting", 0x1234, 3, -5)
    (one,) = wire_truth.heard(sound)
    assert (one.kind, one.sequence, one.arguments) == (wire.SET_SETTING, 0x1234, (3, -5))
    assert one.answered
    assert not next(wire_truth.heard(encode("heartbeat", 1))).answered
    for at, bit in itertools.product(range(len(sound) - 1), range(8)):
        spoiled = bytearray(sound)
        spoiled[at] ^= 1 << bit
        assert all(it.kind is None for it in wire_truth.heard(bytes(spoiled)))
    long = wire_truth.enclosed(bytes([wire.HELLO, 0, 1, 0]) + bytes([7] * 56))
    assert [it.stray_bytes for it in wire_truth.heard(long + b"\0")] == [65]


# ---- what reads it -------------------------------------------------------------------------------
def bodies() -> Iterator[bytes]:
    for n, name in enumerate(("status", "features", "event", "reply", "greeting", "waveform")):
        yield from fuzz_host.bodies_of(data_frame(name, n, 1000 * n, tail=bytes(range(24))))


def told(numbers: range = range(12)) -> str:
    """The rule that some batches break, or ""."""
    for number in numbers:
        if violation := fuzz.host_batch(11, number, tuple(bodies())).violation:
            return violation.rule
    return ""


def test_what_reads_a_board_takes_whatever_comes() -> None:
    ended = [fuzz.host_batch(2026, number, tuple(bodies())) for number in range(3)]
    assert [one.violation for one in ended] == [None, None, None]
    assert all(0 < one.seen.taken < one.seen.frames for one in ended)
    assert ended[0].seen.left_behind != []


def _accepts_any_crc(monkeypatch: pytest.MonkeyPatch) -> None:
    class Zlib:
        @staticmethod
        def crc32(data: bytes) -> int:
            del data
            return link._CRC_OF_SOUND

    monkeypatch.setattr(link, "zlib", Zlib)


def _dies_of_a_short_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "_SHORTEST", 0)
    monkeypatch.setattr(link, "_LEAST_BYTES", [0] * 256)


def _counts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = Decoder.feed

    def feeding(self: Decoder, data: bytes) -> Iterator[Frame]:
        yield from feed(self, data)
        self.bad_frames = 0

    monkeypatch.setattr(Decoder, "feed", feeding)


def _keeps_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Any] = []
    feed = Decoder.feed

    def feeding(self: Decoder, data: bytes) -> Iterator[Frame]:
        kept.append(bytearray(data))
        return feed(self, data)

    monkeypatch.setattr(Decoder, "feed", feeding)


def _joins_what_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_a_frame(self: queues.Splitter, data: bytearray, frames: list[bytes]) -> None:
        del data, frames
        self.lost_bytes += 1

    monkeypatch.setattr(queues.Splitter, "_not_a_frame", not_a_frame)


def _reads_half_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    def decoding(data: bytes) -> list[Any]:
        return decode_events(data) if len(data) % 24 == 0 else [data[24 * len(data)]]

    monkeypatch.setattr(fuzz_host, "decode_events", decoding)


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        (_accepts_any_crc, "frames"),
        (_dies_of_a_short_one, "no "),
        (_counts_nothing, "counters"),
        (_keeps_everything, "memory"),
        (_joins_what_is_cut, "hub"),
        (_reads_half_a_record, "no IndexError"),
    ],
)
def test_a_defect_of_what_reads_is_found(
    monkeypatch: pytest.MonkeyPatch, broken: Any, rule: str
) -> None:
    broken(monkeypatch)
    assert told().startswith(rule)


def test_a_batch_is_shrunk_to_what_breaks_the_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    _accepts_any_crc(monkeypatch)
    ended = next(it for n in range(9) if (it := fuzz.host_batch(11, n, tuple(bodies()))).violation)
    least = fuzz_host.shrunk(ended)
    assert len(least.batch.chunks) <= 2
    ran: list[str] = []
    exec(
        least.batch.as_code("again") + "\ntest_again()\n",
        {"withstand": lambda seed, *chunks: ran.extend(chunks)},
    )
    assert [bytes.fromhex(one) for one in ran] == list(least.batch.chunks)


@pytest.mark.emulator
def test_what_reads_a_board_takes_its_telemetry_spoiled() -> None:
    real = fuzz.captured()
    kinds = {body[0] for body in real}
    assert len(kinds) == 10, f"kinds of frames that a board sends: {sorted(kinds)}"
    ended = [fuzz.host_batch(3, number, real) for number in range(2)]
    assert [one.violation for one in ended] == [None, None]
