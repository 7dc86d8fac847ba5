"""The keys of a board file, with their units, ranges and defaults.

Each section of the TOML is one frozen model here; `Field(description=…)` is the line of the key in
boards/README.md. A new kind of motor driver, sensor, supply or thermometer is one more model,
joined to the alias of its group (`Motor`, `Vibration`, `Supply`, `Thermometer`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, Strict, model_validator
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from wrench.boards import render, rp2040, rules
from wrench_firmware.limits import HARD_CAP_PERMILLE

HARD_CAP = HARD_CAP_PERMILLE / 1000
"""No derate cap may be above this fraction of rated speed, whatever a board file says."""

ESC_FREQUENCY_HZ = 50
"""Of the pulses that an RC-style controller takes."""


@dataclass(frozen=True)
class Role:
    """What the pin of a key must be able to do, as `rp2040.functions` names it.

    Braces stand for other keys of the same section: "SPI{bus_number} SCK".
    """

    function: str
    onboard: tuple[int, ...] = ()


@dataclass(frozen=True)
class OneOf:
    """The whole numbers that a key may have; like Literal, but of one type in every model."""

    values: tuple[int, ...]

    def __get_pydantic_core_schema__(self, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.literal_schema(list(self.values))


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, and numbers are neither text nor infinite."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


Gpio = Annotated[int, Field(ge=0, le=29)]
Resistor = Annotated[float, Field(ge=1, le=10_000_000)]
BusNumber = Annotated[int, Field(ge=0, le=1)]


class MotorBase(Section):
    """Base of [motor]: what every kind has."""

    rated_speed_rpm: int = Field(
        ge=10,
        le=60_000,
        description="speed of the shaft under rated load at duty 1 and nominal supply",
    )
    free_speed_rpm: int | None = Field(
        default=None,
        ge=10,
        le=120_000,
        description="speed of the unloaded shaft at duty 1 and nominal supply; 1.3 times rated "
        "where left out, which costs speed at the cap",
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
    min_off_ms: int = Field(
        default=1000, ge=0, le=60_000, description="shortest time from a stop to the next start"
    )
    critical_low_percent: Annotated[float, Field(gt=0, lt=100)] | None = Field(
        default=None,
        description="lower end of a band of speeds, of rated speed, that the motor passes "
        "through and does not stay in",
    )
    critical_high_percent: Annotated[float, Field(gt=0, lt=100)] | None = Field(
        default=None, description="upper end of that band"
    )
    fault_pin: Annotated[Gpio | None, Role("GPIO")] = Field(
        default=None,
        description="fault output of the driver, open drain, pulled up in the chip; low stops",
    )


class PwmMotor(MotorBase):
    """Base of the kinds whose PWM is the voltage at the motor."""

    pwm_frequency_hz: int = Field(
        default=20_000, ge=100, le=100_000, description="frequency of the PWM"
    )


class PwmDirectionEnable(PwmMotor):
    """[motor] of kind "pwm_direction_enable": an H-bridge with one PWM, one direction and one
    enable input, PWM and enable active high."""

    kind: Literal["pwm_direction_enable"] = Field(description="what the motor driver's inputs are")
    pwm_pin: Annotated[Gpio, Role("PWM")] = Field(description="PWM input of the driver")
    enable_pin: Annotated[Gpio, Role("GPIO")] = Field(
        description="enable input of the driver, high is on; needs 10 kΩ to ground"
    )
    direction_pin: Annotated[Gpio, Role("GPIO")] = Field(description="direction input")
    direction_inverted: bool = Field(
        default=False, description="true when a low direction input turns the machine forward"
    )


class PwmEnable(PwmMotor):
    """[motor] of kind "pwm_enable": a driver that turns one way, PWM and enable active high."""

    kind: Literal["pwm_enable"] = Field(description="what the motor driver's inputs are")
    pwm_pin: Annotated[Gpio, Role("PWM")] = Field(description="PWM input of the driver")
    enable_pin: Annotated[Gpio, Role("GPIO")] = Field(
        description="enable input of the driver, high is on; needs 10 kΩ to ground"
    )


class TwoPwm(PwmMotor):
    """[motor] of kind "two_pwm": an H-bridge with one PWM input for each direction, which lets go
    of the motor while both are low."""

    kind: Literal["two_pwm"] = Field(description="what the motor driver's inputs are")
    pwm_pin: Annotated[Gpio, Role("PWM")] = Field(
        description="PWM input that turns the machine forward; needs 10 kΩ to ground"
    )
    reverse_pwm_pin: Annotated[Gpio, Role("PWM")] = Field(
        description="PWM input of the other direction, held low; needs 10 kΩ to ground"
    )
    enable_pin: Annotated[Gpio | None, Role("GPIO")] = Field(
        default=None,
        description="enable input, high is on; needs 10 kΩ to ground; absent where the driver has "
        "none",
    )


class Esc(MotorBase):
    """[motor] of kind "esc": an RC-style controller that takes a pulse every 20 ms.

    A pulse that has begun ends in its own time and the next comes 20 ms later, so that only the
    enable pin stops the motor at once: it cuts the controller's enable or its supply.
    """

    kind: Literal["esc"] = Field(description="what the motor driver's inputs are")
    pwm_pin: Annotated[Gpio, Role("PWM")] = Field(description="pulse input of the controller")
    enable_pin: Annotated[Gpio, Role("GPIO")] = Field(
        description="enable of the controller, or of the switch in its supply, high is on; needs "
        "10 kΩ to ground"
    )
    min_us: int = Field(
        default=1000, ge=800, le=1400, description="length of the pulse at which it stands"
    )
    max_us: int = Field(
        default=2000, ge=1500, le=2300, description="length of the pulse of full throttle"
    )
    arm_ms: int = Field(
        default=2000,
        ge=100,
        le=10_000,
        description="how long it wants the shortest pulse after power before it listens",
    )

    @property
    def pwm_frequency_hz(self) -> int:
        """Of the pulses, in Hz."""
        return ESC_FREQUENCY_HZ


Motor: TypeAlias = Annotated[
    PwmDirectionEnable | PwmEnable | TwoPwm | Esc, Field(discriminator="kind")
]


class Probation(Section):
    """[probation]: a bearing just installed, or one that has just tripped, earns its way back."""

    steps_percent: Annotated[tuple[Annotated[float, Field(gt=0, lt=100)], ...], Strict(False)] = (
        Field(
            min_length=1,
            max_length=8,
            description="rising caps of the speed, of rated speed, each below the derate cap",
        )
    )
    step_minutes: float = Field(
        default=60.0, ge=0.05, le=10_080, description="healthy running time at each step"
    )


class VibrationBase(Section):
    """Base of [vibration]: what every sensor has."""

    rate_hz: int = Field(description="sample rate")
    window_samples: int = Field(
        ge=16,
        le=8192,
        description="samples per set of features; a multiple of 16",
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
    envelope_low_hz: Annotated[int, Field(ge=10, le=20_000)] | None = Field(
        default=None,
        description="lower end of the band in which a bearing's impulses ring; absent: no envelope",
    )
    envelope_high_hz: Annotated[int, Field(ge=10, le=20_000)] | None = Field(
        default=None, description="upper end of that band"
    )

    @property
    def window_ms(self) -> float:
        """Length of a window at the nominal sample rate, in ms."""
        return 1000 * self.window_samples / self.rate_hz

    @property
    def covers_iso_band(self) -> bool:
        """Whether the velocity band holds 10 to 1,000 Hz, so that an ISO zone may be told."""
        return self.band_low_hz <= 10 and self.band_high_hz >= 1000


class DigitalSensor(VibrationBase):
    """Base of the sensors that convert by themselves, on three axes."""

    range_g: Annotated[int, OneOf((2, 4, 8, 16))] = Field(
        description="measuring range, plus and minus"
    )
    axes: Annotated[tuple[Literal["x", "y", "z"], ...], Strict(False)] = Field(
        default=("x", "y", "z"), min_length=1, description="axes that are judged"
    )


class I2cSensor(DigitalSensor):
    """Base of the sensors on I2C."""

    bus: Literal["i2c"] = Field(description="how it is connected")
    bus_number: BusNumber = Field(description="SPI0 or SPI1, I2C0 or I2C1")
    sda_pin: Annotated[Gpio, Role("I2C{bus_number} SDA")] = Field(
        description="SDA of the sensor; needs 2.2 kΩ to 3V3"
    )
    scl_pin: Annotated[Gpio, Role("I2C{bus_number} SCL")] = Field(
        description="SCL of the sensor; needs 2.2 kΩ to 3V3"
    )
    # Fast mode is the fastest that these chips have.
    baudrate_hz: int = Field(
        default=400_000, ge=100_000, le=400_000, description="clock of the bus"
    )
    address: int = Field(description="the sensor's address, as its address pin is wired")


class Adxl345Spi(DigitalSensor):
    """[vibration] with driver "adxl345" on SPI, read through its FIFO."""

    driver: Literal["adxl345"] = Field(description="which sensor, as in firmware/drivers/")
    bus: Literal["spi"] = Field(description="how it is connected")
    bus_number: BusNumber = Field(description="SPI0 or SPI1, I2C0 or I2C1")
    sck_pin: Annotated[Gpio, Role("SPI{bus_number} SCK")] = Field(description="SCL of the sensor")
    mosi_pin: Annotated[Gpio, Role("SPI{bus_number} TX")] = Field(description="SDA of the sensor")
    miso_pin: Annotated[Gpio, Role("SPI{bus_number} RX")] = Field(description="SDO of the sensor")
    # The firmware drives chip select as plain GPIO, so any pin serves.
    cs_pin: Annotated[Gpio, Role("GPIO")] = Field(description="CS of the sensor, any pin")
    int1_pin: Annotated[Gpio, Role("GPIO")] = Field(description="INT1 of the sensor")
    # ADXL345 datasheet, "SPI": the maximum clock is 5 MHz.
    baudrate_hz: int = Field(
        default=5_000_000, ge=100_000, le=5_000_000, description="clock of the bus"
    )
    rate_hz: Annotated[int, OneOf((200, 400, 800, 1600, 3200))] = Field(description="sample rate")

    @property
    def bandwidth_hz(self) -> float:
        """Where the sensor's own filter is 3 dB down, in Hz: at half its rate."""
        return 0.5 * self.rate_hz


class Adxl345I2c(I2cSensor):
    """[vibration] with driver "adxl345" on I2C, read through its FIFO."""

    driver: Literal["adxl345"] = Field(description="which sensor, as in firmware/drivers/")
    # ADXL345 datasheet, "I2C": at 400 kHz the highest rate is 800 Hz.
    rate_hz: Annotated[int, OneOf((200, 400, 800))] = Field(description="sample rate")
    int1_pin: Annotated[Gpio, Role("GPIO")] = Field(description="INT1 of the sensor")
    address: Annotated[int, OneOf((0x53, 0x1D))] = Field(
        default=0x53, description="the sensor's address, as its address pin is wired"
    )

    @property
    def bandwidth_hz(self) -> float:
        """Where the sensor's own filter is 3 dB down, in Hz: at half its rate."""
        return 0.5 * self.rate_hz


class Mpu(I2cSensor):
    """Base of the InvenSense sensors, whose accelerometer gives 1,000 samples a second."""

    int1_pin: Annotated[Gpio | None, Role("GPIO")] = Field(
        default=None, description="INT of the sensor, where it is wired"
    )
    rate_hz: Annotated[int, OneOf((1000,))] = Field(default=1000, description="sample rate")
    address: Annotated[int, OneOf((0x68, 0x69))] = Field(
        default=0x68, description="the sensor's address, as its address pin is wired"
    )


class Mpu6050(Mpu):
    """[vibration] with driver "mpu6050"."""

    driver: Literal["mpu6050"] = Field(description="which sensor, as in firmware/drivers/")

    @property
    def bandwidth_hz(self) -> float:
        """Of the accelerometer, in Hz: register map, CONFIG, DLPF_CFG = 0."""
        return 260.0


class Mpu9250(Mpu):
    """[vibration] with driver "mpu9250"."""

    driver: Literal["mpu9250"] = Field(description="which sensor, as in firmware/drivers/")

    @property
    def bandwidth_hz(self) -> float:
        """Of the accelerometer, in Hz: register map, ACCEL_CONFIG 2, A_DLPF_CFG = 0."""
        return 460.0


class Analog(VibrationBase):
    """[vibration] with driver "analog": an accelerometer or a conditioned piezo on the ADC."""

    driver: Literal["analog"] = Field(description="which sensor, as in firmware/drivers/")
    bus: Literal["adc"] = Field(description="how it is connected")
    x_pin: Annotated[Gpio | None, Role("ADC")] = Field(
        default=None, description="ADC input of this axis: GP26, GP27 or GP28"
    )
    y_pin: Annotated[Gpio | None, Role("ADC")] = Field(
        default=None, description="ADC input of this axis: GP26, GP27 or GP28"
    )
    z_pin: Annotated[Gpio | None, Role("ADC")] = Field(
        default=None, description="ADC input of this axis: GP26, GP27 or GP28"
    )
    volts_per_g: float = Field(ge=0.0005, le=2, description="sensitivity at the pin")
    zero_g_v: float = Field(ge=0, le=3.4, description="voltage at the pin at 0 g")
    range_g: float = Field(gt=0, le=500, description="measuring range, plus and minus")
    bandwidth_hz: float = Field(
        ge=50, le=12_800, description="corner of the sensor or of its anti-alias filter"
    )
    rate_hz: int = Field(ge=800, le=25_600, description="sample rate")

    @property
    def axes(self) -> tuple[Literal["x", "y", "z"], ...]:
        """The axes that have a pin; all of them are judged."""
        return tuple(axis for axis, _ in self._wired())

    @property
    def adc_pins(self) -> tuple[int, ...]:
        """The pin of each of `axes`."""
        return tuple(pin for _, pin in self._wired())

    def _wired(self) -> list[tuple[Literal["x", "y", "z"], int]]:
        pins: list[tuple[Literal["x", "y", "z"], int | None]] = [
            ("x", self.x_pin),
            ("y", self.y_pin),
            ("z", self.z_pin),
        ]
        return [(axis, pin) for axis, pin in pins if pin is not None]


Adxl345: TypeAlias = Annotated[Adxl345Spi | Adxl345I2c, Field(discriminator="bus")]
Vibration: TypeAlias = Annotated[
    Adxl345 | Mpu6050 | Mpu9250 | Analog, Field(discriminator="driver")
]


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
    driver: Thermometer | None = Field(default=None, description="on the motor driver's heat sink")


class SupplyBase(Section):
    """Base of [supplies.NAME]: one of up to three supplies, joined by diodes where they are more
    than one."""

    max_power_w: float = Field(gt=0, le=2000, description="what this supply can give for long")
    nominal_v: Annotated[float, Field(ge=3, le=60)] | None = Field(
        default=None,
        description="its voltage when it is well; motor.supply_nominal_v where left out",
    )


class DividerSupply(SupplyBase, Divider):
    """[supplies.NAME] of kind "divider": its voltage through two resistors, ahead of its diode."""

    kind: Literal["divider"] = Field(description="what measures this supply")


class InaSupply(SupplyBase):
    """Base of the supplies that a chip on the supply bus measures, voltage and current."""

    address: int = Field(
        ge=0x40, le=0x4F, description="address of the chip on supply_bus, as its pins are wired"
    )
    shunt_mohm: float = Field(ge=0.1, le=1000, description="shunt of the chip")


class Ina226(InaSupply):
    """[supplies.NAME] of kind "ina226"."""

    kind: Literal["ina226"] = Field(description="what measures this supply")


class Ina219(InaSupply):
    """[supplies.NAME] of kind "ina219"."""

    kind: Literal["ina219"] = Field(description="what measures this supply")


Supply: TypeAlias = Annotated[DividerSupply | Ina226 | Ina219, Field(discriminator="kind")]
SupplyName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,19}$")]


class SupplyBus(Section):
    """[supply_bus]: the I2C bus, 400 kHz, of the chips that measure supplies."""

    bus_number: BusNumber = Field(description="I2C0 or I2C1; not the sensor's")
    sda_pin: Annotated[Gpio, Role("I2C{bus_number} SDA")] = Field(
        description="SDA of the chips; needs 2.2 kΩ to 3V3"
    )
    scl_pin: Annotated[Gpio, Role("I2C{bus_number} SCL")] = Field(
        description="SCL of the chips; needs 2.2 kΩ to 3V3"
    )


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
Acceleration = Annotated[float, Field(gt=0, le=500)]
Crest = Annotated[float, Field(gt=1, le=100)]
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
    acceleration_peak_alarm_g: Acceleration | None = Field(
        default=None, description=f"peak acceleration; {_ALARM}"
    )
    acceleration_peak_limit_g: Acceleration | None = Field(
        default=None, description=f"peak acceleration; {_LIMIT}"
    )
    acceleration_peak_trip_g: Acceleration | None = Field(
        default=None, description=f"peak acceleration; {_TRIP}; below range_g"
    )
    crest_alarm: Crest | None = Field(default=None, description=f"peak over RMS; {_ALARM}")
    crest_limit: Crest | None = Field(default=None, description=f"peak over RMS; {_LIMIT}")
    crest_trip: Crest | None = Field(default=None, description=f"peak over RMS; {_TRIP}")
    envelope_alarm_g: Acceleration | None = Field(
        default=None, description=f"RMS of the envelope; {_ALARM}"
    )
    envelope_limit_g: Acceleration | None = Field(
        default=None, description=f"RMS of the envelope; {_LIMIT}"
    )
    envelope_trip_g: Acceleration | None = Field(
        default=None, description=f"RMS of the envelope; {_TRIP}"
    )
    delay_ms: int = Field(
        default=300, ge=0, le=10_000, description=f"{_DELAY}, from the end of the first window"
    )
    stale_ms: int = Field(
        default=100, ge=10, le=500, description="no sample for this long stops the motor"
    )
    noise_trip_g: Acceleration = Field(
        default=0.3, description="RMS acceleration with the motor at rest that means a bad sensor"
    )
    samples_lost_trip: int = Field(
        default=100, ge=1, le=25_600, description="samples lost in one second that stop the motor"
    )


class CurrentProtection(Section):
    """[protection.current]: levels of the motor's current, of either sign."""

    alarm_a: Amps = Field(description=_ALARM)
    limit_a: Amps = Field(description=_LIMIT)
    trip_a: Amps = Field(description=_TRIP)
    instant_a: Amps | None = Field(
        default=None,
        description="above it for 0.4 ms the motor is off until reset; 1.3 × trip_a, within "
        "range_a, where left out",
    )
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
    driver: TemperatureProtection | None = Field(default=None, description="driver")


class SupplyProtection(Section):
    """[protection.supplies.NAME]: levels of one supply's voltage; a sag passes them downward."""

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


class SeizureProtection(Section):
    """[protection.seizure]: a bearing that binds: much current, little speed, for some time."""

    current_a: Amps = Field(description="more current than this")
    speed_percent: Annotated[float, Field(gt=0, lt=100)] = Field(
        default=50.0, description="while the speed is below this share of what is asked for"
    )
    delay_ms: int = Field(
        default=500, ge=20, le=10_000, description="for this long: the motor is off until reset"
    )


class LinkProtection(Section):
    """[protection.link]: a run that an operator started over the link."""

    timeout_ms: int = Field(
        default=450, ge=100, le=480, description="without the operator's heartbeat the motor stops"
    )


class Protection(Section):
    """[protection]: what is too much. Each measured quantity has its section here."""

    vibration: VibrationProtection = Field(description="vibration")
    current: CurrentProtection | None = Field(default=None, description="current")
    temperatures: TemperaturesProtection = Field(
        default=TemperaturesProtection(), description="temperatures"
    )
    supplies: dict[SupplyName, SupplyProtection] = Field(
        default={}, max_length=3, description="supplies"
    )
    speed: SpeedProtection | None = Field(default=None, description="speed")
    seizure: SeizureProtection | None = Field(default=None, description="seizure")
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
    probation: Probation | None = Field(default=None, description="probation")
    vibration: Vibration = Field(description="vibration")
    tacho: Tacho | None = Field(default=None, description="tacho")
    current: Current | None = Field(default=None, description="current")
    temperatures: Temperatures = Field(default=Temperatures(), description="temperatures")
    supplies: dict[SupplyName, Supply] = Field(default={}, max_length=3, description="supplies")
    supply_bus: SupplyBus | None = Field(default=None, description="supply_bus")
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
    def ordered_supplies(self) -> tuple[tuple[str, Supply], ...]:
        """The supplies by name: this order gives them their numbers, from 1, on the chip."""
        return tuple(sorted(self.supplies.items()))

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
    if pwm_hz := getattr(section, "pwm_frequency_hz", None):
        values["pwm_frequency_hz"] = pwm_hz
    for key, field in type(section).model_fields.items():
        value = values[key]
        if isinstance(value, Section):
            yield from _pin_uses(value, f"{prefix}{key}.")
        elif isinstance(value, Mapping):
            for name in value:
                yield from _pin_uses(value[name], f"{prefix}{key}.{name}.")
        elif value is not None:
            for role in field.metadata:
                if isinstance(role, Role):
                    function = role.function.format_map(values)
                    hz = values.get("pwm_frequency_hz") if function == "PWM" else None
                    yield rp2040.PinUse(prefix + key, value, function, hz, role.onboard)
