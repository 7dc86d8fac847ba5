"""Windows of acceleration -> RMS, velocity RMS, peak and crest factor, in integers.

Counts are what the sensor gives, any int16; `Features` knows their scale. Sums are exact, so the
mean (gravity) comes out when a window closes.

Velocity is the integral of acceleration, high-passed at 9.1 Hz and low-passed at 1,000 Hz, so that
the band of 10 to 1,000 Hz is passed as ISO 2954 asks for. As a chain per sample, with V in 1/256
count-samples:

    integrate   V += 0.9 a[n] + 0.1 a[n-1], leaking at 9.1 Hz; 0.9/0.1 follows 1/omega within 2.4 %
                up to fs/3.2
    high-pass   state variable filter, 9.1 Hz, Q = 1: with the leak, Butterworth of order 3
    low-pass    two poles and a zero at 1,000 Hz, matched to the analogue Butterworth of order 2

At 3,200 Hz this is within 1 % of the analogue filters from 15 to 900 Hz. No int16 signal at any
rate allowed can take a number out of 32 bits; velocity is limited at +-8,192 count-samples.
"""

import array
import math
import sys

import micropython
from micropython import const

AXES = const(3)

# The words that the kernels share. Coefficients first:
_K_Q16 = const(
    0
)  # 2 pi times the high-pass corner over the rate: the leak, and both of the filter's integrators
_B0_Q12 = const(1)  # low-pass
_B1_Q12 = const(2)
_A1_Q12 = const(3)
_A2_Q12 = const(4)
_WIDE = const(5)  # 32 where viper's integers have 64 bits: loads do not extend the sign there
_AXES_AT = const(6)
# then for each axis:
_V = const(0)  # velocity with the next sample's share of the leak and of this sample in it
_LOW = const(1)
_BAND = const(2)
_S1 = const(3)  # low-pass
_S2 = const(4)
_SUM = const(5)
_SQ_LO = const(6)  # squares as 16 bits and the rest, so that no window can overflow them
_SQ_HI = const(7)
_VSQ_LO = const(8)  # of velocity, in (quarter count-samples)^2
_VSQ_HI = const(9)
_MAX = const(10)
_MIN = const(11)
_AXIS_WORDS = const(12)

# In the results:
_RMS = const(0)
_PEAK = const(3)
_CREST = const(6)
_VELOCITY = const(9)
_WORST_VELOCITY = const(12)
_WORST_PEAK = const(13)

_BLOCK_SAMPLES = const(16)
_HIGH_PASS_HZ = 9.1
_LOW_PASS_HZ = 1000.0
_G_UM_S2 = 9806650.0


@micropython.viper
def accumulate_reference(samples: ptr16, first: int, count: int, work: ptr32):
    """Take `count` x, y, z triples of int16 from `samples[3 * first:]`.

    The readable twin of `kernels_rp2.accumulate`, and what runs where there is no RP2040.
    """
    wide = int(work[_WIDE])
    k = int(work[_K_Q16])
    b0 = int(work[_B0_Q12])
    b1 = int(work[_B1_Q12])
    a1 = (int(work[_A1_Q12]) << wide) >> wide
    a2 = int(work[_A2_Q12])
    axis = 0
    while axis < AXES:
        w = _AXES_AT + axis * _AXIS_WORDS
        u = (int(work[w + _V]) << wide) >> wide
        low = (int(work[w + _LOW]) << wide) >> wide
        band = (int(work[w + _BAND]) << wide) >> wide
        s1 = (int(work[w + _S1]) << wide) >> wide
        s2 = (int(work[w + _S2]) << wide) >> wide
        total = (int(work[w + _SUM]) << wide) >> wide
        sq_lo = int(work[w + _SQ_LO])
        sq_hi = int(work[w + _SQ_HI])
        vsq_lo = int(work[w + _VSQ_LO])
        vsq_hi = int(work[w + _VSQ_HI])
        highest = (int(work[w + _MAX]) << wide) >> wide
        lowest = (int(work[w + _MIN]) << wide) >> wide
        i = 3 * first + axis
        end = i + 3 * count
        while i < end:
            a = ((int(samples[i]) & 0xFFFF) ^ 0x8000) - 0x8000
            i += 3
            total += a
            if a > highest:
                highest = a
            if a < lowest:
                lowest = a
            square = a * a
            sq_lo += square & 0xFFFF
            sq_hi += (square >> 16) + (sq_lo >> 16)
            sq_lo &= 0xFFFF

            # K times a state is taken in two halves: exact, and within 32 bits.
            v = u + 230 * a
            u = v - ((v >> 16) * k + (((v & 0xFFFF) * k) >> 16)) + 26 * a
            high = v - low - band
            band += (high >> 16) * k + (((high & 0xFFFF) * k) >> 16)
            low += (band >> 16) * k + (((band & 0xFFFF) * k) >> 16)
            x = high >> 4
            if x > 0x1FFFF:  # 98 mm/s at 3,200 Hz and 3.9 mg a count
                x = 0x1FFFF
            if x < -0x20000:
                x = -0x20000
            y = (b0 * x + s1) >> 12
            s1 = b1 * x - a1 * y - s2
            s2 = a2 * y
            y = (y + 2) >> 2
            square = y * y
            vsq_lo += square & 0xFFFF
            vsq_hi += (square >> 16) + (vsq_lo >> 16)
            vsq_lo &= 0xFFFF
        work[w + _V] = u
        work[w + _LOW] = low
        work[w + _BAND] = band
        work[w + _S1] = s1
        work[w + _S2] = s2
        work[w + _SUM] = total
        work[w + _SQ_LO] = sq_lo
        work[w + _SQ_HI] = sq_hi
        work[w + _VSQ_LO] = vsq_lo
        work[w + _VSQ_HI] = vsq_hi
        work[w + _MAX] = highest
        work[w + _MIN] = lowest
        axis += 1


@micropython.viper
def root_reference(whole: int, fraction: int) -> int:
    """256 times the root of `whole` (below 2^30) and 16 bits of fraction, rounded down."""
    result = 0
    remainder = 0
    shift = 28
    while shift >= -16:
        digit = (whole >> shift) & 3 if shift >= 0 else (fraction >> (16 + shift)) & 3
        remainder = (remainder << 2) | digit
        result <<= 1
        if remainder > result << 1:
            remainder -= (result << 1) + 1
            result += 1
        shift -= 2
    return result


if sys.platform == "rp2":
    from .kernels_rp2 import accumulate, root
else:
    accumulate = accumulate_reference
    root = root_reference


@micropython.viper
def close_window(work: ptr32, n: int, scales: ptr32, results: ptr32):
    """Turn the sums of `n` samples (at most 32,752) into results, and clear them.

    `scales` holds a factor and a shift from 1/16 count to mg, then from 1/64 count-sample to um/s.
    """
    wide = int(work[_WIDE])
    worst_velocity = 0
    worst_peak = 0
    axis = 0
    while axis < AXES:
        w = _AXES_AT + axis * _AXIS_WORDS
        total = (int(work[w + _SUM]) << wide) >> wide
        mean = total // n
        rest = total - mean * n
        # The squares about `mean`: sum(a^2) - mean (2 sum(a) - mean n).
        moved = total + rest
        product = mean * (moved & 0xFFFF)
        lo = int(work[w + _SQ_LO]) - (product & 0xFFFF)
        hi = int(work[w + _SQ_HI]) - mean * (moved >> 16) - (product >> 16) + (lo >> 16)
        lo &= 0xFFFF
        beside = (rest << 15) // n
        beside = (beside * beside) >> 14  # what is left of the mean, squared, Q16
        rms = 0
        quantity = 0
        while quantity < 2:
            if quantity:
                lo = int(work[w + _VSQ_LO])
                hi = int(work[w + _VSQ_HI])
                beside = 0
            whole = hi // n
            part = ((hi - whole * n) << 16) + lo
            carry = part // n
            fraction = ((part - carry * n) << 16) // n - beside
            whole = (whole << 16) + carry + (fraction >> 16)
            if whole > 0x3FFFFFFF:
                whole = 0x3FFFFFFF
            result = int(root(whole, fraction & 0xFFFF))
            if quantity:
                shift = int(scales[3])
                result = (((result + 8) >> 4) * int(scales[2]) + ((1 << shift) >> 1)) >> shift
                results[_VELOCITY + axis] = result
                if result > worst_velocity:
                    worst_velocity = result
            else:
                rms = result
            quantity += 1
        # Eighths of a count.
        middle = 8 * mean + (8 * rest) // n
        peak = 8 * ((int(work[w + _MAX]) << wide) >> wide) - middle
        below = middle - 8 * ((int(work[w + _MIN]) << wide) >> wide)
        if below > peak:
            peak = below
        results[_CREST + axis] = (3200 * peak + (rms >> 1)) // rms if rms else 0
        factor = int(scales[0])
        shift = int(scales[1])
        results[_RMS + axis] = (((rms + 8) >> 4) * factor + ((1 << shift) >> 1)) >> shift
        shift -= 1
        peak = (peak * factor + ((1 << shift) >> 1)) >> shift
        results[_PEAK + axis] = peak
        if peak > worst_peak:
            worst_peak = peak
        quantity = _SUM
        while quantity < _MAX:
            work[w + quantity] = 0
            quantity += 1
        work[w + _MAX] = -32768
        work[w + _MIN] = 32767
        axis += 1
    results[_WORST_VELOCITY] = worst_velocity
    results[_WORST_PEAK] = worst_peak


def _scale(value):
    """`value` as a factor below 4,096 and a right shift, for numbers up to 2^19."""
    shift = 0
    while value < 2047 and shift < 20:
        value *= 2
        shift += 1
    return round(value), shift


class Features:
    """Features of one three-axis sensor, window after window.

    Feed blocks with `add`; when it returns True a window has closed and `rms_mg`, `peak_mg`,
    `crest_centi` and `velocity_um_s` (three values each) are those of that window. `settled` is
    False until the filters have forgotten the step of gravity at the start: about half a second.
    """

    def __init__(self, window_samples, rate_hz, count_ug):
        if window_samples % _BLOCK_SAMPLES or not 0 < window_samples < 32768:
            raise ValueError("window_samples must be a multiple of 16 below 32768")
        if not 200 <= rate_hz <= 10000:
            raise ValueError("rate_hz must be from 200 to 10000")
        self.window_samples = window_samples
        self._work = array.array("i", [0] * (_AXES_AT + AXES * _AXIS_WORDS))
        self._results = array.array("i", [0] * (4 * AXES + 2))
        self._scales = array.array("i", [0] * 4)
        self._set_rate(rate_hz, count_ug)
        close_window(self._work, window_samples, self._scales, self._results)
        self._taken = 0
        self._windows = 0
        results = memoryview(self._results)
        self.rms_mg = results[_RMS : _RMS + AXES]
        self.peak_mg = results[_PEAK : _PEAK + AXES]
        self.crest_centi = results[_CREST : _CREST + AXES]
        self.velocity_um_s = results[_VELOCITY : _VELOCITY + AXES]
        self.worst_velocity_um_s = 0
        self.worst_peak_mg = 0
        self._settling = 2 * rate_hz // (3 * window_samples) + 2

    def _set_rate(self, rate_hz, count_ug):
        work = self._work
        work[_WIDE] = 32 if sys.maxsize > 0x7FFFFFFF else 0
        work[_K_Q16] = round(65536 * 2 * math.pi * _HIGH_PASS_HZ / rate_hz)
        b1, a1, a2 = _low_pass(min(_LOW_PASS_HZ, rate_hz / 2.56) / rate_hz)
        work[_A1_Q12] = round(4096 * a1)
        work[_A2_Q12] = round(4096 * a2)
        work[_B1_Q12] = round(4096 * b1)
        # The gain at rest must be exactly one, whatever the rounding of the others.
        work[_B0_Q12] = 4096 + work[_A1_Q12] + work[_A2_Q12] - work[_B1_Q12]
        # The leak and the state variable filter update explicitly, which lifts the gain of each by
        # half a step of its corner frequency.
        gain = (1 + math.pi * _HIGH_PASS_HZ / rate_hz) ** 2
        scales = self._scales
        scales[0], scales[1] = _scale(count_ug / 16000)
        scales[2], scales[3] = _scale(count_ug * 1e-6 * _G_UM_S2 / rate_hz / 64 / gain)

    @property
    def settled(self):
        """True once the windows are those of the machine and not of the filters' start."""
        return self._windows >= self._settling

    def add(self, samples, first, count):
        """Take `count` triples, all of one window; returns True where they complete it."""
        accumulate(samples, first, count, self._work)
        taken = self._taken + count
        self._taken = taken
        if taken < self.window_samples:
            return False
        self._close()
        return True

    def _close(self):
        results = self._results
        close_window(self._work, self._taken, self._scales, results)
        self._taken = 0
        self._windows += 1
        self.worst_velocity_um_s = results[_WORST_VELOCITY]
        self.worst_peak_mg = results[_WORST_PEAK]


def _low_pass(corner):
    """Butterworth of order 2 at `corner` (of the rate), right at 0, there, and at half the rate.

    M. Vicanek, "Matched Second Order Digital Filters", 2016. b1, a1, a2 of
    y[n] = b0 x[n] + b1 x[n-1] - a1 y[n-1] - a2 y[n-2].
    """
    w = 2 * math.pi * corner
    q = math.sqrt(0.5)
    a1 = -2 * math.exp(-q * w) * math.cos(q * w)
    a2 = math.exp(-2 * q * w)
    half = math.sin(w / 2) ** 2
    at_rest = (1 + a1 + a2) ** 2
    at_half_rate = (1 - a1 + a2) ** 2
    at_corner = 0.5 * ((1 - half) * at_rest + half * at_half_rate - 16 * a2 * half * (1 - half))
    squared = (at_corner - at_rest * (1 - half)) / half
    b0 = (math.sqrt(at_rest) + math.sqrt(squared)) / 2
    return math.sqrt(at_rest) - b0, a1, a2
