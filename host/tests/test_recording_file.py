"""A recording, written frame by frame and read by the MCAP library's own strict reader, by protobuf
as any program would, and by ours."""

from __future__ import annotations

import io
import math
import os
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard
from board_stream import BLOCK, SCALE_UG, TRUE_HZ, Stream, counts_of
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.reader import make_reader
from mcap.records import Chunk, Message, MessageIndex
from mcap.stream_reader import StreamReader, breakup_chunk
from mcap_protobuf.decoder import DecoderFactory
from scripted_board import data_frame

from wrench.boards import Board
from wrench.errors import RecordingError
from wrench.link import Decoder, Frame
from wrench.readout import named_bits
from wrench.recording import Recording, Waveform
from wrench.recording.recorder import Recorder
from wrench.recording.recover import recover
from wrench_firmware import wire

DATA = [name for kind, (name, _) in wire.MESSAGES.items() if kind < wire.HELLO]
WALL_NS = 1_800_000_000_000_000_000


def recorded(path: Path, stream: Stream, chunk_s: float = 0.7, **options: Any) -> Recorder:
    """A recording of a stream; time passes as the board's does, so that chunks are closed."""
    now_s = 0.0
    recorder = Recorder(
        path,
        stream.greeting(),
        wall_ns=lambda: WALL_NS + round((now_s - stream.begin_us / 1e6) * 1e9),
        monotonic_s=lambda: now_s * 0.8 / chunk_s,
        **options,
    )
    decoder = Decoder()
    for time_us, data in stream.timed():
        now_s = time_us / 1e6
        for frame in decoder.feed(data):
            recorder.take(frame, decoder)
    recorder.close()
    return recorder


def counted_strictly(path: Path) -> int:
    """How many messages there are, read from end to end; every checksum is checked."""
    with path.open("rb") as file:
        return sum(isinstance(it, Message) for it in StreamReader(file, validate_crcs=True).records)


def read_strictly(path: Path) -> list[tuple[str, Message, Any]]:
    """Topic, message and its content in the order of log times; every checksum is checked, and the
    file read from end to end as well as by its index."""
    straight = counted_strictly(path)
    with path.open("rb") as file:
        reader = make_reader(file, validate_crcs=True, decoder_factories=[DecoderFactory()])
        found = [
            (channel.topic, message, content)
            for _, channel, message, content in reader.iter_decoded_messages()
        ]
        summary = reader.get_summary()
    assert summary is not None
    assert summary.statistics is not None
    assert summary.statistics.message_count == len(found) == straight
    counts = Counter(topic for topic, _, _ in found)
    assert counts == {
        summary.channels[id_].topic: n
        for id_, n in summary.statistics.channel_message_counts.items()
    }
    return found


# ---- what is in it -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in DATA if name != "waveform"])
def test_every_frame_becomes_a_message_with_all_its_fields(tmp_path: Path, name: str) -> None:
    fields = wire.MESSAGES[{n: k for k, (n, _) in wire.MESSAGES.items()}[name]][1]
    values: dict[str, Any] = {
        field: b"some text"[: int(code[:-1])] if code.endswith("s") else n + 1
        for n, (field, code, _) in enumerate(fields)
    }
    if name in ("log", "capture"):
        values["tail"] = b"the rest"
    data = data_frame(name, 9, 5_000_000, 3, 4, **values)
    decoder = Decoder()
    (frame,) = decoder.feed(data)
    path = tmp_path / "one.mcap"
    recorder = Recorder(path, Stream().greeting())
    recorder.take(frame, decoder)
    recorder.close()
    (message,) = [it for topic, _, it in read_strictly(path) if topic == f"/{name}"]
    assert (message.device_time_us, message.frame_sequence) == (5_000_000, 9)
    assert (message.dropped_frames, message.lost_samples) == (3, 4)
    for field, code, unit in fields:
        told = getattr(message, field)
        if field in ("flags", "alarms"):
            assert getattr(message, f"{field}_bits") == values[field]
            assert told == ", ".join(
                named_bits(values[field], wire.FLAGS if field == "flags" else wire.FAULTS)
            )
        elif unit.isupper() and hasattr(wire, unit):
            assert getattr(message, f"{field}_number") == values[field]
            assert told == frame[field]
        elif code.endswith("s"):
            assert (
                told
                == (values[field].hex() if field == "unique_id" else values[field].decode())[
                    : len(told)
                ]
            )
            assert told
        else:
            assert told == values[field]
    if "tail" in values:
        assert message.data == b"the rest"


@pytest.mark.parametrize("absent", [wire.ABSENT, wire.BROKEN])
def test_what_is_not_measured_is_no_zero(tmp_path: Path, absent: int) -> None:
    decoder = Decoder()
    (frame,) = decoder.feed(data_frame("status", speed_rpm=absent, current_ma=0))
    recorder = Recorder(tmp_path / "one.mcap", Stream().greeting())
    recorder.take(frame, decoder)
    recorder.close()
    (message,) = [it for topic, _, it in read_strictly(recorder.path) if topic == "/status"]
    assert math.isnan(message.speed_rpm)
    assert message.current_ma == 0.0
    with Recording(recorder.path) as recording:
        assert np.isnan(recording.status()["speed_rpm"]).all()


def test_every_sample_is_a_message_of_its_own_in_g(tmp_path: Path) -> None:
    stream = Stream(3.0)
    recorded(tmp_path / "run.mcap", stream)
    messages = [
        (m, it) for topic, m, it in read_strictly(tmp_path / "run.mcap") if topic == "/waveform"
    ]
    assert len(messages) == int(3.0 * TRUE_HZ / BLOCK) * BLOCK
    for n, (message, sample) in enumerate(messages):
        number = stream.first_sample + n
        assert message.sequence == number
        counts = np.array([sample.x_g, sample.y_g, sample.z_g]) * 1e6 / SCALE_UG
        np.testing.assert_allclose(counts, counts_of(number), atol=1e-3)


def test_every_index_leads_to_its_message(tmp_path: Path) -> None:
    """Foxglove reads by the index; the reader of the MCAP library in Python does not."""
    recorded(tmp_path / "run.mcap", Stream(3.0))
    data = (tmp_path / "run.mcap").read_bytes()
    seen = 0
    with (tmp_path / "run.mcap").open("rb") as file:
        summary = make_reader(file).get_summary()
    assert summary is not None
    for it in summary.chunk_indexes:
        begin, end = it.chunk_start_offset, it.chunk_start_offset + it.chunk_length
        chunk = Chunk.read(ReadDataStream(io.BytesIO(data[begin + 9 : end])))
        records = zstandard.ZstdDecompressor().decompress(chunk.data, chunk.uncompressed_size)
        for channel_id, offset in it.message_index_offsets.items():
            index = MessageIndex.read(ReadDataStream(io.BytesIO(data[offset + 9 :])))
            assert index.channel_id == channel_id
            for log_time, at in index.records:
                length = int.from_bytes(records[at + 1 : at + 9], "little")
                stream = ReadDataStream(io.BytesIO(records[at + 9 : at + 9 + length]))
                message = Message.read(stream, length)
                assert records[at] == Opcode.MESSAGE
                assert (message.channel_id, message.log_time) == (channel_id, log_time)
                seen += 1
    assert summary.statistics is not None
    assert seen == summary.statistics.message_count


def test_one_affine_map_leads_from_device_time_to_wall_time(tmp_path: Path) -> None:
    stream = Stream(3.0)
    recorded(tmp_path / "run.mcap", stream)
    found = read_strictly(tmp_path / "run.mcap")
    offsets = {message.log_time - message.publish_time for _, message, _ in found}
    assert len(offsets) == 1
    assert abs(offsets.pop() - (WALL_NS - stream.begin_us * 1000)) < 1e6
    for topic, message, content in found:
        if topic != "/waveform":
            assert message.publish_time == content.device_time_us * 1000
    with Recording(tmp_path / "run.mcap") as recording:
        assert recording.start_time_us == pytest.approx(stream.begin_us, abs=20_000)


def test_messages_stand_in_the_order_of_their_times(tmp_path: Path) -> None:
    recorded(tmp_path / "run.mcap", Stream(6.0, dropped=frozenset({50, 51, 300})))
    with (tmp_path / "run.mcap").open("rb") as file:
        times = [it.log_time for it in StreamReader(file).records if isinstance(it, Message)]
    assert times == sorted(times)


def test_the_board_file_and_who_the_board_is_are_in_it(tmp_path: Path, board: Board) -> None:
    recorder = recorded(tmp_path / "run.mcap", Stream(1.0), board=board)
    assert board.path is not None
    with recorder.path.open("rb") as file:
        reader = make_reader(file)
        (attachment,) = reader.iter_attachments()
        metadata = {it.name: it.metadata for it in reader.iter_metadata()}
    assert attachment.data == board.path.read_bytes()
    assert metadata["wrench"]["board_name"] == "a board"
    with Recording(recorder.path) as recording:
        assert recording.greeting["unique_id"] == b"12345678".hex()
        assert recording.board_file == board.path.read_text(encoding="utf-8")


def test_losses_are_told_every_second(tmp_path: Path) -> None:
    recorded(tmp_path / "run.mcap", Stream(5.0, dropped=frozenset({150, 151}), overflows={300: 64}))
    with Recording(tmp_path / "run.mcap") as recording:
        losses = recording.losses()
    assert list(losses["frames_dropped_by_board"])[-1] == 2
    assert list(losses["samples_lost"])[-1] == 64
    assert len(losses) == 7
    assert np.diff(losses.time_s[:-1]) == pytest.approx(1.0, abs=0.1)


def test_it_overwrites_only_when_told_to(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    path.write_text("dear to somebody")
    with pytest.raises(RecordingError, match="--force"):
        Recorder(path, Stream().greeting())
    assert path.read_text() == "dear to somebody"
    recorded(path, Stream(1.0), overwrite=True)
    with Recording(path) as recording:
        assert recording.is_complete


def test_without_the_waveform_all_else_is_there(tmp_path: Path) -> None:
    recorded(tmp_path / "run.mcap", Stream(2.0), waveform=False)
    with Recording(tmp_path / "run.mcap") as recording:
        assert "/waveform" not in recording.topics
        assert len(recording.status()) == 25
        waveform = recording.waveform()
    assert waveform.acceleration_g.shape == (0, 3)
    assert math.isnan(waveform.rate_hz)


@pytest.mark.parametrize("seconds", [0.5, 1.0, 2.345])
def test_a_capture_has_the_seconds_asked_for(tmp_path: Path, seconds: float) -> None:
    recorder = recorded(tmp_path / "run.mcap", Stream(5.0), waveform_s=seconds)
    assert recorder.full
    with Recording(recorder.path) as recording:
        waveform = recording.waveform()
        others = [recording.table(topic).time_s for topic in ("/status", "/losses")]
        last = waveform.time_s[-1]
    assert len(waveform) == recorder.received == pytest.approx(seconds * TRUE_HZ, abs=2)
    assert waveform.time_s[-1] - waveform.time_s[0] < seconds
    assert all(times[-1] < last + 0.02 for times in others)


def test_an_event_is_a_line_in_a_log_panel_too(tmp_path: Path) -> None:
    decoder = Decoder()
    recorder = Recorder(tmp_path / "run.mcap", Stream().greeting(), wall_ns=lambda: WALL_NS)
    told = [("run", 1, 600), ("trip", wire.FAULTS.index("stall"), 12)]
    for n, (name, detail, value) in enumerate(told):
        values = {"code": wire.EVENTS.index(name), "detail": detail, "value": value}
        for frame in decoder.feed(data_frame("event", n, 1_000_000 * n, **values)):
            recorder.take(frame, decoder)
    for frame in decoder.feed(data_frame("status", 2, 1_500_000)):
        recorder.take(frame, decoder)
    recorder.close()
    with recorder.path.open("rb") as file:
        times = [it.log_time for it in StreamReader(file).records if isinstance(it, Message)]
    assert times == sorted(times)
    found = [(m, it) for topic, m, it in read_strictly(recorder.path) if topic == "/event_log"]
    texts = ["run towards 60 %, by link", "TRIP: stall, 12 ms"]
    assert [it.message for _, it in found] == texts
    assert [it.Level.Name(it.level) for _, it in found] == ["INFO", "ERROR"]
    assert {it.name for _, it in found} == {"a board"}
    for message, it in found:
        assert it.timestamp.ToNanoseconds() == message.log_time
    with Recording(recorder.path) as recording:
        assert list(recording.table("/event_log")["message"]) == texts


# ---- when it is on the disk ----------------------------------------------------------------------


def test_all_but_the_last_second_is_on_the_disk_at_any_time(tmp_path: Path) -> None:
    stream = Stream(6.0)
    now_s = stream.begin_us / 1e6
    decoder = Decoder()
    recorder = Recorder(tmp_path / "run.mcap", stream.greeting(), monotonic_s=lambda: now_s)
    copy = tmp_path / "copy.mcap"
    for n, (time_us, data) in enumerate(stream.timed()):
        now_s = time_us / 1e6
        for frame in decoder.feed(data):
            recorder.take(frame, decoder)
        if n % 100 == 99 and now_s > stream.begin_us / 1e6 + 1.0:
            recorder.wait()
            copy.write_bytes(recorder.path.read_bytes())  # what a kill would leave
            with Recording(copy) as recording:
                blocks = recording.blocks()
                assert now_s - blocks["device_time_us"][-1] / 1e6 < 1.0
    recorder.close()


def test_every_record_is_synced_to_the_disk_before_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    fsync = os.fsync

    def noting(descriptor: int) -> None:
        fsync(descriptor)
        synced.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr(os, "fsync", noting)
    recorder = recorded(tmp_path / "run.mcap", Stream(3.0))
    ends = {end for _, end in _indexed(recorder.path)}
    assert len(ends) > 3
    assert ends <= set(synced)
    assert synced[-1] == recorder.size == recorder.path.stat().st_size


def _indexed(path: Path) -> list[tuple[int, int]]:
    """Where each chunk begins, and where its indexes end."""
    with path.open("rb") as file:
        summary = make_reader(file).get_summary()
    assert summary is not None
    return [
        (
            it.chunk_start_offset,
            it.chunk_start_offset + it.chunk_length + it.message_index_length,
        )
        for it in summary.chunk_indexes
    ]


def test_what_is_being_recorded_is_nobody_else_s(tmp_path: Path) -> None:
    stream = Stream(2.0)
    recorder = Recorder(tmp_path / "run.mcap", stream.greeting())
    decoder = Decoder()
    for frame in decoder.feed(stream.bytes()):
        recorder.take(frame, decoder)
    recorder.wait()
    before = recorder.path.read_bytes()
    with pytest.raises(RecordingError, match="being recorded"):
        recover(recorder.path)
    with pytest.raises(RecordingError, match="being recorded"):
        Recorder(recorder.path, stream.greeting(), overwrite=True)
    assert recorder.path.read_bytes() == before
    recorder.close()
    assert recover(recorder.path).was_whole


def test_a_disk_that_fails_is_told(tmp_path: Path) -> None:
    stream = Stream(2.0)
    recorder = Recorder(tmp_path / "run.mcap", stream.greeting())
    recorder.wait()
    os.close(recorder._file._file.fileno())  # as a disk that is pulled out
    decoder = Decoder()
    for frame in decoder.feed(stream.bytes()):
        recorder.take(frame, decoder)
    with pytest.raises(RecordingError, match="cannot be written on"):
        recorder.close()


# ---- files that were cut -------------------------------------------------------------------------


WHOLE_HZ = 800.0


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "run.mcap"
    recorded(path, Stream(4.0, true_hz=WHOLE_HZ), chunk_s=0.5)
    return path


@pytest.fixture(scope="module")
def samples(whole: Path) -> Waveform:
    with Recording(whole) as recording:
        return recording.waveform()


@pytest.fixture(scope="module")
def chunks(whole: Path) -> list[tuple[int, int, int]]:
    return chunks_of(whole)


def chunks_of(path: Path) -> list[tuple[int, int, int]]:
    """Of each chunk: where it begins, where it ends, and how many messages it has."""
    with path.open("rb") as file:
        reader = make_reader(file)
        summary = reader.get_summary()
        assert summary is not None
        found = [(it.chunk_start_offset, it.chunk_length) for it in summary.chunk_indexes]
        data = path.read_bytes()
    result: list[tuple[int, int, int]] = []
    for begin, length in sorted(found):
        record = Chunk.read(ReadDataStream(io.BytesIO(data[begin + 9 : begin + length])))
        messages = sum(isinstance(it, Message) for it in breakup_chunk(record))
        result.append((begin, begin + length, messages))
    return result


def indexes_told(path: Path) -> int:
    """How many message indexes the summary knows."""
    with path.open("rb") as file:
        summary = make_reader(file).get_summary()
    assert summary is not None
    return sum(len(it.message_index_offsets) for it in summary.chunk_indexes)


def indexes_in(path: Path) -> int:
    """How many there are."""
    with path.open("rb") as file:
        records = StreamReader(file, emit_chunks=True).records
        return sum(isinstance(it, MessageIndex) for it in records)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_file_cut_anywhere_is_read_to_its_last_whole_chunk(
    whole: Path, chunks: list[tuple[int, int, int]], samples: Waveform, data: st.DataObject
) -> None:
    content = whole.read_bytes()
    assert len(chunks) > 6
    edges = [edge for begin, end, _ in chunks for edge in (begin, end)]
    near = st.builds(int.__add__, st.sampled_from(edges), st.integers(-10, 80))
    anywhere = st.integers(chunks[0][1], len(content) - 1)
    size = data.draw(st.one_of(near, anywhere).filter(lambda it: it >= chunks[0][1]), "size")
    there = [messages for _, end, messages in chunks if end <= size]
    cut = whole.with_name("cut.mcap")
    cut.write_bytes(content[:size])
    with Recording(cut) as recording:
        assert not recording.is_complete
        assert "cut short" in recording.problems[0]
        assert sum(recording.topics.values()) == sum(there)
        waveform = recording.waveform()
        assert len(waveform) == recording.topics.get("/waveform", 0)
        assert not waveform.gaps
    np.testing.assert_array_equal(waveform.time_s, samples.time_s[: len(waveform)])
    np.testing.assert_array_equal(waveform.acceleration_g, samples.acceleration_g[: len(waveform)])
    done = recover(cut)
    assert done.chunks == len(there)
    assert counted_strictly(cut) == sum(there)
    assert indexes_told(cut) == indexes_in(cut)
    with Recording(cut) as recording:
        assert recording.is_complete
        assert not recording.problems
    assert recover(cut).was_whole


@settings(max_examples=15, deadline=None)
@given(st.floats(0.0, 1.0, exclude_max=True))
def test_a_file_cut_before_its_first_chunk_says_so(
    whole: Path, chunks: list[tuple[int, int, int]], part: float
) -> None:
    content = whole.read_bytes()[: chunks[0][1] - 1]
    cut = whole.with_name("head.mcap")
    cut.write_bytes(content[: 1 + int(part * len(content))])
    for read in (Recording, recover):
        with pytest.raises(RecordingError, match=r"cut before anything|is no recording"):
            read(cut)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_byte_damaged_anywhere_costs_a_chunk_at_most(
    whole: Path, chunks: list[tuple[int, int, int]], samples: Waveform, data: st.DataObject
) -> None:
    content = bytearray(whole.read_bytes())
    edges = [edge for begin, end, _ in chunks for edge in (begin, end)]
    near = st.builds(int.__add__, st.sampled_from(edges), st.integers(0, 60))
    at = data.draw(st.one_of(near, st.integers(chunks[0][0], len(content) - 1)), "at")
    content[at] ^= data.draw(st.integers(1, 255), "flipped")
    broken = whole.with_name("flipped.mcap")
    broken.write_bytes(content)
    lost = next((n for begin, end, n in chunks if begin <= at < end), 0)
    with Recording(broken) as recording:
        waveform = recording.waveform()
        assert len(waveform) >= len(samples) - lost
        assert np.isin(waveform.time_s, samples.time_s).all()
        if len(waveform) < len(samples):
            assert recording.problems
    copy = whole.with_name("copy.mcap")
    recover(broken, copy, overwrite=True)
    assert counted_strictly(copy) >= sum(n for _, _, n in chunks) - lost


@settings(max_examples=60, deadline=None)
@example(first=265, apart=700)
@example(first=423, apart=500)
@example(first=1186, apart=500)
@example(first=1271, apart=500)
@given(first=st.integers(8, 1500), apart=st.sampled_from([300, 500, 700, 1500, 4000]))
def test_a_file_full_of_holes_is_read_or_refused_in_words(
    whole: Path, first: int, apart: int
) -> None:
    """The descriptions of the messages and the summary are hit as well."""
    content = bytearray(whole.read_bytes()[:40_000])
    content[first::apart] = bytes(len(content[first::apart]))
    broken = whole.with_name("holes.mcap")
    broken.write_bytes(content)
    with suppress(RecordingError), Recording(broken) as recording:
        assert recording.topics
        for read in (recording.status, recording.features, recording.waveform):
            read()
        recording.events()
        assert recording.problems


@pytest.mark.parametrize("byte", [3, 7])
def test_a_chunk_with_a_damaged_size_costs_itself_alone(
    byte: int, whole: Path, chunks: list[tuple[int, int, int]], samples: Waveform
) -> None:
    begin, _, lost = chunks[3]
    content = bytearray(whole.read_bytes())
    content[begin + 1 + 8 + 16 + byte] ^= 0x80  # behind opcode, length and two times
    broken = whole.with_name("size.mcap")
    broken.write_bytes(content)
    with Recording(broken) as recording:
        assert len(samples) - lost <= len(recording.waveform()) < len(samples)
        assert recording.problems


def test_a_chunk_that_a_power_cut_left_empty_does_not_count(whole: Path) -> None:
    begin, end, _ = chunks_of(whole)[3]
    content = bytearray(whole.read_bytes()[:end])
    content[(begin + end) // 2 :] = bytes(end - (begin + end) // 2)
    cut = whole.with_name("torn.mcap")
    cut.write_bytes(content)
    with Recording(cut) as recording:
        assert len(recording.waveform()) > 0
    assert recover(cut).chunks == 3
    read_strictly(cut)


def test_damage_inside_costs_its_chunk_and_is_told(
    whole: Path, chunks: list[tuple[int, int, int]], samples: Waveform
) -> None:
    begin, end, messages = chunks[4]
    content = bytearray(whole.read_bytes())
    content[(begin + end) // 2] ^= 0xFF
    broken = whole.with_name("broken.mcap")
    broken.write_bytes(content)
    with Recording(broken) as recording:
        waveform = recording.waveform()
        assert len(recording.problems) == 1
        assert "damaged" in recording.problems[0]
    (gap,) = waveform.gaps
    assert gap.missing_samples == len(samples) - len(waveform) > 0.3 * WHOLE_HZ
    with pytest.raises(RecordingError, match="-o"):
        recover(broken)
    assert broken.read_bytes() == content
    copy = whole.with_name("mended.mcap")
    copy.unlink(missing_ok=True)
    assert recover(broken, copy).left_out == 1
    assert len(read_strictly(copy)) == len(read_strictly(whole)) - messages


def test_an_index_that_is_damaged_costs_nothing(whole: Path) -> None:
    content = bytearray(whole.read_bytes())
    for _, end, _ in chunks_of(whole):
        for at in range(end + 20, end + 40):
            content[at] ^= 0x55
    broken = whole.with_name("unindexed.mcap")
    broken.write_bytes(content)
    with Recording(whole) as recording, Recording(broken) as other:
        np.testing.assert_array_equal(other.waveform().time_s, recording.waveform().time_s)
        assert len(other.status()) == len(recording.status())
        assert not other.problems


@pytest.mark.parametrize("content", [b"", b"some text that is no recording", b"\x89MCAP0\r\n"])
def test_what_is_no_recording_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.mcap"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=r"no recording|is empty|was cut before"):
        Recording(path)


def test_an_mcap_file_of_another_program_is_refused(tmp_path: Path) -> None:
    from mcap.writer import Writer  # noqa: PLC0415

    path = tmp_path / "other.mcap"
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start()
        writer.finish()
    with pytest.raises(RecordingError, match="no recording of Wrench"):
        Recording(path)


def test_a_frame_made_elsewhere_is_recorded_too(tmp_path: Path) -> None:
    frame = Frame("event", {"code": "trip", "detail": 7, "value": None}, 1_000_000, 1, 0, 0)
    recorder = Recorder(tmp_path / "one.mcap", Stream().greeting())
    recorder.take(frame, Decoder())
    recorder.close()
    with Recording(recorder.path) as recording:
        (event,) = recording.events()
    assert (event.name, event.detail_name, event.value) == ("trip", "stall", None)
