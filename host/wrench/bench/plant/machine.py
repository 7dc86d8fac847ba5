"""The machine around the board: motor, supply, load, bearing, heat and vibration in lock-step.

A step takes what the driver's pins did and returns what the sensors feel. What holds between two
runs with the same seed:

- The same calls give the same numbers, bit for bit.
- Cut into other steps, with the drive constant over the larger of them and the sampled instants
  the same, every random draw is the same. Speed and current differ by the integration error of
  sub-steps of at most 0.5 ms (nothing, when the steps are multiples of it); heat, wear and load,
  held constant over at most 5 ms, differ by that much.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from wrench.bench.plant import thermal
from wrench.bench.plant.bearing import BearingParameters, DefectKind, DefectTrain, Strike, friction
from wrench.bench.plant.load import LoadParameters, ProcessLoad
from wrench.bench.plant.motor import Motor, MotorParameters
from wrench.bench.plant.replay import Replay
from wrench.bench.plant.supply import BusParameters, Supply, SupplyBus, SupplyParameters
from wrench.bench.plant.thermal import ThermalNode, ThermalParameters
from wrench.bench.plant.variation import Intermittence, SlowVariation
from wrench.bench.plant.vibration import (
    ADXL345_SITE,
    FloatArray,
    SensorSite,
    Surface,
    Vibration,
    VibrationParameters,
)
from wrench.bench.plant.wear import WearLaw
from wrench.bench.scenarios import Scenario

_BLOCK_S = 5e-3
_SUBSTEP_S = 0.5e-3
_EPSILON_S = 1e-9
_TURN_RAD = 2.0 * math.pi
_JAM_TORQUE_NM = 5.0
_LOCK_STRIKE_G = 8.0
_DRIVER_IDLE_W = 0.15
_TURNS_FROM = 0.01


@dataclass(frozen=True, slots=True)
class MachineParameters:
    """Everything about the machine that a scenario does not change.

    Each group documents its units and sources. The whole: a 12 V motor rated 3,000 rpm at 3 A,
    a 608-sized bearing of the wrong alloy on its shaft, a battery and a half-bridge pair.
    """

    motor: MotorParameters = field(default_factory=MotorParameters)
    supplies: tuple[SupplyParameters, ...] = (SupplyParameters(),)
    """One to three."""
    bus: BusParameters = field(default_factory=BusParameters)
    load: LoadParameters = field(default_factory=LoadParameters)
    bearing: BearingParameters = field(default_factory=BearingParameters)
    wear: WearLaw = field(default_factory=WearLaw)
    vibration: VibrationParameters = field(default_factory=VibrationParameters)
    bearing_heat: ThermalParameters = thermal.BEARING
    winding_heat: ThermalParameters = thermal.WINDING
    driver_heat: ThermalParameters = thermal.DRIVER
    tacho_pulses_per_turn: int = 1

    @property
    def rated_speed_rad_s(self) -> float:
        """Rated speed of the motor."""
        return self.motor.rated_speed_rpm * _TURN_RAD / 60.0


@dataclass(frozen=True, slots=True)
class Drive:
    """What the driver's pins did during a step, as the bench saw it."""

    duty: float
    """Mean signed fraction of the supply voltage, −1 to 1 (clipped to it)."""
    enabled: bool
    """False: the bridge is off and the motor coasts, with no braking current."""
    share: float = 1.0
    """Fraction of the step for which this holds; for the rest of it the motor coasts."""
    at_end: bool = False
    """Where it holds for a part of the step: for the last part, not for the first."""


@dataclass(slots=True)
class Reading:
    """What the machine did during a step; scalars are values at its end."""

    acceleration_g: FloatArray
    """(n, 3), g, on x (radial, horizontal), y (radial, vertical, carries gravity) and z (along the
    shaft), at the instants asked for, within the sensor's bandwidth, before its noise and
    quantisation."""
    tacho_edge_s: FloatArray
    """(m,), rising edges in seconds from the step's start, from the true shaft angle."""
    time_s: float
    """Since the plant was made."""
    speed_rpm: float
    shaft_turns: float
    motor_current_a: float
    """In the motor; positive drives forward."""
    supply_current_a: float
    """Mean over the last 5 ms; negative when the motor feeds back."""
    supply_v: float
    """At the motor driver."""
    supplies_v: tuple[float, ...]
    """Of each supply, ahead of its diode."""
    supplies_a: tuple[float, ...]
    """What each supply gives."""
    bearing_temperature_c: float
    winding_temperature_c: float
    driver_temperature_c: float
    load_torque_nm: float
    """Of the process, opposing the motion; a jam is not counted."""
    friction_torque_nm: float
    """Of motor, bearing and rub, at the present speed."""
    wear: float
    seized: bool
    jammed: bool
    strikes: int
    """Impulses of the damaged spot during the step."""


class Plant:
    """A machine in a condition, advanced step by step.

    Parameters
    ----------
    parameters
        The machine.
    scenario
        Its condition; see `scenarios.SCENARIOS`.
    seed
        Of all randomness in it.
    sensor
        Where the accelerometer listens and with what bandwidth.
    replay
        A recording to feel instead of the synthetic vibration. Motor, heat, wear and load run on;
        the recording is played as it is, whatever the shaft does, plus gravity. The tacho shows the
        recorded shaft where the replay has its speed.

    Notes
    -----
    CPU time of a 5 ms step on one core of an AMD EPYC: 0.07 to 0.1 ms for 16 samples, 0.16 to
    0.25 ms for 133; a scenario that rubs takes 0.07 ms more.
    """

    def __init__(
        self,
        parameters: MachineParameters,
        scenario: Scenario,
        seed: int,
        sensor: SensorSite = ADXL345_SITE,
        replay: Replay | None = None,
    ) -> None:
        self.parameters = parameters
        self.scenario = scenario
        self.sensor = sensor
        self.replay = replay
        self.time_s = 0.0
        self._recorded_pulses = 0.0
        seeds = np.random.SeedSequence(seed).spawn(5)
        load, slip, rub_times, rub, floor = seeds
        self._slip_generator = np.random.default_rng(slip)
        self.ambient_c = scenario.ambient_c
        self.motor = Motor(parameters.motor)
        self.bus = SupplyBus(parameters.bus, parameters.supplies)
        self._drawn_a = parameters.bus.idle_current_a
        self.load = ProcessLoad(
            parameters.load,
            scenario.load_fraction,
            scenario.load_variation,
            SlowVariation(np.random.default_rng(load), parameters.load.correlation_time_s),
        )
        self._bearing = ThermalNode(parameters.bearing_heat, scenario.ambient_c)
        self._winding = ThermalNode(parameters.winding_heat, scenario.ambient_c)
        self._driver = ThermalNode(parameters.driver_heat, scenario.ambient_c)
        self._wear = min(1.0, max(0.0, scenario.wear))
        self._jammed = False
        self._seized = self._wear >= 1.0
        self._severity = scenario.defect_severity
        self._defect = DefectTrain(parameters.bearing, scenario.defect, self._slip_generator)
        self._pending: list[Strike] = []
        self._extra_bearing_w = 0.0
        self._extra_driver_w = 0.0
        self._rub_times: Intermittence | None = None
        self._rub_override: float | None = None
        self._can_rub = scenario.rub is not None
        if scenario.rub is not None:
            self._rub_times = Intermittence(
                np.random.default_rng(rub_times),
                first_s=scenario.rub.first_s,
                on_mean_s=scenario.rub.on_mean_s,
                off_mean_s=scenario.rub.off_mean_s,
            )
        vibration = parameters.vibration
        if scenario.unbalance_g_mm:
            vibration = _with_unbalance(vibration, scenario.unbalance_g_mm)
        self._vibration = Vibration(
            vibration,
            sensor,
            parameters.rated_speed_rad_s,
            np.random.default_rng(floor),
            np.random.default_rng(rub),
        )

    # -- stimulus: what a test or a person does to the machine ---------------------------------

    def jam(self) -> None:
        """Lock the shaft: the bit catches. A turning shaft stops within about 6 ms."""
        if not self._jammed:
            self._jammed = True
            self._knock_if_turning()

    def free(self) -> None:
        """Undo a jam. A seized bearing stays seized; see `set_wear`."""
        self._jammed = False

    def set_load(self, fraction: float) -> None:
        """Process load as a fraction of full load, 0 to about 3."""
        self.load.fraction = max(0.0, fraction)

    @property
    def supplies(self) -> tuple[Supply, ...]:
        """Each can be made to sag, age, go and come back."""
        return self.bus.supplies

    def set_supply(self, volts: float) -> None:
        """Every supply's voltage without load."""
        for supply in self.supplies:
            supply.set_voltage(volts)

    def set_ambient(self, celsius: float) -> None:
        """Temperature of the air; the parts follow with their own time constants."""
        self.ambient_c = celsius

    def set_wear(self, wear: float) -> None:
        """Wear of the bearing, 0 to 1; below 1 it also frees a seized one (a new bearing)."""
        self._wear = min(1.0, max(0.0, wear))
        self._seized = self._wear >= 1.0

    def set_defect(self, kind: DefectKind, severity: float) -> None:
        """Damage one part of the bearing; severity 0 to 1 on the scale of wear."""
        if kind != self._defect.kind:
            self._defect = DefectTrain(self.parameters.bearing, kind, self._slip_generator)
        self._severity = min(1.0, max(0.0, severity))

    def set_rub(self, density_g: float | None) -> None:
        """A steady rub of that density (g/√Hz at the worst angle and rated speed); None returns
        to the scenario's own."""
        self._rub_override = density_g
        self._can_rub = True

    def knock(self, strength_g: float) -> None:
        """One blow on the housing at the start of the next step."""
        self._pending.append(Strike(0.0, strength_g))

    def heat_bearing(self, power_w: float) -> None:
        """Heat the bearing from outside with that power, until called again; 0 ends it."""
        self._extra_bearing_w = power_w

    def heat_driver(self, power_w: float) -> None:
        """The same for the motor driver."""
        self._extra_driver_w = power_w

    def set_temperatures(
        self, *, bearing_c: float | None = None, driver_c: float | None = None
    ) -> None:
        """Put a part at a temperature now."""
        if bearing_c is not None:
            self._bearing.temperature_c = bearing_c
        if driver_c is not None:
            self._driver.temperature_c = driver_c

    def set_speed(self, speed_rpm: float) -> None:
        """Give the shaft a speed now, as if something else had spun it up."""
        self.motor.speed_rad_s = speed_rpm * _TURN_RAD / 60.0

    # -- time ----------------------------------------------------------------------------------

    def step(self, drive: Drive, duration_s: float, sample_time_s: FloatArray) -> Reading:
        """Advance the machine.

        Parameters
        ----------
        drive
            Held constant over its share of the step.
        duration_s
            Greater than 0; above 5 ms the step is cut into pieces inside.
        sample_time_s
            (n,) ascending, seconds from the step's start, within [0, duration_s]; n may be 0.

        Raises
        ------
        ValueError
            The duration or a sampled instant is out of range, or the duty is not a number.
        """
        times = np.asarray(sample_time_s, dtype=np.float64)
        if not duration_s > 0.0 or math.isinf(duration_s):
            raise ValueError("a step needs a duration above 0")
        if math.isnan(drive.duty):
            raise ValueError("the duty is not a number")
        if len(times) and not (times[0] >= 0.0 and times[-1] <= duration_s + _EPSILON_S):
            raise ValueError("sample times must ascend within the step")
        pieces = _pieces(drive, duration_s)
        if len(pieces) == 1:
            return self._advance(drive, duration_s, times)
        return self._advance_in_pieces(pieces, times)

    def _advance_in_pieces(self, pieces: list[tuple[Drive, float]], times: FloatArray) -> Reading:
        ends = np.cumsum([length for _, length in pieces])
        acceleration: list[FloatArray] = []
        tacho: list[FloatArray] = []
        strikes = 0
        reading: Reading | None = None
        parts = np.split(times, np.searchsorted(times, ends[:-1]))
        for (drive, length), end, part in zip(pieces, ends, parts, strict=True):
            start = end - length
            reading = self._advance(drive, length, np.clip(part - start, 0.0, length))
            acceleration.append(reading.acceleration_g)
            tacho.append(reading.tacho_edge_s + start)
            strikes += reading.strikes
        assert reading is not None
        reading.acceleration_g = np.concatenate(acceleration)
        reading.tacho_edge_s = np.concatenate(tacho)
        reading.strikes = strikes
        return reading

    def _advance(self, drive: Drive, duration_s: float, times: FloatArray) -> Reading:
        p = self.parameters
        rated = p.rated_speed_rad_s
        motor = self.motor
        duty = min(1.0, max(-1.0, drive.duty))
        level = self.load.level(self.time_s)
        rub_from = self._rub_level(self.time_s)

        load_dry, load_viscous = self.load.torque(level, rated)
        speed_before = abs(motor.speed_rad_s)
        bearing_load_n = self._bearing_load_n(level, speed_before)
        bearing_dry, bearing_viscous = friction(
            p.bearing, bearing_load_n, self._wear, self._bearing.temperature_c
        )
        bearing_dry += self._rub_torque_nm(rub_from)
        own_dry = p.motor.coulomb_friction_nm + bearing_dry
        own_viscous = p.motor.viscous_friction_nm_s + bearing_viscous
        locked = _JAM_TORQUE_NM if self._jammed else 0.0
        if self._seized:
            locked += p.bearing.seized_torque_nm

        source_v, source_ohm = self.bus.source(self._drawn_a)
        idle_a = p.bus.idle_current_a
        # A driver without a supply has nothing to switch with.
        enabled = drive.enabled and self.bus.alive
        motor.advance(
            duration_s,
            max(1, math.ceil((duration_s - _EPSILON_S) / _SUBSTEP_S)),
            duty=duty,
            enabled=enabled,
            emf_v=source_v - idle_a * source_ohm,
            source_resistance_ohm=source_ohm,
            winding_c=self._winding.temperature_c,
            dry_torque_nm=own_dry + load_dry + locked,
            viscous_torque_nm_s=own_viscous + load_viscous,
        )
        angles = motor.angles_rad
        speed = abs(motor.speed_rad_s)
        turned_rad = abs(angles[-1] - angles[0])
        mean_speed = turned_rad / duration_s
        self.time_s += duration_s

        strikes = self._strikes(level, mean_speed / rated)
        hits = len(strikes)
        if self._pending:
            strikes = [*self._pending, *strikes]
            self._pending = []
        self._heat(bearing_dry + bearing_viscous * mean_speed, mean_speed, duration_s, drive)
        self._wear_on(bearing_load_n, turned_rad, mean_speed)

        rub_to = self._rub_level(self.time_s)
        surface = Surface(self._wear, strikes, (rub_from, rub_to) if self._can_rub else None)
        supply_current = motor.supply_charge_c / duration_s + idle_a
        self._drawn_a = drawn = (duty * motor.current_a if enabled else 0.0) + idle_a
        shares_a = self.bus.currents_a(drawn)
        return Reading(
            acceleration_g=self._acceleration(times, duration_s, surface),
            tacho_edge_s=self._tacho(duration_s),
            time_s=self.time_s,
            speed_rpm=motor.speed_rad_s * 60.0 / _TURN_RAD,
            shaft_turns=motor.angle_rad / _TURN_RAD,
            motor_current_a=motor.current_a,
            supply_current_a=supply_current,
            supply_v=self.bus.voltage_v(drawn),
            supplies_v=tuple(
                supply.terminal_v(given)
                for supply, given in zip(self.supplies, shares_a, strict=True)
            ),
            supplies_a=shares_a,
            bearing_temperature_c=self._bearing.temperature_c,
            winding_temperature_c=self._winding.temperature_c,
            driver_temperature_c=self._driver.temperature_c,
            load_torque_nm=load_dry + load_viscous * speed,
            friction_torque_nm=own_dry + own_viscous * speed,
            wear=self._wear,
            seized=self._seized,
            jammed=self._jammed,
            strikes=hits,
        )

    def _acceleration(self, times: FloatArray, duration_s: float, surface: Surface) -> FloatArray:
        motor = self.motor
        angle = np.interp(times, motor.times_s, motor.angles_rad)
        speed = np.interp(times, motor.times_s, motor.speeds_rad_s)
        if self.replay is not None:
            return self.replay.take(len(times)) + np.asarray(self.sensor.gravity_g)
        return self._vibration.render(times, duration_s, angle, speed, surface)

    def _bearing_load_n(self, level: float, speed_rad_s: float) -> float:
        p = self.parameters.bearing
        rotating = self._vibration.rotating.force_n(speed_rad_s, self._wear)
        return p.static_load_n + p.process_load_n * level + rotating

    def _strikes(self, level: float, relative_speed: float) -> list[Strike]:
        found = self._defect.advance(self.motor.times_s, self.motor.angles_rad)
        if not found:
            return found
        p = self._vibration.parameters
        bearing = self.parameters.bearing
        severity = max(self._wear, self._severity)
        load_n = bearing.static_load_n + bearing.process_load_n * level
        relative_load = load_n / (bearing.static_load_n + bearing.process_load_n)
        strength_g = (
            p.strike_g
            * severity**p.strike_wear_exponent
            * relative_load**p.strike_load_exponent
            * relative_speed**p.strike_speed_exponent
        )
        return [Strike(at, strength_g * strength) for at, strength in found]

    def _rub_level(self, time_s: float) -> float:
        if self._rub_override is not None:
            return self._rub_override
        if self._rub_times is None or self.scenario.rub is None:
            return 0.0
        return self.scenario.rub.density_g * self._rub_times.at(time_s)

    def _rub_torque_nm(self, density_g: float) -> float:
        rub = self.scenario.rub
        if rub is None or density_g == 0.0:
            return 0.0
        return rub.torque_nm * density_g / rub.density_g

    def _heat(
        self, bearing_torque_nm: float, speed_rad_s: float, duration_s: float, drive: Drive
    ) -> None:
        motor = self.motor
        p = self.parameters.motor
        square_a2 = motor.square_current_a2s / duration_s
        bridge_w = square_a2 * p.bridge_resistance_ohm
        winding_w = square_a2 * (
            motor.resistance_ohm(self._winding.temperature_c) - p.bridge_resistance_ohm
        )
        idle_w = _DRIVER_IDLE_W if drive.enabled else 0.0
        ambient = self.ambient_c
        self._bearing.advance(
            bearing_torque_nm * speed_rad_s + self._extra_bearing_w, ambient, duration_s
        )
        self._winding.advance(winding_w, ambient, duration_s)
        self._driver.advance(bridge_w + idle_w + self._extra_driver_w, ambient, duration_s)

    def _wear_on(self, load_n: float, turned_rad: float, speed_rad_s: float) -> None:
        if turned_rad == 0.0 or self._seized:
            return
        per_turn = self.parameters.wear.rate_per_revolution(
            self._wear,
            load_n,
            speed_rad_s * 60.0 / _TURN_RAD,
            self._bearing.temperature_c,
        )
        grown = self.scenario.wear_time_scale * per_turn * turned_rad / _TURN_RAD
        self._wear = min(1.0, self._wear + grown)
        if self._wear >= 1.0:
            self._seized = True
            self._knock_if_turning()

    def _knock_if_turning(self) -> None:
        relative = abs(self.motor.speed_rad_s) / self.parameters.rated_speed_rad_s
        if relative > _TURNS_FROM:
            self.knock(_LOCK_STRIKE_G * relative)

    def _tacho(self, duration_s: float) -> FloatArray:
        if self.replay is not None and self.replay.tacho_rpm is not None:
            return self._recorded_tacho(self.replay.tacho_rpm, duration_s)
        per_rad = self.parameters.tacho_pulses_per_turn / _TURN_RAD
        motor = self.motor
        angles = motor.angles_rad
        if math.floor(angles[0] * per_rad) == math.floor(angles[-1] * per_rad) and (
            motor.speeds_rad_s[0] * motor.speeds_rad_s[-1] >= 0.0
        ):
            return np.empty(0)
        edges: list[float] = []
        times = motor.times_s
        for index in range(1, len(angles)):
            before, after = angles[index - 1] * per_rad, angles[index] * per_rad
            low, high = min(before, after), max(before, after)
            for pulse in range(math.floor(low) + 1, math.floor(high) + 1):
                share = (pulse - before) / (after - before)
                edges.append(times[index - 1] + share * (times[index] - times[index - 1]))
        return np.sort(np.asarray(edges, dtype=np.float64))

    def _recorded_tacho(self, speed_rpm: float, duration_s: float) -> FloatArray:
        """Of the recorded shaft, as long as the motor turns."""
        if abs(self.motor.speed_rad_s) < _TURNS_FROM * self.parameters.rated_speed_rad_s:
            return np.empty(0)
        per_s = speed_rpm / 60.0 * self.parameters.tacho_pulses_per_turn
        before = self._recorded_pulses
        self._recorded_pulses = before + per_s * duration_s
        pulses = np.arange(math.floor(before) + 1, math.floor(self._recorded_pulses) + 1)
        return np.asarray((pulses - before) / per_s, np.float64)


def _with_unbalance(parameters: VibrationParameters, extra_g_mm: float) -> VibrationParameters:
    return replace(parameters, unbalance_g_mm=parameters.unbalance_g_mm + extra_g_mm)


def _pieces(drive: Drive, duration_s: float) -> list[tuple[Drive, float]]:
    """What drives the motor for how long, in order, nothing longer than a block."""
    driven_s = min(1.0, max(0.0, drive.share)) * duration_s
    parts = [(drive, driven_s), (Drive(0.0, False), duration_s - driven_s)]
    found: list[tuple[Drive, float]] = []
    for part, length_s in reversed(parts) if drive.at_end else parts:
        if length_s > _EPSILON_S:
            count = max(1, math.ceil((length_s - _EPSILON_S) / _BLOCK_S))
            found += [(part, length_s / count)] * count
    return found
