"""Recording over a link from a board that is scripted in memory, and the commands themselves."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from board_stream import BLOCK, ReplayServer, Stream, counts_of
from click.testing import CliRunner, Result
from scripted_board import ScriptedBoard
from test_recording_file import chunks_of, read_strictly, recorded

from wrench.boards import Board
from wrench.cli import main, wrench
from wrench.errors import DamagedError, LinkError, RecordingError
from wrench.link import Decoder, Link
from wrench.recording import Recording
from wrench.recording.recorder import Recorder
from wrench.recording.session import Progress, Session
from wrench_firmware import wire

MS = 1000


class StreamingBoard(ScriptedBoard):
    """A board whose time goes on when the host has read everything, and that sends its waveform
    while it is on. It restarts at `restarts_us`."""

    def __init__(self, streams: bool = False) -> None:
        super().__init__()
        self.streams = streams
        self.restarts_us: int | None = None
        self.board_hash = 0
        self.time_us = 5_000_000
        self.answer = self.obey
        self.goes_on = self.live
        self._number = 0

    def obey(self, name: str, sequence: int) -> None:
        if name == "hello":
            self.send(
                "greeting",
                version=wire.VERSION,
                schema_hash=wire.schema_hash(),
                sample_rate_hz=3200,
                board_hash=self.board_hash,
            )
        if name == "stream":
            self.streams = self.heard[-1][2] == (1,)
        self.reply(name, sequence)

    def live(self) -> None:
        self.time_us += 10 * MS
        if self.restarts_us is not None and self.time_us >= self.restarts_us:
            self.time_us, self.restarts_us = 10 * MS, None
        if self.streams:
            first = self._number
            triples = [counts_of(n) for n in range(first, first + BLOCK)]
            tail = np.array(triples, "<i2").tobytes()
            self.send("waveform", first_sample=first, samples=BLOCK, scale_ug=3906, tail=tail)
            self._number += BLOCK
        if self.time_us // MS % 80 == 0:
            self.send("status", mode=4)


def commands(board: ScriptedBoard) -> list[str]:
    return [name for _, name, _ in board.heard]


@pytest.mark.parametrize("was_on", [False, True])
def test_the_waveform_is_as_it_was_before(tmp_path: Path, was_on: bool) -> None:
    board = StreamingBoard(streams=was_on)
    done = Session(Link(board), tmp_path / "run.mcap", duration_s=3.0).run()
    assert board.streams == was_on
    assert [arguments for _, name, arguments in board.heard if name == "stream"] == (
        [] if was_on else [(1,), (0,)]
    )
    assert done.samples > 8000
    assert "heartbeat" not in commands(board)


def test_without_the_waveform_the_board_is_told_nothing(tmp_path: Path) -> None:
    board = StreamingBoard()
    done = Session(Link(board), tmp_path / "run.mcap", waveform=False, duration_s=3.0).run()
    assert commands(board) == ["hello"]
    assert done.samples == 0


def test_nothing_that_comes_after_the_greeting_is_left_out(tmp_path: Path) -> None:
    board = StreamingBoard(streams=True)
    Session(Link(board), tmp_path / "run.mcap", duration_s=2.0).run()
    found = read_strictly(tmp_path / "run.mcap")
    sequences = [it.frame_sequence for _, _, it in found if hasattr(it, "frame_sequence")]
    assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
    assert found[0][0] == "/greeting"


def test_progress_is_told_once_a_second(tmp_path: Path) -> None:
    told: list[Progress] = []
    Session(
        Link(StreamingBoard(streams=True)), tmp_path / "run.mcap", duration_s=4.5, show=told.append
    ).run()
    assert [round(it.duration_s) for it in told] == [1, 2, 3, 4]
    assert all(it.rate_hz == pytest.approx(3200, rel=0.02) for it in told[1:])
    assert [str(it.losses) for it in told] == ["nothing lost"] * 4


def test_a_capture_ends_by_itself(tmp_path: Path) -> None:
    board = StreamingBoard()
    done = Session(Link(board), tmp_path / "run.mcap", waveform_s=1.5).run()
    assert done.samples == pytest.approx(4800, abs=2)
    assert not board.streams


def test_a_board_that_restarts_ends_it_and_the_file_is_whole(tmp_path: Path) -> None:
    board = StreamingBoard()
    board.restarts_us = 8_000_000
    session = Session(Link(board), tmp_path / "run.mcap")
    with pytest.raises(LinkError, match="restarted"):
        session.run()
    assert session.progress is not None
    assert session.progress.duration_s == pytest.approx(3.0, abs=0.1)
    read_strictly(tmp_path / "run.mcap")


def test_the_board_file_is_found_by_its_hash(tmp_path: Path, board: Board) -> None:
    scripted = StreamingBoard()
    scripted.board_hash = board.hash
    Session(Link(scripted), tmp_path / "run.mcap", duration_s=1.0).run()
    with Recording(tmp_path / "run.mcap") as recording:
        assert board.path is not None
        assert recording.board_file == board.path.read_text(encoding="utf-8")


def test_garbage_on_the_line_is_a_gap_and_counted(tmp_path: Path) -> None:
    board = StreamingBoard()
    live, noise = board.live, random.Random(2)

    def noisy() -> None:
        if board.time_us % 500_000 == 0:
            board.send_raw(noise.randbytes(300))  # spoils the frame that comes next
        live()

    board.goes_on = noisy
    done = Session(Link(board), tmp_path / "run.mcap", duration_s=3.0).run()
    assert done.losses.broken > 0
    with Recording(tmp_path / "run.mcap") as recording:
        told = recording.losses()
        gaps = recording.waveform().gaps
        lost = told["frames_missing"][-1]
    assert told["frames_broken"][-1] == done.losses.broken
    assert {gap.why for gap in gaps} == {"frames lost"}
    assert lost >= len(gaps) > 2


def test_another_board_file_is_not_taken_for_it(tmp_path: Path, board: Board) -> None:
    session = Session(Link(StreamingBoard()), tmp_path / "run.mcap", board=board.path)
    with pytest.raises(RecordingError, match="not flashed from"):
        session.run()
    assert not (tmp_path / "run.mcap").exists()


def test_a_file_in_the_way_leaves_the_board_alone(tmp_path: Path) -> None:
    (tmp_path / "run.mcap").write_text("dear to somebody")
    board = StreamingBoard()
    with pytest.raises(RecordingError, match="--force"):
        Session(Link(board), tmp_path / "run.mcap").run()
    assert commands(board) == ["hello"]


# ---- the commands --------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    made = ReplayServer(20.0)
    yield made
    made.close()


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(wrench, [str(it) for it in arguments], catch_exceptions=True)


def test_record_tells_its_progress_and_what_it_has_done(
    server: ReplayServer, tmp_path: Path
) -> None:
    path = tmp_path / "run.mcap"
    done = invoke("record", "-o", path, "--for", "2s", "--port", server.url)
    assert done.exit_code == 0, done.output
    line, *_, last = done.output.splitlines()
    assert "nothing lost" in line
    assert last.startswith("recorded 2.0 s, ")
    assert ("stream", (0,)) in server.commands
    with Recording(path) as recording:
        assert recording.is_complete
        assert len(recording.waveform()) > 4000


def test_capture_as_json(server: ReplayServer, tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    done = invoke("capture", "--seconds", "0.5", "-o", path, "--port", server.url, "--json")
    assert done.exit_code == 0, done.output
    told = [json.loads(line) for line in done.output.splitlines()]
    assert told[-1]["done"]
    assert told[-1]["samples"] == pytest.approx(0.5 * 3225.5, abs=2)
    assert told[-1]["losses"] == {"frames": 0, "samples": 0, "missing": 0, "broken": 0}


def test_info_tells_rate_gaps_and_events(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    recorded(path, Stream(3.0, dropped=frozenset({100, 101})))
    told = json.loads(invoke("info", path, "--json").output)
    assert told["complete"]
    assert told["waveform"]["rate_hz"] == pytest.approx(3225.5, abs=2)
    assert [gap["missing_samples"] for gap in told["waveform"]["gaps"]] == [64]
    assert told["losses"]["frames_dropped_by_board"] == 2
    assert told["topics"]["/status"]["messages"] == 37
    text = invoke("info", path).output
    assert "64 samples: dropped by the board" in text
    assert "frames dropped by board 2" in text


def test_info_and_recover_of_a_file_that_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    recorded(path, Stream(3.0))
    path.write_bytes(path.read_bytes()[:100_000])
    assert "damaged    its writing was cut short" in invoke("info", path).output
    assert "is whole: 2 chunks; " in invoke("recover", path).output
    assert "damaged" not in invoke("info", path).output
    assert "whole already" in invoke("recover", path).output


def test_export_names_its_file_after_the_recording(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    recorded(path, Stream(2.0))
    assert "run.wav: " in invoke("export", path, "--to", "wav").output
    assert (
        "run-status.csv: 25 rows"
        in invoke("export", path, "--to", "csv", "--what", "status").output
    )
    assert (tmp_path / "run.wav").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["info", "nothing.mcap"], "there is no"),
        (["export", "text.mcap", "--to", "csv"], "is no recording"),
        (["recover", "text.mcap"], "is no recording"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    recorded(Path("run.mcap"), Stream(1.0))
    Path("text.mcap").write_text("some text")
    monkeypatch.setattr("sys.argv", ["wrench", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 10
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["export", "run.mcap", "--to", "wav", "--what", "status"], "to csv or parquet"),
        (["export", "run.mcap", "--to", "csv", "--from", "2s", "--until", "1s"], "a later time"),
        (["export", "run.mcap", "--to", "mp3"], "'mp3' is not one of"),
    ],
)
def test_what_is_not_meant_is_refused_before_anything_is_read(
    arguments: list[str], sentence: str
) -> None:
    done = invoke(*arguments)
    assert done.exit_code == 2
    assert sentence in done.output


def cut_short(path: Path) -> str:
    path.write_bytes(path.read_bytes()[:100_000])
    return "its writing was cut short"


def damaged_inside(path: Path) -> str:
    begin, end, _ = chunks_of(path)[1]
    content = bytearray(path.read_bytes())
    content[(begin + end) // 2] ^= 0xFF
    path.write_bytes(content)
    return "s on are damaged"


@pytest.mark.parametrize(
    ("arguments", "damage"),
    [
        ("info run.mcap", cut_short),
        ("info run.mcap", damaged_inside),
        ("info run.mcap --json", cut_short),
        ("info run.mcap --json", damaged_inside),
        ("export run.mcap --to csv -o made", cut_short),
        ("export run.mcap --to csv -o made --json", damaged_inside),
        ("report run.mcap -o made.png", damaged_inside),
        ("report run.mcap -o made.png --json", cut_short),
    ],
)
def test_what_is_left_of_a_damaged_recording_is_given_and_the_rest_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    damage: Callable[[Path], str],
) -> None:
    monkeypatch.chdir(tmp_path)
    recorded(Path("run.mcap"), Stream(4.0))
    sentence = damage(Path("run.mcap"))
    monkeypatch.setattr("sys.argv", ["wrench", *arguments.split()])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == DamagedError.exit_code == 12
    told, error = capsys.readouterr()
    assert sentence in error
    assert error.count("\n") == 1
    assert told
    if "--json" in arguments:
        assert sentence in json.dumps(json.loads(told))
    if "made" in arguments:
        (made,) = tmp_path.glob("made*")
        assert made.stat().st_size > 10_000


def test_what_is_still_being_recorded_is_not_called_damaged(tmp_path: Path) -> None:
    stream = Stream(2.0)
    recorder = Recorder(tmp_path / "run.mcap", stream.greeting())
    decoder = Decoder()
    for frame in decoder.feed(stream.bytes()):
        recorder.take(frame, decoder)
    recorder._seal(final=False)
    recorder.wait()
    done = invoke("info", recorder.path)
    assert done.exit_code == 0, done.output
    assert "and goes on" in done.output
    assert json.loads(invoke("info", recorder.path, "--json").output)["problems"] == []
    recorder.close()
    assert "and goes on" not in invoke("info", recorder.path).output


def test_one_of_a_thing_is_not_many(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    recorded(path, Stream(2.0, dropped=frozenset({100})))
    assert "rows, 1 gap, " in invoke("export", path, "--to", "csv").output
    _, end, _ = chunks_of(path)[1]
    path.write_bytes(path.read_bytes()[:end])
    assert "2 chunks" in invoke("recover", path).output
    recorded(path, Stream(2.0), overwrite=True)
    path.write_bytes(path.read_bytes()[: chunks_of(path)[0][1] + 1])
    assert invoke("recover", path).output.endswith("is whole: 1 chunk; 1 byte at its end cut off\n")
