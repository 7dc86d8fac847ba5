"""Where the hub of a port is found: a folder of this user's own, and in it for each port a lock
that its hub holds, and a file that tells how to reach it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import socket
import stat
import sys
import warnings
from dataclasses import asdict, dataclass, fields
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import platformdirs

from wrench.lock import Lock, hold, is_held

PROTOCOL = 1
"""Between a hub and its clients; another one is told apart by it."""

_OF_NETWORK = ("socket", "rfc2217")
_LOOPBACK = "127.0.0.1"
_FOLDER_MODE, _FILE_MODE = 0o700, 0o600
_KEY_BYTES = 32
# What `sun_path` holds on macOS, less its closing zero; Linux has four more.
_LONGEST_ADDRESS = 103


class SharingError(Exception):
    """Ports cannot be shared here: no folder for it, no process, no way to talk to it."""


@dataclass(frozen=True)
class Hub:
    """A hub that runs: the port it holds, its process, and how to reach it.

    `authkey` is what a client proves to know; hexadecimal.
    """

    port: str
    pid: int
    address: str
    authkey: str
    protocol: int = PROTOCOL


def runtime_folder() -> Path:
    """`$WRENCH_RUNTIME`, else `wrench` in this user's folder for what runs; made where it is not
    there. Raises SharingError where others could get in.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # without a folder there is a direct way to the port
            chosen = os.environ.get("WRENCH_RUNTIME")
            folder = (
                Path(chosen).absolute()
                if chosen
                else platformdirs.user_runtime_path("wrench", appauthor=False)
            )
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        if os.name == "posix":
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
                raise SharingError(f"{folder} is not this user's")
            if stat.S_IMODE(found.st_mode) != _FOLDER_MODE:
                folder.chmod(_FOLDER_MODE)
    except OSError as error:
        raise SharingError(f"no folder to share ports in ({error})") from error
    return folder


def canonical(url: str) -> str:
    """One name for a port, whichever of its names it is given by: of an address, its host's number
    and its port, without what else a URL may tell pyserial."""
    if "://" in url:
        parts = urlsplit(url)
        if parts.scheme not in _OF_NETWORK:
            return urlunsplit(parts)
        try:
            return f"{parts.scheme}://{_number_of(parts.hostname or '')}:{parts.port}"
        except ValueError:
            return url  # opening it tells what is wrong
    if sys.platform == "win32":
        return url.upper().removeprefix("\\\\.\\")
    return os.path.realpath(url)


def _number_of(host: str) -> str:
    """The number of a host; its name where it has none now, and one number for all those that this
    computer calls itself by."""
    with contextlib.suppress(ValueError):
        return _LOOPBACK if ip_address(host).is_loopback else str(ip_address(host))
    if host == "localhost":
        return _LOOPBACK
    try:
        found = {ip_address(place[4][0]) for place in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError, ValueError):
        return host
    return _LOOPBACK if any(one.is_loopback for one in found) else min(map(str, found))


class Place:
    """The place of one port. Raises SharingError as `runtime_folder` does."""

    def __init__(self, url: str) -> None:
        self.url = url if "://" in url or sys.platform == "win32" else os.path.abspath(url)
        self.key = canonical(url)
        self._folder = runtime_folder()
        self._stem = hashlib.sha256(self.key.encode()).hexdigest()[:16]

    @property
    def entry(self) -> Path:
        """The file that tells of the hub."""
        return self._folder / f"{self._stem}.json"

    @property
    def complaints(self) -> Path:
        """What a hub that failed has printed; empty, or not there, where none has."""
        return self._folder / f"{self._stem}.err"

    def complaint(self) -> str:
        """The sentence of a hub that ended before anybody had joined it; "" for none."""
        try:
            lines = self.complaints.read_text().splitlines()
        except OSError:
            return ""
        if len(lines) > 1:
            return f"sharing failed; see {self.complaints}"
        return lines[0] if lines else ""

    @property
    def _lock(self) -> Path:
        return self._folder / f"{self._stem}.lock"

    def hub(self) -> Hub | None:
        """The hub that was there last; it may have gone."""
        return _read(self.entry)

    def is_held(self) -> bool:
        """True while a hub lives."""
        return is_held(self._lock)

    def hold(self) -> Lock | None:
        """Take the port's lock and clear away what a dead hub has left; None where one lives."""
        lock = hold(self._lock)
        if lock is not None:
            for left in self._folder.glob(f"{self._stem}-*"):
                left.unlink(missing_ok=True)
            self.entry.unlink(missing_ok=True)
        return lock

    def new_address(self) -> str:
        """Where this process can listen. Raises SharingError where the folder's name is too long
        for a socket."""
        if sys.platform == "win32":
            return rf"\\.\pipe\wrench-{self._stem}-{os.getpid()}"
        address = str(self._folder / f"{self._stem}-{os.getpid()}")
        if len(os.fsencode(address)) > _LONGEST_ADDRESS:
            raise SharingError(f"{address} is too long a name for a socket")
        return address

    def register(self, address: str) -> Hub:
        """Make this process known as the port's hub, with a new key; it must hold the lock."""
        hub = Hub(self.key, os.getpid(), address, secrets.token_hex(_KEY_BYTES))
        staged = self._folder / f"{self._stem}-{os.getpid()}.new"
        staged.unlink(missing_ok=True)
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(hub), file)
        staged.replace(self.entry)
        return hub

    def withdraw(self, address: str) -> None:
        """No client finds this process any more."""
        self.entry.unlink(missing_ok=True)
        if sys.platform != "win32":
            Path(address).unlink(missing_ok=True)


def running() -> list[Hub]:
    """The hubs that run for this user; none where ports cannot be shared."""
    try:
        entries = sorted(runtime_folder().glob("*.json"))
    except SharingError:
        return []
    found = [_read(entry) for entry in entries if is_held(entry.with_suffix(".lock"))]
    return [hub for hub in found if hub is not None]


def _read(entry: Path) -> Hub | None:
    try:
        told = json.loads(entry.read_text())
        # A later version may tell more.
        return Hub(**{field.name: told[field.name] for field in fields(Hub)})
    except (OSError, ValueError, TypeError, KeyError):
        return None
