"""Events on their way to flash: two queues and the groups of those that come again and again.

Entries are events as they are read out (`records.EVENT`). `append` may interrupt whatever the loop
does with them, because each function here is one call without a bytecode in it.
"""

import micropython
from micropython import const

# Words of the state: the next sequence, this boot, groups that count, events lost and not yet told,
# events lost in all, the queue of events (first entry, entries, most entries), that of trips (the
# same), 1 while a capture is on its way, the group taken
# last, and calls of `pending`.
SEQUENCE = 0
BOOT = 1
OPEN = 2
UNTOLD = 3
LOST = 4
EVENTS = 5
TRIPS = 8
CAPTURING = 11
STATE_WORDS = 14

# A group: kind + 1, events counted, time of the first and of the last (1.048576 s), hold. Beside it
# the first event's time and value as bytes.
GROUPS = 16
GROUP_WORDS = 5
GROUP_BYTES = 12

_GROUPS = const(16)
_GROUP_WORDS = const(5)
_ALL_GROUP_WORDS = const(80)
_GROUP_BYTES = const(12)
_EVENT = const(24)
_NEAR = const(10)
_HOLD = const(57)  # a minute
_LONGEST_HOLD = const(5)  # 57 << 5: half an hour
_MOST_COUNT = const(4095)
_UNITS = const(0xFFFFFFF)


@micropython.viper
def gather(state: ptr32, groups: ptr32, firsts: ptr8, stamp: ptr8, kind: int, value: int) -> int:
    """Count an event of a kind (code << 8 | detail) in its group. Returns -1, or 0 where it is a
    record by itself.
    """
    now = int(stamp[2]) >> 4 | int(stamp[3]) << 4 | int(stamp[4]) << 12 | int(stamp[5]) << 20
    full = int(state[6]) >= int(state[7])
    quiet = _UNITS
    at = 0
    mine = -1
    key = kind + 1
    g = 0
    while g < _ALL_GROUP_WORDS:
        if int(groups[g]) == key:
            mine = g
            break
        g += _GROUP_WORDS
    if mine >= 0:
        quiet = (now - int(groups[mine + 3])) & _UNITS
        groups[mine + 3] = now
        if int(groups[mine + 1]):
            if int(groups[mine + 1]) < _MOST_COUNT:
                groups[mine + 1] = int(groups[mine + 1]) + 1
            return -1
        if quiet > _NEAR:
            groups[mine + 4] = 0
    else:
        # Kinds give way in turn, but for those that count.
        g = int(state[12])
        left = _GROUPS
        while left:
            g += _GROUP_WORDS
            if g >= _ALL_GROUP_WORDS:
                g = 0
            if int(groups[g + 1]) == 0:
                mine = g
                break
            left -= 1
        if mine < 0:
            return 0
        state[12] = mine
        groups[mine] = key
        groups[mine + 3] = now
        groups[mine + 4] = 0
    if quiet > _NEAR and not full:
        return 0
    groups[mine + 1] = 1
    groups[mine + 2] = now
    state[2] = int(state[2]) + 1
    g = 0
    while g < mine:
        at += _GROUP_BYTES
        g += _GROUP_WORDS
    g = 0
    while g < 8:
        firsts[at + g] = stamp[g]
        g += 1
    g = 0
    while g < 4:
        firsts[at + 8 + g] = (value >> (8 * g)) & 0xFF
        g += 1
    return -1


@micropython.viper
def put(state: ptr32, q: int, entries: ptr8, stamp: ptr8, kind: int, value: int, count: int) -> int:
    """Queue an event; returns its sequence, or 0 where it is lost."""
    waiting = int(state[q + 1])
    if waiting >= int(state[q + 2]):
        state[3] = int(state[3]) + 1
        state[4] = int(state[4]) + 1
        return 0
    at = int(state[q]) + waiting
    if at >= int(state[q + 2]):
        at -= int(state[q + 2])
    at *= _EVENT
    sequence = int(state[0])
    state[0] = sequence + 1
    k = 0
    while k < 4:
        entries[at + k] = (sequence >> (8 * k)) & 0xFF
        entries[at + 16 + k] = (value >> (8 * k)) & 0xFF
        k += 1
    k = 0
    while k < 8:
        entries[at + 4 + k] = stamp[k]
        k += 1
    entries[at + 12] = int(state[1]) & 0xFF
    entries[at + 13] = int(state[1]) >> 8
    entries[at + 14] = (kind >> 8) & 0xFF
    entries[at + 15] = kind & 0xFF
    entries[at + 20] = count & 0xFF
    entries[at + 21] = count >> 8
    entries[at + 22] = 0
    entries[at + 23] = 0
    state[q + 1] = waiting + 1
    return sequence


@micropython.viper
def close_one(state: ptr32, groups: ptr32, firsts: ptr8, stamp: ptr8, entries: ptr8) -> int:
    """Queue the record of one group that is due; returns its sequence, or 0."""
    waiting = int(state[6])
    if waiting >= int(state[7]):
        return 0
    now = int(stamp[2]) >> 4 | int(stamp[3]) << 4 | int(stamp[4]) << 12 | int(stamp[5]) << 20
    g = 0
    first = 0
    span = 0
    while g < _ALL_GROUP_WORDS:
        if int(groups[g + 1]):
            age = (now - int(groups[g + 2])) & _UNITS
            span = (int(groups[g + 3]) - int(groups[g + 2])) & _UNITS
            hold = int(groups[g + 4])
            if age - span > _NEAR:
                groups[g + 4] = 0
                break
            if age >= _HOLD << hold:
                if hold < _LONGEST_HOLD:
                    groups[g + 4] = hold + 1
                break
        g += _GROUP_WORDS
        first += _GROUP_BYTES
    if g >= _ALL_GROUP_WORDS:
        return 0
    at = int(state[5]) + waiting
    if at >= int(state[7]):
        at -= int(state[7])
    at *= _EVENT
    sequence = int(state[0])
    state[0] = sequence + 1
    k = 0
    while k < 4:
        entries[at + k] = (sequence >> (8 * k)) & 0xFF
        entries[at + 16 + k] = firsts[first + 8 + k]
        k += 1
    k = 0
    while k < 8:
        entries[at + 4 + k] = firsts[first + k]
        k += 1
    kind = int(groups[g]) - 1
    count = int(groups[g + 1])
    groups[g + 1] = 0
    state[2] = int(state[2]) - 1
    entries[at + 12] = int(state[1]) & 0xFF
    entries[at + 13] = int(state[1]) >> 8
    entries[at + 14] = kind >> 8
    entries[at + 15] = kind & 0xFF
    entries[at + 20] = count & 0xFF
    entries[at + 21] = count >> 8
    entries[at + 22] = span & 0xFF
    entries[at + 23] = span >> 8
    state[6] = waiting + 1
    return sequence


@micropython.viper
def untold(state: ptr32) -> int:
    """How many events were lost since this was last asked."""
    count = int(state[3])
    state[3] = 0
    return count


@micropython.viper
def pending(state: ptr32) -> int:
    """Not 0 where `service` has something to do; where groups count, at every 64th call as well."""
    work = int(state[3]) | int(state[6]) | int(state[9]) | int(state[11])
    if int(state[2]):
        calls = (int(state[13]) + 1) & 63
        state[13] = calls
        if calls == 0:
            work = 1
    return work


@micropython.viper
def drop(state: ptr32, q: int, count: int):
    """The first `count` entries of a queue are in flash."""
    first = int(state[q]) + count
    if first >= int(state[q + 2]):
        first -= int(state[q + 2])
    state[q] = first
    state[q + 1] = int(state[q + 1]) - count


@micropython.viper
def entry(state: ptr32, q: int, number: int) -> int:
    """Where the queue's entry `number`, counted from its first, begins."""
    at = int(state[q]) + number
    if at >= int(state[q + 2]):
        at -= int(state[q + 2])
    return at * _EVENT


@micropython.viper
def first_from(state: ptr32, q: int, entries: ptr8, wanted: int) -> int:
    """The number of the queue's first entry whose sequence is `wanted` or higher, or -1."""
    number = 0
    at = int(state[q]) * _EVENT
    while number < int(state[q + 1]):
        if at >= int(state[q + 2]) * _EVENT:
            at = 0
        sequence = int(entries[at]) | int(entries[at + 1]) << 8 | int(entries[at + 2]) << 16
        sequence |= int(entries[at + 3]) << 24
        if sequence >= wanted:
            return number
        at += _EVENT
        number += 1
    return -1


@micropython.viper
def store(event: ptr8, at: int, stored: ptr8):
    """An event as it is read out to its bytes in flash, without their CRC."""
    k = 0
    while k < 3:
        stored[k] = event[at + k]
        k += 1
    k = 3
    while k < 9:
        stored[k] = event[at + 1 + k]
        k += 1
    while k < 17:
        stored[k] = event[at + 3 + k]
        k += 1
    count = int(event[at + 20]) | int(event[at + 21]) << 8
    span = int(event[at + 22]) | int(event[at + 23]) << 8
    stored[17] = count & 0xFF
    stored[18] = (count >> 8) | (span & 15) << 4
    stored[19] = span >> 4


@micropython.viper
def restore(stored: ptr8, at: int, base: int, event: ptr8, to: int) -> int:
    """The reverse; returns the sequence, which is `base` or higher."""
    low = int(stored[at]) | int(stored[at + 1]) << 8 | int(stored[at + 2]) << 16
    sequence = base + ((low - base) & 0xFFFFFF)
    k = 0
    while k < 4:
        event[to + k] = (sequence >> (8 * k)) & 0xFF
        k += 1
    k = 3
    while k < 9:
        event[to + 1 + k] = stored[at + k]
        k += 1
    event[to + 10] = 0
    event[to + 11] = 0
    while k < 17:
        event[to + 3 + k] = stored[at + k]
        k += 1
    event[to + 20] = stored[at + 17]
    event[to + 21] = int(stored[at + 18]) & 15
    span = int(stored[at + 18]) >> 4 | int(stored[at + 19]) << 4
    event[to + 22] = span & 0xFF
    event[to + 23] = span >> 8
    return sequence
