"""What up to three unlike supplies give together, and how fast the motor may turn on it. Pure.

They feed one bus, each through a diode or a switch of its own: the highest of them is the bus. A
supply is healthy from its trip level and hysteresis up until it falls to its trip level; one that
is not counts for nothing. Between its limit and its trip level it gives the less the lower it is,
so that one battery running down does not take the motor with it.
"""

import array

import micropython
from micropython import const

from . import quantities as q

# No ceiling: 1/1000 of rated speed.
UNLIMITED = const(1000)

# Of `quantities`, again, because viper takes no constant of another module.
_BROKEN = const(-0x3FFFFFFF)
_CURRENT_MA = const(1)
_SUPPLY_MV = const(2)
_SUPPLY_1_MV = const(3)
_POWER_MW = const(15)
_SUPPLIES_HEALTHY = const(30)

# Words of the state.
_TOP = const(0)
_ALL = const(1)
_TOTAL_MW = const(2)
_AVAILABLE_MW = const(3)
_CEILING = const(4)
_END = const(5)
_FIRST = const(6)
# Then for each supply:
_TRIP_MV = const(0)
_HYSTERESIS_MV = const(1)
_FULL_MV = const(2)  # from trip to limit
_MAX_MW = const(3)
_HEALTHY = const(4)
_SUPPLY_WORDS = const(5)


@micropython.viper
def weigh(values: ptr32, state: ptr32, command_permille: int, duty_permille: int):
    """From the voltages to the ceiling. 3,100 cycles with three supplies, the call of `update`
    included, at 125 MHz, emulated.
    """
    # The quantities' 31 bits are given their sign by hand: see `conditions`.
    top = int(state[_TOP])
    every = int(state[_ALL])
    bus = _BROKEN
    healthy = 0
    available = 0
    supply = _FIRST
    at = _SUPPLY_1_MV
    while supply < int(state[_END]):
        mv = ((int(values[at]) + top) & every) - top
        at += 1
        if mv > bus:
            bus = mv
        above = 0
        if mv > _BROKEN:
            above = mv - int(state[supply + _TRIP_MV])
        well = int(state[supply + _HEALTHY])
        if above <= 0:
            well = 0
        elif above >= int(state[supply + _HYSTERESIS_MV]):
            well = 1
        state[supply + _HEALTHY] = well
        if well:
            healthy += 1
            most = int(state[supply + _MAX_MW])
            full = int(state[supply + _FULL_MV])
            if above < full:
                most = ((most // 100) * ((above * 1000) // full)) // 10
            available += most
        supply += _SUPPLY_WORDS
    values[_SUPPLY_MV] = bus
    values[_SUPPLIES_HEALTHY] = healthy
    state[_AVAILABLE_MW] = available

    current = ((int(values[_CURRENT_MA]) + top) & every) - top
    power = current
    if bus <= _BROKEN:
        power = bus
    ceiling = UNLIMITED
    if power <= _BROKEN:
        ceiling = ((available // 100) * UNLIMITED) // (int(state[_TOTAL_MW]) // 100)
    else:
        if current < 0:
            current = 0 - current
        # The bridge draws the motor's current for as long as the duty says.
        power = ((bus // 10) * (current // 10)) // 10
        power = ((power // 100) * duty_permille) // 10
        if (power * 4 > available * 3) and (command_permille > 0):
            # Half way to where the power would be `available` if it grew with the speed: settles in
            # a few steps, and does not swing if it grows with the square.
            ceiling = (command_permille * ((power + available) // 128)) // (power // 64 + 1)
            if ceiling > UNLIMITED:
                ceiling = UNLIMITED
    values[_POWER_MW] = power
    state[_CEILING] = ceiling


class Supplies:
    """Turns the voltages of the supplies in `values` into SUPPLY_MV, SUPPLIES_HEALTHY and POWER_MW.

    A board without supplies has no bus and no ceiling.
    """

    def __init__(self, board, values):
        self.values = values
        state = array.array("i", [0] * _FIRST)
        state[_TOP] = 0x40000000
        state[_ALL] = 0x7FFFFFFF
        state[_CEILING] = UNLIMITED
        for supply, levels in zip(board.SUPPLIES, board.SUPPLY_LEVELS):
            _, limit, trip, _, hysteresis, _ = levels
            state.extend(array.array("i", [trip, hysteresis, max(limit - trip, 1), supply[5], 0]))
            state[_TOTAL_MW] += supply[5]
        state[_TOTAL_MW] = max(state[_TOTAL_MW], 100)
        state[_END] = len(state)
        self._state = state
        if len(state) > _FIRST:
            values[q.SUPPLIES_HEALTHY] = 0

    @micropython.native
    def update(self, command_permille, duty_permille):
        """Call 50 times a second, with the speed commanded and the duty on the pin in 1/1000."""
        if self._state[_END] > _FIRST:
            weigh(self.values, self._state, command_permille, duty_permille)

    @property
    def available_mw(self):
        """What the healthy supplies give together."""
        return self._state[_AVAILABLE_MW]

    @property
    def ceiling_permille(self):
        """The speed that this allows, in 1/1000 of rated speed; UNLIMITED where it is no matter."""
        return self._state[_CEILING]
