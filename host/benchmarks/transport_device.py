# Runs on the chip: sends at a given rate over the console or over the link's own USB function, and
# answers single bytes. PORT, CHUNK (bytes sent at each of 200 ticks a second), SECONDS and READ are
# set by transport.py in front of this text.
import array
import select
import sys
import time

import machine
import micropython
import uctypes

micropython.alloc_emergency_exception_buf(100)
ticks = array.array("i", [0])


@micropython.asm_thumb
def idle(r0, r1):
    data(2, 0xB672)  # cpsid i
    ldr(r2, [r0, 0])
    cmp(r2, r1)
    bgt(AWAKE)
    wfi()
    label(AWAKE)
    data(2, 0xB662)  # cpsie i


@micropython.viper
def tick(timer):
    p = ptr32(ticks)
    p[0] += 1


def run():
    chunk = bytearray(b"\x55" * CHUNK)
    if PORT == "link":
        link = UsbLink(bytearray(4096), bytearray(4096), 256)
        out = None
    else:
        micropython.kbd_intr(-1)
        out = sys.stdout.buffer
        poll = select.poll()
        poll.register(sys.stdin.buffer, select.POLLIN)
    timer = machine.Timer(freq=200, mode=machine.Timer.PERIODIC, callback=tick)
    address = uctypes.addressof(ticks)
    longest = 0
    end = time.ticks_add(time.ticks_ms(), SECONDS * 1000)
    last = time.ticks_us()
    n = ticks[0]
    while True:
        if ticks[0] == n:
            idle(address, n)  # a USB interrupt wakes it too: back to sleep until the next tick
            continue
        n = ticks[0]
        now = time.ticks_us()
        longest = max(longest, time.ticks_diff(now, last))
        last = now
        if CHUNK:
            if out:
                out.write(chunk)
            else:
                link.write(chunk, CHUNK)
        if out:
            if READ and poll.poll(0):
                out.write(sys.stdin.buffer.read(1))
        else:
            if link.received_bytes:
                link.write(link.received, link.received_bytes)
                link.received_bytes = 0
            link.service()
        if not n & 15 and time.ticks_diff(end, time.ticks_ms()) <= 0:
            break
    timer.deinit()
    return longest


print("LONGEST", run())
