# Runs on the chip, as a module of its own, for test_storage_on_chip.py: black box and settings on
# the storage that the image has.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
import array
import binascii
import gc
import json
import sys
import time

from wrench_firmware import blackbox, clock_rp2, settings, storage_rp2

CYCLES_PER_US = 125
log_storage, settings_storage = storage_rp2.open_storage()
box = blackbox.BlackBox(log_storage, clock_rp2.stamp)
samples = array.array("h", [(k * 37 & 0x1FFF) - 4096 for k in range(3 * 4096)])
quantities = array.array("i", range(40))


def start():
    before = time.ticks_us()
    used = box.recover()
    took_us = time.ticks_diff(time.ticks_us(), before)
    box.start()
    kept = settings.open_settings(settings_storage, 700)
    how = kept.load(used)
    if how == settings.FRESH:
        kept.save()
    return used, took_us, kept, how


def rest():
    longest = 0
    while True:
        before = time.ticks_us()
        did = box.service(True, True)
        longest = max(longest, time.ticks_diff(time.ticks_us(), before))
        if not did:
            return longest


def event(n):
    """Every field follows from one number."""
    box.append(1 + n % 3, n % 251, -n)


def work(first, captures):
    """Write until power goes, and tell what is written."""
    _, _, kept, _ = start()
    rest()
    n = first
    while True:
        for _ in range(25):
            event(n)
            n += 1
            box.service(True, True)
        box.trip(4, 3, n)
        if captures and n % 50 == 0:
            box.capture(samples, 4096, n % 4096, 4096, quantities, box.newest, 3, 3200, 3906)
        rest()
        print("W", n, box.newest)
        kept.set(settings.RUN_SECONDS, n)
        kept.save()
        print("S", n)


def report():
    """What is there after a boot."""
    used, took_us, kept, how = start()
    out = sys.stdout
    buffer = bytearray(24 * 32)
    first = 1
    while True:
        count = box.read(first, buffer)
        if not count:
            break
        out.write(binascii.hexlify(memoryview(buffer)[: 24 * count]).decode() + "\n")
        at = 24 * count - 24
        first = int.from_bytes(buffer[at : at + 4], "little") + 1
    state = [how, kept.corrupt, kept.get(settings.RUN_SECONDS)]
    print(json.dumps([used, took_us, box.boot, list(box.captures.states), state]))


def capture_check(slot):
    """One slot, to be compared on the host."""
    buffer = bytearray(512)
    at = 0
    while True:
        count = box.read_capture(slot, at, buffer)
        if not count:
            break
        sys.stdout.write(binascii.hexlify(memoryview(buffer)[:count]).decode() + "\n")
        at += count


def cycles(before, count):
    """Of one turn of a loop that began at `before`, without the loop itself."""
    after = time.ticks_us()
    for _ in range(count):
        pass
    around = time.ticks_diff(time.ticks_us(), after)
    return (time.ticks_diff(after, before) - around) * CYCLES_PER_US // count


read_buffer = bytearray(24 * 20)


def costs():
    """Cycles of each, and the bytes that they allocate."""
    _, took_us, _, _ = start()
    longest_us = rest()
    found = {
        "recover": took_us * CYCLES_PER_US,
        "longest_rest_us": longest_us,
        "idle": 0,
        "append": 0,
        "append_counted": 0,
        "idle_counting": 0,
        "one_event": 0,
        "read_20": 0,
        "capture_page_longest_us": 0,
        "pages": 0,
        "allocated": 0,
        "rest_after_us": 0,
    }
    service = box.service
    append = box.append
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    began = time.ticks_us()
    for _ in range(500):
        service(True, False)
    found["idle"] = cycles(began, 500)
    began = time.ticks_us()
    for k in range(100):
        append(1, k, k)
    found["append"] = cycles(began, 100)
    while box.waiting:
        service(True, False)
    append(2, 7, 5)
    began = time.ticks_us()
    for _ in range(100):
        append(2, 7, 5)
    found["append_counted"] = cycles(began, 100)
    while service(True, False):
        pass
    began = time.ticks_us()
    for _ in range(100):
        service(True, False)
    found["idle_counting"] = cycles(began, 100)
    began = time.ticks_us()
    for k in range(60):
        append(1, 100 + k, k)
        service(True, False)
    found["one_event"] = cycles(began, 60) - found["append"]
    began = time.ticks_us()
    for _ in range(10):
        box.read(1, read_buffer, 0, 20)
    found["read_20"] = cycles(began, 10)
    box.trip(4, 3, 1)
    box.capture(samples, 4096, 4000, 4096, quantities, box.newest, 3, 3200, 3906)
    longest = 0
    pages = 0
    while box.capturing:
        at = time.ticks_us()
        if box.service(True, False):
            pages += 1
        longest = max(longest, time.ticks_diff(time.ticks_us(), at))
    found["capture_page_longest_us"] = longest
    found["pages"] = pages
    found["allocated"] = gc.mem_alloc() - before
    gc.enable()
    box.set_wall_time(1900000000123)
    found["rest_after_us"] = rest()
    print(json.dumps(found))
