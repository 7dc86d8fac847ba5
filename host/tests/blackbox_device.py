# Runs on MicroPython and on CPython: a black box's story on flash in RAM, for test_blackbox.py.
import binascii
import json
import sys


class Ram:
    """A raw region without cuts."""

    guarantee = True
    programming_erases = False
    sector_bytes = 4096

    def __init__(self, sectors):
        self.sectors = sectors
        self.data = bytearray(b"\xff" * (sectors * 4096))

    def read(self, sector, page, buffer):
        at = sector * 4096 + page * 256
        buffer[:] = self.data[at : at + len(buffer)]

    def program(self, sector, page, buffer, start, end):
        at = sector * 4096 + page * 256
        for k in range(256):
            self.data[at + k] &= buffer[k]

    def erase(self, sector):
        for k in range(sector * 4096, sector * 4096 + 4096):
            self.data[k] = 0xFF

    def sync(self):
        pass


class Story:
    """What happens to a board, out of a seed."""

    def __init__(self, blackbox, storage, seed):
        self.blackbox = blackbox
        self.storage = storage
        self.seed = seed
        self.now_us = 1000000
        self.samples = bytearray(6 * 300)
        for k in range(len(self.samples)):
            self.samples[k] = (k * 7 + seed) & 0xFF
        self.boot()

    def random(self, below):
        self.seed = (self.seed * 1103515 + 12345) & 0x3FFFFFF
        return (self.seed >> 8) % below

    def clock(self, target, at):
        target[at : at + 8] = self.now_us.to_bytes(8, "little")

    def boot(self):
        self.box = self.blackbox.BlackBox(self.storage, self.clock)
        self.box.recover()
        self.box.start()

    def run(self, steps):
        for _ in range(steps):
            self.now_us += self.random(30) * 999999
            what = self.random(40)
            box = self.box
            if what == 0:
                self.boot()
            elif what == 1:
                box.trip(4, self.random(9), self.random(9) - 2000000000)
            elif what == 2:
                box.set_wall_time(1900000000000 + self.random(90000), self.now_us)
            elif what == 3:
                box.capture(
                    self.samples,
                    300,
                    self.random(300),
                    200,
                    [1, -2, -0x40000000],
                    self.random(9),
                    1,
                    2,
                    3,
                )
            else:
                box.append(1 + self.random(3), self.random(20), self.random(50) - 25)
            box.service(what & 1, self.random(3) == 0)

    def log(self):
        found = []
        buffer = bytearray(24 * 20)
        first = 1
        while True:
            count = self.box.read(first, buffer, 0, 20)
            if not count:
                return found
            for k in range(count):
                found.append(binascii.hexlify(buffer[24 * k : 24 * k + 24]).decode())
            first = int.from_bytes(buffer[24 * count - 24 : 24 * count - 20], "little") + 1


def story(blackbox, sectors, seed, steps):
    ram = Ram(sectors)
    it = Story(blackbox, ram, seed)
    it.run(steps)
    return [binascii.hexlify(ram.data).decode(), it.log()]


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    blackbox = __import__(sys.argv[2] + ".blackbox").blackbox
    while True:
        line = sys.stdin.readline()
        if not line:
            break
        name, sectors, seed, steps = json.loads(line)
        print(json.dumps(story(blackbox, sectors, seed, steps)))
