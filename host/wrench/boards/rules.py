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


def broken(board: Board) -> list[Problem]:
    """Every rule that this board breaks; empty for a good one. All fields are in range already."""
    found = [Problem(key, text) for key, text in rp2040.conflicts(board.pins, board.controller)]
    for rule in (_pairs, _levels, _motor, _vibration, _speed, _current, _supply, _ntc, _bearing):
        found += [Problem(key, f"{key}: {text}") for key, text in rule(board)]
    return found


_Found = Iterator[tuple[str, str]]


def _pairs(board: Board) -> _Found:
    """What is measured has limits, and what has limits is measured."""
    protection = board.protection
    pairs: list[tuple[str, Section | None, str, Section | None]] = [
        ("tacho", board.tacho, "protection.speed", protection.speed),
        ("current", board.current, "protection.current", protection.current),
        ("supply", board.supply, "protection.supply", protection.supply),
    ]
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
    unit_of: list[tuple[str, Section | None, str, str]] = [
        ("vibration", protection.vibration, "velocity_", "mm_s"),
        ("current", protection.current, "", "a"),
    ]
    for name in type(protection.temperatures).model_fields:
        part = getattr(protection.temperatures, name)
        unit_of.append((f"temperatures.{name}", part, "", "degc"))
    for name, section, start, unit in unit_of:
        if section is None:
            continue
        prefix = f"protection.{name}"
        keys = [f"{start}{level}_{unit}" for level in ("alarm", "limit", "trip")]
        yield from _rising(prefix, section, *keys)
        values: dict[str, Any] = dict(section)
        hysteresis = f"{start}hysteresis_{unit}"
        # A level that is left only below zero, or below freezing, would never be left.
        if values[keys[0]] - values[hysteresis] <= 0:
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


def _vibration(board: Board) -> _Found:
    sensor, limits = board.vibration, board.protection.vibration
    if len(set(sensor.axes)) < len(sensor.axes):
        yield "vibration.axes", "an axis is listed twice; list each once"
    if sensor.window_samples % sensor.watermark_samples:
        whole = max(1, round(sensor.window_samples / sensor.watermark_samples))
        yield (
            "vibration.window_samples",
            f"{sensor.window_samples} is not a multiple of watermark_samples "
            f"({sensor.watermark_samples}); use {whole * sensor.watermark_samples}",
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
            f"use at most {math.floor(highest_hz)} or a higher rate",
        )
    if sensor.window_ms < 1000 / sensor.band_low_hz:
        yield (
            "vibration.window_samples",
            f"{sensor.window_samples} samples last {sensor.window_ms:g} ms, less than one period "
            f"of band_low_hz ({sensor.band_low_hz} Hz); use at least "
            f"{_up_to(sensor.rate_hz / sensor.band_low_hz, sensor.watermark_samples)}",
        )
    # ADXL345 datasheet, "SPI": 3200 and 1600 Hz need a clock of 2 MHz, 800 Hz one of 400 kHz.
    slowest_hz = {3200: 2_000_000, 1600: 2_000_000, 800: 400_000}.get(sensor.rate_hz, 0)
    if sensor.baudrate_hz < slowest_hz:
        yield (
            "vibration.baudrate_hz",
            f"{sensor.baudrate_hz} Hz is too slow for rate_hz = {sensor.rate_hz}; "
            f"use at least {slowest_hz}",
        )
    if limits.acceleration_peak_trip_g >= sensor.range_g:
        yield (
            "protection.vibration.acceleration_peak_trip_g",
            f"{limits.acceleration_peak_trip_g:g} is not below vibration.range_g "
            f"({sensor.range_g}), so that the sensor would never show it; lower it",
        )
    # Two interrupts, so that one late sample is not taken for a dead sensor.
    between_ms = 1000 * sensor.watermark_samples / sensor.rate_hz
    if limits.stale_ms < 2 * between_ms:
        yield (
            "protection.vibration.stale_ms",
            f"{limits.stale_ms} ms is less than two interrupts of the sensor ({between_ms:g} ms "
            f"each); use at least {math.ceil(2 * between_ms)}",
        )


def _up_to(samples: float, step: int) -> int:
    return math.ceil(samples / step) * step


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
    ua_per_code = 1e6 * reference_v / 4096 / sensor.divider_ratio / sensor.volts_per_amp
    if 4096 * ua_per_code > _LARGEST_PRODUCT:
        yield (
            "current.volts_per_amp",
            f"{sensor.volts_per_amp:g} gives {ua_per_code / 1000:.0f} mA per ADC code, too coarse "
            "to protect anything; use a more sensitive sensor",
        )


def _supply(board: Board) -> _Found:
    sensor, limits = board.supply, board.protection.supply
    nominal_v = board.motor.supply_nominal_v
    if limits is not None:
        prefix = "protection.supply"
        yield from _rising(prefix, limits, "low_trip_v", "low_limit_v", "low_alarm_v")
        if limits.low_alarm_v + limits.hysteresis_v >= nominal_v:
            yield (
                f"{prefix}.low_alarm_v",
                f"{limits.low_alarm_v:g} and hysteresis_v reach motor.supply_nominal_v "
                f"({nominal_v:g}); lower it",
            )
        if limits.high_trip_v - limits.hysteresis_v <= nominal_v:
            yield (
                f"{prefix}.high_trip_v",
                f"{limits.high_trip_v:g} less hysteresis_v is not above motor.supply_nominal_v "
                f"({nominal_v:g}); raise it",
            )
    if sensor is None:
        return
    full_scale_v = board.adc.reference_v / sensor.divider_ratio
    if limits is not None and full_scale_v <= limits.high_trip_v:
        yield (
            "supply.divider_top_ohm",
            f"the ADC reads up to {full_scale_v:.1f} V, not above protection.supply.high_trip_v "
            f"({limits.high_trip_v:g}); use a larger resistor",
        )
    if 1e6 * full_scale_v > _LARGEST_PRODUCT:
        yield (
            "supply.divider_top_ohm",
            f"the ADC reads up to {full_scale_v:.0f} V, too coarse to protect anything; "
            "use a smaller resistor",
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
