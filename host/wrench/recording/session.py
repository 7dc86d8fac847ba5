"""Recording from a link: the waveform on and off again, until somebody or the time ends it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from wrench.boards import Board, InvalidBoardError, known_boards, load_board
from wrench.errors import LinkError, RecordingError, WrenchError
from wrench.link import Frame, Link
from wrench.operation import SILENCE_S
from wrench.readout import Losses
from wrench.recording.recorder import Recorder

_LOOK_EVERY_S = 0.1
_SECOND_US = 1_000_000
_LARGEST_BLOCK, _BLOCKS_WAITED = 32, 3


@dataclass(frozen=True)
class Progress:
    """How a recording stands: `duration_s` of device time, `samples` of each axis, how many came a
    second in the last second (at the end: all the time), bytes on the disk, and what was lost."""

    path: Path
    duration_s: float
    samples: int
    rate_hz: float
    size: int
    losses: Losses


@dataclass
class Session:
    """One recording from a link, to be run once. Afterwards `progress` tells what is in the file,
    also where `run` has raised; it is None where there is no file.

    `board` is the file that the board was flashed from, where it is known. The recording ends after
    `duration_s` of device time, or with the last sample within `waveform_s` of the first one, or
    once `ended` says so. `show` is called once a second.
    """

    link: Link
    path: Path
    board: Path | None = None
    waveform: bool = True
    duration_s: float | None = None
    waveform_s: float | None = None
    overwrite: bool = False
    ended: Callable[[], bool] = lambda: False
    show: Callable[[Progress], None] = lambda progress: None
    progress: Progress | None = None

    def run(self) -> Progress:
        """Record; what has been recorded is whole, however it ends.

        The board's waveform is turned on for it, and off again unless it was on before. The motor
        is left alone.

        Raises:
            RecordingError: the file cannot be written, or the disk is full.
            LinkError, PortError: the link is lost, or the board has restarted.
        """
        greeting = self.link.hello()
        board = board_of(greeting, self.board)
        recorder = Recorder(
            self.path,
            greeting,
            board=board,
            waveform=self.waveform,
            waveform_s=self.waveform_s,
            overwrite=self.overwrite,
        )
        try:
            recorder.take(greeting, self.link.decoder)
            self._follow(recorder, _Waveform(self.link, greeting) if self.waveform else None)
        finally:
            try:
                recorder.close()
            finally:
                self.progress = _result(recorder)
        return self.progress

    def _follow(self, recorder: Recorder, waveform: _Waveform | None) -> None:
        try:
            self._take_all(recorder, waveform)
        finally:
            if waveform is not None:
                waveform.restore()

    def _take_all(self, recorder: Recorder, waveform: _Waveform | None) -> None:
        heard_s = time.monotonic()
        before = _result(recorder)
        last_us = -1
        while not self.ended() and not recorder.full:
            frame = self.link.receive(_LOOK_EVERY_S)
            if frame is None:
                if time.monotonic() - heard_s > SILENCE_S:
                    raise LinkError(
                        f"the board has sent nothing for {SILENCE_S:g} s; reset it, or flash it "
                        "with `wrench flash`, and record again"
                    )
                recorder.tick()
                continue
            heard_s = time.monotonic()
            if frame.time_us < last_us:
                raise LinkError(
                    "the board has restarted, and its clock with it; record again, into another "
                    "file"
                )
            last_us = frame.time_us
            recorder.take(frame, self.link.decoder)
            if waveform is not None:
                waveform.turn_on(frame)
            if recorder.duration_s - before.duration_s >= 1.0:
                before = _progress(recorder, before)
                self.show(before)
            if self.duration_s is not None and recorder.duration_s >= self.duration_s:
                return


def board_of(greeting: Frame, given: Path | None) -> Board | None:
    """The board file that a board was flashed from: the given one, or one of those known; None
    where there is none with its hash.

    Raises RecordingError where the given one has another hash, BoardFileError where it is invalid.
    """
    if given is not None:
        board = load_board(given)
        if board.hash != greeting["board_hash"]:
            raise RecordingError(
                f"the board was not flashed from {given} as it is now; leave out --board, or "
                "install it with `wrench flash`"
            )
        return board
    for path in known_boards():
        try:
            board = load_board(path)
        except InvalidBoardError:
            continue
        if board.hash == greeting["board_hash"]:
            return board
    return None


class _Waveform:
    """The board's waveform: turned on, unless it is on already, and off again."""

    def __init__(self, link: Link, greeting: Frame) -> None:
        self._link = link
        block_us = _LARGEST_BLOCK * _SECOND_US / max(1, greeting["sample_rate_hz"])
        self._silent_us = greeting.time_us + _BLOCKS_WAITED * block_us
        self._heard = 0
        self._is_known = False
        self._turned_on = False

    def turn_on(self, frame: Frame) -> None:
        """Given every frame that comes: listens for as long as some blocks take, and turns the
        waveform on where none comes."""
        if self._is_known:
            return
        self._heard += frame.name == "status"
        self._is_known = frame.name == "waveform"
        if not self._is_known and self._heard >= 2 and frame.time_us > self._silent_us:
            self._is_known = True
            self._link.command("stream", 1)
            self._turned_on = True

    def restore(self) -> None:
        """Turn it off where it was off."""
        if not self._turned_on:
            return
        try:
            self._link.command("stream", 0)
        except WrenchError:
            return  # the link is lost, which is told; or there is nobody left to read it


def _progress(recorder: Recorder, before: Progress) -> Progress:
    passed_s = recorder.duration_s - before.duration_s
    return Progress(
        recorder.path,
        recorder.duration_s,
        recorder.received,
        (recorder.received - before.samples) / passed_s if passed_s else 0.0,
        recorder.size,
        replace(recorder.losses),
    )


def _result(recorder: Recorder) -> Progress:
    """What is in the file, whatever has ended the recording."""
    return Progress(
        recorder.path,
        recorder.written_s,
        recorder.written,
        recorder.rate_hz,
        recorder.size,
        replace(recorder.losses),
    )
