"""What must hold between the values of a board file, beyond the range of each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from wrench.boards import ntc, rp2040
from wrench.boards.problems import Problem

if TYPE_CHECKING:
    from wrench.boards.schema import Board, Section

# The firmware multiplies a 12-bit code by the scale in MicroPython's small integers, of 31 bits.
_LARGEST_PRODUCT = 2**30 - 1

# Samples that the firmware takes at once, and those of all axes in a second that it can work on.
_BLOCK = 16
_MOST_SAMPLES = 30_000


def broken(board: Board) -> list[Problem]:
    """Every rule that this board breaks; empty for a good one. All fields are in range already."""
    found = [Problem(key, text) for key, text in rp2040.conflicts(board.pins, board.controller)]
    for rule in _RULES:
        found += [Problem(key, f"{key}: {text}") for key, text in rule(board)]
    return found


_Found = Iterator[tuple[str, str]]


def _pairs(board: Board) -> _Found:
    """What is measured has limits, and what has limits is measured."""
    protection = board.protection
    pairs: list[tuple[str, Section | None, str, Section | None]] = [
        ("tacho", board.tacho, "protection.speed", protection.speed),
        ("current", board.current, "protection.current", protection.current),
    ]
    for name in sorted({*board.supplies, *protection.supplies}):
        part, limits = board.supplies.get(name), protection.supplies.get(name)
        pairs.append((f"supplies.{name}", part, f"protection.supplies.{name}", limits))
    for name in type(board.temperatures).model_fields:
        part, limits = getattr(board.temperatures, name), getattr(protection.temperatures, name)
        pairs.append((f"temperatures.{name}", part, f"protection.temperatures.{name}", limits))
    for part_key, part, limits_key, limits in pairs:
        if part is not None and limits is None:
            yield part_key, f"it is measured but has no limits; add [{limits_key}]"
        if part is None and limits is not None:
            yield limits_key, f"nothing measures it; add [{part_key}] or remove this section"


def _rising(prefix: str, section: Section, *keys: str) -> _Found:
    values: dict[str, Any] = dict(section)
    for lower, upper in pairwise(keys):
        if not values[lower] < values[upper]:
            yield (
                f"{prefix}.{upper}",
                f"{values[upper]:g} is not above {lower} ({values[lower]:g}); "
                f"make {' < '.join(keys)}",
            )


def _levels(board: Board) -> _Found:
    protection = board.protection
    groups: list[tuple[str, Section | None, str, str]] = [
        ("vibration", protection.vibration, "velocity_{}_mm_s", "velocity_hysteresis_mm_s"),
        ("vibration", protection.vibration, "acceleration_peak_{}_g", ""),
        ("vibration", protection.vibration, "crest_{}", ""),
        ("vibration", protection.vibration, "envelope_{}_g", ""),
        ("current", protection.current, "{}_a", "hysteresis_a"),
    ]
    for name in type(protection.temperatures).model_fields:
        part = getattr(protection.temperatures, name)
        groups.append((f"temperatures.{name}", part, "{}_degc", "hysteresis_degc"))
    for name, section, key, hysteresis in groups:
        if section is None:
            continue
        prefix = f"protection.{name}"
        values: dict[str, Any] = dict(section)
        keys = [key.format(level) for level in ("alarm", "limit", "trip")]
        keys = [key for key in keys if values[key] is not None]
        yield from _rising(prefix, section, *keys)
        # A level that is left only below zero, or below freezing, would never be left.
        if hysteresis and values[keys[0]] - values[hysteresis] <= 0:
            yield (
                f"{prefix}.{hysteresis}",
                f"{values[hysteresis]:g} reaches below zero from {keys[0]}; make it smaller",
            )


def _motor(board: Board) -> _Found:
    motor = board.motor
    if motor.min_duty >= motor.derate_cap:
        yield (
            "motor.min_duty",
            f"{motor.min_duty:g} is not below derate_cap ({motor.derate_cap:g}), so that the motor "
            "would never turn; lower min_duty",
        )


def _both(prefix: str, section: Section, low: str, high: str) -> _Found:
    """Two ends of a band: both or neither, and in order."""
    values: dict[str, Any] = dict(section)
    if (values[low] is None) != (values[high] is None):
        given, missing = (low, high) if values[high] is None else (high, low)
        yield f"{prefix}.{given}", f"it is one end of a band without the other; add {missing}"
    elif values[low] is not None and not values[low] < values[high]:
        yield (
            f"{prefix}.{high}",
            f"{values[high]:g} is not above {low} ({values[low]:g}); raise it",
        )


def _speeds(board: Board) -> _Found:
    """The critical band and the steps of a probation lie below the derate cap."""
    motor, probation = board.motor, board.probation
    yield from _both("motor", motor, "critical_low_percent", "critical_high_percent")
    cap_percent = 100 * motor.derate_cap
    top = motor.critical_high_percent
    if top is not None and top >= cap_percent:
        yield (
            "motor.critical_high_percent",
            f"{top:g} is not below derate_cap ({cap_percent:g} %), so that the motor could not "
            "pass through the band; lower derate_cap below the band, or remove the band",
        )
    if motor.kind == "esc" and motor.max_us - motor.min_us < 400:
        yield (
            "motor.max_us",
            f"{motor.max_us} is less than 400 above min_us ({motor.min_us}), too little to set a "
            "speed with; correct it",
        )
    if probation is None:
        return
    steps = probation.steps_percent
    for lower, upper in pairwise(steps):
        if not lower < upper:
            yield (
                "probation.steps_percent",
                f"{upper:g} after {lower:g} does not rise; put the steps in order",
            )
            return
    if steps[-1] >= cap_percent:
        yield (
            "probation.steps_percent",
            f"{steps[-1]:g} is not below motor.derate_cap ({cap_percent:g} %), where the steps "
            "end; lower it or leave it out",
        )
    if steps[0] <= 100 * motor.min_duty:
        yield (
            "probation.steps_percent",
            f"{steps[0]:g} is not above motor.min_duty ({100 * motor.min_duty:g} %), so that the "
            "motor would not turn; raise it",
        )


def _band(board: Board) -> _Found:
    sensor = board.vibration
    if len(set(sensor.axes)) < len(sensor.axes):
        yield "vibration.axes", "an axis is listed twice; list each once"
    if sensor.window_samples % _BLOCK:
        yield (
            "vibration.window_samples",
            f"{sensor.window_samples} is not a multiple of {_BLOCK}; use "
            f"{max(1, round(sensor.window_samples / _BLOCK)) * _BLOCK}",
        )
    # What the filters' integers resolve: firmware/features.py.
    lowest, highest = math.ceil(sensor.rate_hz / 3200), sensor.rate_hz // 20
    if not lowest <= sensor.band_low_hz <= highest:
        yield (
            "vibration.band_low_hz",
            f"{sensor.band_low_hz} Hz is not within what is computed at rate_hz = "
            f"{sensor.rate_hz}; use {lowest} to {highest}",
        )
    if not sensor.band_low_hz < sensor.band_high_hz:
        yield (
            "vibration.band_high_hz",
            f"{sensor.band_high_hz} is not above band_low_hz ({sensor.band_low_hz}); raise it",
        )
    # 2.56 is what analysers use: twice for Nyquist, the rest for the slope of the filter.
    highest_hz = sensor.rate_hz / 2.56
    if sensor.band_high_hz > highest_hz:
        yield (
            "vibration.band_high_hz",
            f"{sensor.band_high_hz} Hz cannot be measured at rate_hz = {sensor.rate_hz}; "
            f"use at most {math.floor(min(highest_hz, sensor.bandwidth_hz))} or a higher rate",
        )
    elif sensor.band_high_hz > sensor.bandwidth_hz:
        yield (
            "vibration.band_high_hz",
            f"{sensor.band_high_hz} Hz is beyond the sensor, which passes up to "
            f"{sensor.bandwidth_hz:g} Hz; use at most {math.floor(sensor.bandwidth_hz)}",
        )
    if sensor.window_ms < 1000 / sensor.band_low_hz:
        yield (
            "vibration.window_samples",
            f"{sensor.window_samples} samples last {sensor.window_ms:g} ms, less than one period "
            f"of band_low_hz ({sensor.band_low_hz} Hz); use at least "
            f"{math.ceil(sensor.rate_hz / sensor.band_low_hz / _BLOCK) * _BLOCK}",
        )
    yield from _both("vibration", sensor, "envelope_low_hz", "envelope_high_hz")
    # What the detector's integers resolve, and room below half the rate for its slope.
    low_hz, lowest, highest = sensor.envelope_low_hz, sensor.rate_hz / 64, sensor.rate_hz / 5
    if low_hz is not None and not lowest <= low_hz <= highest:
        yield (
            "vibration.envelope_low_hz",
            f"{low_hz} Hz is not within what is computed at rate_hz = {sensor.rate_hz}; use "
            f"{math.ceil(lowest)} to {math.floor(highest)}",
        )
    highest_hz = min(0.45 * sensor.rate_hz, sensor.bandwidth_hz)
    if sensor.envelope_high_hz is not None and sensor.envelope_high_hz > highest_hz:
        yield (
            "vibration.envelope_high_hz",
            f"{sensor.envelope_high_hz} Hz is beyond what this sensor passes at rate_hz = "
            f"{sensor.rate_hz}; use at most {math.floor(highest_hz)}",
        )


def _bus(board: Board) -> _Found:
    """The sensor's bus carries its samples."""
    sensor = board.vibration
    if sensor.bus == "spi":
        # ADXL345 datasheet, "SPI": 3200 and 1600 Hz need a clock of 2 MHz, 800 Hz one of 400 kHz.
        slowest_hz = {3200: 2_000_000, 1600: 2_000_000, 800: 400_000}.get(sensor.rate_hz, 0)
    elif sensor.bus == "i2c":
        # ADXL345 datasheet, "I2C": 800 Hz at 400 kHz, and less in proportion. The 90 bits that a
        # sample of another chip takes are few enough under the same rule.
        slowest_hz = max(100_000, min(400_000, 500 * sensor.rate_hz))
    else:
        return
    if sensor.baudrate_hz < slowest_hz:
        yield (
            "vibration.baudrate_hz",
            f"{sensor.baudrate_hz} Hz is too slow for rate_hz = {sensor.rate_hz}; "
            f"use at least {slowest_hz}",
        )


def _analog(board: Board) -> _Found:
    sensor = board.vibration
    if sensor.driver != "analog":
        return
    if not sensor.axes:
        yield "vibration.y_pin", "no axis has a pin; give x_pin, y_pin or z_pin"
    if sensor.rate_hz * len(sensor.axes) > _MOST_SAMPLES:
        yield (
            "vibration.rate_hz",
            f"{sensor.rate_hz} Hz on {len(sensor.axes)} axes is more than the chip can work on; "
            f"use at most {_MOST_SAMPLES // len(sensor.axes)}",
        )
    if sensor.bandwidth_hz > sensor.rate_hz / 2:
        yield (
            "vibration.bandwidth_hz",
            f"{sensor.bandwidth_hz:g} Hz is above half of rate_hz ({sensor.rate_hz}), so that what "
            "lies between would be mistaken for lower frequencies; filter, or raise rate_hz",
        )
    reference_v, swing_v = board.adc.reference_v, sensor.range_g * sensor.volts_per_g
    if sensor.zero_g_v - swing_v < 0 or sensor.zero_g_v + swing_v > reference_v:
        yield (
            "vibration.range_g",
            f"at {sensor.range_g:g} g the pin is at {sensor.zero_g_v - swing_v:.2f} V or "
            f"{sensor.zero_g_v + swing_v:.2f} V, outside the ADC's 0 to {reference_v:g} V; lower "
            "range_g to what the pin can show",
        )
    # Four codes is the ADC's own noise.
    mg_per_code = 1000 * reference_v / 4096 / sensor.volts_per_g
    if mg_per_code > 50:
        yield (
            "vibration.volts_per_g",
            f"{sensor.volts_per_g:g} gives {mg_per_code:.0f} mg per ADC code, too coarse to see a "
            "bearing with; amplify, or use a more sensitive sensor",
        )


def _vibration(board: Board) -> _Found:
    """No level lies where the sensor cannot show it."""
    sensor, limits = board.vibration, board.protection.vibration
    for key in ("acceleration_peak_{}_g", "envelope_{}_g"):
        for level in ("alarm", "limit", "trip"):
            name = key.format(level)
            value = getattr(limits, name)
            if value is not None and value >= sensor.range_g:
                yield (
                    f"protection.vibration.{name}",
                    f"{value:g} is not below vibration.range_g "
                    f"({sensor.range_g:g}), so that the sensor would never show it; lower it",
                )
    if sensor.envelope_low_hz is None:
        for level in ("alarm", "limit", "trip"):
            if getattr(limits, f"envelope_{level}_g") is not None:
                yield (
                    f"protection.vibration.envelope_{level}_g",
                    "there is no envelope without vibration.envelope_low_hz and envelope_high_hz; "
                    "add them or remove the level",
                )
                break
    if limits.noise_trip_g >= sensor.range_g:
        yield (
            "protection.vibration.noise_trip_g",
            f"{limits.noise_trip_g:g} is not below vibration.range_g ({sensor.range_g:g}); lower "
            "it",
        )
    if limits.samples_lost_trip >= sensor.rate_hz:
        yield (
            "protection.vibration.samples_lost_trip",
            f"{limits.samples_lost_trip} a second is not below vibration.rate_hz "
            f"({sensor.rate_hz}), so that it would never trip; lower it",
        )


def _speed(board: Board) -> _Found:
    speed, motor = board.protection.speed, board.motor
    if speed is None:
        return
    cap_rpm = motor.derate_cap * motor.rated_speed_rpm
    if speed.over_trip_rpm <= cap_rpm:
        yield (
            "protection.speed.over_trip_rpm",
            f"{speed.over_trip_rpm} is not above the derated speed ({cap_rpm:g} rpm); raise it",
        )
    if speed.over_trip_rpm > 1.2 * motor.rated_speed_rpm:
        yield (
            "protection.speed.over_trip_rpm",
            f"{speed.over_trip_rpm} is more than 1.2 times motor.rated_speed_rpm; use at most "
            f"{math.floor(1.2 * motor.rated_speed_rpm)}",
        )
    if speed.stall_rpm >= cap_rpm:
        yield (
            "protection.speed.stall_rpm",
            f"{speed.stall_rpm} is not below the derated speed ({cap_rpm:g} rpm); lower it",
        )


def _current(board: Board) -> _Found:
    sensor, limits = board.current, board.protection.current
    if sensor is None:
        return
    reference_v = board.adc.reference_v
    swing_v = sensor.range_a * sensor.volts_per_amp
    highest_v = (sensor.zero_v + swing_v) * sensor.divider_ratio
    if highest_v > reference_v:
        yield (
            "current.range_a",
            f"at {sensor.range_a:g} A the pin is at {highest_v:.2f} V, above the ADC's reference "
            f"({reference_v:g} V); lower range_a or divide the voltage further",
        )
    if limits is not None and limits.trip_a > sensor.range_a:
        yield (
            "protection.current.trip_a",
            f"{limits.trip_a:g} is above current.range_a ({sensor.range_a:g}), so that the sensor "
            "would never show it; lower it",
        )
    if limits is not None and limits.instant_a is not None:
        if limits.instant_a < limits.trip_a:
            yield (
                "protection.current.instant_a",
                f"{limits.instant_a:g} is below trip_a ({limits.trip_a:g}); raise it",
            )
        elif limits.instant_a > sensor.range_a:
            yield (
                "protection.current.instant_a",
                f"{limits.instant_a:g} is above current.range_a ({sensor.range_a:g}), so that the "
                "sensor would never show it; lower it",
            )
    ua_per_code = 1e6 * reference_v / 4096 / sensor.divider_ratio / sensor.volts_per_amp
    if 4096 * ua_per_code > _LARGEST_PRODUCT:
        yield (
            "current.volts_per_amp",
            f"{sensor.volts_per_amp:g} gives {ua_per_code / 1000:.0f} mA per ADC code, too coarse "
            "to protect anything; use a more sensitive sensor",
        )


def _seizure(board: Board) -> _Found:
    seizure, current = board.protection.seizure, board.protection.current
    if seizure is None:
        return
    for part, name in ((board.current, "current"), (board.tacho, "tacho")):
        if part is None:
            yield (
                "protection.seizure",
                f"it is told by current and speed; add [{name}] or remove this section",
            )
    if current is not None and current.limit_a < current.trip_a <= seizure.current_a:
        yield (
            "protection.seizure.current_a",
            f"{seizure.current_a:g} is not below protection.current.trip_a ({current.trip_a:g}), "
            "which would always come first; lower it",
        )


def _supplies(board: Board) -> _Found:
    for name, part in board.supplies.items():
        limits = board.protection.supplies.get(name)
        nominal_key = "motor.supply_nominal_v" if part.nominal_v is None else "its nominal_v"
        nominal_v = part.nominal_v or board.motor.supply_nominal_v
        if limits is not None:
            prefix = f"protection.supplies.{name}"
            yield from _rising(prefix, limits, "low_trip_v", "low_limit_v", "low_alarm_v")
            if limits.low_alarm_v + limits.hysteresis_v >= nominal_v:
                yield (
                    f"{prefix}.low_alarm_v",
                    f"{limits.low_alarm_v:g} and hysteresis_v reach {nominal_key} "
                    f"({nominal_v:g}); lower it",
                )
            if limits.high_trip_v - limits.hysteresis_v <= nominal_v:
                yield (
                    f"{prefix}.high_trip_v",
                    f"{limits.high_trip_v:g} less hysteresis_v is not above {nominal_key} "
                    f"({nominal_v:g}); raise it",
                )
        if part.kind == "divider":
            full_scale_v = board.adc.reference_v / part.divider_ratio
            if limits is not None and full_scale_v <= limits.high_trip_v:
                yield (
                    f"supplies.{name}.divider_top_ohm",
                    f"the ADC reads up to {full_scale_v:.1f} V, not above "
                    f"protection.supplies.{name}.high_trip_v ({limits.high_trip_v:g}); "
                    "use a larger resistor",
                )
            if 1e6 * full_scale_v > _LARGEST_PRODUCT:
                yield (
                    f"supplies.{name}.divider_top_ohm",
                    f"the ADC reads up to {full_scale_v:.0f} V, too coarse to protect anything; "
                    "use a smaller resistor",
                )
            continue
        # INA226 datasheet, 7.5: 36 V at the bus, 81.92 mV at the shunt.
        # INA219 datasheet, 7.5: 26 V, and 320 mV with the gain that it powers up with.
        highest_v, shunt_v = (36, 0.08192) if part.kind == "ina226" else (26, 0.32)
        if limits is None:
            continue
        if limits.high_trip_v >= highest_v:
            yield (
                f"protection.supplies.{name}.high_trip_v",
                f"{limits.high_trip_v:g} is not below the {highest_v} V that an {part.kind} "
                "stands; lower it, or measure this supply with a divider",
            )
        most_a = part.max_power_w / limits.low_trip_v
        drop_v = most_a * part.shunt_mohm / 1000
        if drop_v > shunt_v:
            yield (
                f"supplies.{name}.shunt_mohm",
                f"at max_power_w and low_trip_v ({most_a:.1f} A) it drops {1000 * drop_v:.0f} mV, "
                f"more than an {part.kind} shows ({1000 * shunt_v:.0f} mV); use at most "
                f"{1000 * shunt_v / most_a:.1f}",
            )


def _supply_bus(board: Board) -> _Found:
    chips = {n: p for n, p in board.supplies.items() if p.kind != "divider"}
    bus, sensor = board.supply_bus, board.vibration
    if chips and bus is None:
        (name, part), *_ = chips.items()
        yield f"supplies.{name}", f"an {part.kind} needs its bus; add [supply_bus]"
    if bus is not None and not chips:
        yield "supply_bus", "no supply is measured over it; remove this section"
    if bus is not None and sensor.bus == "i2c" and sensor.bus_number == bus.bus_number:
        yield (
            "supply_bus.bus_number",
            f"I2C{bus.bus_number} is the vibration sensor's, which leaves it no time; use the "
            "other one",
        )
    named: dict[int, str] = {}
    for name, part in chips.items():
        first = named.setdefault(part.address, name)
        if first != name:
            yield (
                f"supplies.{name}.address",
                f"{part.address:#04x} is supplies.{first}'s too; wire another and give it here",
            )


def _ntc(board: Board) -> _Found:
    for name in type(board.temperatures).model_fields:
        part = getattr(board.temperatures, name)
        limits = getattr(board.protection.temperatures, name)
        if part is None or limits is None:
            continue
        for level in ("alarm_degc", "trip_degc"):
            degc = getattr(limits, level)
            a, b = (
                ntc.code(
                    degc + offset,
                    part.r25_ohm,
                    part.beta_k,
                    part.series_ohm,
                    to_ground=part.ntc_to == "ground",
                )
                for offset in (-0.5, 0.5)
            )
            # Below that the ADC's own error, of some codes, is several degrees.
            if abs(a - b) < 2:
                yield (
                    f"temperatures.{name}.series_ohm",
                    f"at {level} ({degc:g} °C) one degree is only {abs(a - b):.1f} ADC codes; "
                    "use a resistor nearer to that of the thermistor there",
                )
                break


def _bearing(board: Board) -> _Found:
    bearing = board.bearing
    if bearing is None:
        return
    if bearing.ball_diameter_mm >= bearing.pitch_diameter_mm:
        yield (
            "bearing.ball_diameter_mm",
            f"{bearing.ball_diameter_mm:g} is not below pitch_diameter_mm "
            f"({bearing.pitch_diameter_mm:g}); measure again",
        )
        return
    room = bearing.pitch_diameter_mm * math.sin(math.pi / bearing.balls)
    if bearing.ball_diameter_mm > room:
        yield (
            "bearing.balls",
            f"{bearing.balls} balls of {bearing.ball_diameter_mm:g} mm do not fit on a circle of "
            f"{bearing.pitch_diameter_mm:g} mm; count and measure again",
        )


_RULES = (
    _pairs,
    _levels,
    _motor,
    _speeds,
    _band,
    _bus,
    _analog,
    _vibration,
    _speed,
    _current,
    _seizure,
    _supplies,
    _supply_bus,
    _ntc,
    _bearing,
)
