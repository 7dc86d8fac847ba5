"""What waits in a hub: frames stay whole, the oldest give way, and a stop goes before all."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_board import KINDS, command_of, data_frame

from wrench.link import Decoder, encode
from wrench.sharing.queues import (
    MOST_CLIENTS,
    OWN,
    Command,
    CommandQueue,
    Outbox,
    Splitter,
    numbers_of,
    replied_sequence,
)
from wrench.sharing.queues import command_of as taken
from wrench_firmware import wire

coded = st.binary(min_size=1, max_size=40).map(lambda data: data.replace(b"\0", b"\1") + b"\0")


def command(client: int, name: str, *values: int, number: int = 0) -> Command:
    """A command as that client sends it."""
    made = taken(encode(name, numbers_of(client)[number], *values))
    assert made is not None
    return made


def sent(queue: CommandQueue, now_s: float = 0.0, answered: bool = True) -> list[tuple[int, str]]:
    """Everything that may go out now: the client, and the name."""
    gone: list[tuple[int, str]] = []
    while (frame := queue.take(now_s)) is not None:
        name, sequence, _ = command_of(frame[:-1])
        gone.append((sequence >> 8, name))
        if answered:
            queue.answered(sequence)
    return gone


# ---- splitting -----------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(st.lists(coded), st.randoms(use_true_random=False), st.booleans())
def test_frames_come_out_whole_however_the_bytes_are_cut(
    frames: list[bytes], noise: random.Random, garbage: bool
) -> None:
    stream = b"".join(b"\0" * noise.randint(0, 2) + frame for frame in frames)
    cuts = sorted(noise.randint(0, len(stream)) for _ in range(8))
    pieces = [stream[a:b] for a, b in itertools.pairwise([0, *cuts, len(stream)])]
    splitter = Splitter(64, garbage=garbage)
    assert [frame for piece in pieces for frame in splitter.feed(piece)] == frames


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=100)))
def test_of_the_boards_garbage_every_byte_is_passed_on_and_none_is_joined_to_a_frame(
    pieces: list[bytes],
) -> None:
    splitter = Splitter(64, garbage=True)
    out = [frame for piece in [*pieces, b"\0"] for frame in splitter.feed(piece)]
    assert b"".join(out).replace(b"\0", b"") == b"".join(pieces).replace(b"\0", b"")
    assert all(frame.endswith(b"\0") and 1 < len(frame) <= 65 for frame in out)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=100)), coded)
def test_a_clients_garbage_ends_at_the_next_zero(pieces: list[bytes], frame: bytes) -> None:
    splitter = Splitter(64, garbage=False)
    out = [it for piece in pieces for it in splitter.feed(piece)]
    assert all(len(it) <= 65 for it in out)
    splitter.feed(b"\0")
    assert splitter.feed(frame) == [frame]


def test_what_is_too_long_for_a_command_is_counted() -> None:
    splitter = Splitter(64, garbage=False)
    assert splitter.feed(b"x" * 100) == []
    assert splitter.feed(b"y" * 10 + b"\0ok\0") == [b"ok\0"]
    assert splitter.lost_bytes == 110


# ---- to the clients ------------------------------------------------------------------------------


def test_a_slow_client_misses_the_oldest_frames_and_its_decoder_counts_them() -> None:
    frames = [data_frame("status", n, 1000 * n) for n in range(100)]
    outbox = Outbox(10 * len(frames[0]))
    for frame in frames:
        outbox.put([frame])
    decoder = Decoder()
    decoder._sequence = 0  # it has seen the first one
    got = list(decoder.feed(outbox.take(1 << 20)))
    assert [frame.sequence for frame in got] == list(range(90, 100))
    assert decoder.missing_frames == 89
    assert decoder.bad_frames == 0
    assert outbox.dropped_frames == 90
    assert not outbox


def test_frames_are_taken_together_as_far_as_they_fit() -> None:
    outbox = Outbox(100)
    outbox.put([b"aaaa\0", b"bbbb\0", b"c" * 20 + b"\0"])
    assert outbox.take(12) == b"aaaa\0bbbb\0"
    assert outbox.take(12) == b"c" * 20 + b"\0", "one at least"
    assert outbox.take(12) == b""


def test_a_reply_tells_which_command_it_answers() -> None:
    reply = data_frame("reply", command=KINDS["run"], command_sequence=0x1234)
    assert replied_sequence(reply) == 0x1234
    assert replied_sequence(data_frame("status")) is None
    assert replied_sequence(reply[:1] + bytes([wire.REPLY]) + b"garbage\0") is None
    assert replied_sequence(b"\0") is None


# ---- to the board --------------------------------------------------------------------------------


def test_a_stop_overtakes_everything_that_waits() -> None:
    queue = CommandQueue()
    for number in range(20):
        queue.add(1, command(1, "get_setting", 0, number=number))
    queue.add(2, command(2, "heartbeat"))
    queue.add(3, command(3, "stop"))
    first = queue.take(0.0)
    assert first is not None
    assert command_of(first[:-1])[0] == "stop"


def test_a_stop_goes_out_while_the_board_answers_nothing() -> None:
    queue = CommandQueue(window=4)
    for number in range(20):
        queue.add(1, command(1, "get_setting", 0, number=number))
    assert len(sent(queue, answered=False)) == 4
    queue.add(2, command(2, "stop"))
    assert sent(queue, answered=False) == [(2, "stop")]


def test_a_run_that_waited_is_not_started_after_the_stop_that_overtook_it() -> None:
    queue = CommandQueue(window=1)
    queue.add(1, command(1, "hello"))
    assert sent(queue, answered=False) == [(1, "hello")]
    queue.add(1, command(1, "run", 600, number=1))
    queue.add(2, command(2, "get_setting", 0))
    queue.add(2, command(2, "run", 500, number=1))
    assert queue.add(2, command(2, "stop", number=2)) == {1}, "whose run it was is told"
    assert sent(queue, now_s=10.0) == [(2, "stop"), (2, "get_setting")]
    queue.add(1, command(1, "run", 600, number=2))
    assert sent(queue) == [(1, "run")], "a run asked for after it starts"


def test_clients_take_turns() -> None:
    queue = CommandQueue()
    for number in range(3):
        queue.add(1, command(1, "get_setting", 0, number=number))
    queue.add(2, command(2, "hello"))
    queue.add(3, command(3, "get_levels", 1))
    assert [client for client, _ in sent(queue)] == [1, 2, 3, 1, 1]


def test_heartbeats_do_not_wait_for_answers_and_do_not_pile_up() -> None:
    queue = CommandQueue(window=1)
    for number in range(3):
        queue.add(1, command(1, "get_setting", 0, number=number))
    for number in range(50):
        queue.add(2, command(2, "heartbeat", number=number))
    assert sent(queue, answered=False) == [(2, "heartbeat"), (1, "get_setting")]


def test_a_command_without_an_answer_holds_the_next_up_for_a_while_only() -> None:
    queue = CommandQueue(window=1, answer_s=0.3)
    for number in range(2):
        queue.add(1, command(1, "get_setting", 0, number=number))
    assert queue.wait_s(5.0) is None, "it may go now"
    assert len(sent(queue, now_s=5.0, answered=False)) == 1
    assert queue.wait_s(5.1) == pytest.approx(0.2)
    assert sent(queue, now_s=5.2) == []
    assert len(sent(queue, now_s=5.31)) == 1


def test_what_a_client_that_has_gone_wanted_is_not_said_but_its_stop_is() -> None:
    queue = CommandQueue()
    queue.add(1, command(1, "heartbeat"))
    queue.add(1, command(1, "run", 600, number=1))
    queue.add(2, command(2, "stop"))
    queue.forget(1)
    queue.forget(2)
    assert sent(queue) == [(2, "stop")]


def test_a_client_that_asks_without_end_is_found_out() -> None:
    queue = CommandQueue(most_waiting=3)
    for number in range(3):
        assert not queue.is_full(1)
        queue.add(1, command(1, "get_setting", 0, number=number))
    assert queue.is_full(1)
    assert not queue.is_full(2)


def waveform_switch(queue: CommandQueue) -> list[tuple[int, int]]:
    """What goes out about the waveform: the client, and 1 or 0."""
    gone: list[tuple[int, int]] = []
    while (frame := queue.take(0.0)) is not None:
        name, sequence, (value,) = command_of(frame[:-1])
        assert name == "stream"
        gone.append((sequence >> 8, value))
        queue.answered(sequence)
    return gone


def test_the_waveform_stays_on_while_any_client_wants_it() -> None:
    queue = CommandQueue()
    queue.add(1, command(1, "stream", 1))
    queue.add(2, command(2, "stream", 1))
    queue.add(2, command(2, "stream", 0, number=1))
    assert waveform_switch(queue) == [(1, 1), (2, 1), (2, 1)]
    queue.add(1, command(1, "stream", 0, number=1))
    assert waveform_switch(queue) == [(1, 0)]


def test_the_waveform_of_a_client_that_was_killed_is_turned_off() -> None:
    queue = CommandQueue()
    queue.add(1, command(1, "stream", 1))
    queue.add(2, command(2, "stream", 1))
    assert waveform_switch(queue) == [(1, 1), (2, 1)]
    queue.forget(1)
    assert waveform_switch(queue) == []
    queue.forget(2)
    assert waveform_switch(queue) == [(OWN, 0)]


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=100))
def test_what_is_no_command_is_none(data: bytes) -> None:
    assert taken(data.replace(b"\0", b"") + b"\0") is None


def test_what_the_board_would_not_take_is_no_command() -> None:
    assert taken(data_frame("status")) is None, "too long"
    whole = encode("run", 5, 600)
    assert taken(whole) == Command(wire.RUN, 5, whole, (600).to_bytes(2, "little"))
    assert taken(whole[:3] + bytes([whole[3] ^ 1]) + whole[4:]) is None, "a flipped bit"


def test_no_two_clients_have_a_number_in_common() -> None:
    numbers = [number for client in range(MOST_CLIENTS + 1) for number in numbers_of(client)]
    assert numbers == list(range(0x10000))
