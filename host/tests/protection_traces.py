# Runs on both Pythons: what the conditions, the supplies and the protection make of a list of
# events.
import binascii

MODULES = ("quantities", "conditions", "protection", "supplies")
LIFE = (608, 250)  # seed and length of the one that the chip lives


class Fields:
    """An object with these attributes."""

    def __init__(self, attributes):
        for name in attributes:
            setattr(self, name, attributes[name])


HEALTHY = {
    "SPEED_RPM": 2100,
    "CURRENT_MA": 1200,
    "SUPPLY_MV": 14000,
    "SUPPLY_1_MV": 12000,
    "SUPPLY_2_MV": 12500,
    "SUPPLY_3_MV": 14000,
    "BEARING_MDEGC": 40000,
    "DRIVER_MDEGC": 45000,
    "VELOCITY_UM_S": 500,
    "PEAK_MG": 800,
    "CREST_CENTI": 350,
    "ENVELOPE_MG": 120,
    "RMS_MG": 200,
    "ESTOP_OPEN": 0,
    "DRIVER_FAULT": 0,
    "SENSOR_SILENT_MS": 0,
    "SENSOR_STUCK_MS": 0,
    "SENSOR_SATURATED": 0,
    "SENSOR_NOISY": 0,
    "SENSOR_IDENTITY": 0,
    "SAMPLES_LOST": 0,
    "HEARTBEAT_AGE_MS": 0,
    "CONTROL_INTERVAL_US": 5000,
    "STANDING_MS": 0,
    "SEIZING": 0,
    "TACHO_SILENT_MS": 0,
    "LATE_TICKS": 0,
    "SUPPLIES_HEALTHY": 3,
}


def make_healthy(values, q):
    """Everything at its best, on any board."""
    for name, value in HEALTHY.items():
        values[getattr(q, name)] = value


class Noise:
    """The same small numbers on every Python: an xorshift of 16 bits."""

    def __init__(self, seed):
        self._x = seed

    def below(self, bound):
        x = self._x
        x ^= (x << 7) & 0xFFFF
        x ^= x >> 9
        x ^= (x << 8) & 0xFFFF
        self._x = x
        return x % bound


# A quantity that inputs or features write, and values on either side of the levels of the boards.
SEEN = (
    ("SPEED_RPM", (2100, 0, 2600, 90, 1040)),
    ("CURRENT_MA", (1200, 3100, 9000, -4200, 2450, 100, 3950)),
    ("SUPPLY_1_MV", (12000, 8900, 9150, 10900, 15100)),
    ("SUPPLY_2_MV", (12500, 0, 10000, -0x3FFFFFFF)),
    ("SUPPLY_3_MV", (14000, 0, 17600, 12000)),
    ("BEARING_MDEGC", (40000, 69000, 96000, -0x3FFFFFFF, 79000, -12000)),
    ("DRIVER_MDEGC", (45000, 99000, 101000)),
    ("VELOCITY_UM_S", (500, 1150, 1800, 4600, 3000)),
    ("PEAK_MG", (800, 12000, 15000, 3500)),
    ("ENVELOPE_MG", (120, 1450, 4000, 7000)),
    ("CREST_CENTI", (350, 800, 780)),
    ("ESTOP_OPEN", (0, 0, 0, 1)),
    ("DRIVER_FAULT", (0, 0, 0, 1)),
    ("SENSOR_IDENTITY", (0, 0, 0, 1)),
)


def random_life(seed, length):
    """Events in spells that are longer than the delays; each is a name and its arguments."""
    noise = Noise(seed)
    life = []
    edges = samples = lost = 0
    duty = 700
    turning = 2
    pace = 1
    speaks = True
    for _ in range(length):
        kind = noise.below(10)
        if kind < 3:
            name, choices = SEEN[noise.below(len(SEEN))]
            life.append(("see", name, choices[noise.below(len(choices))]))
        elif kind == 3:
            which = noise.below(6)
            if which == 0:
                duty = (0, 700, 700, 60)[noise.below(4)]
            elif which == 1:
                turning = (2, 6, 8, 6)[noise.below(4)]
            elif which == 2:
                pace = (0, 1, 3)[noise.below(3)]
            elif which == 3:
                speaks = noise.below(3) > 0
            elif which == 4:
                lost += noise.below(300)
            else:
                life.append(("limit", noise.below(30), noise.below(4), noise.below(13000)))
        elif kind == 4:
            life.append((("heartbeat",), ("closed",), ("forget",), ("heartbeat",))[noise.below(4)])
        elif kind == 5:
            life.append(("window", noise.below(8) == 0, noise.below(8) == 0, noise.below(600)))
        elif kind == 6:
            life.append(("present", noise.below(29)))
        ticks = 1 + noise.below(30)
        edges += pace * ticks // 3
        if speaks:
            samples += 16 * ticks
        late = (5000, 5000, 5100, 6200, 21000)[noise.below(5)]
        step = (5, 5, 5, 6, 25)[noise.below(5)]
        life.append(("ticks", ticks, step, turning, duty, edges, samples, lost, late))
    return life


def trace(q, conditions, protection, supplies, constants, life):
    """Yields, after each event: its answer, and everything that protection and supplies show."""
    board = Fields(constants)
    values = q.make_values()
    make_healthy(values, q)
    seen = conditions.Conditions(board, values)
    watch = protection.Protection(board, values)
    fed = supplies.Supplies(board, values)
    observed = seen.observed
    for name, *arguments in life:
        answer = None
        if name == "see":
            values[getattr(q, arguments[0])] = arguments[1]
        elif name == "heartbeat":
            seen.heartbeat()
        elif name == "closed":
            seen.link_closed()
        elif name == "forget":
            seen.forget()
            watch.forget()
        elif name == "window":
            seen.window(250, *arguments)
            watch.window()
        elif name == "present":
            answer = watch.present(*arguments)
        elif name == "limit":
            answer = [watch.lower(*arguments), list(watch.export())]
        else:
            ticks, step, turning, duty, edges, samples, lost, late = arguments
            observed[conditions.DUTY_PERMILLE] = duty
            observed[conditions.COMMAND_PERMILLE] = duty
            observed[conditions.EDGES] = edges
            observed[conditions.SAMPLES] = samples
            observed[conditions.LOST] = lost
            observed[conditions.INTERVAL_US] = late
            answer = []
            for _ in range(ticks):
                seen.update(step)
                answer.append(watch.check(turning, step))
                observed[conditions.INTERVAL_US] = 5000
            fed.update(duty, duty)
        yield [
            answer,
            watch.alarms,
            watch.limiting,
            [watch.excess_permille(n) for n in range(14)],
            list(values),
            fed.available_mw,
            fed.ceiling_permille,
        ]


def digest(shown):
    """One number for a trace, event after event so that little memory is needed."""
    crc = 0
    for one in shown:
        crc = binascii.crc32(repr(one).encode(), crc)
    return crc & 0xFFFFFFFF
