"""A board under test: its link, what its pins do, its machine. Tests are the same on every rig."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection

from wrench.blackbox import Event
from wrench.boards import Board
from wrench.errors import PortError, RefusedError
from wrench.hil.capabilities import CAPABILITIES, UnableError
from wrench.hil.machine import Machine
from wrench.link import Frame, Link, encode
from wrench.transport import Port
from wrench_firmware import wire

BUTTON_STARTS_S = 2.0
BUTTON_RESETS_S = 3.1
_BOOTED_WITHIN_S = 5.0


class Rig(ABC):
    """One board under test. Times are in s of the rig's clock: device time on an emulated board.

    The link opens when it is first used. `able` names what the rig can do, `used` what has been
    asked of it, as in `capabilities`. `slack_s` is by how much a measured time may be wrong.
    """

    machine: Machine
    slack_s: float = 0.0

    def __init__(self, board: Board, able: Collection[str]) -> None:
        self.board = board
        self.able = frozenset(able)
        self.used: set[str] = set()
        self.status: Frame | None = None
        self.features: list[Frame] = []
        self.events: list[Frame] = []
        self._link: Link | None = None

    def need(self, capability: str) -> None:
        """Note that it is used. Raises UnableError where this rig cannot."""
        self.used.add(capability)
        if capability not in self.able:
            raise UnableError(f"this rig cannot {CAPABILITIES[capability]}")

    @abstractmethod
    def close(self) -> None:
        """Leave the board alone: its motor off."""

    # -- what the pins and the shaft did -------------------------------------------------
    @property
    @abstractmethod
    def duty_at_pin(self) -> float:
        """Duty on the PWM pin, 0 where the driver is not enabled, as a logic analyser sees it."""

    @property
    @abstractmethod
    def highest_duty(self) -> float:
        """The highest since the beginning, or since `forget_highest`."""

    @property
    @abstractmethod
    def times_enabled(self) -> int:
        """How often the enable pin (the PWM pin where there is none) has risen since the beginning,
        or since `forget_highest`."""

    @abstractmethod
    def forget_highest(self) -> None:
        """Look for the highest duty and speed, and for rises of the enable pin, anew."""

    @property
    @abstractmethod
    def shaft_speed_rpm(self) -> float:
        """The shaft's true speed."""

    @property
    @abstractmethod
    def highest_speed_rpm(self) -> float:
        """The highest of the true speeds over one revolution while driven."""

    @property
    @abstractmethod
    def fell_s(self) -> float | None:
        """When the driver was disabled, if it is."""

    def off_after(self, begin_s: float, within_s: float) -> float:
        """Seconds from `begin_s`, which is now or will be, to the fall of the enable pin (of the
        PWM pin where there is none), after which it stays low for 10 ms. Raises AssertionError
        where it does not fall in time.
        """
        end_s = self.now_s + within_s + self.slack_s
        while self.now_s < end_s:
            self.pass_time(self._moment_s)
            fell_s = self.fell_s
            if fell_s is not None and self.now_s - fell_s > 0.01:
                assert fell_s > begin_s - self.slack_s, "the driver was not enabled"
                return fell_s - begin_s
        raise AssertionError("the driver is still enabled")

    # -- the board's light ---------------------------------------------------------------
    @abstractmethod
    def watch_light(self, duration_s: float) -> tuple[float, int]:
        """Watch it for so long: the part of the time for which it is on, and how often it goes
        on."""

    # -- time ----------------------------------------------------------------------------
    _moment_s: float
    """The shortest time that passes."""

    @property
    @abstractmethod
    def now_s(self) -> float:
        """The rig's clock."""

    @abstractmethod
    def pass_time(self, duration_s: float) -> None:
        """Let time pass, taking in what frames there are."""

    def wait_for(self, condition: Callable[[], bool], within_s: float) -> bool:
        """Let time pass until the condition holds; False where it does not in time."""
        end_s = self.now_s + within_s
        while not condition():
            if self.now_s >= end_s:
                return False
            self.pass_time(self._moment_s)
        return True

    # -- power, and the cable ------------------------------------------------------------
    @abstractmethod
    def cut_power(self) -> None:
        """Take the board's power away, all of it; the link is gone with it."""

    @abstractmethod
    def restore_power(self) -> None:
        """Give it back."""

    @abstractmethod
    def plug_usb(self, plugged: bool) -> None:
        """Pull the USB cable, or put it back; the board keeps its other power."""

    # -- the ports -----------------------------------------------------------------------
    @abstractmethod
    def _open_link(self) -> Port:
        """The board's link. Raises PortError where it does not show."""

    @abstractmethod
    def open_console(self) -> Port:
        """The board's console; its reads return what there is."""

    @property
    @abstractmethod
    def serial_functions(self) -> int:
        """How many serial ports the board shows: the console, and the link."""

    @abstractmethod
    def stop_reading(self, stopped: bool = True) -> None:
        """The host holds the link's port open without reading from it, or reads again."""

    @property
    def link(self) -> Link:
        """The open link; opens it where it is not."""
        if self._link is None:
            self._link = Link(self._open_link())
        return self._link

    @property
    def open_link(self) -> Link | None:
        """The link where it is open."""
        return self._link

    def leave(self) -> None:
        """The host closes its port and is gone."""
        if self._link is not None:
            self._link.port.close()
        self._link = None
        self.status = None

    def reconnect(self) -> Frame:
        """The host is there again; returns the board's greeting once a status has come as well."""
        self._link = None
        self.status = None
        greeting = self.link.hello()
        assert self.wait_for(lambda: self.status is not None, 1.0)
        return greeting

    def _take_waiting(self) -> None:
        if self._link is None:
            return
        try:
            while frame := self._link.receive(0.0):
                self._take(frame)
        except PortError:
            return  # the board has gone from the bus: time passes all the same

    def _take(self, frame: Frame) -> None:
        if frame.name == "status":
            self.status = frame
        elif frame.name == "event":
            self.events.append(frame)
        elif frame.name == "features":
            self.features.append(frame)

    @property
    def mode(self) -> str:
        """The mode of the last status frame."""
        return str(self.status["mode"]) if self.status else "unknown"

    @property
    def fault(self) -> str:
        """The latched fault of the last status frame."""
        return str(self.status["fault"]) if self.status else "unknown"

    def trips(self, within_s: float = 1.0) -> str:
        """Wait for the trip to be told; returns its fault."""
        assert self.wait_for(lambda: self.mode == "tripped", within_s), self.mode
        return self.fault

    @property
    def limit(self) -> str:
        """What binds, by the last status frame."""
        return str(self.status["limit"]) if self.status else "unknown"

    def flag(self, name: str) -> bool:
        """A flag of the last status frame."""
        return bool(self.status and self.status["flags"] >> wire.FLAGS.index(name) & 1)

    def log(self) -> list[Event]:
        """The black box's events of this boot."""
        events = list(self.link.log())
        return [event for event in events if event.boot == events[-1].boot]

    def happened(self, name: str, detail: int | None = None) -> list[Event]:
        """Those of that name."""
        return [e for e in self.log() if e.name == name and detail in (None, e.detail)]

    # -- running -------------------------------------------------------------------------
    def ready(self) -> None:
        """Wait until the self-test is over, nothing is wrong, and a run may begin."""
        assert self.link
        assert self.wait_for(
            lambda: self.mode == "idle" and self.flag("window settled"), _BOOTED_WITHIN_S
        ), (self.mode, self.fault)

    def run(self, speed_permille: int = 1000, until_steady: bool = True) -> None:
        """Start the motor over the link, and wait until the ramp is over."""
        self.ready()
        self.link.run(speed_permille)
        if until_steady:
            assert self.wait_for(lambda: self.mode == "running", 8.0), (self.mode, self.fault)
            self.pass_time(0.3)

    def run_alone(self, ceiling_permille: int) -> None:
        """Start at the board's button with no host there, and wait until the ramp is over."""
        self.ready()
        self.link.command("set_limit", ceiling_permille)
        self.leave()
        self.press_start()
        ramp_s = ceiling_permille / 10.0 / self.board.motor.ramp_up_percent_per_s
        self.pass_time(ramp_s + 0.3)
        assert self.duty_at_pin > 0.0, "the button has not started it"

    def reset(self, within_s: float = 2.0) -> None:
        """Reset the trip, whose cause is gone; the board may have to measure that first, and
        measures nothing while it writes the waveform.
        """
        end_s = self.now_s + within_s
        while True:
            try:
                self.link.command("reset_trip")
                return
            except RefusedError:
                if self.now_s >= end_s:
                    raise
            self.pass_time(0.2)

    def press_start(self) -> None:
        """Hold the button for as long as starting takes."""
        self.machine.press_button()
        assert self.wait_for(lambda: self.duty_at_pin > 0.0, BUTTON_STARTS_S)
        self.machine.press_button(False)

    def stream_command(self) -> bytes:
        """A `stream` command as it goes over the wire, for tests that expect no reply."""
        return encode("stream", 1, 1)
