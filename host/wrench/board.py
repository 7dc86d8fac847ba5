"""A board in operation, for Python programs; the command line uses it too.

Not to be mixed up with `wrench.boards`, whose `Board` is a board FILE: how a board is wired. This
one is the thing on the cable. docs/python.md has examples.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING

from wrench import board_settings, levels, operation
from wrench.blackbox import Capture, Event, dated
from wrench.board_settings import Setting
from wrench.errors import LinkError, PortError, RefusedError
from wrench.levels import Protection
from wrench.link import Frame, Link
from wrench.readout import Losses
from wrench.transport import BoardConnection
from wrench_firmware import wire

if TYPE_CHECKING:
    from wrench.waveform import Waveform

_TURNING = "motor is turning: stop first"
_WALL_TIME_KNOWN = 1 << wire.FLAGS.index("wall time known")


class Board:
    """A board over its link, which other `wrench` processes may use at the same time.

    What the board sends is a `Frame`: its fields by name, in the wire's units (docs/wire.md), and
    `time_us`, which is device time in microseconds since the board's start, the only clock there
    is. Iterators take what comes from one stream and pass over what they are not about: use
    `frames` for everything. Use a board from one thread alone.

    Parameters
    ----------
    port
        As `--port` (docs/commands.md); None is the only board attached.
    greet
        Ask who is there, and tell the board the wall time where it does not know it. False is for
        whoever wants nothing but `stop`: that works with another version of the firmware as well.

    Raises
    ------
    PortError
        No board, several, or its port cannot be opened. Every method raises it once the port has
        gone; open another `Board` then.
    LinkError
        The board does not answer, or speaks another version of the protocol. Every method that asks
        something raises it where no answer comes.
    """

    def __init__(self, port: str | None = None, *, greet: bool = True) -> None:
        self.connection = BoardConnection(port)
        self.losses = Losses()
        self.link = Link(self.connection.open_link())
        self._greeting: Frame | None = None
        try:
            if greet:
                self._greeting = self.link.hello()
                if not next(self.statuses())["flags"] & _WALL_TIME_KNOWN:
                    self.set_time()
        except BaseException:
            self.link.port.close()
            raise

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the motor, where this program owns its run, and leave the port."""
        try:
            if self.link.owns_run:
                with contextlib.suppress(PortError, LinkError):
                    self.link.stop()
        finally:
            self.link.port.close()

    # ---- what it is and does ---------------------------------------------------------------------
    @property
    def greeting(self) -> Frame:
        """Who the board is: the frame `greeting`. `wrench.readout.identity` writes it in a line."""
        if self._greeting is None:
            self._greeting = self.link.hello()
        return self._greeting

    @property
    def name(self) -> str:
        """The name of the board file that it was flashed with, as far as the board keeps it."""
        return self.greeting["board_name"]

    @property
    def sample_rate_hz(self) -> int:
        """The vibration sensor's nominal rate, in Hz."""
        return self.greeting["sample_rate_hz"]

    def frames(self) -> Iterator[Frame]:
        """Everything that the board sends, for ever; `losses` is brought up to date with each."""
        for frame in operation.frames(self.link):
            self.losses.update(frame, self.link.decoder)
            yield frame

    def status(self) -> Frame:
        """How the board stands now: the frame `status` that it sends next. Those that wait to be
        iterated over are older, and are passed over."""
        now = self.link.status()
        self.losses.update(now, self.link.decoder)
        return now

    def statuses(self, every_s: float = 0.0) -> Iterator[Frame]:
        """Frames `status`, 25 a second, or at most one in `every_s` seconds of device time."""
        due_us = 0.0
        for frame in self._named("status"):
            # Time that goes back is a board that was reset.
            if frame.time_us >= due_us or frame.time_us < due_us - every_s * 1e6:
                due_us = frame.time_us + every_s * 1e6
                yield frame

    def features(self) -> Iterator[Frame]:
        """Frames `features`, one for each window of vibration."""
        return self._named("features")

    def events(self) -> Iterator[Frame]:
        """Frames `event`, as things happen."""
        return self._named("event")

    def waveform(self) -> Generator[Waveform, None, None]:
        """The raw waveform in g, in blocks as they come (32 samples, mostly), with the device time
        of every sample and what is missing before it.

        The board sends it while somebody iterates; close the iterator, or leave it to `with
        contextlib.closing(...)`, to have it turned off at once.
        """
        from wrench.waveform import WaveformReader  # noqa: PLC0415  (has numpy)

        self.link.command("stream", 1)
        reader = WaveformReader(self.sample_rate_hz)
        try:
            for frame in self._named("waveform"):
                yield reader.take(frame)
        finally:
            with contextlib.suppress(PortError, LinkError):
                self.link.command("stream", 0)

    def _named(self, name: str) -> Iterator[Frame]:
        return (frame for frame in self.frames() if frame.name == name)

    # ---- the motor -------------------------------------------------------------------------------
    def run(self, speed_permille: int) -> None:
        """Start the motor, or change the speed of its run, and own the run from now on;
        `speed_permille` is in 1/1000 of rated speed, 1 to 1,000.

        The run lasts while this program takes in what the board sends, with any of the iterators or
        with `attend`: a program that does something else for longer than the board's link timeout
        (450 ms mostly) finds it tripped with "link lost". Waits some seconds where the board is not
        ready yet. Raises RefusedError with the board's reason, RunEndedError where it is tripped.
        """
        operation.start(self.link, speed_permille)

    def attend(
        self,
        duration_s: float | None = None,
        ended: Callable[[], bool] = lambda: False,
        show: Callable[[Frame], None] = lambda status: None,
    ) -> None:
        """Keep the run alive for `duration_s` of device time, or until `ended` says so; `show` is
        given a status frame a second. The motor then still turns: `run`, `attend` or `stop` next.

        Raises RunEndedError when the board trips or somebody else stops it.
        """

        def shown(status: Frame) -> None:
            self.losses.update(status, self.link.decoder)
            show(status)

        operation.attend(self.link, duration_s, ended, shown)

    def stop(self) -> None:
        """Stop the motor, whoever started it. Overtakes every other command."""
        self.link.stop()

    def reset(self) -> None:
        """Leave the tripped state; raises RefusedError where there is none, or its cause is there
        still."""
        self.link.command("reset_trip")

    # ---- limits and settings ---------------------------------------------------------------------
    def ceiling_permille(self) -> int:
        """How far the speed may go, in 1/1000 of rated speed: the derate cap, or less."""
        return self.status()["ceiling_permille"]

    def set_ceiling(self, speed_permille: int) -> None:
        """Set the operator's lasting limit; raises RefusedError above the board's derate cap."""
        self.link.command("set_limit", speed_permille)

    def protections(self) -> list[Protection]:
        """Everything that the board protects, with levels and what is measured now."""
        return levels.protections(self.link, self.status())

    def protection(self, name: str) -> Protection:
        """One of them, by its name in `wire.FAULTS`, such as "over-current". Raises ValueError for
        a name that is none, RefusedError where this board has it not."""
        known = levels.protection_named(name)
        return levels.protection(self.link, known, self.status())

    def set_level(self, name: str, level: str, value: str | int) -> None:
        """Set a level ("alarm", "limit" or "trip") of a protection: text with a unit, "3.5 A", or a
        number in the wire's unit.

        Raises ValueError for a name or a value that is none, RefusedError where the board does not
        take it, with its reason.
        """
        known = levels.protection_named(name)
        if level not in wire.LEVELS:
            raise ValueError(f"there is no level {level!r}; there are {', '.join(wire.LEVELS)}")
        if isinstance(value, str):
            value = levels.protection(self.link, known, self.status()).unit.read(value)
        self.link.set_level(known, level, value)

    def settings(self) -> list[Setting]:
        """What the board keeps over a power cut."""
        return board_settings.named(self.link.settings())

    def setting(self, name: str) -> Setting:
        """One setting; raises ValueError for a name that is none."""
        return board_settings.named([self.link.setting(board_settings.number_of(name))])[0]

    def set_setting(self, name: str, value: int) -> None:
        """Change a setting; raises ValueError for a name that is none, RefusedError where it cannot
        be changed, or not to this value."""
        self.link.command("set_setting", board_settings.number_of(name), value)

    def factory_reset(self) -> None:
        """Every setting and level as the board file has it; the motor must be off."""
        self.link.command("factory_reset")

    # ---- what it remembers -----------------------------------------------------------------------
    def log(self) -> list[Event]:
        """The black box's events, oldest first, each with its date where the wall time of its boot
        is known. Raises RefusedError while the motor turns, on the stock image (README)."""
        with _told_of_files():
            events = dated(self.link.log())
        # One that stands for several gets its number with the last of them, and its time with the
        # first. Boots begin anew after 65,535.
        boots = {boot: n for n, boot in enumerate(dict.fromkeys(event.boot for event in events))}
        return sorted(events, key=lambda event: (boots[event.boot], event.time_us, event.sequence))

    def captures(self) -> list[Capture]:
        """The waveforms that the black box has kept of trips, oldest first. Raises RefusedError as
        `log` does."""
        with _told_of_files():
            return self.link.captures()

    def set_time(self, when: dt.datetime | None = None) -> None:
        """Tell the board the wall time, by which the events of this boot get their dates; `when`
        has a time zone, None is now."""
        when = when or dt.datetime.now(dt.UTC)
        self.link.set_time(round(when.timestamp() * 1000))

    def maintenance(self) -> str:
        """Have the board leave operation and give its console to the host; returns the console's
        port. Closes this `Board`. Raises RefusedError while the motor turns."""
        from wrench.install import BACK_S, enter_maintenance  # noqa: PLC0415  (has the compiler)

        self.close()
        enter_maintenance(self.connection)
        self.connection.wait_for(lambda ports: ports.console is not None, BACK_S)
        console = self.connection.look().console
        if console is None:
            raise PortError(f"{self.connection.title} shows no console; unplug it and plug it in")
        return console


@contextlib.contextmanager
def _told_of_files() -> Iterator[None]:
    """Nobody should stop a machine because of a log without knowing why he would."""
    try:
        yield
    except RefusedError as refusal:
        if refusal.reason != _TURNING:
            raise
        raise RefusedError(
            "the stock MicroPython image keeps the black box in files, which are read when the "
            "motor is off; ask again then, or see docs/commands.md",
            refusal.reason,
        ) from refusal
