# Runs on MicroPython, on the chip and on the host, for test_kernels_on_chip.py: every kernel beside
# its reference on the same input. Prints what differed, a digest of all results, and the bytes that
# the steady state allocates. FOLDER, PACKAGE and WORST_INPUTS stand before this text.
# pyright: reportAttributeAccessIssue=false, reportUndefinedVariable=false
import array
import binascii
import gc
import json
import sys

import micropython

given = globals()
sys.path.insert(0, given["FOLDER"])
features = __import__(given["PACKAGE"] + ".features").features
framing = __import__(given["PACKAGE"] + ".framing").framing
worst_inputs = [binascii.unhexlify(text) for text in given["WORST_INPUTS"]]

differing = []
digest = [0]


def note(data):
    digest[0] = binascii.crc32(data, digest[0])


# An xorshift of 16 bits. Kinds: 0 any int16, 1 quiet, 2 the ADXL345's range, 3 its two ends.
@micropython.viper
def fill(target: ptr16, count: int, kind: int, seed: int) -> int:
    x = seed
    i = 0
    while i < count:
        x ^= (x << 7) & 0xFFFF
        x ^= x >> 9
        x ^= (x << 8) & 0xFFFF
        value = x
        if kind == 1:
            value = 256 + (x & 7)
        if kind == 2:
            value = (x & 0x1FFF) - 4096
        if kind == 3:
            value = 4095 if x & 0x4000 else -4096
        target[i] = value & 0xFFFF
        i += 1
    return x


@micropython.viper
def fill_from_signs(target: ptr16, signs: ptr8, count: int):
    i = 0
    while i < count:
        value = 0x7FFF if (signs[i >> 3] >> (i & 7)) & 1 else 0x8000
        target[3 * i] = value
        target[3 * i + 1] = value ^ 0xFFFF
        target[3 * i + 2] = value
        i += 1


KERNELS = ("statistics", "velocity", "envelope")


def make(rate_hz, present=(0, 1, 2)):
    features_ = features.Features(
        16,
        rate_hz,
        3906,
        4096,
        axes=present,
        present=present,
        envelope_low_hz=rate_hz * 5 / 32,
        envelope_high_hz=rate_hz * 14 / 32,
    )
    features_.shaft[features.PHASE_Q32] = -0x1234567
    return features_


def check_features(name, samples, triples, tested, reference, step=0x5123456):
    first = 0
    block = 0
    for one in (tested, reference):
        one.shaft[features.STEP_Q32] = step
        features.begin_window(samples, 0, 16, one._work)
    while first < triples:
        count = min(1 + (block * 7) % 32, triples - first)
        for kernel in KERNELS:
            getattr(features, kernel)(samples, first, count, tested._work)
            getattr(features, kernel + "_reference")(samples, first, count, reference._work)
            if tested._work != reference._work:
                differing.append([name, kernel, first])
                return
        features.quadrature(samples, first, count, tested.shaft)
        features.quadrature_reference(samples, first, count, reference.shaft)
        if tested.shaft != reference.shaft:
            differing.append([name, "quadrature", first])
            return
        for one in (tested, reference):
            one.shaft[features.PHASE_Q32] ^= step
        first += count
        block += 1
    for one in (tested, reference):
        one.taken = triples
        one._close()
        one.shaft[11] = 9
        features.close_turns(one.shaft, one._results, one._turn_scales, one._once)
    words = list(tested._work)
    words[0] = 0
    shaft = list(tested.shaft)
    shaft[2] = 0
    note(str([words, shaft, list(tested._results), list(tested._once)]).encode())


def all_features():
    triples = 1008
    samples = array.array("h", bytes(6 * triples))
    for rate_hz in (200, 3200, 10_000):
        tested, reference = (make(rate_hz) for _ in range(2))
        before = list(tested._work)
        for kernel in KERNELS:
            getattr(features, kernel)(samples, 0, 0, tested._work)
            getattr(features, kernel + "_reference")(samples, 0, 0, reference._work)
        features.quadrature(samples, 0, 0, tested.shaft)
        if before != list(tested._work) or before != list(reference._work):
            differing.append(["nothing", rate_hz])
        seed = 1
        for kind in range(4):
            seed = fill(samples, len(samples), kind, seed)
            check_features(f"{rate_hz} Hz, kind {kind}", samples, triples, tested, reference)
        for value in (32767, -32768, 0):
            for i in range(len(samples)):
                samples[i] = value
            check_features(f"{rate_hz} Hz, {value}", samples, triples, tested, reference)
    seed = fill(samples, len(samples), 2, 7)
    for present in ((0,), (1,), (2,), (0, 2)):
        tested, reference = (make(1600, present) for _ in range(2))
        for step in (0, 1, -0x40000000):
            name = f"axes {present}, step {step}"
            check_features(name, samples, triples, tested, reference, step)
    # A signal that grows bit by bit, so that the moments' sums drop theirs one after the other.
    for i in range(len(samples)):
        samples[i] = (samples[i] * 8) >> (15 - i // 202)
    tested, reference = (make(3200) for _ in range(2))
    check_features("growing", samples, triples, tested, reference)
    tested, reference = (make(3200) for _ in range(2))
    for number, signs in enumerate(worst_inputs):
        samples = array.array("h", bytes(6 * 8 * len(signs)))
        fill_from_signs(samples, signs, 8 * len(signs))
        check_features(f"worst {number}", samples, 8 * len(signs), tested, reference)


def all_roots():
    seed = 1
    raw = array.array("h", [0, 0, 0])
    pairs = [(0, 0), (0, 1), (1, 0), (0x3FFFFFFF, 65535), (1 << 28, 0), ((1 << 28) - 1, 65535)]
    for i in range(300):
        seed = fill(raw, 3, 0, seed)
        pairs.append((((raw[0] & 0x7FFF) << 15 | (raw[1] & 0x7FFF)) >> (i % 30), raw[2] & 0xFFFF))
    for pair in pairs:
        found = features.root(*pair)
        note(str(found).encode())
        if found != features.root_reference(*pair):
            differing.append(["root", pair])


def all_framing():
    seed = 1
    noise = array.array("H", bytes(600))
    lengths = list(range(40))
    lengths.extend((252, 253, 254, 255, 256, 507, 508, 509, 510, 600))
    for length in lengths:
        seed = fill(noise, len(noise), 0, seed)
        for zeros in range(4):
            data = bytearray(memoryview(bytes(noise))[:length]) + bytearray(4)
            if zeros:
                for i in range(length):
                    data[i] = data[i] & 3 if zeros == 1 else (data[i] or 9) if zeros == 2 else 0
            coded, coded_reference = (bytearray(b"\xaa" * 620) for _ in range(2))
            ends = (
                framing.cobs_encode(data, length, coded, zeros),
                framing.cobs_encode_reference(data, length, coded_reference, zeros),
            )
            if ends[0] != ends[1] or coded != coded_reference:
                differing.append(["cobs_encode", length, zeros])
            moved, moved_reference = (bytearray(b"\xaa" * 620) for _ in range(2))
            start = min(zeros, length)
            framing.copy(data, start, moved, length % 8, length - start)
            framing.copy_reference(data, start, moved_reference, length % 8, length - start)
            if moved != moved_reference:
                differing.append(["copy", length, zeros])
            other = bytearray(data)
            ends = (
                framing.append_crc(data, length, framing.CRC_TABLE),
                framing.append_crc_reference(other, length, framing.CRC_TABLE),
            )
            if ends[0] != ends[1] or data != other:
                differing.append(["append_crc", length, zeros])
            note(data)
            note(coded)
            note(moved)


def allocated_bytes():
    samples = array.array("h", [100, -200, 300] * 16)
    kept = features.Features(32, 3200, 3906, envelope_low_hz=500, envelope_high_hz=1400)
    kept.shaft[features.STEP_Q32] = 0x30000000
    frame = bytearray(200)
    coded = bytearray(210)
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    for _ in range(10):
        kept.add(samples, 0, 16)
        kept.add(samples, 0, 16)
        end = framing.append_crc(frame, 120, framing.CRC_TABLE)
        end = framing.cobs_encode(frame, end, coded, 0)
        framing.copy(coded, 0, frame, 0, end)
    after = gc.mem_alloc()
    gc.enable()
    return after - before


all_features()
all_roots()
all_framing()
print(json.dumps([sys.platform, differing[:10], digest[0] & 0xFFFFFFFF, allocated_bytes()]))
