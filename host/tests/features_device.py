# Runs on MicroPython: firmware/features.py for test_features.py, one JSON request a line.
# pyright: reportAttributeAccessIssue=false
import array
import gc
import json
import sys

sys.path.insert(0, sys.argv[1])
module = __import__(sys.argv[2] + ".features").features


def windows(window_samples, rate_hz, count_ug, path, repeats):
    """The features of every window of a file of int16 triples, gone through `repeats` times."""
    with open(path, "rb") as file:
        samples = array.array("h", file.read())
    features = module.Features(window_samples, rate_hz, count_ug)
    found = []
    for _ in range(repeats):
        for first in range(0, len(samples) // 3, 16):
            if features.add(samples, first, 16):
                found.append(
                    [
                        list(features.rms_mg),
                        list(features.peak_mg),
                        list(features.crest_centi),
                        list(features.velocity_um_s),
                        features.worst_peak_mg,
                        features.worst_velocity_um_s,
                        features.settled,
                    ]
                )
    return found


def words(rate_hz, path, blocks):
    """The kernel's words after a file of int16 triples, taken in blocks of these sizes in turn."""
    with open(path, "rb") as file:
        samples = array.array("h", file.read())
    features = module.Features(16, rate_hz, 3906)
    first = 0
    turn = 0
    while first < len(samples) // 3:
        count = min(blocks[turn % len(blocks)], len(samples) // 3 - first)
        module.accumulate(samples, first, count, features._work)
        first += count
        turn += 1
    return list(features._work)


def roots(pairs):
    return [module.root(whole, fraction) for whole, fraction in pairs]


def allocated_bytes():
    """What ten windows take from the heap."""
    samples = array.array("h", [100, -200, 300] * 16)
    features = module.Features(32, 3200, 3906)
    add = features.add
    add(samples, 0, 16)
    add(samples, 0, 16)
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    for _ in range(10):
        add(samples, 0, 16)
        add(samples, 0, 16)
    after = gc.mem_alloc()
    gc.enable()
    return after - before


def refused(window_samples, rate_hz):
    try:
        module.Features(window_samples, rate_hz, 3906)
    except ValueError as error:
        return str(error)


while True:
    line = sys.stdin.readline()
    if not line:
        break
    name, *arguments = json.loads(line)
    print(json.dumps(globals()[name](*arguments)))
