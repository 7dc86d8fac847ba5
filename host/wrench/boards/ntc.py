"""An NTC thermistor in a divider: from ADC code to temperature, as a table of integers."""

from __future__ import annotations

import math

POINTS = 33
CODES_PER_STEP = 128
FULL_SCALE_CODE = 4096

# Outside this range the reading is taken for a broken or a shorted sensor.
LOWEST_DEGC = -40.0
HIGHEST_DEGC = 150.0

_KELVIN = 273.15
_T25_K = 298.15


def resistance_ohm(temperature_degc: float, r25_ohm: float, beta_k: float) -> float:
    """Resistance in ohm at a temperature in °C, by the beta formula (R25 in ohm, beta in K)."""
    return r25_ohm * math.exp(beta_k * (1 / (temperature_degc + _KELVIN) - 1 / _T25_K))


def code(
    temperature_degc: float, r25_ohm: float, beta_k: float, series_ohm: float, *, to_ground: bool
) -> float:
    """ADC code, 0 to 4096 and not rounded, at a temperature in °C.

    `to_ground`: the thermistor lies between pin and ground and the series resistor between pin and
    the ADC's reference; else the other way round. The reference voltage cancels out.
    """
    ntc_ohm = resistance_ohm(temperature_degc, r25_ohm, beta_k)
    lower_ohm = ntc_ohm if to_ground else series_ohm
    return FULL_SCALE_CODE * lower_ohm / (ntc_ohm + series_ohm)


def table_mdegc(
    r25_ohm: float, beta_k: float, series_ohm: float, *, to_ground: bool
) -> tuple[tuple[int, ...], int, int]:
    """Table of 33 temperatures in thousandths of °C at the codes 0, 128, … 4096, and the lowest
    and the highest code of a whole sensor (LOWEST_DEGC to HIGHEST_DEGC).

    Points outside that range continue the line from the last point inside through its end, so that
    a linear interpolation meets the end exactly. Between the points the line lies above the true
    curve where that is hot: a 10 kΩ thermistor of B 3950 on 10 kΩ reads at most 1 °C too high up to
    100 °C and 3 °C up to 150 °C, so that a trip comes early, not late.
    """

    def at(degc: float) -> float:
        return code(degc, r25_ohm, beta_k, series_ohm, to_ground=to_ground)

    low, high = sorted([(at(LOWEST_DEGC), LOWEST_DEGC), (at(HIGHEST_DEGC), HIGHEST_DEGC)])

    def exact(c: float) -> float:
        ratio = c / FULL_SCALE_CODE
        ntc_ohm = series_ohm * (ratio / (1 - ratio) if to_ground else (1 - ratio) / ratio)
        return 1 / (1 / _T25_K + math.log(ntc_ohm / r25_ohm) / beta_k) - _KELVIN

    codes = range(0, POINTS * CODES_PER_STEP, CODES_PER_STEP)
    inside = [c for c in codes if low[0] < c < high[0]]
    # Both ends of a divider so unequal that no grid point is inside: a straight line will do.
    first = (inside[0], exact(inside[0])) if inside else high
    last = (inside[-1], exact(inside[-1])) if inside else low

    def value(c: int) -> float:
        if c in inside:
            return exact(c)
        (end_code, end), (near_code, near) = (low, first) if c <= low[0] else (high, last)
        return end + (near - end) * (c - end_code) / (near_code - end_code)

    points = tuple(round(1000 * value(c)) for c in codes)
    return points, math.ceil(low[0]), math.floor(high[0])
