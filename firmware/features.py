"""Windows of acceleration -> RMS, velocity RMS, peak and crest factor, in integers.

Counts are what the sensor gives; `Features` knows their scale. The kernels are viper and keep every number within 32
bits; they run unchanged on the host's MicroPython, where the tests hold them against NumPy.

Velocity is the integral of acceleration, high-passed at 9.1 Hz and low-passed at 1,000 Hz, so that the band of 10 to
1,000 Hz is passed as ISO 2954 asks for. As a chain per sample, with V in 1/256 count-samples:

    integrate   V += 0.9 a[n] + 0.1 a[n-1], leaking at 9.1 Hz      (0.9/0.1 follows 1/omega within 2.4 % up to fs/3.2)
    high-pass   state variable filter, 9.1 Hz, Q = 1                (with the leak: Butterworth of order 3)
    low-pass    biquad, 1,000 Hz, Butterworth
"""

import array
import math
import sys

import micropython
from micropython import const

AXES = const(3)

# Per axis, in the state array.
_V = const(0)  # velocity, 1/256 count-samples
_A1 = const(1)  # previous sample
_LOW = const(2)  # state variable filter
_BAND = const(3)
_X1 = const(4)  # low-pass biquad
_X2 = const(5)
_Y1 = const(6)
_Y2 = const(7)
_STATE = const(8)

# Per axis, in the sums array; squares are kept as 16 bits and a carry, so that no window can overflow them.
_SUM = const(0)
_SQ_LO = const(1)
_SQ_HI = const(2)
_VSQ_LO = const(3)
_VSQ_HI = const(4)
_PEAK = const(5)
_MEAN = const(6)  # of the window before: what peaks are measured from
_SUMS = const(8)

# In the coefficients array.
_LEAK_Q16 = const(0)
_F_Q16 = const(1)
_B0_Q12 = const(2)
_B1_Q12 = const(3)
_A1_Q12 = const(4)
_A2_Q12 = const(5)
_WIDE = const(6)  # 32 where viper's integers have 64 bits: loads do not extend the sign there

_VELOCITY_CLIP = const(8191)  # half count-samples: squares of a block stay below 2^30
_BLOCK_SAMPLES_MAX = const(16)

_HIGH_PASS_HZ = 9.1
_LOW_PASS_HZ = 1000.0
_G_UM_S2 = 9806650.0


@micropython.viper
def accumulate(samples: ptr16, first: int, count: int, state: ptr32, sums: ptr32, k: ptr32):
    """Take `count` (at most 16) x, y, z triples of int16 from `samples[3 * first:]`.

    690 cycles for each triple (RP2040, from SRAM).
    """
    wide = int(k[6])
    leak = int(k[0])
    f = int(k[1])
    b0 = int(k[2])
    b1 = (int(k[3]) << wide) >> wide
    a1 = (int(k[4]) << wide) >> wide
    a2 = (int(k[5]) << wide) >> wide
    axis = 0
    while axis < 3:
        s = axis * 8
        u = axis * 8
        v = (int(state[s]) << wide) >> wide
        before = (int(state[s + 1]) << wide) >> wide
        low = (int(state[s + 2]) << wide) >> wide
        band = (int(state[s + 3]) << wide) >> wide
        x1 = (int(state[s + 4]) << wide) >> wide
        x2 = (int(state[s + 5]) << wide) >> wide
        y1 = (int(state[s + 6]) << wide) >> wide
        y2 = (int(state[s + 7]) << wide) >> wide
        mean = (int(sums[u + 6]) << wide) >> wide
        peak = int(sums[u + 5])
        total = 0
        squares = 0
        velocity_squares = 0
        i = first * 3 + axis
        end = i + count * 3
        while i < end:
            a = int(samples[i])
            if a & 0x8000:
                a -= 0x10000
            i += 3
            v += 230 * a + 26 * before - (((v >> 12) * leak) >> 4)
            before = a
            a -= mean
            total += a
            squares += a * a
            if a > peak:
                peak = a
            if 0 - a > peak:
                peak = 0 - a
            high = v - low - band
            band += ((high >> 4) * f) >> 12
            low += ((band >> 4) * f) >> 12
            x = high >> 4
            if x > 262143:
                x = 262143
            if x < -262143:
                x = -262143
            y = (b0 * (x + x2) + b1 * x1 - a1 * y1 - a2 * y2) >> 12
            x2 = x1
            x1 = x
            y2 = y1
            y1 = y
            y = (y + 4) >> 3
            if y > 8191:
                y = 8191
            if y < -8191:
                y = -8191
            velocity_squares += y * y
        state[s] = v
        state[s + 1] = before
        state[s + 2] = low
        state[s + 3] = band
        state[s + 4] = x1
        state[s + 5] = x2
        state[s + 6] = y1
        state[s + 7] = y2
        sums[u] = int(sums[u]) + total
        low16 = int(sums[u + 1]) + (squares & 0xFFFF)
        sums[u + 1] = low16 & 0xFFFF
        sums[u + 2] = int(sums[u + 2]) + (squares >> 16) + (low16 >> 16)
        low16 = int(sums[u + 3]) + (velocity_squares & 0xFFFF)
        sums[u + 3] = low16 & 0xFFFF
        sums[u + 4] = int(sums[u + 4]) + (velocity_squares >> 16) + (low16 >> 16)
        sums[u + 5] = peak
        axis += 1


@micropython.viper
def mean_square(sums: ptr32, at: int, count: int) -> int:
    """(hi * 65536 + lo) // count of the pair at `at`, for a mean below 2^30 and a count below 32,768."""
    lo = int(sums[at])
    hi = int(sums[at + 1])
    return (hi // count) * 65536 + ((((hi - (hi // count) * count) << 16) + lo) // count)


@micropython.viper
def root(square: int) -> int:
    """16 times the integer square root of a number below 2^30: the last bits matter for quiet machines."""
    shift = 0
    while square < 0x400000 and shift < 4:
        square <<= 2
        shift += 1
    bit = 1 << 28
    result = 0
    while bit > square:
        bit >>= 2
    while bit:
        if square >= result + bit:
            square -= result + bit
            result = (result >> 1) + bit
        else:
            result >>= 1
        bit >>= 2
    return result << (4 - shift)


class Features:
    """Features of one three-axis sensor, window after window.

    Feed blocks with `add`; when it returns True a window has closed and `rms_mg`, `peak_mg`, `crest_centi` and
    `velocity_um_s` (three values each) are those of that window. `settled` is False until the filters have forgotten
    the step of gravity at the start: about half a second.
    """

    def __init__(self, window_samples, rate_hz, count_ug):
        if window_samples % _BLOCK_SAMPLES_MAX or window_samples >= 32768:
            raise ValueError("window_samples must be a multiple of 16 below 32768")
        self.window_samples = window_samples
        self._count_ug = count_ug
        self._state = array.array("i", [0] * (AXES * _STATE))
        self._sums = array.array("i", [0] * (AXES * _SUMS))
        self._k = array.array("i", [0] * 8)
        self._k[_WIDE] = 32 if sys.maxsize > 0x7FFFFFFF else 0
        self._set_rate(rate_hz)
        self._taken = 0
        self._windows = 0
        self.rms_mg = array.array("i", [0] * AXES)
        self.peak_mg = array.array("i", [0] * AXES)
        self.crest_centi = array.array("i", [0] * AXES)
        self.velocity_um_s = array.array("i", [0] * AXES)
        self.worst_velocity_um_s = 0
        self.worst_peak_mg = 0
        self._settling = 2 * rate_hz // (3 * window_samples) + 2

    def _set_rate(self, rate_hz):
        k = self._k
        k[_LEAK_Q16] = round(65536 * 2 * math.pi * _HIGH_PASS_HZ / rate_hz)
        k[_F_Q16] = round(65536 * 2 * math.sin(math.pi * _HIGH_PASS_HZ / rate_hz))
        w = math.tan(math.pi * _LOW_PASS_HZ / rate_hz)
        norm = 1 / (1 + math.sqrt(2) * w + w * w)
        k[_B0_Q12] = round(4096 * w * w * norm)
        k[_B1_Q12] = 2 * k[_B0_Q12]
        k[_A1_Q12] = round(4096 * 2 * (w * w - 1) * norm)
        # The gain at rest must be exactly one, whatever the rounding of the others.
        k[_A2_Q12] = 4 * k[_B0_Q12] - 4096 - k[_A1_Q12]
        # One half count-sample of velocity, in nm/s: what the squares are sums of. The leak and the state variable
        # filter update explicitly, which lifts the gain of each by half a step of its corner frequency.
        gain = (1 + math.pi * _HIGH_PASS_HZ / rate_hz) ** 2
        self._velocity_nm_s = round(self._count_ug * 1e-6 * _G_UM_S2 * 1000 / rate_hz / 2 / gain)

    @property
    def settled(self):
        """True once the windows are those of the machine and not of the filters' start."""
        return self._windows >= self._settling

    def add(self, samples, first, count):
        """Take `count` triples (at most 16, all of one window); returns True where they complete a window."""
        accumulate(samples, first, count, self._state, self._sums, self._k)
        self._taken += count
        if self._taken < self.window_samples:
            return False
        self._close()
        return True

    def _close(self):
        n = self._taken
        sums = self._sums
        worst_velocity = 0
        worst_peak = 0
        axis = 0
        while axis < AXES:
            u = axis * _SUMS
            # Peaks and squares are taken about the mean of the window before; what it moved since is taken out here.
            drift = sums[u + _SUM] // n
            square = mean_square(sums, u + _SQ_LO, n) - drift * drift
            rms16 = root(square if square > 0 else 0)
            peak = sums[u + _PEAK]
            self.rms_mg[axis] = rms16 * self._count_ug // 16000
            self.peak_mg[axis] = peak * self._count_ug // 1000
            self.crest_centi[axis] = peak * 1600 // rms16 if rms16 else 0
            velocity = root(mean_square(sums, u + _VSQ_LO, n)) * (self._velocity_nm_s // 16) // 1000
            self.velocity_um_s[axis] = velocity
            if velocity > worst_velocity:
                worst_velocity = velocity
            if self.peak_mg[axis] > worst_peak:
                worst_peak = self.peak_mg[axis]
            sums[u + _MEAN] += drift
            i = 0
            while i < _MEAN:
                sums[u + i] = 0
                i += 1
            axis += 1
        self._taken = 0
        self._windows += 1
        self.worst_velocity_um_s = worst_velocity
        self.worst_peak_mg = worst_peak
