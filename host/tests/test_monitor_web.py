"""The page of the monitor: who is let in, and what a page can do."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import psutil
import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, CookieJar, WSMsgType
from served_board import ServedBoard

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="ends processes by signals")

MAIN = "from wrench.cli import main; main()"
WEB = (sys.executable, "-c", MAIN, "monitor", "--web", "--web-port")
PATIENCE_S = 30.0
GONE = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)
COMMANDS = {"run", "stop", "reset_trip", "heartbeat"}
CRAFTED: list[str] = [
    "",
    "stop",
    "null",
    "{}",
    "[]",
    '["stdin"]',
    '["stdin", null]',
    '["stdin", 5]',
    '[["stdin"], "s"]',
    '["run", 700]',
    '["meta", {"type": "quit"}]',
    '["resize", null]',
    '["resize", {"width": 1e9, "height": 1e9}]',
    '["resize", {"width": 1000000000, "height": 1000000000}]',
    '["resize", {"width": "80", "height": true}]',
    '["deliver_file_start", "x"]',
    json.dumps(["stdin", "s S r70\r+=x c \x1b[A\x1b[B\t\r"]),
    json.dumps(["stdin", 'M\0\0\0\x0f{"type":"exit"}']),
    json.dumps(["stdin", "\x1b[200~s\x1b[201~\x1b[115u\x1b[32u"]),
    json.dumps(["stdin", "\x1b[<0;5;5M\x1b[<0;5;5m\x10\x1bs\ud800"]),
]


class Pages:
    """`wrench monitor --web` on a board, until it is left."""

    def __init__(self, board: ServedBoard, *options: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.board = board
        self.process = subprocess.Popen(
            [*WEB, str(self.port), "--port", board.url, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        assert self.process.stdout
        address = self.process.stdout.readline()
        match = re.match(r"(http://127\.0\.0\.1:\d+/)(?:\?key=(\S+))?", address)
        assert match, address
        self.url, self.key = match[1], match[2]

    def end(self) -> str:
        """Ctrl-C; returns what it has said since it told its address."""
        self.process.send_signal(signal.SIGINT)
        told, _ = self.process.communicate(timeout=PATIENCE_S)
        assert self.process.returncode == 0
        return told


@pytest.fixture(scope="module")
def board() -> Iterator[ServedBoard]:
    """A board that all of these share."""
    with ServedBoard() as served:
        yield served


def asked(pages: Pages, body: Callable[[ClientSession], Awaitable[None]]) -> None:
    """Run a body with a browser's session."""

    async def perform() -> None:
        async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as browser:
            await asyncio.wait_for(body(browser), 6 * PATIENCE_S)

    try:
        asyncio.run(perform())
        if pages.process.poll() is None:
            told = pages.end()
            assert "Traceback" not in told, told
    finally:
        pages.process.kill()
        pages.process.wait()


async def shown(page: ClientWebSocketResponse, text: str) -> str:
    """What the page draws until `text` is in it; it draws only what changes."""
    drawn = ""
    give_up = time.monotonic() + PATIENCE_S
    while text not in drawn:
        assert time.monotonic() < give_up, drawn
        message = await page.receive(PATIENCE_S)
        assert message.type not in GONE, (message, drawn)
        if message.type == WSMsgType.BINARY:
            drawn = (drawn + re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", message.data.decode()))[-50_000:]
    return drawn


async def until(condition: Callable[[], Any]) -> None:
    """Wait until it is so."""
    give_up = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up
        await asyncio.sleep(0.05)


def test_a_page_that_looks_cannot_command(board: ServedBoard) -> None:
    pages = Pages(board)

    addresses = {it.laddr.ip for it in psutil.Process(pages.process.pid).net_connections("inet")}
    assert addresses == {"127.0.0.1"}

    async def body(browser: ClientSession) -> None:
        origin = {"Origin": pages.url.rstrip("/")}
        # Other pages, on the web and on this computer, and names that were led here.
        for headers in (
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://127.0.0.1:1"},
            {"Host": f"evil.example:{pages.port}"},
            {"Host": "127.0.0.1"},
        ):
            for path in ("", "ws", "static/js/textual.js"):
                async with browser.get(pages.url + path, headers=headers) as answer:
                    assert answer.status == 403, (headers, path)
        async with browser.get(pages.url) as answer:
            assert answer.status == 200
            assert answer.headers["X-Frame-Options"] == "DENY"
            assert f'"ws://127.0.0.1:{pages.port}/ws"' in await answer.text()
        async with browser.get(pages.url + "ws") as answer:
            assert answer.status == 400
        where = pages.url + "ws?width=900000000&height=30"
        async with browser.ws_connect(where, headers=origin) as page:
            await page.send_str('["resize", {"width": 100, "height": 40}]')
            await shown(page, "0.64 mm/s")
            for crafted in CRAFTED:
                await page.send_str(crafted)
            await page.send_bytes(b'["stdin", "s"]')
            await page.send_str('["stdin", "a"]')
            await shown(page, "Waveform y")  # it still listens, and has heard all that
        async with browser.ws_connect(pages.url + "ws?width=80&height=24") as page:
            assert "read-only" in await shown(page, "mm/s")

    asked(pages, body)
    assert not board.heard() & COMMANDS


def test_a_page_with_control_needs_the_key_and_ends_its_run(board: ServedBoard) -> None:
    pages = Pages(board, "--control")
    screen = f"{pages.url}ws/{pages.key}"
    asks = board.board.commands

    async def body(browser: ClientSession) -> None:
        origin = {"Origin": pages.url.rstrip("/")}
        for path in ("", "ws", "?key=", "?key=x", "ws?key=%C3%A4", "ws/x", "ws/%C3%A4"):
            async with browser.get(pages.url + path, headers=origin) as answer:
                assert answer.status == 403, path
        evil = {"Origin": "http://evil.example"}
        async with browser.get(f"{pages.url}?key={pages.key}", headers=evil) as answer:
            assert answer.status == 403
        async with browser.get(f"{pages.url}?key={pages.key}") as answer:
            assert answer.status == 200
            # Whatever else is served on this computer would be given a cookie too.
            assert not answer.cookies
            assert f'"{screen.replace("http", "ws")}"' in await answer.text()
        async with browser.get(screen, headers=evil) as answer:
            assert answer.status == 403
        async with browser.ws_connect(screen + "?width=80&height=24", headers=origin) as page:
            await shown(page, "0.64 mm/s")
            await run(page)
            await page.send_str('["stdin", "s"]')
            await shown(page, "stopped")
            assert len(asks("stop")) == 1
            await run(page)
        await until(lambda: len(asks("stop")) == 2)
        # Not read, it answers no ping: a browser whose computer has been put to sleep.
        page = await browser.ws_connect(screen + "?width=80&height=24")
        await shown(page, "0.64 mm/s")
        await run(page)
        await until(lambda: len(asks("stop")) == 3)
        page = await browser.ws_connect(screen + "?width=80&height=24", headers=origin)
        await shown(page, "0.64 mm/s")
        await run(page)
        pages.process.kill()
        await until(lambda: len(asks("stop")) == 4)

    async def run(page: ClientWebSocketResponse) -> None:
        await page.send_str('["stdin", "r"]')
        await shown(page, "Enter: run")
        await page.send_str('["stdin", "30\\r"]')
        await shown(page, "run towards")

    asked(pages, body)


def test_a_port_in_use_is_said(board: ServedBoard) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = str(other.getsockname()[1])
        done = subprocess.run(
            [*WEB, number],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stdout == ""
    assert "choose another with --web-port" in done.stderr
    assert "Traceback" not in done.stderr
