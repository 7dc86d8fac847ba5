"""The rig of a real board: a port, and what the rig's description says is wired to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal, Protocol

from wrench.boards import Board
from wrench.errors import LinkError, PortError, RefusedError, RigError
from wrench.hil.helper_board import HelperBoard
from wrench.hil.machine import Machine, Place
from wrench.hil.rig import Rig
from wrench.hil.rig_commands import perform
from wrench.hil.rig_file import Adjust, RigFile, Switch
from wrench.link import Frame
from wrench.transport import BoardConnection, Port, open_port

_HELPER_ERROR_S = 0.0002
_STARTS_S = 8.0
_AT_REST_S = 0.2
_TICK_S = 1e-6


class Ports(Protocol):
    """Where the board's two ports are opened."""

    def open_link(self) -> Port:
        """The link. Raises PortError."""
        ...

    def open_console(self) -> Port:
        """The console. Raises PortError."""
        ...

    def shown(self) -> int:
        """How many of the two there are now."""
        ...


class SerialPorts:
    """The ports of an attached board, for this process alone: that the host closes one has to be
    seen by the board at once."""

    def __init__(self, port: str | None) -> None:
        self._connection = BoardConnection(port)

    def open_link(self) -> Port:
        """Waits for it as long as a board takes to start."""
        self._appears(lambda ports: ports.link is not None)
        return open_port(self._connection.look().link, "link")

    def open_console(self) -> Port:
        """As `BoardConnection.open_console`."""
        return self._connection.open_console()

    def shown(self) -> int:
        """Of console and link."""
        ports = self._connection.look()
        return (ports.console is not None) + (ports.link is not None)

    def _appears(self, condition: Callable[[Any], bool]) -> None:
        self._connection.wait_for(condition, _STARTS_S)


class RealRig(Rig):
    """A real board, or anything that answers like one at a port.

    `clock` tells s that go on while ports are read; `helper` is the rig's, where it has one.
    """

    def __init__(
        self,
        described: RigFile,
        board: Board,
        ports: Ports,
        helper: HelperBoard | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._described = described
        self._ports = ports
        self._helper = helper
        self._clock, self._sleep = clock, sleep
        self._began_s = clock()
        self._moment_s = 0.01
        self._highest_duty = 0.0
        self._gone: Port | None = None
        motor = board.motor
        self._enable = self._wire(motor.pwm_pin if motor.enable_pin is None else motor.enable_pin)
        self._pwm = self._wire(motor.pwm_pin)
        super().__init__(board, able_on(described, board))
        self.machine = RealMachine(self)
        if helper is not None:
            self.slack_s = _HELPER_ERROR_S
            self._offset_s = self._clocks_apart_s(helper)
            if self._enable is not None:
                helper.watch(self._enable)
            # An e-stop's contact is closed, which is a low pin, unless somebody opens it.
            if (estop := self._wire(board.estop.pin)) is not None:
                helper.put(estop, 0)

    def _wire(self, gpio: int | None) -> int | None:
        helper = self._described.helper
        return helper.gpio_of(gpio) if helper else None

    def _clocks_apart_s(self, helper: HelperBoard) -> float:
        """The helper's clock minus the rig's, by the quickest of some answers."""
        told: list[tuple[float, float]] = []
        for _ in range(5):
            before_s = self.now_s
            helper_s = helper.now_s()
            took_s = self.now_s - before_s
            told.append((took_s, helper_s - before_s - took_s / 2.0))
        return min(told)[1]

    # -- beginning and end ---------------------------------------------------------------
    def verify(self) -> Frame:
        """That what answers is what the description says: returns its greeting. Raises RigError."""
        try:
            return self._verified()
        except RigError:
            self.leave()
            raise

    def _verified(self) -> Frame:
        try:
            greeting = self.link.hello(_STARTS_S)
        except (LinkError, PortError) as error:
            raise RigError(f"nothing answers on this rig: {error}") from error
        for what, is_so, should in (
            ("the board file", greeting["board_name"], self.board.name),
            ("the board file's content", greeting["board_hash"], self.board.hash),
            ("the board's id", greeting["unique_id"], self._described.unique_id),
        ):
            if should is not None and is_so != should:
                raise RigError(
                    f"on this rig {what} is {_told(is_so)}, and should be {_told(should)}; "
                    "plug in the board that is meant, or flash it: "
                    f"`wrench flash --board {self._described.board}`"
                )
        self._at_rest()
        self._verify_wires()
        return greeting

    def _verify_wires(self) -> None:
        """Each wire that can be proved without turning the motor."""
        if self._helper is None:
            return
        if self._enable is not None and self._helper.duty(self._enable) > 0.0:
            raise RigError(
                "the wire at the motor's enable pin is high while the board says idle; "
                "look where it ends"
            )
        if "e-stop" in self.able and self._wire(self.board.estop.pin) is not None:
            self.machine.press_estop()
            tripped = self.wait_for(lambda: self.fault == "e-stop", 1.0)
            self.machine.press_estop(False)
            if not tripped:
                raise RigError(
                    "the board does not notice when the rig opens the e-stop's contact; look where "
                    "that wire ends, and whether another contact is in parallel"
                )
            self._at_rest()

    def _at_rest(self) -> None:
        """Everything mended, the motor off, no trip latched. Raises RigError."""
        self.machine.let_be()
        self.forget_highest()
        mode = reason = ""
        end_s = self.now_s + _STARTS_S
        while self.now_s < end_s:
            try:
                self.link.stop()
                mode = str(self.link.status()["mode"])
                if mode == "idle":
                    self.pass_time(_AT_REST_S)
                    return
                if mode == "tripped":
                    self.link.command("reset_trip")
            except RefusedError as refusal:
                reason = refusal.reason
            except (LinkError, PortError) as error:
                reason = str(error)
                self.leave()
            self.pass_time(0.3)
        raise RigError(
            f"the board does not come to rest ({mode or 'no answer'}: {reason}); "
            "`wrench status` tells what is wrong"
        )

    def begin(self) -> None:
        """Before a test: at rest, with the levels and limits of the board file. Raises RigError."""
        self._at_rest()
        try:
            self.link.command("factory_reset")
        except (LinkError, PortError) as error:
            raise RigError(f"the board does not take its factory settings: {error}") from error
        self.used.clear()

    def close(self) -> None:
        """The motor off, whatever has happened: over the link; else by cutting the power, or the
        e-stop. Raises RigError where none of them can be seen to have worked."""
        try:
            self.machine.let_be()
            self._at_rest()
        except RigError as error:
            commands = self._described.commands
            if commands.power is not None:
                perform(commands.power.off)
                how = "so its power is cut"
            elif "e-stop" in self.able:
                self.machine.press_estop()
                how = "so the e-stop is open"
            else:
                how = "and this rig can cut neither power nor e-stop: see to it that it stands"
            raise RigError(f"{error}; {how}") from error
        finally:
            self.leave()

    # -- what the pins and the shaft did -------------------------------------------------
    def _helping(self, capability: str) -> HelperBoard:
        self.need(capability)
        assert self._helper is not None
        return self._helper

    @property
    def duty_at_pin(self) -> float:
        """Over 25 ms."""
        helper = self._helping("motor pins")
        assert self._pwm is not None
        duty = helper.duty(self._pwm)
        if (
            self._enable != self._pwm
            and self._enable is not None
            and helper.duty(self._enable) == 0
        ):
            duty = 0.0
        self._highest_duty = max(self._highest_duty, duty)
        return duty

    @property
    def highest_duty(self) -> float:
        """Of those looked at, and 1 where the enable pin has risen since."""
        return max(self._highest_duty, self.duty_at_pin, float(self.times_enabled > 0))

    @property
    def times_enabled(self) -> int:
        """By the helper."""
        _, rises = self._helping("motor pins").fell()
        return rises - self._rises

    def forget_highest(self) -> None:
        """Count the enable pin's rises anew."""
        self._highest_duty = 0.0
        self._rises = self._helper.fell()[1] if self._helper and self._enable is not None else 0

    _rises = 0

    @property
    def shaft_speed_rpm(self) -> float:
        """Raises UnableError: this rig does not know."""
        self.need("shaft")
        return 0.0

    @property
    def highest_speed_rpm(self) -> float:
        """Raises UnableError: this rig does not know."""
        self.need("shaft")
        return 0.0

    @property
    def fell_s(self) -> float | None:
        """By the helper's clock."""
        fell_s, _ = self._helping("motor pins").fell()
        return None if fell_s is None else fell_s - self._offset_s

    def watch_light(self, duration_s: float) -> tuple[float, int]:
        """By the helper."""
        wire_at = self._wire(self.board.led.pin if self.board.led else None)
        helper = self._helping("light")
        assert wire_at is not None
        return helper.light(wire_at, duration_s)

    # -- time ----------------------------------------------------------------------------
    @property
    def now_s(self) -> float:
        """Since the rig was opened."""
        return self._clock() - self._began_s

    def pass_time(self, duration_s: float) -> None:
        """Let so much time pass, taking in what frames there are."""
        end_s = self.now_s + duration_s
        while (left_s := end_s - self.now_s) > _TICK_S:
            slice_s = min(left_s, self._moment_s)
            link = self._link
            if link is None or link.port is self._gone:
                self._sleep(slice_s)
                continue
            try:
                frame = link.receive(slice_s)
            except PortError:
                self._gone = link.port  # time passes all the same
                continue
            if frame:
                self._take(frame)
            self._take_waiting()

    # -- power, and the cable ------------------------------------------------------------
    def _switch(self, capability: str, switch: Switch | None, on: bool) -> float:
        self.need(capability)
        assert switch is not None
        at_s = self.now_s
        perform(switch.on if on else switch.off)
        return at_s

    def cut_power(self) -> None:
        """By the description's command."""
        self._switch("power", self._described.commands.power, on=False)
        self.leave()

    def restore_power(self) -> None:
        """By the description's command."""
        self._switch("power", self._described.commands.power, on=True)

    def plug_usb(self, plugged: bool) -> None:
        """By the description's command."""
        self._switch("cable", self._described.commands.cable, on=plugged)

    # -- the ports -----------------------------------------------------------------------
    def _open_link(self) -> Port:
        self._gone = None
        return self._ports.open_link()

    def open_console(self) -> Port:
        """The board's console."""
        return self._ports.open_console()

    @property
    def serial_functions(self) -> int:
        """How many serial ports the board shows."""
        return self._ports.shown()

    def stop_reading(self, stopped: bool = True) -> None:
        """Raises UnableError: the system's driver reads on."""
        self.need("silent host")


def able_on(described: RigFile, board: Board) -> frozenset[str]:
    """What the rig can do, by its description."""
    commands, helper = described.commands, described.helper
    motor = board.motor

    def wired(gpio: int | None) -> bool:
        return helper is not None and helper.gpio_of(gpio) is not None

    enable = motor.pwm_pin if motor.enable_pin is None else motor.enable_pin
    return frozenset(
        name
        for name, able in {
            "motor pins": wired(enable) and wired(motor.pwm_pin),
            "light": board.led is not None and wired(board.led.pin),
            "power": commands.power,
            "cable": commands.cable,
            "e-stop": commands.estop or wired(board.estop.pin),
            "button": commands.button or (board.button is not None and wired(board.button.pin)),
            "service jumper": commands.service_jumper
            or (board.service is not None and wired(board.service.pin)),
            "driver fault": wired(motor.fault_pin),
            "load": commands.load,
            "jam": commands.jam,
            "supply": commands.supply,
            "tacho": commands.tacho,
            "thermistor": commands.thermistor,
            "sensor plug": commands.sensor_plug,
        }.items()
        if able
    )


class RealMachine(Machine):
    """What the rig's wires and programs can do to the machine."""

    def __init__(self, rig: RealRig) -> None:
        self._rig = rig
        self._commands = rig._described.commands
        self._unusual: set[str] = set()

    def _pin(
        self, capability: str, gpio: int | None, level: int | None, switch: Switch | None, on: bool
    ) -> float:
        """By the wire to the helper where there is one, else by the command."""
        rig = self._rig
        rig.need(capability)
        (self._unusual.add if on else self._unusual.discard)(capability)
        at = rig._wire(gpio)
        if at is not None and rig._helper is not None:
            return rig._helper.put(at, level) - rig._offset_s
        return rig._switch(capability, switch, on)

    def _adjust(self, capability: str, adjust: Adjust | None, value: float) -> float:
        self._rig.need(capability)
        assert adjust is not None
        at_s = self._rig.now_s
        perform([word.replace("{value}", f"{value:g}") for word in adjust.set])
        self._unusual.add(capability)
        return at_s

    def _switch(self, capability: str, switch: Switch | None, on: bool) -> float:
        (self._unusual.add if on else self._unusual.discard)(capability)
        return self._rig._switch(capability, switch, on)

    def _unable(self, capability: str) -> float:
        self._rig.need(capability)
        raise AssertionError(f"{capability} is among what this rig can do, and nothing does it")

    # -- switches ------------------------------------------------------------------------
    def press_estop(
        self, pressed: bool = True, after_ns: float = 0.0, *, at_page_program: bool = False
    ) -> float:
        """A wire to the helper is let go, where the contact's line has its pull-up."""
        if after_ns or at_page_program:
            self._rig.need("exact instants")
        level = None if pressed else 0
        estop = self._commands.estop
        return self._pin("e-stop", self._rig.board.estop.pin, level, estop, pressed)

    def press_button(self, pressed: bool = True) -> float:
        """To ground."""
        button = self._rig.board.button
        level = 0 if pressed else None
        gpio = button.pin if button else None
        return self._pin("button", gpio, level, self._commands.button, pressed)

    def set_service_jumper(self, fitted: bool = True) -> float:
        """To ground."""
        service = self._rig.board.service
        level = 0 if fitted else None
        gpio = service.pin if service else None
        jumper = self._commands.service_jumper
        return self._pin("service jumper", gpio, level, jumper, fitted)

    def set_driver_fault(self, present: bool = True) -> float:
        """To ground."""
        level = 0 if present else None
        return self._pin("driver fault", self._rig.board.motor.fault_pin, level, None, present)

    # -- the rest ------------------------------------------------------------------------
    def set_load(self, fraction: float) -> float:
        """By the description's command."""
        return self._adjust("load", self._commands.load, fraction)

    def set_supply(self, volts: float) -> float:
        """By the description's command."""
        return self._adjust("supply", self._commands.supply, volts)

    def jam(self, jammed: bool = True) -> float:
        """By the description's command."""
        return self._switch("jam", self._commands.jam, jammed)

    def cut_tacho(self, cut: bool = True) -> float:
        """By the description's command."""
        return self._switch("tacho", self._commands.tacho, cut)

    def break_thermistor(self, place: Place, *, shorted: bool = False) -> float:
        """By the description's command, which cuts the bearing's."""
        if shorted or place != "bearing":
            return self._unable("machine")
        return self._switch("thermistor", self._commands.thermistor, on=True)

    def mend_thermistor(self, place: Place) -> float:
        """By the description's command."""
        del place
        return self._switch("thermistor", self._commands.thermistor, on=False)

    def set_sensor_fault(self, **faults: Any) -> float:
        """The plug alone."""
        if faults.keys() - {"absent"}:
            return self._unable("sensor faults")
        return self._switch("sensor plug", self._commands.sensor_plug, bool(faults.get("absent")))

    def let_be(self) -> float:
        """Everything that was made unusual is as it was."""
        for capability in sorted(self._unusual):
            _USUAL[capability](self)
        self._unusual.clear()
        return self._rig.now_s

    def spin(self, speed_rpm: float) -> float:
        """Raises UnableError."""
        return self._unable("spin")

    def set_wear(self, wear: float) -> float:
        """Raises UnableError."""
        return self._unable("wear")

    def set_defect(self, kind: Literal["inner", "outer", "ball"], severity: float) -> float:
        """Raises UnableError."""
        return self._unable("wear")

    def knock(self, strength_g: float) -> float:
        """Raises UnableError."""
        return self._unable("knock")

    def knock_again_and_again(self, strength_g: float, every_s: float) -> float:
        """Raises UnableError."""
        return self._unable("knock")

    def hold_temperatures(
        self, bearing_c: float | None = None, driver_c: float | None = None
    ) -> float:
        """Raises UnableError."""
        return self._unable("heat")

    def lose_supply(self, name: str | None = None) -> float:
        """Raises UnableError."""
        return self._unable("supplies")

    def restore_supplies(self) -> float:
        """Raises UnableError."""
        return self._unable("supplies")

    def offset_current(self, amps: float) -> float:
        """Raises UnableError."""
        return self._unable("current")

    def cut_motor_lead(self) -> float:
        """Raises UnableError."""
        return self._unable("motor lead")

    def saturate_sensor(self, saturated: bool = True) -> float:
        """Raises UnableError."""
        return self._unable("signal")

    def set_sensor_noise(self, rms_g: float) -> float:
        """Raises UnableError."""
        return self._unable("signal")


_USUAL: dict[str, Callable[[RealMachine], object]] = {
    "e-stop": lambda machine: machine.press_estop(False),
    "button": lambda machine: machine.press_button(False),
    "service jumper": lambda machine: machine.set_service_jumper(False),
    "driver fault": lambda machine: machine.set_driver_fault(False),
    "load": lambda machine: machine.set_load(0.6),
    "supply": lambda machine: machine.set_supply(machine._rig.board.motor.supply_nominal_v),
    "jam": lambda machine: machine.jam(False),
    "tacho": lambda machine: machine.cut_tacho(False),
    "thermistor": lambda machine: machine.mend_thermistor("bearing"),
    "sensor plug": lambda machine: machine.set_sensor_fault(),
}


def _told(value: object) -> str:
    return f"{value:#x}" if isinstance(value, int) else repr(value)


def opened(described: RigFile, board: Board, port: str | None) -> RealRig:
    """The rig, its board and helper found and verified. Raises RigError, PortError."""
    helper = None
    if described.helper is not None:
        helper = HelperBoard(BoardConnection(described.helper.port).open_console())
        if described.unique_id is not None and helper.unique_id() == described.unique_id:
            raise RigError("the helper's port is that of the board under test; name another one")
    rig = RealRig(described, board, SerialPorts(port or described.port), helper)
    rig.verify()
    return rig
