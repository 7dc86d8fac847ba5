"""Windows of acceleration -> what a machine's vibration says, in integers.

Counts are what the sensor gives, any int16; `Features` knows their scale. Sums are exact, so the
mean (gravity) comes out when a window closes. Of each axis that exists:

    RMS, peak, crest factor     about the mean of the window
    kurtosis                    Pearson's, 3.00 for a Gaussian, about the mean of the window
    velocity RMS                in the board's band, by the chain below
    envelope                    RMS of the envelope about its mean, by the chain below
    mean                        gravity, where the sensor feels it

and of the axis whose velocity was worst, the amplitude at once per turn of the shaft.

Velocity is the integral of acceleration, high-passed at 0.91 of the band's lower edge and
low-passed at its upper one, so that a band of 10 to 1,000 Hz is passed as ISO 2954 asks for. As a
chain per sample, with V in 1/256 count-samples (coarser where the counts are finer, or the rate is
far above the band's lower edge):

    integrate   V += 8/9 a[n] + 1/9 a[n-1], leaking at 9.1 Hz; 8:1 follows 1/omega within 0.8 % up
                to fs/3.2
    high-pass   state variable filter, 9.1 Hz, Q = 1: with the leak, Butterworth of order 3
    low-pass    two poles and a zero at 1,000 Hz (at most fs/2.56), matched to the analogue
                Butterworth of order 2

At 3,200 Hz this is within 1 % of the analogue filters from 15 to 900 Hz. No int16 signal at any
rate allowed can take a number out of 32 bits; velocity is limited at +-98 mm/s or more.

Moments about the mean come from sums of powers about a centre near it (the mean of the window's
first samples). The furthest sample so far says how many low bits the powers can spare: 13 bits are
kept of a distance and of its square, all of them up to 60 counts. Kurtosis is exact to 1 % unless
the window's first samples lie more than four standard deviations off the rest, and not given (0)
where they lie more than 6.7 off, or where the RMS is below an eighth of a count.

The envelope is that of the high-frequency resonance technique, band-pass, full-wave rectifier,
low-pass (McFadden and Smith, Tribology International 17, 1984):

    band-pass   Butterworth of order 2 on either side, bilinear
    rectify     times pi/2, so that a steady carrier reads its amplitude
    low-pass    the mean of as many samples as make up 1/800 to 1/400 s, then the next ones

Its mean says how much the band carries, which machines do that are well; what an analyst reads is
the lines beside it, at the rates at which balls pass a defect, and how far they stand out. The
figure given is all of them: the RMS about the mean, as of an envelope spectrum without its line at
zero. A rub raises it too: the envelope of narrow-band noise varies by half its mean. Rectifying
makes harmonics of the carrier, which sampling folds: a pure tone that never varies reads up to 12 %
of its amplitude at the worst frequencies.
"""

import array
import math
import sys

import micropython
from micropython import const

_AXES = const(3)

# The words that the kernels share. Coefficients first:
_WIDE = const(0)  # 32 where viper's integers have 64 bits: loads do not extend the sign there
_PRESENT = const(1)  # how many axes there are
_RAIL = const(2)
_K_Q16 = const(3)  # of the high-pass corner: the leak, and both of the filter's integrators
_NOW = const(4)  # V's gain of this sample; of the one before it is an eighth
_MEAN_LIMIT = const(5)  # eighths of a count
_B0_Q12 = const(6)  # low-pass
_B1_Q12 = const(7)
_A1_Q12 = const(8)
_A2_Q12 = const(9)
_HP_A1_Q11 = const(10)  # the envelope's; A1 and A2 with their sign turned
_HP_A2_Q11 = const(11)
_GAIN_Q11 = const(12)
_LP_A1_Q11 = const(13)
_LP_A2_Q11 = const(14)
_RUN = const(15)  # six times the number of samples in a mean
_RUN_SHIFT = const(16)
_WHOLE = const(17)  # variance of the axis that is being closed, and 16 bits of fraction
_FRACTION = const(18)
_AXES_AT = const(19)
# then for each axis there is:
_OFFSET = const(0)  # bytes into a triple
_SUM = const(1)
_SQ_LO = const(2)  # squares as 16 bits and the rest, so that no window can overflow them
_SQ_HI = const(3)
_MAX = const(4)
_MIN = const(5)
_CENTER = const(6)
_BITS = const(7)  # that the furthest distance from the centre has, at least 6
_CUBE_LO = const(8)
_CUBE_HI = const(9)
_FOURTH_LO = const(10)
_FOURTH_HI = const(11)
_RAILED = const(12)
_V = const(13)  # velocity with the next sample's share of the leak and of this sample in it
_LOW = const(14)  # these two with their sign turned
_BAND = const(15)
_S1 = const(16)  # low-pass
_S2 = const(17)
_VSQ_LO = const(18)  # of velocity, in (quarter count-samples)^2
_VSQ_HI = const(19)
_H1 = const(20)  # the envelope's high-pass, then its low-pass
_H2 = const(21)
_L1 = const(22)
_L2 = const(23)
_PART = const(24)  # of the mean that is being taken
_LEFT = const(25)  # of it, in sixths of a sample
_ESUM = const(26)
_ESQ_LO = const(27)
_ESQ_HI = const(28)
_LEFT_FIRST = const(29)  # what was left when the window began
_JUDGED = const(30)
_AXIS_WORDS = const(31)

# The results: three values each, as on the wire, then the worst in the same order.
_RMS = const(0)
_PEAK = const(3)
_CREST = const(6)
_KURTOSIS = const(9)
_ENVELOPE = const(12)
_VELOCITY = const(15)
_MEAN = const(18)
_WORST_RMS = const(21)
_WORST_PEAK = const(22)
_WORST_CREST = const(23)
_WORST_KURTOSIS = const(24)
_WORST_ENVELOPE = const(25)
_WORST_VELOCITY = const(26)
_WORST_AXIS = const(27)  # the axis of the worst velocity
_STUCK = const(28)
_SATURATED = const(29)
_MIDDLE = const(30)  # of each axis: the mean in eighths of a count
_RESULTS = const(33)

# In `Features.shaft`. The caller writes the first two before each `add`:
PHASE_Q32 = const(0)  # of the block's first sample, in turns
STEP_Q32 = const(1)  # turns from sample to sample; 0 where the shaft stands or is unknown
_SHAFT_WIDE = const(2)
_SHAFT_OFFSET = const(3)  # of the axis, bytes into a triple
_I = const(4)  # sum of samples times cosine and minus sine, in half counts
_Q = const(5)
_COS_Q10 = const(6)  # sum of the cosines alone, and of minus the sines
_SIN_Q10 = const(7)
_COUNT = const(8)
_TURNS_LEFT = const(9)
_LEFT_Q24 = const(10)
_TURNS = const(11)  # of this average, 0 while none is being taken
_OVER_Q24 = const(12)  # how far beyond them the last step went
_WINDOW = const(13)
_AXIS = const(14)
_AVERAGE_AXIS = const(15)
_TABLE_AT = const(16)
_TABLE = const(64)  # and a quarter turn more, for the sine

_BLOCK_SAMPLES = const(16)
_CENTER_SAMPLES = const(16)
_LEAST_TURNS = const(8)
_MOST_SAMPLES = const(16000)  # of one average: its sums stay in 32 bits
_G_UM_S2 = 9806650.0


@micropython.viper
def begin_window(samples: ptr16, first: int, count: int, work: ptr32):
    """The centre of the moments: the mean of a window's first samples, at most 16, rounded down.

    It lies among them, so that the search for the highest and the lowest can begin there. 3,200
    cycles for three axes.
    """
    if count > _CENTER_SAMPLES:
        count = _CENTER_SAMPLES
    axis = 0
    while axis < int(work[_PRESENT]):
        w = _AXES_AT + axis * _AXIS_WORDS
        i = 3 * first + (int(work[w + _OFFSET]) >> 1)
        end = i + 3 * count
        total = 0
        while i < end:
            total += ((int(samples[i]) & 0xFFFF) ^ 0x8000) - 0x8000
            i += 3
        total = total // count
        work[w + _CENTER] = total
        work[w + _MAX] = total
        work[w + _MIN] = total
        axis += 1


@micropython.viper
def statistics_reference(samples: ptr16, first: int, count: int, work: ptr32):
    """Take `count` (at most 32) x, y, z triples of int16 from `samples[3 * first:]` into the sums.

    The readable twin of `features_rp2.statistics`, and what runs where there is no RP2040.
    """
    wide = int(work[_WIDE])
    rail = int(work[_RAIL])
    axes = int(work[_PRESENT]) if count else 0
    axis = 0
    while axis < axes:
        w = _AXES_AT + axis * _AXIS_WORDS
        begin = 3 * first + (int(work[w + _OFFSET]) >> 1)
        end = begin + 3 * count
        total = (int(work[w + _SUM]) << wide) >> wide
        lo = int(work[w + _SQ_LO])
        hi = int(work[w + _SQ_HI])
        highest = (int(work[w + _MAX]) << wide) >> wide
        lowest = (int(work[w + _MIN]) << wide) >> wide
        railed = int(work[w + _RAILED])
        i = begin
        while i < end:
            a = ((int(samples[i]) & 0xFFFF) ^ 0x8000) - 0x8000
            i += 3
            total += a
            if a > highest:
                highest = a
            if a < lowest:
                lowest = a
            if a >= rail or a <= -rail:
                railed += 1
            square = a * a
            lo += square & 0xFFFF
            hi += (square >> 16) + (lo >> 16)
            lo &= 0xFFFF
        work[w + _SUM] = total
        work[w + _SQ_LO] = lo
        work[w + _SQ_HI] = hi
        work[w + _MAX] = highest
        work[w + _MIN] = lowest
        work[w + _RAILED] = railed

        center = (int(work[w + _CENTER]) << wide) >> wide
        bits = int(work[w + _BITS])
        cube_lo = int(work[w + _CUBE_LO])
        cube_hi = (int(work[w + _CUBE_HI]) << wide) >> wide
        fourth_lo = int(work[w + _FOURTH_LO])
        fourth_hi = int(work[w + _FOURTH_HI])
        furthest = highest - center
        if center - lowest > furthest:
            furthest = center - lowest
        furthest += 4
        while furthest >> bits:
            # One bit more: each sum drops what its unit grows by.
            drop = 2 if bits == 6 else 4
            lo = ((fourth_hi & 0xFFF) << 16) | fourth_lo
            fourth_lo = (lo >> drop) & 0xFFFF
            fourth_hi >>= drop
            drop = 1 if bits == 6 else 2 if bits < 13 else 3
            lo = ((cube_hi & 0xFFF) << 16) | cube_lo
            cube_lo = (lo >> drop) & 0xFFFF
            cube_hi >>= drop
            bits += 1
        shift = bits - 13 if bits > 13 else 0
        square_shift = 13 if bits > 13 else 2 * bits - 13 if bits > 6 else 0
        half = (1 << square_shift) >> 1
        center -= (1 << shift) >> 1
        i = begin
        while i < end:
            x = ((((int(samples[i]) & 0xFFFF) ^ 0x8000) - 0x8000) - center) >> shift
            i += 3
            square = (x * x + half) >> square_shift
            product = x * square
            cube_lo += product & 0xFFFF
            cube_hi += (product >> 16) + (cube_lo >> 16)
            cube_lo &= 0xFFFF
            product = square * square
            fourth_lo += product & 0xFFFF
            fourth_hi += (product >> 16) + (fourth_lo >> 16)
            fourth_lo &= 0xFFFF
        work[w + _BITS] = bits
        work[w + _CUBE_LO] = cube_lo
        work[w + _CUBE_HI] = cube_hi
        work[w + _FOURTH_LO] = fourth_lo
        work[w + _FOURTH_HI] = fourth_hi
        axis += 1


@micropython.viper
def velocity_reference(samples: ptr16, first: int, count: int, work: ptr32):
    """Take the same triples through the velocity's filters; twin of `features_rp2.velocity`."""
    wide = int(work[_WIDE])
    k = int(work[_K_Q16])
    now = int(work[_NOW])
    b0 = int(work[_B0_Q12])
    b1 = int(work[_B1_Q12])
    a1 = (int(work[_A1_Q12]) << wide) >> wide
    a2 = int(work[_A2_Q12])
    axis = 0
    while axis < int(work[_PRESENT]):
        w = _AXES_AT + axis * _AXIS_WORDS
        u = (int(work[w + _V]) << wide) >> wide
        low = (int(work[w + _LOW]) << wide) >> wide
        band = (int(work[w + _BAND]) << wide) >> wide
        s1 = (int(work[w + _S1]) << wide) >> wide
        s2 = (int(work[w + _S2]) << wide) >> wide
        lo = int(work[w + _VSQ_LO])
        hi = int(work[w + _VSQ_HI])
        i = 3 * first + (int(work[w + _OFFSET]) >> 1)
        end = i + 3 * count
        while i < end:
            a = ((int(samples[i]) & 0xFFFF) ^ 0x8000) - 0x8000
            i += 3
            # K times a state is taken in two halves: exact, and within 32 bits.
            moved = now * a
            v = u + moved
            u = v - ((v >> 16) * k + (((v & 0xFFFF) * k) >> 16)) + (moved >> 3)
            high = v + low + band
            band -= (high >> 16) * k + (((high & 0xFFFF) * k) >> 16)
            low += (band >> 16) * k + (((band & 0xFFFF) * k) >> 16)
            x = high >> 4
            if x > 0x1FFFF:
                x = 0x1FFFF
            if x < -0x20000:
                x = -0x20000
            y = (b0 * x + s1) >> 12
            s1 = b1 * x - a1 * y - s2
            s2 = a2 * y
            y = (y + 2) >> 2
            square = y * y
            lo += square & 0xFFFF
            hi += (square >> 16) + (lo >> 16)
            lo &= 0xFFFF
        work[w + _V] = u
        work[w + _LOW] = low
        work[w + _BAND] = band
        work[w + _S1] = s1
        work[w + _S2] = s2
        work[w + _VSQ_LO] = lo
        work[w + _VSQ_HI] = hi
        axis += 1


@micropython.viper
def envelope_reference(samples: ptr16, first: int, count: int, work: ptr32):
    """Take the same triples through the envelope's filters; twin of `features_rp2.envelope`."""
    wide = int(work[_WIDE])
    high_a1 = (int(work[_HP_A1_Q11]) << wide) >> wide
    high_a2 = (int(work[_HP_A2_Q11]) << wide) >> wide
    gain = int(work[_GAIN_Q11])
    low_a1 = (int(work[_LP_A1_Q11]) << wide) >> wide
    low_a2 = (int(work[_LP_A2_Q11]) << wide) >> wide
    run = int(work[_RUN])
    run_shift = int(work[_RUN_SHIFT])
    axis = 0
    while axis < int(work[_PRESENT]):
        w = _AXES_AT + axis * _AXIS_WORDS
        h1 = (int(work[w + _H1]) << wide) >> wide
        h2 = (int(work[w + _H2]) << wide) >> wide
        l1 = (int(work[w + _L1]) << wide) >> wide
        l2 = (int(work[w + _L2]) << wide) >> wide
        part = int(work[w + _PART])
        left = int(work[w + _LEFT])
        total = int(work[w + _ESUM])
        lo = int(work[w + _ESQ_LO])
        hi = int(work[w + _ESQ_HI])
        i = 3 * first + (int(work[w + _OFFSET]) >> 1)
        end = i + 3 * count
        while i < end:
            x = (((int(samples[i]) & 0xFFFF) ^ 0x8000) - 0x8000) << 12
            i += 3
            y = (x + h1) >> 11  # half counts
            h1 = h2 + high_a1 * y - x - x
            h2 = high_a2 * y + x
            x = gain * y
            y = (x + l1) >> 11
            l1 = l2 + low_a1 * y + x + x
            l2 = low_a2 * y + x
            part += y ^ (y >> 31)  # rounds down on either side, as y is rounded
            left -= 6
            if not left:
                mean = part >> run_shift
                if mean > 0x7FFF:
                    mean = 0x7FFF
                total += mean
                square = mean * mean
                lo += square & 0xFFFF
                hi += (square >> 16) + (lo >> 16)
                lo &= 0xFFFF
                part = 0
                left = run
        work[w + _H1] = h1
        work[w + _H2] = h2
        work[w + _L1] = l1
        work[w + _L2] = l2
        work[w + _PART] = part
        work[w + _LEFT] = left
        work[w + _ESUM] = total
        work[w + _ESQ_LO] = lo
        work[w + _ESQ_HI] = hi
        axis += 1


@micropython.viper
def quadrature_reference(samples: ptr16, first: int, count: int, shaft: ptr32):
    """Correlate `count` (at most 32) triples' one axis with the shaft's cosine and sine.

    The twin of `features_rp2.quadrature`. The angle is that of a 64th of a turn: amplitudes come
    out 0.04 % low.
    """
    wide = int(shaft[_SHAFT_WIDE])
    phase = int(shaft[PHASE_Q32])
    step = int(shaft[STEP_Q32])
    i = 3 * first + (int(shaft[_SHAFT_OFFSET]) >> 1)
    end = i + 3 * count
    in_phase = 0
    across = 0
    cosines = (int(shaft[_COS_Q10]) << wide) >> wide
    sines = (int(shaft[_SIN_Q10]) << wide) >> wide
    # In halves, so that 64-bit integers and 32-bit ones agree.
    phase_hi = (phase >> 16) & 0xFFFF
    phase_lo = phase & 0xFFFF
    step_hi = (step >> 16) & 0xFFFF
    step_lo = step & 0xFFFF
    while i < end:
        a = ((int(samples[i]) & 0xFFFF) ^ 0x8000) - 0x8000
        i += 3
        at = _TABLE_AT + (phase_hi >> 10)
        cosine = (int(shaft[at]) << wide) >> wide
        sine = (int(shaft[at + 16]) << wide) >> wide
        cosines += cosine
        sines += sine
        in_phase += a * cosine
        across += a * sine
        phase_lo += step_lo
        phase_hi = (phase_hi + step_hi + (phase_lo >> 16)) & 0xFFFF
        phase_lo &= 0xFFFF
    if count:
        shaft[_I] = ((int(shaft[_I]) << wide) >> wide) + ((in_phase + 256) >> 9)
        shaft[_Q] = ((int(shaft[_Q]) << wide) >> wide) + ((across + 256) >> 9)
        shaft[_COS_Q10] = cosines
        shaft[_SIN_Q10] = sines
        shaft[_COUNT] = int(shaft[_COUNT]) + count


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
    from .features_rp2 import envelope, quadrature, root, statistics, velocity
else:
    envelope = envelope_reference
    quadrature = quadrature_reference
    root = root_reference
    statistics = statistics_reference
    velocity = velocity_reference


@micropython.viper
def close_axis(work: ptr32, w: int, n: int, scales: ptr32, results: ptr32):
    """Turn an axis' sums of `n` samples (at most 32,752) into results; all but the kurtosis: 11,000
    cycles.

    `scales` holds a factor and a shift from 1/16 count to mg, from 1/64 count-sample to um/s, and
    from 1/16 of the envelope's unit to mg.
    """
    wide = int(work[_WIDE])
    axis = int(work[w + _OFFSET]) >> 1
    judged = int(work[w + _JUDGED])
    if w == _AXES_AT:
        i = _WORST_RMS
        while i < _MIDDLE:
            results[i] = 0
            i += 1
        results[_STUCK] = 1
    middle = 0
    rms = 0
    quantity = 2
    while quantity >= 0:
        # 2 the envelope, 1 velocity, 0 acceleration
        samples = n
        total = 0
        lo = int(work[w + _VSQ_LO])
        hi = int(work[w + _VSQ_HI])
        if quantity == 2:
            run = int(work[_RUN])
            samples = (6 * n + run - int(work[w + _LEFT_FIRST])) // run if run else 0
            total = int(work[w + _ESUM])
            lo = int(work[w + _ESQ_LO])
            hi = int(work[w + _ESQ_HI])
        if quantity == 0:
            total = (int(work[w + _SUM]) << wide) >> wide
            lo = int(work[w + _SQ_LO])
            hi = int(work[w + _SQ_HI])
        rms = 0
        if samples:
            mean = total // samples
            rest = total - mean * samples
            # The squares about `mean`: sum(a^2) - mean (2 sum(a) - mean n).
            moved = total + rest
            product = mean * (moved & 0xFFFF)
            lo -= product & 0xFFFF
            hi += (lo >> 16) - mean * (moved >> 16) - (product >> 16)
            lo &= 0xFFFF
            beside = (rest << 15) // samples
            beside = (beside * beside) >> 14  # what is left of the mean, squared, Q16
            whole = hi // samples
            part = ((hi - whole * samples) << 16) + lo
            carry = part // samples
            fraction = ((part - carry * samples) << 16) // samples - beside
            whole = (whole << 16) + carry + (fraction >> 16)
            if whole > 0x3FFFFFFF:
                whole = 0x3FFFFFFF
            fraction &= 0xFFFF
            rms = int(root(whole, fraction))
            middle = 8 * mean + (8 * rest) // samples  # eighths of a count
            work[_WHOLE] = whole
            work[_FRACTION] = fraction
        if quantity:
            shift = int(scales[2 * quantity + 1])
            result = (((rms + 8) >> 4) * int(scales[2 * quantity]) + ((1 << shift) >> 1)) >> shift
            at = _VELOCITY if quantity == 1 else _ENVELOPE
            worst = _WORST_VELOCITY if quantity == 1 else _WORST_ENVELOPE
            results[at + axis] = result
            if judged and result >= int(results[worst]):
                results[worst] = result
                if quantity == 1:
                    results[_WORST_AXIS] = axis
        quantity -= 1
    highest = (int(work[w + _MAX]) << wide) >> wide
    lowest = (int(work[w + _MIN]) << wide) >> wide
    peak = 8 * highest - middle
    if middle - 8 * lowest > peak:
        peak = middle - 8 * lowest
    crest = (3200 * peak + (rms >> 1)) // rms if rms else 0
    factor = int(scales[0])
    shift = int(scales[1])
    rms = (((rms + 8) >> 4) * factor + ((1 << shift) >> 1)) >> shift
    shift -= 1
    half = (1 << shift) >> 1
    peak = (peak * factor + half) >> shift
    results[_RMS + axis] = rms
    results[_PEAK + axis] = peak
    results[_CREST + axis] = crest
    results[_MEAN + axis] = (middle * factor + half) >> shift
    results[_MIDDLE + axis] = middle
    if judged:
        if rms > int(results[_WORST_RMS]):
            results[_WORST_RMS] = rms
        if peak > int(results[_WORST_PEAK]):
            results[_WORST_PEAK] = peak
        if crest > int(results[_WORST_CREST]):
            results[_WORST_CREST] = crest
        if highest != lowest:
            results[_STUCK] = 0
        limit = int(work[_MEAN_LIMIT])
        if middle >= limit or middle <= -limit or 100 * int(work[w + _RAILED]) > n:
            results[_SATURATED] = 1


# Numbers for the kurtosis: 15 bits of mantissa, rounded, under an exponent plus 128; or 0.
@micropython.viper
def _pack(whole: int, fraction: int) -> int:
    """`whole` and 16 bits of fraction, in units of the fraction."""
    exponent = 144
    if not whole | fraction:
        return 0
    while whole >= 0x8000:
        fraction = ((whole & 1) << 15) | (fraction >> 1)
        whole >>= 1
        exponent += 1
    while whole < 0x40:
        whole = (whole << 8) | (fraction >> 8)
        fraction = (fraction << 8) & 0xFFFF
        exponent -= 8
    while whole < 0x4000:
        whole = (whole << 1) | (fraction >> 15)
        fraction = (fraction << 1) & 0xFFFF
        exponent -= 1
    whole += fraction >> 15
    if whole >> 15:
        whole >>= 1
        exponent += 1
    return (exponent << 15) | whole


@micropython.viper
def _times(a: int, b: int) -> int:
    if not a or not b:
        return 0
    exponent = (a >> 15) + (b >> 15) - 128 + 14
    mantissa = (a & 0x7FFF) * (b & 0x7FFF) + 0x2000
    if mantissa >> 29:
        mantissa = (mantissa + 0x2000) >> 1
        exponent += 1
    return (exponent << 15) | (mantissa >> 14)


@micropython.viper
def _over(a: int, b: int) -> int:
    if not a:
        return 0
    exponent = (a >> 15) - (b >> 15) + 128 - 15
    divisor = b & 0x7FFF
    mantissa = (((a & 0x7FFF) << 15) + (divisor >> 1)) // divisor
    if mantissa >> 15:
        mantissa = (mantissa + 1) >> 1
        exponent += 1
    return (exponent << 15) | mantissa


@micropython.viper
def _fixed(a: int, bits: int) -> int:
    """2^bits times the number, at most 2^28."""
    shift = (a >> 15) - 128 + bits
    mantissa = a & 0x7FFF
    if not mantissa or shift < -15:
        return 0
    if shift > 13:
        return 0x10000000
    if shift >= 0:
        return mantissa << shift
    return ((mantissa >> (-1 - shift)) + 1) >> 1


@micropython.viper
def close_moments(work: ptr32, w: int, n: int, results: ptr32):
    """The kurtosis of an axis that `close_axis` has just had; then the axis begins anew: 18,000
    cycles.

    With d the mean's distance from the centre: m4 = S4 - 4 d S3 + 6 d^2 variance + 3 d^4.
    """
    wide = int(work[_WIDE])
    kurtosis = 0
    whole = int(work[_WHOLE])
    fraction = int(work[_FRACTION])
    if whole or fraction >= 1024:
        variance = int(_pack(whole, fraction))  # 2^16 times too large, here and below
        samples = int(_pack(n >> 16, n & 0xFFFF))
        total = (int(work[w + _SUM]) << wide) >> wide
        total -= n * ((int(work[w + _CENTER]) << wide) >> wide)
        sign = 1
        if total < 0:
            total = 0 - total
            sign = -1
        d = int(_over(int(_pack(total >> 16, total & 0xFFFF)), samples))
        square = int(_fixed(int(_over(int(_times(d, d)), variance)), 26))  # Q10
        if square <= 45 << 10:  # its own square fits
            bits = int(work[w + _BITS])
            four = 4 * bits - 26 if bits > 6 else 0
            three = 3 * bits - 26 if bits > 13 else 2 * bits - 13 if bits > 6 else 0
            sum4 = int(_pack(int(work[w + _FOURTH_HI]), int(work[w + _FOURTH_LO])))
            hi = (int(work[w + _CUBE_HI]) << wide) >> wide
            lo = int(work[w + _CUBE_LO])
            if hi < 0:
                sign = 0 - sign
                hi = 0 - hi
                if lo:
                    hi -= 1
                    lo = 0x10000 - lo
            sum3 = int(_times(int(_pack(hi, lo)), d))
            variance = int(_times(int(_times(variance, variance)), samples))
            kurtosis = int(_fixed(int(_over(sum4, variance)), 42 + four))
            kurtosis -= 4 * sign * int(_fixed(int(_over(sum3, variance)), 42 + three))
            kurtosis += 6 * square + 3 * ((square * square) >> 10)
            if kurtosis < 1024:
                kurtosis = 1024  # nothing is below 1
            kurtosis = (kurtosis >> 10) * 100 + (((kurtosis & 1023) * 100 + 512) >> 10)
    results[_KURTOSIS + (int(work[w + _OFFSET]) >> 1)] = kurtosis
    if int(work[w + _JUDGED]) and kurtosis > int(results[_WORST_KURTOSIS]):
        results[_WORST_KURTOSIS] = kurtosis
    i = _SUM
    while i <= _RAILED:
        work[w + i] = 0
        i += 1
    work[w + _BITS] = 6
    work[w + _VSQ_LO] = 0
    work[w + _VSQ_HI] = 0
    work[w + _ESUM] = 0
    work[w + _ESQ_LO] = 0
    work[w + _ESQ_HI] = 0
    work[w + _LEFT_FIRST] = work[w + _LEFT]


@micropython.viper
def take_turn(samples: ptr16, first: int, count: int, shaft: ptr32) -> int:
    """Take a block into the average over whole turns; 1 where that has ended, -1 where the shaft
    stands.

    An average begins with a block, on the axis that is the worst by then, and ends with the sample
    that completes its turns: those of one window, or 8 where a window has fewer. 1,000 cycles
    beside `quadrature`.
    """
    wide = int(shaft[_SHAFT_WIDE])
    step = ((int(shaft[STEP_Q32]) << wide) >> wide) >> 8
    if step <= 0:
        shaft[_TURNS] = 0
        return -1
    if not int(shaft[_TURNS]):
        turns = ((step >> 8) * int(shaft[_WINDOW])) >> 16
        if turns < _LEAST_TURNS:
            turns = _LEAST_TURNS
        most = ((step >> 8) * _MOST_SAMPLES) >> 16
        if turns > most:
            turns = most
        if not turns:
            return -1
        shaft[_TURNS] = turns
        shaft[_TURNS_LEFT] = turns
        axis = int(shaft[_AXIS])
        shaft[_AVERAGE_AXIS] = axis
        shaft[_SHAFT_OFFSET] = 2 * axis
        i = _I
        while i <= _COUNT:
            shaft[i] = 0
            i += 1
        shaft[_LEFT_Q24] = 0
    advance = step * count
    turns = int(shaft[_TURNS_LEFT])
    left = int(shaft[_LEFT_Q24])
    if turns <= 17:
        left += turns << 24
        turns = 0
    if turns or left > advance:
        quadrature(samples, first, count, shaft)
        left -= advance
        while left < 0:
            left += 0x1000000
            turns -= 1
        shaft[_TURNS_LEFT] = turns + (left >> 24)
        shaft[_LEFT_Q24] = left & 0xFFFFFF
        if int(shaft[_COUNT]) > _MOST_SAMPLES:
            shaft[_TURNS] = 0  # it has slowed down too far
        return 0
    taken = (left + step - 1) // step
    quadrature(samples, first, taken, shaft)
    shaft[_OVER_Q24] = taken * step - left
    return 1


@micropython.viper
def close_turns(shaft: ptr32, results: ptr32, scales: ptr32, once: ptr32) -> int:
    """End an average: its amplitude in mg and um/s into `once`; 0, and nothing there, where its
    angles did not go round evenly. 4,100 cycles.

    `scales` holds a factor and a shift from 1/64 count to mg, and from count-samples in a turn to
    um/s.
    """
    wide = int(shaft[_SHAFT_WIDE])
    cosines = (int(shaft[_COS_Q10]) << wide) >> wide
    sines = (int(shaft[_SIN_Q10]) << wide) >> wide
    turns = int(shaft[_TURNS])
    shaft[_TURNS] = 0
    n = int(shaft[_COUNT])
    limit = (n << 5) + 2048  # two samples, and a 32nd of what they would be without going round
    if cosines > limit or cosines < 0 - limit or sines > limit or sines < 0 - limit:
        return 0
    # The turns' ends leave some of the cosines, and the mean with them.
    mean = ((int(results[_MIDDLE + int(shaft[_AVERAGE_AXIS])]) << wide) >> wide) + 4 >> 3
    in_phase = ((int(shaft[_I]) << wide) >> wide) - ((cosines >> 4) * mean >> 5)
    across = ((int(shaft[_Q]) << wide) >> wide) - ((sines >> 4) * mean >> 5)
    largest = in_phase if in_phase > 0 else 0 - in_phase
    if across > largest:
        largest = across
    if 0 - across > largest:
        largest = 0 - across
    exponent = 0
    while largest >= 0x4000:
        largest >>= 1
        exponent += 1
    while largest and largest < 0x2000:
        largest <<= 1
        exponent -= 1
    if exponent >= 0:
        in_phase >>= exponent
        across >>= exponent
    else:
        in_phase <<= 0 - exponent
        across <<= 0 - exponent
    size = int(root(in_phase * in_phase + across * across, 0)) << 6  # 2^(14 - exponent) times
    # Both of the sums and the amplitude's factor of two make one: amplitude = size / n.
    quantity = 0
    while quantity < 2:
        if quantity:
            per = (turns << 4) + (int(shaft[_OVER_Q24]) >> 20)
            shift = 14 - 4 - exponent
        else:
            per = n
            shift = 14 - 6 - exponent
        value = size // per
        while value >= 0x40000:
            value >>= 1
            shift -= 1
        value *= int(scales[2 * quantity])
        shift += int(scales[2 * quantity + 1])
        if shift > 30:
            value = 0
        elif shift > 0:
            value = (value + (1 << (shift - 1))) >> shift
        else:
            while shift < 0 and value < 0x20000000:
                value <<= 1
                shift += 1
        once[quantity] = value if value < 0x3FFFFFFF else 0x3FFFFFFF
        quantity += 1
    return 1


def _scale(value):
    """`value` as a factor below 4,096 and a right shift, for numbers up to 2^19."""
    shift = 0
    while value < 2047 and shift < 20:
        value *= 2
        shift += 1
    return round(value), shift


class Features:
    """Features of one sensor of up to three axes, window after window.

    `full_scale_counts` is the largest count that the sensor gives; `present` are the axes that it
    has (of 0 to 2; the others' places in a triple are not looked at, and their features stay 0),
    `axes` those of them that the worst values are taken from. A band is in Hz; the envelope's may
    be None.

    Feed blocks with `add`. When it returns True a window has closed, and these are its features,
    three values each: `rms_mg`, `peak_mg`, `crest_centi`, `kurtosis_centi`, `envelope_mg`,
    `velocity_um_s`, `mean_mg`; `axes` is all of them in this order, which is the wire's. The
    largest of the judged axes are `worst_rms_mg` and so on. `stuck` is True where no judged axis
    moved by a count, `saturated` where one of them has its mean within 2 % of full scale, or more
    than 1 % of its samples within 0.4 %.

    `settled` is False until the filters have forgotten the step of gravity at the start: about half
    a second, for a band from 10 Hz.

    `once_per_turn_mg` and `once_per_turn_um_s` are amplitudes (not RMS) at the shaft's speed, of
    the axis with the worst velocity, averaged in phase over whole turns: as many as a window has,
    at least 8 where they are over in 16,000 samples. They are 0 while the shaft stands, and before
    the first average. Each `add` takes the shaft's angle from `shaft`: [PHASE_Q32] at the block's
    first sample and [STEP_Q32] from each sample to the next, in turns, as the 32 bits of a
    fraction.

    At constant speed the amplitude is right within 2 %; other vibration that does not go round with
    the shaft leaks in divided by pi, the number of turns and its distance in multiples of the
    speed. At a speed that changes, with the step taken from the last turn and the phase set right
    by each pulse, the angle runs ahead or behind by up to 3/2 of a turn's change before the next
    pulse. Over 8 turns that is an error within 2 % for up to 5 % of change a turn; the um/s are
    those of the average's own mean speed.
    """

    def __init__(
        self,
        window_samples,
        rate_hz,
        count_ug,
        full_scale_counts=32768,
        axes=(0, 1, 2),
        present=(0, 1, 2),
        band_low_hz=10,
        band_high_hz=1000,
        envelope_low_hz=None,
        envelope_high_hz=None,
    ):
        if window_samples % _BLOCK_SAMPLES or not 0 < window_samples < 32768:
            raise ValueError("window_samples must be a multiple of 16 below 32768")
        if not 200 <= rate_hz <= 30000 // len(present):
            raise ValueError("rate_hz must be from 200 to 30000 over the number of axes")
        if not 1 <= full_scale_counts <= 32768:
            raise ValueError("full_scale_counts must be from 1 to 32768")
        for axis in axes:
            if axis not in present:
                raise ValueError("every judged axis must be present")
        if not rate_hz / 3200 <= band_low_hz <= rate_hz / 20:
            raise ValueError("band_low_hz must be from rate_hz / 3200 to rate_hz / 20")
        if not band_low_hz < band_high_hz:
            raise ValueError("band_high_hz must be above band_low_hz")
        self.window_samples = window_samples
        self._work = work = array.array("i", [0] * (_AXES_AT + len(present) * _AXIS_WORDS))
        self._results = array.array("i", [0] * _RESULTS)
        self._scales = array.array("i", [0] * 6)
        self._turn_scales = array.array("i", [0] * 4)
        self._once = array.array("i", [0, 0])
        self.shaft = _make_shaft(window_samples, axes[0])
        work[_WIDE] = 32 if sys.maxsize > 0x7FFFFFFF else 0
        work[_PRESENT] = len(present)
        work[_RAIL] = full_scale_counts - (full_scale_counts >> 8)
        work[_MEAN_LIMIT] = round(8 * 0.98 * full_scale_counts)
        places = []
        for axis in present:
            w = _AXES_AT + len(places) * _AXIS_WORDS
            work[w + _OFFSET] = 2 * axis
            work[w + _JUDGED] = 1 if axis in axes else 0
            places.append(w)
        self._places = tuple(places)
        self._set_rate(rate_hz, count_ug, 0.91 * band_low_hz, band_high_hz)
        self._has_envelope = envelope_low_hz is not None
        if self._has_envelope:
            self._set_envelope(
                rate_hz, count_ug, full_scale_counts, envelope_low_hz, envelope_high_hz
            )
        for w in places:
            work[w + _LEFT] = work[_RUN]
            close_moments(work, w, window_samples, self._results)
        self.taken = 0
        self._windows = 0
        self._settling = int(20 * rate_hz / (3 * window_samples * band_low_hz)) + 2
        results = memoryview(self._results)
        self.rms_mg = results[_RMS : _RMS + _AXES]
        self.peak_mg = results[_PEAK : _PEAK + _AXES]
        self.crest_centi = results[_CREST : _CREST + _AXES]
        self.kurtosis_centi = results[_KURTOSIS : _KURTOSIS + _AXES]
        self.envelope_mg = results[_ENVELOPE : _ENVELOPE + _AXES]
        self.velocity_um_s = results[_VELOCITY : _VELOCITY + _AXES]
        self.mean_mg = results[_MEAN : _MEAN + _AXES]
        self.axes = results[:_WORST_RMS]
        self.worst_rms_mg = 0
        self.worst_peak_mg = 0
        self.worst_crest_centi = 0
        self.worst_kurtosis_centi = 0
        self.worst_envelope_mg = 0
        self.worst_velocity_um_s = 0
        self.once_per_turn_mg = 0
        self.once_per_turn_um_s = 0
        self.stuck = False
        self.saturated = False

    def _set_rate(self, rate_hz, count_ug, high_pass_hz, low_pass_hz):
        work = self._work
        work[_K_Q16] = round(65536 * (1 - math.exp(-2 * math.pi * high_pass_hz / rate_hz)))
        # V is as fine as fits 32 bits with the loudest signal through the slowest leak, and as
        # leaves room for 98 mm/s before the low-pass.
        um_s = count_ug * 1e-6 * _G_UM_S2 / rate_hz  # one count-sample
        unit = min(228, 267000 * high_pass_hz / rate_hz, 8 / 9 * (1 << 21) * um_s / 98000)
        work[_NOW] = max(1, int(unit))
        b1, a1, a2 = _low_pass(min(low_pass_hz, rate_hz / 2.56) / rate_hz)
        work[_A1_Q12] = round(4096 * a1)
        work[_A2_Q12] = round(4096 * a2)
        work[_B1_Q12] = round(4096 * b1)
        # The gain at rest must be exactly one, whatever the rounding of the others.
        work[_B0_Q12] = 4096 + work[_A1_Q12] + work[_A2_Q12] - work[_B1_Q12]
        # The leak and the state variable filter update explicitly, which lifts the gain of each by
        # half a step of its corner frequency.
        gain = (1 + math.pi * high_pass_hz / rate_hz) ** 2 * work[_NOW] * 9 / 8 / 256
        scales = self._scales
        scales[0], scales[1] = _scale(count_ug / 16000)
        scales[2], scales[3] = _scale(um_s / 64 / gain)
        scales = self._turn_scales
        flat = math.sin(math.pi / _TABLE) / (math.pi / _TABLE)  # what the table's steps lose
        scales[0], scales[1] = _scale(count_ug / 64000 / flat)
        scales[2], scales[3] = _scale(um_s / (2 * math.pi) / flat)

    def _set_envelope(self, rate_hz, count_ug, full_scale_counts, low_hz, high_hz):
        if not rate_hz / 64 <= low_hz <= rate_hz / 5:
            raise ValueError("envelope_low_hz must be from rate_hz / 64 to rate_hz / 5")
        if not low_hz < high_hz <= 0.45 * rate_hz:
            raise ValueError("envelope_high_hz must be above the low one, to 0.45 rate_hz")
        work = self._work
        high = _bilinear(low_hz / rate_hz)
        low = _bilinear(high_hz / rate_hz)
        for at, pair in ((_HP_A1_Q11, high), (_LP_A1_Q11, low)):
            work[at] = -round(2048 * pair[0])
            work[at + 1] = -round(2048 * pair[1])
        # Right at both corners' middle, whatever the rounding of the coefficients.
        middle = 2 * math.pi * math.sqrt(low_hz * high_hz) / rate_hz
        wanted = _resonance(high, middle) * _resonance(low, middle)
        wanted *= (1 - high[0] + high[1]) / 4 * (1 + low[0] + low[1]) / 4
        rounded = 1
        for at in (_HP_A1_Q11, _LP_A1_Q11):
            rounded *= _resonance((-work[at] / 2048, -work[at + 1] / 2048), middle)
        work[_GAIN_Q11] = round(2048 * wanted / rounded)
        gain = work[_GAIN_Q11] / 2048 * rounded / wanted
        run_bits = 0
        while rate_hz >= 800 << run_bits:
            run_bits += 1
        work[_RUN] = 6 << run_bits
        # Of the mean as much as 15 bits hold, in half counts to begin with.
        finer = run_bits
        while full_scale_counts * 2 ** (finer + 1) > 32768:
            finer -= 1
        work[_RUN_SHIFT] = run_bits - finer
        self._scales[4], self._scales[5] = _scale(
            count_ug / 16000 / 2 ** (finer + 1) * math.pi / 2 / gain
        )

    @property
    def settled(self):
        """True once the windows are those of the machine and not of the filters' start."""
        return self._windows >= self._settling

    @micropython.native
    def add(self, samples, first, count):
        """Take 1 to 32 triples, all of one window; returns True where they complete it.

        `samples` holds int16 x, y, z triples; `first` counts triples. For 32 triples of three axes,
        with everything on: 26,900 cycles, 14,300 of them in the kernels. No kernel takes more than
        18,000 in one call, nor a window's end, which takes 29,000 for each axis more.
        """
        work = self._work
        taken = self.taken
        if not taken:
            begin_window(samples, first, count, work)
        statistics(samples, first, count, work)
        velocity(samples, first, count, work)
        if self._has_envelope:
            envelope(samples, first, count, work)
        turned = take_turn(samples, first, count, self.shaft)
        if turned:
            self._turned(turned)
        taken += count
        self.taken = taken
        if taken < self.window_samples:
            return False
        self._close()
        return True

    def _turned(self, turned):
        once = self._once
        if turned < 0:
            self.once_per_turn_mg = 0
            self.once_per_turn_um_s = 0
        elif self._windows and close_turns(self.shaft, self._results, self._turn_scales, once):
            self.once_per_turn_mg = once[0]
            self.once_per_turn_um_s = once[1]

    def _close(self):
        results = self._results
        work = self._work
        taken = self.taken
        for w in self._places:
            close_axis(work, w, taken, self._scales, results)
            close_moments(work, w, taken, results)
        self.taken = 0
        self._windows += 1
        self.worst_rms_mg = results[_WORST_RMS]
        self.worst_peak_mg = results[_WORST_PEAK]
        self.worst_crest_centi = results[_WORST_CREST]
        self.worst_kurtosis_centi = results[_WORST_KURTOSIS]
        self.worst_envelope_mg = results[_WORST_ENVELOPE]
        self.worst_velocity_um_s = results[_WORST_VELOCITY]
        self.stuck = results[_STUCK] == 1
        self.saturated = results[_SATURATED] == 1
        self.shaft[_AXIS] = results[_WORST_AXIS]


def _make_shaft(window_samples, axis):
    cosines = [round(1024 * math.cos(2 * math.pi * i / _TABLE)) for i in range(_TABLE * 5 // 4)]
    shaft = array.array("i", [0] * _TABLE_AT + cosines)
    shaft[_SHAFT_WIDE] = 32 if sys.maxsize > 0x7FFFFFFF else 0
    shaft[_WINDOW] = window_samples
    shaft[_AXIS] = axis
    return shaft


def _low_pass(corner):
    """Butterworth of order 2 at `corner` (of the rate), right at 0 and, with the integrator's own
    error, near the corner.

    M. Vicanek, "Matched Second Order Digital Filters", 2016. b1, a1, a2 of
    y[n] = b0 x[n] + b1 x[n-1] - a1 y[n-1] - a2 y[n-2].
    """
    w = 2 * math.pi * corner
    q = math.sqrt(0.5)
    a1 = -2 * math.exp(-q * w) * math.cos(q * w)
    a2 = math.exp(-2 * q * w)
    at_rest = (1 + a1 + a2) ** 2
    at_half_rate = (1 - a1 + a2) ** 2
    right = min(0.9 * corner, 0.3)
    half = math.sin(math.pi * right) ** 2
    integrated = (1 - 32 / 81 * half) / half * (math.pi * right) ** 2
    wanted = 1 / (1 + (right / corner) ** 4) / integrated
    poles = at_rest * (1 - half) + half * at_half_rate - 16 * a2 * half * (1 - half)
    squared = (wanted * poles - at_rest * (1 - half)) / half
    b0 = (math.sqrt(at_rest) + math.sqrt(squared)) / 2
    return math.sqrt(at_rest) - b0, a1, a2


def _bilinear(corner):
    """a1 and a2 of a Butterworth high- or low-pass of order 2 at `corner` (of the rate)."""
    k = math.tan(math.pi * corner)
    scale = 1 / (1 + math.sqrt(2) * k + k * k)
    return 2 * (k * k - 1) * scale, (1 - math.sqrt(2) * k + k * k) * scale


def _resonance(pair, w):
    """Magnitude at `w` (radians a sample) of 1 / (1 + a1 / z + a2 / z^2)."""
    a1, a2 = pair
    real = 1 + a1 * math.cos(w) + a2 * math.cos(2 * w)
    imaginary = a1 * math.sin(w) + a2 * math.sin(2 * w)
    return 1 / math.sqrt(real * real + imaginary * imaginary)
