# Runs on MicroPython: firmware/features.py for test_features.py, one JSON request a line.
# pyright: reportAttributeAccessIssue=false
import array
import gc
import json
import sys

sys.path.insert(0, sys.argv[1])
module = __import__(sys.argv[2] + ".features").features

NAMES = (
    "rms_mg",
    "peak_mg",
    "crest_centi",
    "kurtosis_centi",
    "envelope_mg",
    "velocity_um_s",
    "mean_mg",
)
WORST = (
    "worst_rms_mg",
    "worst_peak_mg",
    "worst_crest_centi",
    "worst_kurtosis_centi",
    "worst_envelope_mg",
    "worst_velocity_um_s",
    "once_per_turn_mg",
    "once_per_turn_um_s",
    "stuck",
    "saturated",
    "settled",
)


def load(path, kind):
    with open(path, "rb") as file:
        return array.array(kind, file.read())


def windows(settings, path, repeats, block, shaft_path):
    """The features of every window of a file of int16 triples, gone through `repeats` times.

    `shaft_path` may name a file of phase and step for each block.
    """
    samples = load(path, "h")
    shaft = load(shaft_path, "i") if shaft_path else None
    features = module.Features(**settings)
    found = []
    blocks = 0
    for _ in range(repeats):
        for first in range(0, len(samples) // 3, block):
            if shaft:
                features.shaft[module.PHASE_Q32] = shaft[2 * blocks]
                features.shaft[module.STEP_Q32] = shaft[2 * blocks + 1]
            blocks += 1
            if features.add(samples, first, block):
                window = {name: list(getattr(features, name)) for name in NAMES}
                for name in WORST:
                    window[name] = getattr(features, name)
                window["axes"] = list(features.axes)
                found.append(window)
    return found


def words(settings, path, blocks, step):
    """The kernels' words after a file of int16 triples, taken in blocks of these sizes in turn."""
    samples = load(path, "h")
    features = module.Features(**settings)
    work = features._work
    shaft = features.shaft
    shaft[module.STEP_Q32] = step
    shaft[module.PHASE_Q32] = -step
    first = 0
    turn = 0
    while first < len(samples) // 3:
        count = min(blocks[turn % len(blocks)], len(samples) // 3 - first)
        if not first:
            module.begin_window(samples, first, count, work)
        module.statistics(samples, first, count, work)
        module.velocity(samples, first, count, work)
        module.envelope(samples, first, count, work)
        module.quadrature(samples, first, count, shaft)
        first += count
        turn += 1
    return list(work), list(shaft)


def roots(pairs):
    return [module.root(whole, fraction) for whole, fraction in pairs]


def allocated_bytes():
    """What ten windows take from the heap, with averages over turns ending in them."""
    samples = array.array("h", [100, -200, 300] * 16)
    features = module.Features(32, 3200, 3906, envelope_low_hz=500, envelope_high_hz=1400)
    features.shaft[module.STEP_Q32] = 0x30000000
    add = features.add
    add(samples, 0, 16)
    add(samples, 0, 16)
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    for _ in range(10):
        add(samples, 0, 16)
        add(samples, 0, 16)
    features.shaft[module.STEP_Q32] = 0
    add(samples, 0, 16)
    after = gc.mem_alloc()
    gc.enable()
    return after - before


def refused(settings):
    try:
        module.Features(**settings)
    except ValueError as error:
        return str(error)


while True:
    line = sys.stdin.readline()
    if not line:
        break
    name, *arguments = json.loads(line)
    print(json.dumps(globals()[name](*arguments)))
