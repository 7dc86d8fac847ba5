"""The official image from micropython.org."""

from __future__ import annotations

import queue
import threading
import urllib.error
import urllib.request

from wrench import __version__
from wrench.errors import ImageError
from wrench.image.progress import Progress, Step

URL = "https://micropython.org/resources/firmware/RPI_PICO-20250415-v1.25.0.uf2"
_CONNECT_S = 5.0
_STALL_S = 10.0
_MAX_BYTES = 8 << 20


def download(progress: Progress, url: str = URL) -> bytes:
    """Return the bytes of the official stock image, unchecked.

    The transfer runs in a thread of its own, because a name lookup cannot be interrupted: the
    limits (5 s to connect, 10 s without a byte) and Ctrl-C hold during the lookup too.

    Raises:
        ImageError: the site cannot be reached, or answers with something else than the file.
    """
    messages: queue.Queue[bytes | int | Exception | None] = queue.Queue()
    threading.Thread(target=_transfer, args=(url, messages), daemon=True).start()
    progress(Step("download", url, 0.0))
    content = bytearray()
    total = 0
    limit_s = _CONNECT_S
    while True:
        try:
            message = messages.get(timeout=limit_s)
        except queue.Empty:
            raise ImageError(f"no answer from {url} within {limit_s:.0f} s; try again") from None
        limit_s = _STALL_S
        if message is None:
            break
        if isinstance(message, Exception):
            reason = getattr(message, "reason", message)
            raise ImageError(f"cannot download {url} ({reason}); try again") from message
        if isinstance(message, int):
            total = message
        else:
            content += message
            fraction = min(len(content) / total, 1.0) if total else None
            progress(Step("download", url, fraction))
    if total and len(content) != total:
        raise ImageError(f"the download of {url} broke off; try again")
    progress(Step("download", f"{len(content)} bytes from {url}", done=True))
    return bytes(content)


def _transfer(url: str, messages: queue.Queue[bytes | int | Exception | None]) -> None:
    try:
        request = urllib.request.Request(url, headers={"User-Agent": f"wrench/{__version__}"})
        with urllib.request.urlopen(request, timeout=_CONNECT_S) as answer:
            messages.put(int(answer.headers.get("Content-Length") or 0))
            received = 0
            while chunk := answer.read(1 << 15):
                received += len(chunk)
                if received > _MAX_BYTES:
                    raise ValueError("far more data than an image has")
                messages.put(chunk)
        messages.put(None)
    except Exception as error:  # handed over and raised by the caller
        messages.put(error)
