"""The same screen in a browser on this computer, by textual-serve.

Each page that is opened is a process of its own (`python -m wrench.monitor`); it ends with the
page, and a run that it owns with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
import shlex
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp_jinja2
from aiohttp import WSMsgType, web
from textual_serve.app_service import AppService
from textual_serve.server import Server

from wrench.errors import WrenchError
from wrench.monitor.page_size import USUAL_SIZE, size

HOST = "127.0.0.1"
_FONT_SIZE = 16
_PING_S = 3.0  # half of it more, and a browser that has not answered is gone, and its run with it
_HEADERS = {
    "Content-Security-Policy": "frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WebError(WrenchError):
    """The page cannot be served."""


def serve(
    port: str | None, *, web_port: int, control: bool, folder: Path, say: Callable[[str], None]
) -> None:
    """Serve the screen of the board at `port` on 127.0.0.1 until Ctrl-C. Raises WebError."""
    arguments = [sys.executable, "-m", "wrench.monitor", "--captures", str(folder)]
    if port is not None:
        arguments += ["--port", port]
    if control:
        arguments.append("--control")
    try:
        _Pages(_command(arguments), web_port, control=control, say=say).serve()
    except OSError as error:
        raise WebError(
            f"cannot serve on {HOST}:{web_port} ({error.strerror or error}); "
            "choose another with --web-port"
        ) from error


def _command(arguments: list[str]) -> str:
    """For the shell that textual-serve starts it with."""
    if sys.platform == "win32":
        return subprocess.list2cmdline(arguments)
    return f"exec {shlex.join(arguments)}"


class _Pages(Server):
    """Lets in who this computer's own browser is: a page of another origin, or a name that leads
    here by a trick of DNS, would otherwise reach a motor. With control, a key that only the printed
    address has is asked for as well, so that no other user of the computer can. No cookie has it: a
    browser does not tell ports apart, and would give it to whatever else is served here.
    """

    def __init__(
        self, command: str, port: int, *, control: bool, say: Callable[[str], None]
    ) -> None:
        super().__init__(
            command,
            HOST,
            port,
            "wrench monitor",
            templates_path=Path(__file__).with_name("web_page"),
        )
        self._say = say
        self._key = secrets.token_urlsafe(16) if control else ""
        self._hosts = {f"{HOST}:{port}", f"localhost:{port}"}
        self._origins = {f"http://{host}" for host in self._hosts}
        self._open: set[asyncio.Task[object]] = set()

    def serve(self, debug: bool = False) -> None:
        """Serve until Ctrl-C, termination or a closed terminal; raises OSError where the port is
        taken."""
        logging.basicConfig(level="ERROR", format="wrench: %(message)s")
        with contextlib.suppress(KeyboardInterrupt):  # where the loop has no signal handlers
            asyncio.run(self._serve())

    async def _serve(self) -> None:
        over = asyncio.Event()
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            with contextlib.suppress(NotImplementedError, AttributeError):
                asyncio.get_running_loop().add_signal_handler(getattr(signal, name), over.set)
        runner = web.AppRunner(await self._make_app())
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, self.port).start()
            self._tell()
            await over.wait()
        finally:
            await runner.cleanup()

    def _tell(self) -> None:
        address = f"http://{HOST}:{self.port}/" + (f"?key={self._key}" if self._key else "")
        what = (
            "with the keys that command the board: keep the address to yourself"
            if self._key
            else "read-only"
        )
        self._say(f"{address}  ({what})")
        self._say("Ctrl-C ends it.")

    async def on_startup(self, app: web.Application) -> None:
        """Nothing is said before it listens."""

    async def on_shutdown(self, app: web.Application) -> None:
        """Close the pages, which end their screens; they would be waited for else."""
        for page in self._open:
            page.cancel()

    async def handle_index(self, request: web.Request) -> web.Response:
        """The page; its screen is at the host by which the browser has found it."""
        context = {
            "application": {"name": self.title},
            "screen": f"ws://{request.host}/ws" + (f"/{self._key}" if self._key else ""),
            "font_size": _FONT_SIZE,
        }
        return aiohttp_jinja2.render_template("app_index.html", request, context)

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """A page's screen is open for as long as this runs, and its browser answers."""
        websocket = web.WebSocketResponse(heartbeat=_PING_S)
        if not websocket.can_prepare(request).ok:
            raise web.HTTPBadRequest(text="a page opens this by itself")

        async def close() -> None:
            await websocket.close()

        page = asyncio.current_task()
        assert page is not None
        self._open.add(page)
        try:
            await websocket.prepare(request)
            screen = AppService(
                self.command,
                write_bytes=websocket.send_bytes,
                write_str=websocket.send_str,
                close=close,
                download_manager=self.download_manager,
            )
            await screen.start(*_size(request))
            try:
                await self._process_messages(websocket, screen)
            finally:
                await screen.stop()
        except asyncio.CancelledError:
            await close()
        finally:
            self._open.discard(page)
        return websocket

    async def _process_messages(
        self, websocket: web.WebSocketResponse, app_service: AppService
    ) -> None:
        """What is typed, and the size of the window; anything else is passed over."""
        async for message in websocket:
            if message.type != WSMsgType.TEXT:
                continue
            name, value = _message(message.data)
            if name == "stdin" and isinstance(value, str):
                await app_service.send_bytes(value.encode(errors="ignore"))
            elif name == "resize" and isinstance(value, dict):
                if wanted := size(value.get("width"), value.get("height")):
                    await app_service.set_terminal_size(*wanted)
            elif name == "ping":
                await websocket.send_json(["pong", value])

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.router.add_get("/ws/{page_key}", self.handle_websocket)
        app.middlewares.append(self._guard())
        return app

    def _guard(self):
        @web.middleware
        async def guard(request: web.Request, handler: _Handler) -> web.StreamResponse:
            origin = request.headers.get("Origin")
            if request.host not in self._hosts or (
                origin is not None and origin not in self._origins
            ):
                raise web.HTTPForbidden(text="only a page of this computer's own is let in")
            given = request.query.get("key") or request.match_info.get("page_key", "")
            known = not self._key or secrets.compare_digest(given.encode(), self._key.encode())
            if not known and not request.path.startswith("/static/"):
                raise web.HTTPForbidden(text="open the address that `wrench monitor` has printed")
            response = await handler(request)
            if not response.prepared:
                response.headers.update(_HEADERS)
            return response

        return guard


def _size(request: web.Request) -> tuple[int, int]:
    """Columns and lines that a page asks for in its address."""
    try:
        asked = [int(request.query[name]) for name in ("width", "height")]
    except (KeyError, ValueError):
        return USUAL_SIZE
    return size(*asked) or USUAL_SIZE


def _message(text: str) -> tuple[str, Any]:
    """Name and value of what a page sends; ("", None) for what is none of it."""
    try:
        envelope = json.loads(text)
    except ValueError:
        return "", None
    if not isinstance(envelope, list) or len(envelope) != 2 or not isinstance(envelope[0], str):
        return "", None
    return envelope[0], envelope[1]
