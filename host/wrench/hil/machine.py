"""What tests do to the machine and its wiring, the same on every rig."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal

Place = Literal["bearing", "driver"]


class Machine(ABC):
    """The machine under test. Each method returns when it happens, in s of the rig's time.

    A rig that cannot do it raises UnableError; `capabilities` names what each takes.
    """

    # -- switches ------------------------------------------------------------------------
    @abstractmethod
    def press_estop(
        self, pressed: bool = True, after_ns: float = 0.0, *, at_page_program: bool = False
    ) -> float:
        """Open the e-stop's contact, or close it: `after_ns` from now on, or after the flash chip
        next begins to program a page."""

    @abstractmethod
    def press_button(self, pressed: bool = True) -> float:
        """Hold the start/stop button, or let go."""

    @abstractmethod
    def set_service_jumper(self, fitted: bool = True) -> float:
        """Fit the service jumper, or take it off."""

    # -- the shaft and its bearing -------------------------------------------------------
    @abstractmethod
    def set_load(self, fraction: float) -> float:
        """Load the shaft with so much of its rated torque, 0 to 3."""

    @abstractmethod
    def jam(self, jammed: bool = True) -> float:
        """The bit catches, or comes loose."""

    @abstractmethod
    def spin(self, speed_rpm: float) -> float:
        """Something else drives the shaft from now on."""

    @abstractmethod
    def set_wear(self, wear: float) -> float:
        """The bearing is worn that far: 0 is new, 1 is the end."""

    @abstractmethod
    def set_defect(self, kind: Literal["inner", "outer", "ball"], severity: float) -> float:
        """The bearing has a damaged spot, 0 (none) to 1."""

    @abstractmethod
    def knock(self, strength_g: float) -> float:
        """Something strikes the housing."""

    @abstractmethod
    def knock_again_and_again(self, strength_g: float, every_s: float) -> float:
        """From now on, until `let_be`."""

    @abstractmethod
    def hold_temperatures(
        self, bearing_c: float | None = None, driver_c: float | None = None
    ) -> float:
        """A part is at this temperature and stays there, until `let_be`."""

    @abstractmethod
    def let_be(self) -> float:
        """What goes on and on (knocks, heat, a driven shaft) ends, and parts are at 25 °C."""

    # -- electricity ---------------------------------------------------------------------
    @abstractmethod
    def set_supply(self, volts: float) -> float:
        """The supply's voltage without load."""

    @abstractmethod
    def lose_supply(self, name: str | None = None) -> float:
        """One supply is pulled, by its name in the board file; None: all of them."""

    @abstractmethod
    def restore_supplies(self) -> float:
        """All supplies are as they were."""

    @abstractmethod
    def offset_current(self, amps: float) -> float:
        """The current sensor shows so much more than flows."""

    @abstractmethod
    def cut_motor_lead(self) -> float:
        """What the driver puts out no longer reaches the motor."""

    @abstractmethod
    def set_driver_fault(self, present: bool = True) -> float:
        """The motor driver tells a fault, or no longer."""

    # -- sensors -------------------------------------------------------------------------
    @abstractmethod
    def cut_tacho(self, cut: bool = True) -> float:
        """The tacho's lead is cut, or mended."""

    @abstractmethod
    def break_thermistor(self, place: Place, *, shorted: bool = False) -> float:
        """A thermistor's lead is cut, or shorted."""

    @abstractmethod
    def mend_thermistor(self, place: Place) -> float:
        """It is whole again."""

    @abstractmethod
    def set_sensor_fault(self, **faults: Any) -> float:
        """The vibration sensor's chip goes wrong, as `wrench.bench.emulator.StepRequest` lists
        (`absent=True` is its plug pulled); nothing given mends it."""

    @abstractmethod
    def saturate_sensor(self, saturated: bool = True) -> float:
        """The vibration sensor is at the end of its range, or no longer."""

    @abstractmethod
    def set_sensor_noise(self, rms_g: float) -> float:
        """The vibration sensor is noisy."""
