"""The keys of a board file, with their units, ranges and defaults.

Each section of the TOML is one frozen model here; `Field(description=…)` is the line of the key in
boards/README.md. A new kind of motor driver, sensor or thermometer is one more model, joined to
the alias of its group (`Motor`, `Vibration`, `Thermometer`) as
`Annotated[A | B, Field(discriminator="kind")]`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, Strict, model_validator
from pydantic_core import PydanticCustomError

from wrench.boards import render, rp2040, rules
from wrench_firmware.limits import HARD_CAP_PERMILLE

HARD_CAP = HARD_CAP_PERMILLE / 1000
"""No derate cap may be above this fraction of rated speed, whatever a board file says."""


@dataclass(frozen=True)
class Role:
    """What the pin of a key must be able to do, as `rp2040.functions` names it.

    Braces stand for other keys of the same section: "SPI{bus_number} SCK".
    """

    function: str
    onboard: tuple[int, ...] = ()


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, and numbers are neither text nor infinite."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


Gpio = Annotated[int, Field(ge=0, le=29)]
Resistor = Annotated[float, Field(ge=1, le=10_000_000)]


class PwmDirectionEnable(Section):
    """[motor] of kind "pwm_direction_enable": an H-bridge with one PWM, one direction and one
    enable input, all active high."""

    kind: Literal["pwm_direction_enable"] = Field(description="what the motor driver's inputs are")
    pwm_pin: Annotated[Gpio, Role("PWM")] = Field(description="PWM input of the driver")
    enable_pin: Annotated[Gpio, Role("GPIO")] = Field(
        description="enable input of the driver, high is on; needs 10 kΩ to ground"
    )
    direction_pin: Annotated[Gpio, Role("GPIO")] = Field(description="direction input")
    direction_inverted: bool = Field(
        default=False, description="true when a low direction input turns the machine forward"
    )
    pwm_frequency_hz: int = Field(
        default=20_000, ge=100, le=100_000, description="frequency of the PWM"
    )
    rated_speed_rpm: int = Field(
        ge=10, le=60_000, description="speed of the shaft at duty 1 and nominal supply"
    )
    supply_nominal_v: float = Field(ge=3, le=60, description="supply the rated speed belongs to")
    derate_cap: float = Field(
        gt=0,
        le=HARD_CAP,
        description="ceiling of the speed as a fraction of rated speed; nothing raises it",
    )
    min_duty: float = Field(
        default=0.0, ge=0, lt=HARD_CAP, description="duty below which the motor does not turn"
    )
    ramp_up_percent_per_s: float = Field(
        default=20.0, ge=0.1, le=1000, description="fastest rise of the speed, of rated speed"
    )
    ramp_down_percent_per_s: float = Field(
        default=50.0,
        ge=0.1,
        le=1000,
        description="fastest fall at an ordinary stop, of rated speed; a trip does not ramp",
    )


Motor: TypeAlias = PwmDirectionEnable


class Adxl345(Section):
    """[vibration] with driver "adxl345": an ADXL345 on SPI, read through its FIFO."""

    driver: Literal["adxl345"] = Field(description="which sensor, as in firmware/drivers/")
    bus: Literal["spi"] = Field(description="how it is connected")
    bus_number: Annotated[int, Field(ge=0, le=1)] = Field(description="SPI0 or SPI1")
    sck_pin: Annotated[Gpio, Role("SPI{bus_number} SCK")] = Field(description="SCL of the sensor")
    mosi_pin: Annotated[Gpio, Role("SPI{bus_number} TX")] = Field(description="SDA of the sensor")
    miso_pin: Annotated[Gpio, Role("SPI{bus_number} RX")] = Field(description="SDO of the sensor")
    # The firmware drives chip select as plain GPIO, so any pin serves.
    cs_pin: Annotated[Gpio, Role("GPIO")] = Field(description="CS of the sensor, any pin")
    int1_pin: Annotated[Gpio, Role("GPIO")] = Field(description="INT1 of the sensor: watermark")
    # ADXL345 datasheet, "SPI": the maximum clock is 5 MHz.
    baudrate_hz: int = Field(
        default=5_000_000, ge=100_000, le=5_000_000, description="clock of the bus"
    )
    rate_hz: Literal[100, 200, 400, 800, 1600, 3200] = Field(description="sample rate")
    range_g: Literal[2, 4, 8, 16] = Field(description="measuring range, plus and minus")
    watermark_samples: int = Field(
        default=16, ge=1, le=31, description="samples in the sensor's FIFO when it interrupts"
    )
    window_samples: int = Field(
        ge=16, le=8192, description="samples per set of features; a multiple of the watermark"
    )
    axes: Annotated[tuple[Literal["x", "y", "z"], ...], Strict(False)] = Field(
        default=("x", "y", "z"), min_length=1, description="axes that are judged"
    )
    band_low_hz: int = Field(
        default=10, ge=1, le=1000, description="lower end of the band of the velocity RMS"
    )
    band_high_hz: int = Field(
        default=1000,
        ge=10,
        le=20_000,
        description="upper end of that band; below 1000 no ISO zone is told",
    )

    @property
    def window_ms(self) -> float:
        """Length of a window at the nominal sample rate, in ms."""
        return 1000 * self.window_samples / self.rate_hz

    @property
    def covers_iso_band(self) -> bool:
        """Whether the velocity band holds 10 to 1,000 Hz, so that an ISO zone may be told."""
        return self.band_low_hz <= 10 and self.band_high_hz >= 1000


Vibration: TypeAlias = Adxl345


class Tacho(Section):
    """[tacho]: pulses from the shaft, 3.3 V."""

    pin: Annotated[Gpio, Role("GPIO")] = Field(description="output of the hall or light sensor")
    pulses_per_rev: int = Field(default=1, ge=1, le=64, description="pulses per revolution")
    pull: Literal["up", "down", "none"] = Field(
        default="up", description="resistor in the chip; up for an open collector"
    )
    edge: Literal["falling", "rising"] = Field(default="falling", description="edge that counts")


class Divider(Section):
    """Base of the inputs that reach an ADC pin through two resistors."""

    pin: Annotated[Gpio, Role("ADC")] = Field(description="ADC input: GP26, GP27 or GP28")
    divider_top_ohm: Annotated[float, Field(ge=0, le=10_000_000)] = Field(
        default=0.0, description="resistor from the source to the pin; 0 without a divider"
    )
    divider_bottom_ohm: Resistor = Field(
        default=10_000.0, description="resistor from the pin to ground"
    )

    @property
    def divider_ratio(self) -> float:
        """Voltage at the pin over voltage at the source, above 0 and up to 1."""
        if self.divider_top_ohm == 0:
            return 1.0
        return self.divider_bottom_ohm / (self.divider_top_ohm + self.divider_bottom_ohm)


class Current(Divider):
    """[current]: a current sensor with a voltage output."""

    volts_per_amp: float = Field(
        ge=0.001, le=10, description="sensitivity at the sensor's output, before the divider"
    )
    zero_v: float = Field(ge=0, le=5, description="output of the sensor at 0 A")
    range_a: float = Field(gt=0, le=500, description="largest current that the sensor measures")


class Ntc(Section):
    """[temperatures.NAME] of kind "ntc": a thermistor and a resistor between 3V3 and ground."""

    kind: Literal["ntc"] = Field(description="what measures the temperature")
    pin: Annotated[Gpio, Role("ADC")] = Field(description="ADC input: GP26, GP27 or GP28")
    r25_ohm: Resistor = Field(description="resistance at 25 °C")
    beta_k: float = Field(ge=1000, le=10_000, description="B value, 25 to 85 °C")
    series_ohm: Resistor = Field(description="the other resistor of the divider")
    ntc_to: Literal["ground", "3v3"] = Field(
        default="ground", description="the side that the thermistor is on"
    )


Thermometer: TypeAlias = Ntc


class Temperatures(Section):
    """[temperatures]: thermometers by what they touch."""

    bearing: Thermometer | None = Field(default=None, description="on the bearing's housing")
    motor: Thermometer | None = Field(default=None, description="on the motor's winding or case")


class Supply(Divider):
    """[supply]: the motor's supply voltage through a divider."""


class Estop(Section):
    """[estop]: the emergency stop, which the firmware sees beside what it cuts in hardware."""

    pin: Annotated[Gpio, Role("GPIO")] = Field(
        description="contact to ground, pulled up in the chip; high (pressed, broken wire) stops"
    )
    contact: Literal["normally_closed"] = Field(
        default="normally_closed", description="contact of the switch; no other is safe"
    )


class Button(Section):
    """[button]: the start and stop button."""

    pin: Annotated[Gpio, Role("GPIO")] = Field(
        description="contact to ground, pulled up in the chip; low is pressed"
    )


class Led(Section):
    """[led]: one light, high is on."""

    pin: Annotated[Gpio, Role("GPIO", onboard=(25,))] = Field(description="25 is the Pico's own")


class Service(Section):
    """[service]: the jumper that keeps the firmware from starting."""

    pin: Annotated[Gpio, Role("GPIO")] = Field(
        description="jumper to ground, pulled up in the chip; low at power-up gives the REPL"
    )


class Bearing(Section):
    """[bearing]: the geometry that sets the fault frequencies."""

    designation: str = Field(
        default="", max_length=40, description="what is printed on it, or what it replaces"
    )
    balls: int = Field(ge=3, le=60, description="number of rolling elements")
    ball_diameter_mm: float = Field(ge=0.5, le=200, description="diameter of a rolling element")
    pitch_diameter_mm: float = Field(ge=2, le=1000, description="of the circle of their centres")
    contact_angle_deg: float = Field(
        default=0.0, ge=0, lt=90, description="0 for a deep-groove bearing"
    )

    @property
    def _slope(self) -> float:
        angle = math.radians(self.contact_angle_deg)
        return self.ball_diameter_mm / self.pitch_diameter_mm * math.cos(angle)

    @property
    def bpfo_order(self) -> float:
        """Outer-race fault frequency as a multiple of the shaft's, without slip."""
        return self.balls / 2 * (1 - self._slope)

    @property
    def bpfi_order(self) -> float:
        """Inner-race fault frequency as a multiple of the shaft's, without slip."""
        return self.balls / 2 * (1 + self._slope)

    @property
    def bsf_order(self) -> float:
        """Spin frequency of a ball as a multiple of the shaft's; a ball fault shows at twice it."""
        return self.pitch_diameter_mm / (2 * self.ball_diameter_mm) * (1 - self._slope**2)

    @property
    def ftf_order(self) -> float:
        """Frequency of the cage as a multiple of the shaft's."""
        return (1 - self._slope) / 2


Velocity = Annotated[float, Field(gt=0, le=100)]
Amps = Annotated[float, Field(gt=0, le=500)]
Degrees = Annotated[float, Field(ge=-20, le=140)]
Volts = Annotated[float, Field(ge=1, le=80)]

_ALARM = "tells, and changes nothing"
_LIMIT = "above it the speed is brought down"
_TRIP = "above it for delay_ms the motor is off until reset"
_HYSTERESIS = "how far below a level the value must fall to leave it"
_DELAY = "how long the trip level must be passed"


class VibrationProtection(Section):
    """[protection.vibration]: levels of the worst axis."""

    velocity_alarm_mm_s: Velocity = Field(description=f"velocity RMS; {_ALARM}")
    velocity_limit_mm_s: Velocity = Field(description=f"velocity RMS; {_LIMIT}")
    velocity_trip_mm_s: Velocity = Field(description=f"velocity RMS; {_TRIP}")
    velocity_hysteresis_mm_s: Annotated[float, Field(ge=0, le=20)] = Field(
        default=0.1, description=_HYSTERESIS
    )
    acceleration_peak_trip_g: float = Field(
        gt=0, le=200, description="peak acceleration that stops the motor; below range_g"
    )
    delay_ms: int = Field(
        default=300, ge=0, le=10_000, description=f"{_DELAY}, from the end of the first window"
    )
    stale_ms: int = Field(
        default=100, ge=10, le=500, description="no sample for this long stops the motor"
    )


class CurrentProtection(Section):
    """[protection.current]: levels of the motor's current, of either sign."""

    alarm_a: Amps = Field(description=_ALARM)
    limit_a: Amps = Field(description=_LIMIT)
    trip_a: Amps = Field(description=_TRIP)
    hysteresis_a: Annotated[float, Field(ge=0, le=50)] = Field(default=0.1, description=_HYSTERESIS)
    delay_ms: int = Field(default=20, ge=0, le=1000, description=_DELAY)


class TemperatureProtection(Section):
    """[protection.temperatures.NAME]: levels of one thermometer."""

    alarm_degc: Degrees = Field(description=_ALARM)
    limit_degc: Degrees = Field(description=_LIMIT)
    trip_degc: Degrees = Field(description=_TRIP)
    hysteresis_degc: Annotated[float, Field(ge=0, le=50)] = Field(
        default=2.0, description=_HYSTERESIS
    )
    delay_ms: int = Field(default=1000, ge=0, le=60_000, description=_DELAY)


class TemperaturesProtection(Section):
    """[protection.temperatures]: by the names of [temperatures]."""

    bearing: TemperatureProtection | None = Field(default=None, description="bearing")
    motor: TemperatureProtection | None = Field(default=None, description="motor")


class SupplyProtection(Section):
    """[protection.supply]: levels of the motor's supply; a sag passes them downward."""

    low_alarm_v: Volts = Field(description=f"below it: {_ALARM}")
    low_limit_v: Volts = Field(description="below it the speed is brought down")
    low_trip_v: Volts = Field(description="below it for delay_ms the motor is off until reset")
    high_trip_v: Volts = Field(description=_TRIP)
    hysteresis_v: Annotated[float, Field(ge=0, le=10)] = Field(
        default=0.2, description="how far back inside a level the value must come to leave it"
    )
    delay_ms: int = Field(default=50, ge=0, le=5000, description=_DELAY)


class SpeedProtection(Section):
    """[protection.speed]: levels of the tacho's speed."""

    over_trip_rpm: int = Field(
        ge=1, le=80_000, description="speed that stops the motor; above the derate cap"
    )
    stall_rpm: int = Field(
        ge=1, le=60_000, description="below it, while driven, the shaft counts as standing"
    )
    stall_delay_ms: int = Field(
        default=1000, ge=50, le=10_000, description="standing for this long stops the motor"
    )


class LinkProtection(Section):
    """[protection.link]: a run that an operator started over the link."""

    timeout_ms: int = Field(
        default=500, ge=100, le=500, description="without the operator's heartbeat the motor stops"
    )


class Protection(Section):
    """[protection]: what is too much. Each measured quantity has its section here."""

    vibration: VibrationProtection = Field(description="vibration")
    current: CurrentProtection | None = Field(default=None, description="current")
    temperatures: TemperaturesProtection = Field(
        default=TemperaturesProtection(), description="temperatures"
    )
    supply: SupplyProtection | None = Field(default=None, description="supply")
    speed: SpeedProtection | None = Field(default=None, description="speed")
    link: LinkProtection = Field(default=LinkProtection(), description="link")


class Adc(Section):
    """[adc]: the chip's analog inputs."""

    reference_v: float = Field(default=3.3, ge=2.5, le=3.4, description="voltage at ADC_VREF")


class Board(Section):
    """One board as wired: the validated content of one file in boards/.

    Every instance obeys the rules between values too: construction raises pydantic's
    ValidationError, `load_board` turns that into sentences. Optional sections are None where the
    board lacks the part.
    """

    name: str = Field(exclude=True, pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")
    path: Path = Field(exclude=True)

    title: str = Field(
        min_length=1,
        max_length=60,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description="one line for people",
    )
    controller: Literal["pico"] = Field(description="the board that carries the RP2040")
    motor: Motor = Field(description="motor")
    vibration: Vibration = Field(description="vibration")
    tacho: Tacho | None = Field(default=None, description="tacho")
    current: Current | None = Field(default=None, description="current")
    temperatures: Temperatures = Field(default=Temperatures(), description="temperatures")
    supply: Supply | None = Field(default=None, description="supply")
    estop: Estop = Field(description="estop")
    button: Button | None = Field(default=None, description="button")
    led: Led | None = Field(default=None, description="led")
    service: Service | None = Field(default=None, description="service")
    bearing: Bearing | None = Field(default=None, description="bearing")
    protection: Protection = Field(description="protection")
    adc: Adc = Field(default=Adc(), description="adc")

    @model_validator(mode="after")
    def _obey_rules(self) -> Board:
        problems = rules.broken(self)
        if problems:
            raise PydanticCustomError(
                "board_rules", "{summary}", {"summary": problems[0].text, "problems": problems}
            )
        return self

    @property
    def pins(self) -> tuple[rp2040.PinUse, ...]:
        """Every pin in use, by rising GPIO number."""
        return tuple(sorted(_pin_uses(self), key=lambda use: use.gpio))

    @property
    def hash(self) -> int:
        """32 bits that change with any value of the file, or with what the chip makes of it.

        Comments, the order of keys, and defaults written out do not count.
        """
        return render.digest(self)

    def render(self) -> str:
        """The source of `wrench_board.py`: integers, strings, tuples of integers, and None."""
        return render.module(self)


def _pin_uses(section: Section, prefix: str = "") -> Iterator[rp2040.PinUse]:
    values: dict[str, Any] = dict(section)
    for key, field in type(section).model_fields.items():
        if isinstance(values[key], Section):
            yield from _pin_uses(values[key], f"{prefix}{key}.")
        for role in field.metadata:
            if isinstance(role, Role):
                function = role.function.format_map(values)
                pwm_hz = values.get("pwm_frequency_hz") if function == "PWM" else None
                yield rp2040.PinUse(prefix + key, values[key], function, pwm_hz, role.onboard)
