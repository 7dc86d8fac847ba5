# Runs on the chip for test_kernels_on_chip.py: reads a ramp through the ADXL345's FIFO.
# pyright: reportAttributeAccessIssue=false
import array
import gc
import json

from wrench_firmware.drivers.adxl345 import Adxl345


def read_ramp(board, gap_turns):
    """Print [samples out of order, bytes allocated]; `gap_turns` replaces the driver's."""
    sensor = Adxl345(board)
    if gap_turns:
        sensor._bus[2] = gap_turns
    samples = array.array("h", bytes(6 * 16))
    gc.collect()
    gc.disable()
    sensor.start()
    before = gc.mem_alloc()
    broken = 0
    expected = None
    for _ in range(60):
        while not sensor.data_ready.value():
            pass
        if not 16 <= sensor.waiting() < 32:
            broken += 1000
        sensor.read_into(samples, 0, 16)
        for i in range(0, 48, 3):
            x = samples[i]
            if (expected is not None and x != expected) or samples[i + 1] != ~x & ~1:
                broken += 1
            expected = x + 2 if x < 4094 else -4096
    allocated = gc.mem_alloc() - before
    gc.enable()
    sensor._write(0x2D, 0)
    print(json.dumps([broken, allocated]))
