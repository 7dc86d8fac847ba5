"""The envelope of one axis in one band, and the lines that a damaged bearing draws in its spectrum:
the high-frequency resonance technique (McFadden and Smith, Tribology International 17, 1984), order
by order of the shaft.

    band-pass   Butterworth of order 2 on either side, bilinear
    rectify     times pi/2, so that a steady carrier reads its amplitude; means of 16 samples
    by angle    means over a 32nd of a turn each, 32 turns long, as the tacho has it: a change of
                speed moves no line
    lines       the discrete Fourier transform of those 1,024, under a Hann window, at the places
                where a bearing of this geometry may have its lines: up to 1.5 % off, for balls slip

A line is the strongest place in reach with the two beside it (a Hann window spreads a tone over
three), as the amplitude of what modulates the carrier. Its signal-to-noise is that place's power
over the noise's: the median of the places around it, apart from those of the shaft itself. One
place is computed in each block, so that a record of 32 turns, and another one second for its
lines, give four lines.

    bpfo    a ball passes a spot of the outer ring
    bpfi    ... of the inner ring
    bsf     a spot of a ball meets a ring, twice in a turn of the ball
    ftf     the cage goes round

A host may look in another band: records are then taken in the board's band and in the host's in
turn, and only the board's are what protections watch.
"""

import array
import math

import micropython
from micropython import const

from . import buffers
from . import features as f
from .ram_code_rp2 import moved
from .wideband_rp2 import band, correlate

CELLS = const(32)  # of a turn
TURNS = const(32)
_RECORD = const(1024)
_PIECES = const(16)
_SLICE = const(128)
_SLIP = 0.015
_BESIDE = const(9)  # places either side of a line's reach, for the noise
_APART = const(2)  # of them nearest to it, that a strong line spreads into
_LEAST_SNR_CDB = const(1000)
_SETTLE_BLOCKS = const(3)
_MOST_LINES = const(4)
_STANDING_WINDOWS = const(4)
_SLOW_WINDOWS = const(40)

# The words of a band: see `wideband_rp2.band`.
_OFFSET = const(0)
_STATE = const(6)
_SQUARES = const(10)
_OUT = const(16)
_BAND_WORDS = const(32)

# The words of a record.
_COUNT = const(0)
_ROOM = const(1)  # of the cell that is being filled, in 1/256
_PART = const(2)
_SUM = const(3)
_HIGHEST = const(4)
_LOWEST = const(5)
_ANGLE = const(6)  # where the last block ended, in turns, Q32
_SHIFT = const(7)
_MEAN = const(8)
_ENVELOPE_SUM = const(9)  # of the window: the envelope's means, in quarter counts
_SQ_LO = const(10)
_SQ_HI = const(11)
_ENVELOPE_COUNT = const(12)
_RECORD_WORDS = const(13)
# A block whose angle begins further off than this from where the last ended begins a new record.
_JUMP_Q32 = const(0x10000000)


def design(work, axis, rate_hz, low_hz, high_hz):
    """Set a band's coefficients; returns what the chain's gain is, with the rounding in it."""
    work[_OFFSET] = 2 * axis
    high = f.bilinear(low_hz / rate_hz)
    low = f.bilinear(high_hz / rate_hz)
    pairs = []
    for at, pair in ((1, high), (4, low)):
        work[at] = -round(2048 * pair[0])
        work[at + 1] = -round(2048 * pair[1])
        pairs.append((-work[at] / 2048, -work[at + 1] / 2048))
    # Right at both corners' middle, whatever the rounding of the coefficients.
    middle = 2 * math.pi * math.sqrt(low_hz * high_hz) / rate_hz
    wanted = f.resonance(high, middle) * f.resonance(low, middle)
    wanted *= (1 - high[0] + high[1]) / 4 * (1 + low[0] + low[1]) / 4
    rounded = f.resonance(pairs[0], middle) * f.resonance(pairs[1], middle)
    work[3] = round(2048 * wanted / rounded)
    restart(work)
    return work[3] / 2048 * rounded / wanted


def restart(work):
    """The filters begin anew."""
    for i in range(_STATE, _SQUARES + 2):
        work[i] = 0


@micropython.viper
def mean_square(work: ptr32, count: int, result: ptr32):
    """The mean of a band's squares: whole part, and 16 bits of fraction."""
    lo = int(work[_SQUARES])
    hi = (int(work[_SQUARES + 1]) << 16) | ((lo >> 16) & 0xFFFF)
    lo &= 0xFFFF
    whole = hi // count
    rest = ((hi - whole * count) << 16) | lo
    part = rest // count
    whole = (whole << 16) + part
    result[0] = whole if whole < 0x3FFFFFFF else 0x3FFFFFFF
    result[1] = ((rest - part * count) << 16) // count


_pair = array.array("i", [0, 0])


def mean_square_root(work, count, scale, shift):
    """A band's RMS over `count` samples, in ug; `scale` and `shift` are from 1/16 count."""
    mean_square(work, count, _pair)
    return micrograms((f.root(_pair[0], _pair[1]) + 8) >> 4, scale, shift)


@micropython.viper
def micrograms(value: int, scale: int, shift: int) -> int:
    """`value` times `scale` / 2^shift: below 2^30."""
    while value >= 0x40000:
        value >>= 1
        shift -= 1
    value *= scale
    if shift > 30:
        return 0
    if shift > 0:
        return (value + (1 << (shift - 1))) >> shift
    while shift < 0:
        if value >= 0x1FFFFFFF:
            return 0x3FFFFFFF
        value <<= 1
        shift += 1
    return value


@micropython.viper
def add_envelope(words: ptr32, out: ptr32):
    """The window's sums, of 16 means of 16 samples, in quarter counts."""
    total = int(words[_ENVELOPE_SUM])
    lo = int(words[_SQ_LO])
    hi = int(words[_SQ_HI])
    i = _OUT
    while i < _OUT + _PIECES:
        value = int(out[i]) >> 3
        if value > 0x7FFF:
            value = 0x7FFF
        i += 1
        total += value
        square = value * value
        lo += square & 0xFFFF
        hi += square >> 16
    words[_ENVELOPE_SUM] = total
    words[_SQ_LO] = lo & 0xFFFF
    words[_SQ_HI] = hi + (lo >> 16)
    words[_ENVELOPE_COUNT] = int(words[_ENVELOPE_COUNT]) + _PIECES


@micropython.viper
def envelope_rms(words: ptr32) -> int:
    """The RMS about the mean of the window's envelope, in 1/16 of a quarter count; the sums begin
    anew. -1 where there is nothing of the window.
    """
    n = int(words[_ENVELOPE_COUNT])
    result = -1
    if n:
        total = int(words[_ENVELOPE_SUM])
        mean = total // n
        rest = total - mean * n
        # The squares about `mean`: sum(v^2) - mean (2 sum(v) - mean n).
        moved = total + rest
        lo = int(words[_SQ_LO])
        hi = int(words[_SQ_HI])
        product = mean * (moved & 0xFFFF)
        lo -= product & 0xFFFF
        hi += (lo >> 16) - mean * (moved >> 16) - ((product >> 16) & 0xFFFF)
        lo &= 0xFFFF
        whole = hi // n
        part = ((hi - whole * n) << 16) | lo
        whole = (whole << 16) + part // n
        result = (int(f.root(whole, 0)) + 8) >> 4
    words[_ENVELOPE_COUNT] = 0
    words[_ENVELOPE_SUM] = 0
    words[_SQ_LO] = 0
    words[_SQ_HI] = 0
    return result


@micropython.viper
def put(table: ptr16, at: int, value: int):
    """One value of a table."""
    table[at] = value


@micropython.viper
def begin_record(words: ptr32):
    """The next cell is the first of a record."""
    words[_COUNT] = 0
    words[_ROOM] = 256
    words[_PART] = 0
    words[_SUM] = 0
    words[_HIGHEST] = 0
    words[_LOWEST] = 0x3FFFFFFF


@micropython.viper
def collect(words: ptr32, out: ptr32, record: ptr32, shaft: ptr32) -> int:
    """Spread a block's 16 means over the cells of the turn; 1 where the record is whole.

    `shaft` is its angle at the block's first sample and from each fourth to the next. A cell takes
    of each mean as much as lies in it, so that neither a slow shaft nor a fast one makes a line
    where there is none. 3,000 cycles.
    """
    n = int(words[_COUNT])
    angle = int(words[_ANGLE])
    phase = int(shaft[0])
    step = int(shaft[1])
    if n == 0 and int(words[_ROOM]) == 256:
        angle = phase
    wrong = phase - angle
    if wrong > _JUMP_Q32 or wrong < 0 - _JUMP_Q32:
        begin_record(words)
        n = 0
        wrong = 0
        angle = phase
    room = int(words[_ROOM])
    part = int(words[_PART])
    total = int(words[_SUM])
    highest = int(words[_HIGHEST])
    lowest = int(words[_LOWEST])
    ahead = (step << 2) + (wrong >> 4)
    if ahead < 0:
        ahead = 0
    i = _OUT
    while i < _OUT + _PIECES:
        value = int(out[i]) >> 1
        i += 1
        before = (angle >> 19) & 0x1FFF
        angle += ahead
        width = (((angle >> 19) & 0x1FFF) - before) & 0x1FFF
        while width >= room:
            part = (part + value * room) >> 8
            if n < _RECORD:
                record[n] = part
                n += 1
                total += part
                if part > highest:
                    highest = part
                if part < lowest:
                    lowest = part
            width -= room
            room = 256
            part = 0
        part += value * width
        room -= width
    words[_COUNT] = n
    words[_ANGLE] = angle
    words[_ROOM] = room
    words[_PART] = part
    words[_SUM] = total
    words[_HIGHEST] = highest
    words[_LOWEST] = lowest
    return 1 if n == _RECORD else 0


@micropython.viper
def measure_record(words: ptr32):
    """The record's mean, and how many bits its furthest value from there has beyond ten."""
    mean = int(words[_SUM]) >> 10
    furthest = int(words[_HIGHEST]) - mean
    if mean - int(words[_LOWEST]) > furthest:
        furthest = mean - int(words[_LOWEST])
    shift = -9
    while furthest >> (10 + shift):
        shift += 1
    words[_MEAN] = mean
    words[_SHIFT] = shift


@micropython.viper
def window_record(words: ptr32, record: ptr32, table: ptr16, first: int, count: int):
    """A slice of the record under the Hann window, as int16 in the front half of its own bytes: ten
    bits and a sign. 5,000 cycles for 128.
    """
    halves = ptr16(record)
    mean = int(words[_MEAN])
    shift = int(words[_SHIFT]) + 10
    half = 1 << (shift - 1)
    i = first
    end = first + count
    while i < end:
        cosine = ((int(table[i]) & 0xFFFF) ^ 0x8000) - 0x8000
        weight = (1024 - cosine) >> 1
        halves[i] = ((int(record[i]) - mean) * weight + half) >> shift
        i += 1


@micropython.viper
def keep_power(sums: ptr32, powers: ptr32, at: int):
    """The power of one place out of its two sums."""
    real = int(sums[0]) >> 14
    imaginary = int(sums[1]) >> 14
    powers[at] = real * real + imaginary * imaginary


@micropython.viper
def judge_line(powers: ptr32, first: int, from_: int, to: int, end: int, result: ptr32, low: int):
    """The strongest place of `powers[from_:to]` with its neighbours, and the noise in
    `powers[first:end]` around; into `result`: the sum of the three, the strongest, and the mean of
    the noise (the median over ln 2), then room for the noises. `low` is the number of the place at
    `first`: places at whole orders, where the shaft's own lines are, are no noise.
    """
    best = from_
    i = from_
    while i < to:
        if int(powers[i]) > int(powers[best]):
            best = i
        i += 1
    result[0] = int(powers[best - 1]) + int(powers[best]) + int(powers[best + 1])
    result[1] = int(powers[best])
    # Sorted as they come: there are some eighteen.
    noises = 0
    i = first
    while i < end:
        order = (low + i - first + 1) & 31
        if (i < from_ - _APART or i >= to + _APART) and order > 2:
            power = int(powers[i])
            k = noises
            while k and int(result[3 + k - 1]) > power:
                result[3 + k] = result[3 + k - 1]
                k -= 1
            result[3 + k] = power
            noises += 1
        i += 1
    median = int(result[3 + (noises >> 1)])
    result[2] = median + ((median * 7) >> 4)  # 1 / ln 2


@micropython.viper
def strongest(lines: ptr32, snr: ptr32, count: int) -> int:
    """The largest line of those that stand out."""
    largest = 0
    i = 0
    while i < count:
        if int(snr[i]) >= _LEAST_SNR_CDB and int(lines[i]) > largest:
            largest = int(lines[i])
        i += 1
    return largest


@micropython.viper
def decibels(over: int, under: int) -> int:
    """100 times the decibels of a ratio of powers: -9,900 where there is nothing, 9,900 at most."""
    if over <= 0:
        return -9900
    if under <= 0:
        under = 1
    log = 0
    k = 0
    while k < 2:
        x = over if k == 0 else under
        whole = 0
        while x >> (whole + 1):
            whole += 1
        if whole < 14:
            x <<= 14 - whole
        else:
            x >>= whole - 14
        part = whole << 8
        bit = 128
        while bit:
            x = (x * x) >> 14
            if x >> 15:
                x >>= 1
                part += bit
            bit >>= 1
        if k:
            log -= part
        else:
            log = part
        k += 1
    return (log * 301) >> 8


class Lines:
    """Where the lines of a bearing may be, in 1,024 places of a 32nd of an order each.

    `places` holds for each line: the first place that is computed, where its reach begins and ends
    in what is computed from there, and how many are; `scales` a factor and a shift from the root of
    a line's power to ug.
    """

    def __init__(self, orders):
        self.places = []
        self.losses = []
        self.total = 0
        for order in orders:
            low = round(TURNS * order * (1 - _SLIP))
            high = round(TURNS * order * (1 + _SLIP))
            if high - low < 2:
                high = low + 2
            first = max(low - _BESIDE, 3)
            self.places.append((first, low - first, high + 1 - first, high + 1 + _BESIDE - first))
            self.total += high + 1 + _BESIDE - first
            # A mean over a cell, and over what the shaft turns in 16 samples: the latter is small.
            x = math.pi * order / CELLS
            self.losses.append(math.sin(x) / x)


def orders_of(board):
    """BPFO, BPFI, twice BSF and FTF of the board's bearing, in turns of the shaft; nothing where it
    declares none, or has no tacho.
    """
    if board.BEARING_BALLS is None or board.TACHO_PIN is None:
        return ()
    balls = board.BEARING_BALLS
    ratio = board.BEARING_BALL_DIAMETER_UM / board.BEARING_PITCH_DIAMETER_UM
    ratio *= math.cos(math.radians(board.BEARING_CONTACT_ANGLE_MDEG / 1000))
    bpfo = balls / 2 * (1 - ratio)
    bpfi = balls / 2 * (1 + ratio)
    spin = board.BEARING_PITCH_DIAMETER_UM / board.BEARING_BALL_DIAMETER_UM
    return (bpfo, bpfi, spin * (1 - ratio * ratio), (1 - ratio) / 2)


# The words of `EnvelopeBand._state`.
_ACTIVE = const(0)
_SETTLING = const(1)  # blocks
_PHASE = const(2)
_AT = const(3)
_LINE = const(4)
_WINDOWS = const(5)  # since the band was switched to; the first is not whole
_STATE_WORDS = const(6)

_OFF = const(0)
_COLLECTING = const(1)
_WINDOWING = const(2)
_COMPUTING = const(3)

BOARD = const(0)
HOST = const(1)


class EnvelopeBand:
    """The board's band, and the host's where it has asked for one.

    `lines_ug` and `snr_cdb` are the last record's four lines, of the band `told` (BOARD or HOST),
    `records` counts them. `line_mg` is the strongest line of the last record in the board's band
    that stands out by 10 dB, `envelope_mg` the RMS of the envelope in the board's band.
    """

    def __init__(self, board, sensor):
        self._rate_hz = board.VIBRATION_RATE_HZ
        self._count_ug = sensor.count_ug
        self.board_axis = self.axis = board.VIBRATION_AXES[0]
        if board.ENVELOPE_AXIS is not None:
            self.board_axis = self.axis = board.ENVELOPE_AXIS
        self._works = []
        self._gains = [1.0, 1.0]
        self._edges = [0] * 6  # low, high, axis of the board's band, then of the host's
        for _ in range(2):
            self._works.append(array.array("i", [0] * _BAND_WORDS))
        self._words = array.array("i", [0] * _RECORD_WORDS)
        self._record = buffers.record
        self._table = buffers.table
        turn = 2 * math.pi / _RECORD
        for i in range(_RECORD * 5 // 4):
            put(self._table, i, round(1024 * math.cos(turn * i)))
        self._sums = array.array("i", [0, 0])
        self._result = array.array("i", [0] * (3 + 2 * _BESIDE + 2))
        self._lines = Lines(orders_of(board))
        most = max([place[3] for place in self._lines.places] + [1])
        self._powers = array.array("i", [0] * most)
        self._scales = [(0, 0)] * (2 * _MOST_LINES)
        self._envelope_scales = [(0, 0)] * 2
        self.lines_ug = array.array("i", [0] * _MOST_LINES)
        self.snr_cdb = array.array("i", [0] * _MOST_LINES)
        self.told = BOARD
        self.records = 0
        self.line_mg = 0
        self.envelope_mg = 0
        self.envelope_told_mg = 0
        self._has_host = False
        self._state = array.array("i", [0] * _STATE_WORDS)
        self._state[_SETTLING] = _SETTLE_BLOCKS
        self.has_lines = bool(self._lines.places)
        self.exists = board.ENVELOPE_LOW_HZ is not None
        if self.exists:
            self._set(BOARD, board.ENVELOPE_LOW_HZ, board.ENVELOPE_HIGH_HZ, self.board_axis)
        begin_record(self._words)
        self.add = self._make_add()

    def _set(self, which, low_hz, high_hz, axis):
        gain = design(self._works[which], axis, self._rate_hz, low_hz, high_hz)
        self._edges[3 * which] = low_hz
        self._edges[3 * which + 1] = high_hz
        self._edges[3 * which + 2] = axis
        reads = self._count_ug * math.pi / 2 / gain
        # A quarter count, in sixteenths; a root of power 256 times too large.
        self._envelope_scales[which] = f.scale(reads / 1000 / 4 / 16)
        for line, loss in enumerate(self._lines.losses):
            amplitude = reads / 16 / 16 / 256 / math.sqrt(1.5) / loss
            self._scales[_MOST_LINES * which + line] = f.scale(amplitude)

    def choose(self, low_hz, high_hz, axis):
        """Look in this band as well, from the next record on; 0, 0 ends it. False where the filters
        cannot have it."""
        if not low_hz and not high_hz:
            self._has_host = False
            return True
        rate_hz = self._rate_hz
        if not (rate_hz <= 64 * low_hz and 5 * low_hz <= rate_hz and axis < 3):
            return False
        if not (low_hz < high_hz and 100 * high_hz <= 45 * rate_hz):
            return False
        state = self._state
        self._switch(BOARD)
        self._set(HOST, low_hz, high_hz, axis)
        self._has_host = True
        if state[_PHASE] != _COMPUTING:
            self._switch(HOST)
        return True

    def _make_add(self):
        """What takes a block of 256 triples; `shaft` is as `features.Features` has it. What it
        needs stands in defaults: a look at an attribute of so large an object costs 500 cycles, and
        a closure over more than five takes memory at each call.
        """
        places = self._lines.places

        @micropython.native
        def add(
            samples,
            first,
            shaft,
            state=self._state,
            works=self._works,
            words=self._words,
            record=self._record,
            table=self._table,
            sums=self._sums,
            powers=self._powers,
            places=places,
            has_lines=bool(places),
            judge=self._judge,
            filter_band=band,
            take=add_envelope,
            gather=collect,
            measure=measure_record,
            window=window_record,
            transform=correlate,
            keep=keep_power,
        ):
            work = works[state[_ACTIVE]]
            filter_band(samples, first, _PIECES, work)
            if state[_SETTLING]:
                state[_SETTLING] -= 1
                return
            take(words, work)
            phase = state[_PHASE]
            if phase == _COMPUTING:
                place = places[state[_LINE]]
                at = state[_AT]
                transform(record, table, 2 * (place[0] + at), sums)
                keep(sums, powers, at)
                at += 1
                state[_AT] = at
                if at == place[3]:
                    judge(place)
            elif phase == _WINDOWING:
                at = state[_AT]
                window(words, record, table, at, _SLICE)
                at += _SLICE
                state[_AT] = at
                if at == _RECORD:
                    state[_PHASE] = _COMPUTING
                    state[_LINE] = 0
                    state[_AT] = 0
            elif has_lines:
                if not shaft[1]:
                    state[_PHASE] = _OFF
                    begin_record(words)
                    return
                state[_PHASE] = _COLLECTING
                if gather(words, work, record, shaft):
                    measure(words)
                    state[_AT] = 0
                    state[_PHASE] = _WINDOWING

        return moved(add)

    @micropython.native
    def _judge(self, places):
        result = self._result
        judge_line(self._powers, 0, places[1], places[2], places[3], result, places[0])
        state = self._state
        line = state[_LINE]
        scale, shift = self._scales[_MOST_LINES * state[_ACTIVE] + line]
        shift -= self._words[_SHIFT]
        self.lines_ug[line] = micrograms(f.root(result[0], 0), scale, shift)
        self.snr_cdb[line] = decibels(result[1], result[2])
        state[_AT] = 0
        line += 1
        state[_LINE] = line
        if line == len(self._lines.places):
            self._end_record(line)

    @micropython.native
    def _end_record(self, lines):
        active = self._state[_ACTIVE]
        self.told = active
        self.records = (self.records + 1) & 0xFFFF
        if self.told == BOARD:
            self.line_mg = strongest(self.lines_ug, self.snr_cdb, lines) // 1000
        self._state[_PHASE] = _OFF
        begin_record(self._words)
        self._switch(HOST if self._has_host and active == BOARD else BOARD)

    @micropython.native
    def _switch(self, which):
        state = self._state
        if which == state[_ACTIVE]:
            return
        state[_ACTIVE] = which
        restart(self._works[which])
        state[_SETTLING] = _SETTLE_BLOCKS
        state[_WINDOWS] = 0
        state[_PHASE] = _OFF
        begin_record(self._words)

    @micropython.native
    def close(self):
        """A window ends."""
        state = self._state
        rms = envelope_rms(self._words)
        active = state[_ACTIVE]
        if rms >= 0 and state[_WINDOWS]:
            scale, shift = self._envelope_scales[active]
            value = micrograms(rms, scale, shift)
            self.envelope_told_mg = value
            if active == BOARD:
                self.envelope_mg = value
        # Where no record ends, because the shaft stands or is slow, the bands take turns as well.
        state[_WINDOWS] += 1
        patience = _STANDING_WINDOWS if state[_PHASE] == _OFF else _SLOW_WINDOWS
        if self._has_host and state[_WINDOWS] >= patience:
            self._switch(HOST if active == BOARD else BOARD)

    @micropython.native
    def tell(self, told):
        """Into a list: low, high, axis, by_host, records, envelope, four lines, their SNR."""
        which = self.told
        for i in range(3):
            told[i] = self._edges[3 * which + i]
        told[3] = which
        told[4] = self.records
        told[5] = self.envelope_told_mg
        for i in range(_MOST_LINES):
            told[6 + i] = self.lines_ug[i]
            told[10 + i] = self.snr_cdb[i]
