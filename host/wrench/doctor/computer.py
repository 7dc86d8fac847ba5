"""What is between the user and the board: permissions, other programs, cable and hubs.

Linux tells most of it in files; on other systems less can be seen, and that is said.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from wrench import sharing
from wrench.bootsel.pipes import UDEV_RULE
from wrench.doctor.finding import Finding, bad, doubtful, good, unknown
from wrench.transport import BoardPorts

_VENDOR = "2e8a"
_FULL_SPEED = "12"  # Mbit/s: the only speed of an RP2040
_MANY_HUBS = 3
_RULES = ("etc/udev/rules.d", "run/udev/rules.d", "usr/lib/udev/rules.d", "lib/udev/rules.d")
_MEDDLER = "ModemManager"


def findings(ports: BoardPorts | None, root: Path = Path("/")) -> Iterator[Finding]:
    """Everything about the way to a board, None where there is none; `root` is where the system's
    files are."""
    if ports is None:
        if sys.platform.startswith("linux"):
            yield bootsel_rule(root)
            yield meddlers(root)
        return
    names = [name for name in (ports.link, ports.console) if name is not None]
    devices = [name for name in names if "://" not in name]
    for device in devices:
        yield permission(device)
        yield users(device, root)
    if not devices:
        yield good("ports", f"{', '.join(names) or 'none shown'}: no devices of this computer")
    if not sys.platform.startswith("linux"):
        yield unknown("cable and hubs", "this system does not tell", "try another cable and socket")
        return
    if devices or ports.location:
        yield bootsel_rule(root)
        yield meddlers(root)
    if ports.location:
        yield from cable(ports.location, root)


def permission(device: str) -> Finding:
    """Whether this user may open the device."""
    about = f"permission for {device}"
    if os.access(device, os.R_OK | os.W_OK):
        return good(about, "you may read and write it")
    if sys.platform == "win32":
        return bad(about, "it cannot be opened", "close the program that has it")
    if not os.path.exists(device):
        return bad(about, "there is no such device", "plug the board in, or leave out --port")
    group = _group_of(device)
    return bad(
        about,
        f"you may not read and write it; it belongs to the group {group}",
        f"`sudo usermod -aG {group} $USER`, then log out and in again",
    )


def users(device: str, root: Path = Path("/")) -> Finding:
    """Which processes have the device open."""
    about = f"who uses {device}"
    if not sys.platform.startswith("linux"):
        return unknown(about, "this system does not tell", "")
    ours = {hub.pid for hub in sharing.running()}
    real = os.path.realpath(device)
    found = [(pid, name) for pid, name in _holders(real, root) if pid not in ours]
    if found:
        who = ", ".join(f"{name} (process {pid})" for pid, name in found)
        return bad(about, who, "close it: a port has one user, and `wrench` commands share theirs")
    return good(about, "nobody but `wrench`, as far as you may see")


def bootsel_rule(root: Path = Path("/")) -> Finding:
    """Whether boards in BOOTSEL can be written by this user."""
    about = "boards in BOOTSEL"
    for folder in _RULES:
        for path in sorted((root / folder).glob("*.rules")):
            try:
                text = path.read_text(errors="replace")
            except OSError:
                continue
            if _VENDOR in text.lower():
                return good(about, f"a udev rule lets you write them ({path.name})")
    return doubtful(
        about,
        "no udev rule names Raspberry Pi's USB devices: only their volume can be written, where "
        "your desktop mounts it",
        f"as root: echo '{UDEV_RULE}' > /etc/udev/rules.d/60-wrench.rules; "
        "udevadm control --reload",
    )


def meddlers(root: Path = Path("/")) -> Finding:
    """Programs that open every new serial port to see what it is."""
    about = "programs that try new ports"
    for _, name in _processes(root):
        if name == _MEDDLER:
            return doubtful(
                about,
                f"{_MEDDLER} runs, and talks to a port for some seconds after it has come",
                'have it ignore the board: add ENV{ID_MM_DEVICE_IGNORE}="1" to the udev rule, '
                "or remove it where there is no modem",
            )
    return good(about, f"no {_MEDDLER}")


def cable(location: str, root: Path = Path("/")) -> Iterator[Finding]:
    """How the board is connected, by its USB location."""
    device = root / "sys/bus/usb/devices" / location
    speed = _text(device / "speed")
    if speed is None:
        yield unknown("cable and hubs", f"USB {location} is not there any more", "plug it in")
        return
    if speed == _FULL_SPEED:
        yield good("cable", "full speed, 12 Mbit/s")
    else:
        yield bad("cable", f"{speed} Mbit/s instead of 12", "try another cable and socket")
    hubs = location.count(".")
    if hubs >= _MANY_HUBS:
        yield doubtful("hubs", f"{hubs} in a row", "plug the board in nearer to the computer")
    else:
        yield good("hubs", f"{hubs or 'none'} in between")
    if _text(device / "power/control") == "auto":
        yield doubtful(
            "power saving",
            "the system may suspend the board's port",
            f"as root: echo on > /sys/bus/usb/devices/{location}/power/control",
        )


def _group_of(device: str) -> str:
    import grp  # noqa: PLC0415  (Windows has none)

    try:
        return grp.getgrgid(os.stat(device).st_gid).gr_name
    except (OSError, KeyError):
        return "dialout"


def _holders(real: str, root: Path) -> Iterator[tuple[int, str]]:
    for pid, name in _processes(root):
        try:
            entries = list((root / f"proc/{pid}/fd").iterdir())
        except OSError:
            continue
        for entry in entries:
            try:
                if os.readlink(entry) == real:
                    yield pid, name
                    break
            except OSError:
                continue


def _processes(root: Path) -> Iterator[tuple[int, str]]:
    for folder in (root / "proc").glob("[0-9]*"):
        name = _text(folder / "comm")
        if name is not None:
            yield int(folder.name), name


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
