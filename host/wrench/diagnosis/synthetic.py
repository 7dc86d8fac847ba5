"""Synthetic vibration of machines whose state is known: what the diagnosis is tried on by the
thousand, and what its confidence is calibrated with.

A machine is drawn at random: sampling rate, speed, length, bearing, housing modes, noise, mains,
harmonics of the shaft. Then one state of it: healthy, a defect on a race, a ball or the cage, a
shaft out of balance or out of line, a rub, too little grease; or something that belongs to no part
of the bearing: impulses at random, gears, a family of blows of its own.

The model of a defect is that of Antoni and Randall, "Differential diagnosis of gear and bearing
faults", J. Vib. Acoust. 124 (2002): blows whose intervals vary, weighted by the load, ring modes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from scipy import fft, ndimage

from wrench.analysis import fourier
from wrench.analysis.measurement import FloatArray
from wrench.boards.schema import Bearing
from wrench.units import STANDARD_GRAVITY

State = Literal[
    "healthy",
    "unbalance",
    "misalignment",
    "inner",
    "outer",
    "ball",
    "cage",
    "rub",
    "lubrication",
    "impulses",
    "gears",
    "foreign",
]
STATES: tuple[State, ...] = get_args(State)
OF_BEARING: tuple[State, ...] = ("inner", "outer", "ball", "cage")
NOTHING_TO_NAME: tuple[State, ...] = ("healthy", "impulses", "gears", "foreign")
"""No fault of the bearing is to be named in these."""
_RATES_HZ = (10000.0, 12000.0, 20480.0, 25600.0, 26667.0, 48000.0)
_QUIET_MM_S = 0.25


@dataclass(frozen=True, slots=True)
class Drawn:
    """A window of one axis, (n, 1) in g, and the truth about it.

    `snr_db` is the power of the blows over that of everything else, where there are blows;
    `foreign_order` the fundamental of blows that belong to nothing, in orders.
    """

    state: State
    acceleration_g: FloatArray
    rate_hz: float
    speed_hz: float
    told_speed_hz: float
    bearing: Bearing
    snr_db: float = math.nan
    foreign_order: float = math.nan
    notes: tuple[str, ...] = field(default=())


def draw(generator: np.random.Generator, state: State, *, snr_db: float | None = None) -> Drawn:
    """A machine at random, in a state."""
    machine = _Machine(generator)
    told_hz = machine.speed_hz * (1.0 + 0.002 * float(generator.standard_normal()))
    signal = machine.healthy(louder=state == "lubrication")
    level = float(np.std(signal))
    found_db, foreign = math.nan, math.nan
    if state in ("inner", "outer", "ball", "cage", "foreign"):
        found_db = float(generator.uniform(-14.0, 8.0)) if snr_db is None else snr_db
        train, foreign = machine.blows(state)
        rung = machine.ring(train)
        size = float(np.std(rung))
        if size > 0.0:
            signal = signal + rung * (level / size * 10.0 ** (found_db / 20.0))
    elif state == "impulses":
        signal = signal + machine.impulses(level)
    elif state == "gears":
        signal = signal + machine.gears(level)
    elif state == "unbalance":
        signal = signal + machine.once_a_turn(generator.uniform(5.0, 12.0), (1.0, 0.12, 0.06))
    elif state == "misalignment":
        second = float(generator.uniform(0.8, 2.0))
        signal = signal + machine.once_a_turn(
            generator.uniform(3.0, 7.0), (1.0, second, 0.4 * second)
        )
    elif state == "rub":
        signal = signal + machine.rub(level)
    return Drawn(
        state,
        signal[:, np.newaxis],
        machine.rate_hz,
        machine.speed_hz,
        told_hz,
        machine.bearing,
        found_db,
        foreign,
    )


class _Machine:
    """Everything about a machine that does not depend on its state."""

    def __init__(self, generator: np.random.Generator) -> None:
        self.random = generator
        self.rate_hz = float(generator.choice(_RATES_HZ))
        self.speed_hz = float(math.exp(generator.uniform(math.log(12.0), math.log(70.0))))
        turns = float(math.exp(generator.uniform(math.log(60.0), math.log(400.0))))
        duration_s = min(10.0, max(1.0, turns / self.speed_hz))
        self.count = int(duration_s * self.rate_hz)
        self.bearing = any_bearing(generator)
        wander = float(generator.choice([0.0, 0.0005, 0.002]))
        self.turns = self._angle(wander)
        modes = int(generator.integers(1, 4))
        top = 0.44 * self.rate_hz
        self.modes_hz = np.exp(generator.uniform(math.log(900.0), math.log(top), modes))
        self.damping = generator.uniform(0.01, 0.06, modes)
        self.gains = generator.uniform(0.3, 1.0, modes)

    def _angle(self, wander: float) -> FloatArray:
        """The shaft's angle in turns; the speed wanders slowly by `wander` RMS."""
        time_s = np.arange(self.count) / self.rate_hz
        turns = self.speed_hz * time_s
        if wander > 0.0:
            for _ in range(3):
                slow_hz = float(self.random.uniform(0.1, 1.0))
                phase = float(self.random.uniform(0.0, 2.0 * math.pi))
                swing = wander * self.speed_hz / (2.0 * math.pi * slow_hz)
                turns = turns + 0.8 * swing * np.sin(2.0 * math.pi * slow_hz * time_s + phase)
        return turns

    def healthy(self, *, louder: bool) -> FloatArray:
        """Noise through the housing, the shaft's harmonics, mains, and the faint lines that the
        races of a sound bearing have too."""
        random = self.random
        noise = random.standard_normal(self.count)
        frequency = fft.rfftfreq(self.count, 1.0 / self.rate_hz)
        colour = (1.0 + frequency / 300.0) ** -float(random.uniform(0.0, 0.6))
        for mode_hz, damping in zip(self.modes_hz, self.damping, strict=True):
            ratio = frequency / mode_hz
            peak = 1.0 / np.sqrt((1.0 - ratio**2) ** 2 + (4.0 * damping * ratio) ** 2)
            colour = colour * (1.0 + float(random.uniform(0.1, 0.5)) * peak)
        if louder:
            colour = colour * (1.0 + 3.0 * (frequency / (0.5 * self.rate_hz)) ** 0.5)
        signal = np.asarray(fft.irfft(np.asarray(fft.rfft(noise)) * colour, self.count))
        signal *= 0.05 / np.std(signal)
        if louder:
            signal *= float(random.uniform(3.0, 8.0))
        modulation = float(random.uniform(0.0, 0.12))
        signal *= 1.0 + modulation * np.cos(2.0 * math.pi * self.turns + random.uniform(0, 6.3))
        lines = int(random.integers(4, 40))
        for order in range(1, lines + 1):
            # As in zone A: little velocity low down, little acceleration high up.
            omega = 2.0 * math.pi * order * self.speed_hz
            still_g = 1e-3 * _QUIET_MM_S * omega / STANDARD_GRAVITY
            size = min(0.03 / math.sqrt(order), still_g) * float(random.exponential())
            signal += self._line(order, size)
        mains_hz = float(random.choice([50.0, 60.0])) * (1.0 + 1e-3 * random.standard_normal())
        time_s = np.arange(self.count) / self.rate_hz
        for harmonic in (1, 2, 4, 6, 12, 24):
            size = 0.015 * float(random.exponential())
            phase = float(random.uniform(0.0, 6.3))
            signal += size * np.sin(2.0 * math.pi * harmonic * mains_hz * time_s + phase)
        outer = self.bearing.bpfo_order
        for harmonic in range(1, int(random.integers(1, 8))):
            signal += self._line(harmonic * outer, 0.006 * float(random.exponential()))
        if random.random() < 0.5:
            depth = float(random.uniform(0.0, 0.06))
            order = float(random.choice([outer, self.bearing.bpfi_order]))
            signal *= 1.0 + depth * np.cos(2.0 * math.pi * order * self.turns)
        return signal

    def _line(self, order: float, size: float) -> FloatArray:
        phase = float(self.random.uniform(0.0, 2.0 * math.pi))
        return size * np.cos(2.0 * math.pi * order * self.turns + phase)

    def blows(self, state: str) -> tuple[FloatArray, float]:
        """Blows on the grid of samples, and their order where they belong to no part."""
        random = self.random
        cage_slip = float(random.uniform(-0.009, 0.012))
        jitter = float(random.choice([0.0005, 0.003, 0.01, 0.02]))
        cage = self.bearing.ftf_order * (1.0 - cage_slip)
        load: Callable[[FloatArray], FloatArray]
        foreign = math.nan
        if state == "outer":
            order = self.bearing.balls * cage
            depth = float(random.uniform(0.0, 0.3))
            load = lambda at: 1.0 + depth * np.cos(2.0 * math.pi * at)  # noqa: E731
        elif state == "inner":
            order = self.bearing.balls * (1.0 - cage)
            load = _zone(float(random.uniform(0.25, 0.8)), 1.0, float(random.uniform(0.0, 0.5)))
        elif state == "ball":
            order = 2.0 * self.bearing.bsf_order * (1.0 - cage_slip)
            load = _zone(float(random.uniform(0.3, 0.9)), cage, float(random.uniform(0.1, 0.6)))
        elif state == "cage":
            order = cage
            load = _zone(2.0, 1.0, 0.9)
        else:
            order = foreign = foreign_order(random, self.bearing)
            depth = float(random.uniform(0.0, 0.6))
            load = lambda at: 1.0 + depth * np.cos(2.0 * math.pi * at)  # noqa: E731
        total = float(self.turns[-1])
        number = int(total * order) + 2
        intervals = np.maximum(0.2, 1.0 + jitter * random.standard_normal(number)) / order
        at = np.cumsum(intervals) - float(random.uniform(0.0, 1.0)) / order
        at = at[(at > 0.0) & (at < total)]
        strength = load(at) * np.maximum(0.2, 1.0 + 0.25 * random.standard_normal(len(at)))
        if state == "ball":
            # The two races answer differently.
            strength[::2] *= float(random.uniform(0.5, 1.0))
        return self._placed(np.interp(at, self.turns, np.arange(self.count)), strength), foreign

    def _placed(self, places: FloatArray, strength: FloatArray) -> FloatArray:
        train = np.zeros(self.count)
        first = np.minimum(places.astype(np.int64), self.count - 2)
        part = places - first
        np.add.at(train, first, strength * (1.0 - part))
        np.add.at(train, first + 1, strength * part)
        return train

    def ring(self, train: FloatArray) -> FloatArray:
        """The modes' answer to blows."""
        length = fourier.fast_length(self.count + int(0.05 * self.rate_hz), real=True)
        time_s = np.arange(int(0.05 * self.rate_hz)) / self.rate_hz
        answer = np.zeros(len(time_s))
        for mode_hz, damping, gain in zip(self.modes_hz, self.damping, self.gains, strict=True):
            omega = 2.0 * math.pi * mode_hz
            answer += gain * np.exp(-damping * omega * time_s) * np.cos(omega * time_s)
        product = np.asarray(fft.rfft(train, length)) * np.asarray(fft.rfft(answer, length))
        return np.asarray(fft.irfft(product, length))[: self.count]

    def impulses(self, level: float) -> FloatArray:
        """Blows at random: something loose, particles, electrical spikes."""
        random = self.random
        number = int(random.integers(3, 400))
        places = np.sort(random.uniform(0.0, self.count - 2.0, number))
        strength = random.standard_normal(number) * random.pareto(2.0, number)
        rung = self.ring(self._placed(places, strength))
        return rung * (level / max(float(np.std(rung)), 1e-12) * float(random.uniform(0.3, 3.0)))

    def gears(self, level: float) -> FloatArray:
        """Meshes of gears on this shaft and on another, modulated by both shafts."""
        random = self.random
        signal = np.zeros(self.count)
        other = foreign_order(random, self.bearing, 0.2, 3.0)
        for _ in range(int(random.integers(1, 4))):
            teeth = float(random.integers(17, 60)) * float(random.choice([1.0, other]))
            for harmonic in (1, 2, 3):
                carrier = self._line(harmonic * teeth, float(random.exponential()))
                depth, deeper = random.uniform(0.0, 0.5, 2)
                by_shaft = 1.0 + depth * np.cos(2.0 * math.pi * self.turns)
                by_other = 1.0 + deeper * np.cos(2.0 * math.pi * other * self.turns)
                signal += carrier * by_shaft * by_other
        return signal * (level / max(float(np.std(signal)), 1e-12) * float(random.uniform(0.3, 2)))

    def once_a_turn(self, velocity_mm_s: float, of_harmonics: tuple[float, ...]) -> FloatArray:
        """Lines of the shaft by their velocity (RMS)."""
        signal = np.zeros(self.count)
        for harmonic, size in enumerate(of_harmonics, 1):
            omega = 2.0 * math.pi * harmonic * self.speed_hz
            peak_g = math.sqrt(2.0) * 1e-3 * velocity_mm_s * size * omega / STANDARD_GRAVITY
            signal += self._line(harmonic, peak_g)
        return signal

    def rub(self, level: float) -> FloatArray:
        """Broad noise that is loudest at one angle of the shaft, and comes and goes."""
        random = self.random
        noise = random.standard_normal(self.count)
        noise = noise - ndimage.uniform_filter1d(noise, 9)
        angle = 2.0 * math.pi * self.turns
        around = (0.5 + 0.5 * np.cos(angle)) ** float(random.uniform(1.0, 4.0))
        grain = (
            1.0 + 0.5 * np.repeat(random.standard_normal(self.count // 64 + 1), 64)[: self.count]
        )
        return noise * around * np.maximum(grain, 0.1) * level * float(random.uniform(2.0, 6.0))


def any_bearing(generator: np.random.Generator) -> Bearing:
    """Dimensions such as deep-groove ball bearings have."""
    pitch_mm = float(generator.uniform(15.0, 80.0))
    ratio = float(generator.uniform(0.18, 0.30))
    balls = int(generator.integers(7, 13))
    return Bearing(
        balls=balls,
        ball_diameter_mm=round(ratio * pitch_mm, 3),
        pitch_diameter_mm=round(pitch_mm, 3),
        contact_angle_deg=0.0,
    )


def foreign_order(
    generator: np.random.Generator, bearing: Bearing, low: float = 1.3, high: float = 9.0
) -> float:
    """A fundamental from `low` to `high` that belongs to no part of a bearing: no simple ratio to
    any of its fault orders, nor to the shaft."""
    own = (bearing.bpfo_order, bearing.bpfi_order, 2.0 * bearing.bsf_order, bearing.ftf_order)
    ratios = (1.0, 2.0, 0.5, 3.0, 1.0 / 3.0)
    while True:
        order = float(generator.uniform(low, high))
        apart = min(abs(order / (one * ratio) - 1.0) for one in own for ratio in ratios)
        if apart > 0.04 and abs(order - round(order)) > 0.05:
            return order


def _zone(half_width: float, per_turn: float, least: float) -> Callable[[FloatArray], FloatArray]:
    """Load that comes and goes `per_turn` times a turn: `least` outside of a zone."""

    def load(at: FloatArray) -> FloatArray:
        around = np.cos(2.0 * math.pi * per_turn * at)
        inside = np.maximum(0.0, 1.0 - (1.0 - around) / (2.0 * half_width)) ** 1.5
        return least + (1.0 - least) * inside

    return load
