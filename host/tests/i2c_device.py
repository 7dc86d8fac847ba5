# Runs on the chip: an ADXL345 on I2C, by the peripheral (long transfers) and the pins (short ones).
import time

from machine import I2C, Pin

bus = I2C(1, sda=Pin(2), scl=Pin(3), freq=400_000)
print("SCAN", bus.scan())
print("IDENTITY", bus.readfrom_mem(0x53, 0x00, 1)[0])
bus.writeto_mem(0x53, 0x2C, b"\x0d")
bus.writeto_mem(0x53, 0x31, b"\x0b")
bus.writeto_mem(0x53, 0x38, b"\x90")
bus.writeto_mem(0x53, 0x2D, b"\x08")
print("BACK", bus.readfrom_mem(0x53, 0x2C, 2)[0], bus.readfrom_mem(0x53, 0x31, 1)[0])
time.sleep_ms(30)
waiting = bus.readfrom_mem(0x53, 0x39, 1)[0]
print("WAITING", waiting)
for _ in range(3):
    raw = bus.readfrom_mem(0x53, 0x32, 6)
    print("SAMPLE", [int.from_bytes(raw[i : i + 2], "little") for i in (0, 2, 4)])
print("LEFT", bus.readfrom_mem(0x53, 0x39, 1)[0] <= waiting)
