"""Features of a wideband sensor: what `features.Features` gives, with the kernels called for longer
blocks, and what only a wideband sensor can tell.

    RMS, peak, crest factor, kurtosis     of all that the sensor passes
    velocity RMS, once per turn           behind a decimation by four, whose loss at the band's
                                          upper end the velocity's own low-pass gives back
    envelope, lines of the bearing        of one axis, in one band: `envelope_band`
    RMS in bands                          of the same axis: one band a window, in turn

The sensor has its own clock. Each of its bursts is stamped when its interrupt is first seen high,
to 0.2 ms; the time of a sample, and with it the shaft's angle there, is that of a clock that
follows the stamps: within 20 us once it has settled.
"""

import array
import math

import micropython
import uctypes
from machine import mem32
from micropython import const

from . import features as f
from . import quantities as q
from .envelope_band import EnvelopeBand, design, mean_square_root, restart
from .features import Features
from .features_rp2 import statistics
from .ram_code_rp2 import moved
from .wideband_rp2 import band, decimate, each_32

BLOCK_SAMPLES = const(256)
_FOURTH = const(64)
_HALF = const(32)
_PIECES = const(16)
_CALLS = const(8)
_BLOCKS_TO_SETTLE = const(2)

# The words of a work of `features`, by their place.
_RESULT_VELOCITY = const(15)
_RESULT_ENVELOPE = const(12)
_WORST_VELOCITY = const(26)
_WORST_AXIS = const(27)
_MIDDLE = const(30)
_SHAFT_AXIS = const(14)

# The sensor's clock, in us and 1/1024 us. The words of the engine: its count, and of its last burst
# the stamp and the count then.
_AT_US = const(0)
_AT_PART = const(1)
_AT_COUNT = const(2)
_PERIOD_Q16 = const(3)  # us a sample
_STAMP_SEEN = const(4)
_DOUBTS = const(5)
_SETTLED = const(6)
_CLOCK_WORDS = const(7)

# The words of `Wideband._state`.
_TAKEN = const(0)
_BAND = const(1)
_BAND_BLOCKS = const(2)
_STATE_WORDS = const(3)
_ENGINE_STAMP = const(20)
_ENGINE_STAMPED = const(21)


@micropython.viper
def follow(clock: ptr32, engine: ptr32) -> int:
    """Take the engine's last stamp into the clock, once; 1 where there was a new one.

    A stamp lies up to 0.2 ms behind its sample, and further where bursts have waited. The clock
    goes a sixteenth of the way to it, its period a 256th: 30 us of the 58 us that the turns
    scatter.
    """
    count = int(engine[_ENGINE_STAMPED])
    stamp = int(engine[_ENGINE_STAMP]) & 0x3FFFFFFF
    if count != int(engine[_ENGINE_STAMPED]) or count == int(clock[_STAMP_SEEN]):
        return 0
    clock[_STAMP_SEEN] = count
    samples = (count - int(clock[_AT_COUNT])) & 0x3FFFFFFF
    period = int(clock[_PERIOD_Q16])
    at = int(clock[_AT_US])
    part = int(clock[_AT_PART])
    if samples > 4096:
        clock[_DOUBTS] = 8
    else:
        moved = samples * (period >> 6)  # 1/1024 us
        part += moved & 1023
        at = (at + (moved >> 10) + (part >> 10)) & 0x3FFFFFFF
        part &= 1023
        wrong = (((stamp - at) & 0x3FFFFFFF) ^ 0x20000000) - 0x20000000
        if wrong > 400 or wrong < -400:
            clock[_DOUBTS] = int(clock[_DOUBTS]) + 1
        else:
            clock[_DOUBTS] = 0
            wrong = (wrong << 10) - part
            settled = int(clock[_SETTLED])
            shift = 4 if settled >= 64 else 2
            part += wrong >> shift
            at = (at + (part >> 10)) & 0x3FFFFFFF
            part &= 1023
            clock[_PERIOD_Q16] = period + (((wrong << 6) // samples) >> (shift + 4))
            if settled < 64:
                clock[_SETTLED] = settled + 1
    if int(clock[_DOUBTS]) >= 8:
        at = stamp
        part = 0
        clock[_DOUBTS] = 0
        clock[_SETTLED] = 0
    clock[_AT_US] = at
    clock[_AT_PART] = part
    clock[_AT_COUNT] = count
    return 1


@micropython.viper
def angle(shaft: ptr32, tacho: ptr32, clock: ptr32, first: int, pulses: int):
    """The shaft's angle at sample number `first`, and from each fourth sample to the next, in
    turns, as `Features.shaft` wants them; 0, 0 where the shaft stands.
    """
    shaft[0] = 0
    shaft[1] = 0
    edges = int(tacho[0])
    last = int(tacho[1])
    pulse_us = (last - int(tacho[2])) & 0x3FFFFFFF
    if edges != int(tacho[0]):
        return  # between the three; the next block has them
    if pulse_us == 0 or pulse_us > 1000000 // pulses:
        return
    now = int(ptr32(0x40054028)[0]) & 0x3FFFFFFF
    if ((now - last) & 0x3FFFFFFF) > 2 * pulse_us + 20000:
        return
    turn_us = pulse_us * pulses
    # The stamp is of the last sample of the burst that began at its count: 255 further on.
    samples = (((first - int(clock[_AT_COUNT]) - 255) & 0x3FFFFFFF) ^ 0x20000000) - 0x20000000
    if samples > 8192 or samples < -8192:
        return
    period = int(clock[_PERIOD_Q16])
    at_us = int(clock[_AT_US]) + ((samples * (period >> 6)) >> 10)
    since = (((at_us - last) & 0x3FFFFFFF) ^ 0x20000000) - 0x20000000
    since += (edges % pulses) * pulse_us
    while since < 0:
        since += turn_us
    while since >= turn_us:
        since -= turn_us
    part = since
    whole = turn_us
    k = 0
    while k < 2:
        result = 0
        i = 0
        while i < 32:
            part <<= 1
            result <<= 1
            if part >= whole:
                part -= whole
                result |= 1
            i += 1
        shaft[k] = result
        k += 1
        part = period >> 6  # four samples, in 1/256 us
        whole = turn_us << 8
        if part >= whole:
            return


@micropython.viper
def advance(shaft: ptr32, count: int):
    """The angle `count` samples further on."""
    shaft[0] = int(shaft[0]) + int(shaft[1]) * count


@micropython.viper
def take_velocities(narrow: ptr32, results: ptr32):
    """What the decimated signal tells, into the results of the whole one; its means back."""
    i = 0
    while i < 3:
        results[_RESULT_VELOCITY + i] = narrow[_RESULT_VELOCITY + i]
        narrow[_MIDDLE + i] = results[_MIDDLE + i]
        i += 1
    results[_WORST_VELOCITY] = narrow[_WORST_VELOCITY]
    results[_WORST_AXIS] = narrow[_WORST_AXIS]


@micropython.viper
def largest(values: ptr32, count: int) -> int:
    """Of `count` values."""
    found = 0
    i = 0
    while i < count:
        if int(values[i]) > found:
            found = int(values[i])
        i += 1
    return found


def _code(function):
    """Where an assembler function's machine code is."""
    return mem32[id(function) + 8] | 1


class Wideband(Features):
    """As `Features`; blocks are of 256 triples, and `shaft_angle(first)` fills `shaft` before each.

    `bands_ug` are the RMS of the board's bands, `worst_band_mg` the largest of them;
    `envelope_band` is the envelope and its lines.
    """

    def __init__(self, board, sensor, engine):
        rate_hz = board.VIBRATION_RATE_HZ
        count_ug = sensor.count_ug
        high_hz = board.VELOCITY_BAND_HIGH_HZ
        super().__init__(
            board.VIBRATION_WINDOW_SAMPLES // 4,
            rate_hz // 4,
            count_ug,
            sensor.full_scale_counts,
            board.VIBRATION_AXES,
            (0, 1, 2),
            board.VELOCITY_BAND_LOW_HZ,
            _without_droop(high_hz, rate_hz),
        )
        self.narrow_samples = self.window_samples
        self.window_samples = board.VIBRATION_WINDOW_SAMPLES
        self._engine = engine
        self.clock = array.array("i", [0] * _CLOCK_WORDS)
        self.clock[_PERIOD_Q16] = round(65536 * 1e6 / rate_hz)
        self.clock[_DOUBTS] = 8
        self._wide = array.array("i", self._work)
        self._wide_results = array.array("i", self._results)
        results = memoryview(self._wide_results)
        self.rms_mg = results[0:3]
        self.axes = results[:21]
        self._fourth = array.array("h", bytes(6 * _FOURTH))
        self._decimation = array.array("i", [0] * 19)
        self._decimation[0] = 6 * BLOCK_SAMPLES
        self._calls = array.array("I", [0] * 5)
        self._calls[0] = _code(statistics)
        self._calls[3] = uctypes.addressof(self._wide)
        self._calls[4] = _CALLS
        self.envelope_band = EnvelopeBand(board, sensor)
        self._state = array.array("i", [0] * _STATE_WORDS)
        self._told = [0] * 18
        self._start_bands(board, count_ug)
        self.add = self._make_add()

    def _start_bands(self, board, count_ug):
        self.bands_ug = array.array("i", [0] * 4)
        self.worst_band_mg = 0
        self._bands = []
        axis = self.envelope_band.axis
        for low_hz, high_hz in board.VIBRATION_BANDS_HZ:
            work = array.array("i", [0] * 32)
            gain = design(work, axis, board.VIBRATION_RATE_HZ, low_hz, high_hz)
            scale, shift = f.scale(count_ug / gain / 16)
            self._bands.append((work, scale, shift))

    def use_tacho(self, inputs):
        """From here on `shaft_angle(first)` fills `shaft` for a block that begins there."""

        @micropython.native
        def shaft_angle(
            first,
            clock=self.clock,
            engine=self._engine,
            shaft=self.shaft,
            tacho=inputs.tacho if inputs.has_tacho else None,
            pulses=inputs.pulses,
            follow_stamps=follow,
            find_angle=angle,
        ):
            follow_stamps(clock, engine)
            if tacho:
                find_angle(shaft, tacho, clock, first, pulses)

        self.shaft_angle = moved(shaft_angle)

    def _make_add(self):
        """What takes 256 triples; it returns True where they complete the window. Defaults as in
        `envelope_band`.
        """

        @micropython.native
        def add(
            samples,
            first,
            count,
            self=self,
            state=self._state,
            wide=self._wide,
            calls=self._calls,
            fourth=self._fourth,
            decimation=self._decimation,
            work=self._work,
            shaft=self.shaft,
            works=[one[0] for one in self._bands],
            has_bands=bool(self._bands),
            add_envelope=self.envelope_band.add if self.envelope_band.exists else None,
            turned_round=self._turned,
            close=self._close,
            begin_window=f.begin_window,
            velocity=f.velocity,
            take_turn=f.take_turn,
            statistics_of_all=each_32,
            decimated=decimate,
            filter_band=band,
            go_on=advance,
            window_samples=self.window_samples,
            address=uctypes.addressof,
        ):
            taken = state[_TAKEN]
            if not taken:
                begin_window(samples, first, count, wide)
            calls[1] = address(samples)
            calls[2] = first
            statistics_of_all(calls)
            decimated(samples, first, decimation, fourth)
            velocity(fourth, 0, _HALF, work)
            velocity(fourth, _HALF, _HALF, work)
            if add_envelope:
                add_envelope(samples, first, shaft)
            if has_bands:
                band_work = works[state[_BAND]]
                blocks = state[_BAND_BLOCKS]
                if blocks == _BLOCKS_TO_SETTLE:
                    band_work[10] = 0
                    band_work[11] = 0
                state[_BAND_BLOCKS] = blocks + 1
                filter_band(samples, first, _PIECES, band_work)
            turned = take_turn(fourth, 0, _HALF, shaft)
            if turned:
                turned_round(turned)
            go_on(shaft, _HALF)
            turned = take_turn(fourth, _HALF, _HALF, shaft)
            if turned:
                turned_round(turned)
            taken += count
            if taken < window_samples:
                state[_TAKEN] = self.taken = taken
                return False
            state[_TAKEN] = self.taken = 0
            close()
            return True

        return moved(add)

    @micropython.native
    def _close(self):
        wide = self._wide
        results = self._wide_results
        narrow = self._results
        work = self._work
        scales = self._scales
        for w in self._places:
            f.close_axis(wide, w, self.window_samples, scales, results)
            f.close_moments(wide, w, self.window_samples, results)
            f.close_axis(work, w, self.narrow_samples, scales, narrow)
            f.close_moments(work, w, self.narrow_samples, narrow)
        take_velocities(narrow, results)
        self._windows += 1
        self.worst_rms_mg = results[21]
        self.worst_peak_mg = results[22]
        self.worst_crest_centi = results[23]
        self.worst_kurtosis_centi = results[24]
        self.worst_velocity_um_s = results[_WORST_VELOCITY]
        envelope_band = self.envelope_band
        envelope_band.close()
        self.worst_envelope_mg = envelope_band.envelope_mg
        results[_RESULT_ENVELOPE + envelope_band.board_axis] = self.worst_envelope_mg
        self.stuck = results[28] == 1
        self.saturated = results[29] == 1
        self.shaft[_SHAFT_AXIS] = results[_WORST_AXIS]
        if self._bands:
            self._close_band()

    @micropython.native
    def window(self, values):
        """What has a quantity of its own, where the board measures it."""
        if self._bands:
            values[q.BAND_MG] = self.worst_band_mg
        if self.envelope_band.has_lines:
            values[q.BEARING_LINE_MG] = self.envelope_band.line_mg

    @micropython.native
    def told(self):
        """The fields of `wire.BANDS`: the same list at every call."""
        told = self._told
        self.envelope_band.tell(told)
        for i in range(4):
            told[14 + i] = self.bands_ug[i]
        return told

    @micropython.native
    def _close_band(self):
        state = self._state
        at = state[_BAND]
        work, scale, shift = self._bands[at]
        count = (state[_BAND_BLOCKS] - _BLOCKS_TO_SETTLE) * BLOCK_SAMPLES
        if count > 0:
            self.bands_ug[at] = mean_square_root(work, count, scale, shift)
        self.worst_band_mg = largest(self.bands_ug, len(self._bands)) // 1000
        at = (at + 1) % len(self._bands)
        restart(self._bands[at][0])
        state[_BAND] = at
        state[_BAND_BLOCKS] = 0


def _without_droop(high_hz, rate_hz):
    """The corner at which a Butterworth low-pass of order 2, behind the decimation, is 3 dB down at
    `high_hz`."""
    x = math.pi * high_hz / rate_hz
    passed = (math.sin(4 * x) / (4 * math.sin(x))) ** 3
    return high_hz / (2 * passed * passed - 1) ** 0.25
