"""The board as a child process: messages as `emulator/main.mjs` has them, answered in order. It
ends with its parent, when standard input closes."""

from __future__ import annotations

import json
import signal
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wrench.bench.second_emulator import native

if TYPE_CHECKING:
    from wrench.bench.second_emulator.board import Board

Parts = list[tuple[str, bytes]]


class Child:
    """The board once it has been started, and what it is asked for."""

    def __init__(self) -> None:
        self._board: Board | None = None

    def answer(self, request: dict[str, Any], parts: dict[str, bytes]) -> tuple[Any, Parts]:
        """The answer to one request."""
        if request["op"] == "start":
            from wrench.bench.second_emulator.board import Board  # noqa: PLC0415  (after `native`)

            self._board = Board(request["options"], parts["flash"])
            return {}, []
        assert self._board is not None
        if request["op"] == "flash":
            return {}, [("flash", self._board.content)]
        if request["op"] == "trace":
            return {"pins": []}, []
        _do(self._board, request, parts)
        return _report(self._board)


def _do(board: Board, request: dict[str, Any], parts: dict[str, bytes]) -> None:
    power = request.get("power")
    if power is False:
        board.power_down()
    if request.get("reset_pin"):
        board.reset_pin()
    if power is True:
        board.power_up()
    for channel, code in request.get("adc", {}).items():
        board.set_adc(int(channel), code)
    for index, faults in request.get("device_faults", {}).items():
        board.set_device_faults(int(index), faults)
    if "usb" in request:
        board.plug_usb(request["usb"]["plugged"])
    for index, wanted in enumerate(request.get("serial", [])):
        board.want_serial(index, wanted["open"], wanted["reading"])
    for name, data in parts.items():
        what, _, index = name.partition(":")
        if what == "signal" and board.powered:
            board.devices[int(index)].feed(memoryview(data))
        elif what == "tx":
            board.write(int(index), data)
        elif what in ("adc", "packets"):
            raise ValueError("Error: on rp2040py there is neither an analog sensor nor BOOTSEL")
    board.schedule([tuple(it) for it in request.get("inputs", [])])
    board.inputs_at_program += [tuple(it) for it in request.get("inputs_at_page_program", [])]
    if "power_off_at_write_ns" in request:
        board.power_off_at_write_ns = request["power_off_at_write_ns"]
    if "power_off_ns" in request:
        board.power_off_in(request["power_off_ns"])
    board.run(request["ns"])


def _report(board: Board) -> tuple[dict[str, Any], Parts]:
    head = {
        "now_ns": board.now,
        "idle_ns": board.idle_ns,
        "powered": board.powered,
        "pins": board.take_pins(),
        "serial_functions": len(board.unsent),
        "unsent": board.unsent,
        "boot_pipe": False,
        "detached": board.detached,
        "resets": board.resets,
        "devices": [{**d.counts, "buffered": d.buffered} for d in board.devices if board.powered],
        "flash": board.flash_counts,
        "flash_writes": board.flash_writes,
    }
    parts = [(f"rx:{index}", data) for index, data in board.serial]
    board.resets, board.flash_writes, board.serial, board.detached = [], [], [], 0
    return head, parts


def main() -> None:
    """Answer requests until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group
    if len(sys.argv) > 1:
        native.use(Path(sys.argv[1]))
    child = Child()
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while len(head := requests.read(4)) == 4:
        body = requests.read(struct.unpack("<I", head)[0])
        (length,) = struct.unpack_from("<I", body)
        request = json.loads(body[4 : 4 + length])
        parts: dict[str, bytes] = {}
        at = 4 + length
        for name, size in request.get("parts", []):
            parts[name] = body[at : at + size]
            at += size
        message, sent = child.answer(request, parts)
        message["parts"] = [[name, len(data)] for name, data in sent]
        text = json.dumps(message, separators=(",", ":")).encode()
        total = 4 + len(text) + sum(len(data) for _, data in sent)
        try:
            answers.write(struct.pack("<II", total, len(text)) + text)
            for _, data in sent:
                answers.write(data)
            answers.flush()
        except BrokenPipeError:
            return


if __name__ == "__main__":
    main()
