"""What the two ways to the host cost the chip: the console's CDC, or a CDC-ACM function of our own.

On the emulated board, exceptions and flash-cache misses charged, USB packets paced. Prints the
table of firmware/README.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from wrench.bench.assemble import bare_flash
from wrench.bench.virtual import CONSOLE, LINK, VirtualBench
from wrench.boards import load_board
from wrench.deploy import deployment
from wrench.flash import flash as install
from wrench.image import find
from wrench.raw_repl import RawRepl

SETTLE_S, MEASURE_S = 1.0, 2.0
MISS_CYCLES = 50
TICKS_S = 200


def script(port: str, chunk: int, seconds: int, read: bool) -> str:
    """The device program with its settings in front."""
    link = "import wrench_loader\nfrom wrench_firmware.usb_link import UsbLink\n"
    link = link if port == "link" else ""
    settings = f"PORT = {port!r}\nCHUNK = {chunk}\nSECONDS = {seconds}\nREAD = {read}\n"
    body = (Path(__file__).parent / "transport_device.py").read_text()
    return settings + link + body


def with_firmware(content: bytes) -> bytes:
    """A flash chip with the firmware's modules, which does not start them by itself."""
    files = deployment(load_board("pico-adxl345"))
    files.files["/main.py"] = b""
    with VirtualBench(content) as bench:
        install(bench.open(CONSOLE), files)
        return bench.read_flash()


def measure(
    flash: bytes, port: str, chunk: int, *, read: bool, hold: bool = False
) -> dict[str, float]:
    """Busy fraction, throughput, echo latency and longest pause of the chip's loop for one
    configuration.
    """
    with VirtualBench(flash, xip_miss_cycles=MISS_CYCLES) as bench:
        console = bench.open(CONSOLE)
        repl = RawRepl(console)
        repl.enter_raw_repl(soft_reset=False)
        seconds = 8
        repl.exec_raw_no_follow(script(port, chunk, seconds, read))
        channel = console
        if port == "link":
            bench.advance(0.5)
            channel = bench.open(LINK)
            console = bench.open(CONSOLE)
        bench.advance(SETTLE_S)
        channel.read_available()
        if hold:
            function = LINK if port == "link" else CONSOLE
            bench.hold_reading(function, False)
            bench.advance(2 * MEASURE_S)
            bench.hold_reading(function, True)
            busy = received = 0.0
        else:
            start = bench.seen
            bench.advance(MEASURE_S)
            stop = bench.seen
            assert start and stop
            span_ns = stop.now_ns - start.now_ns
            busy = 1 - (stop.idle_ns - start.idle_ns) / span_ns
            received = len(channel.read_available()) / (span_ns / 1e9)
        latency = []
        if read and not hold:
            fine = bench._step_ns
            bench._step_ns = 100_000
            for _ in range(10):
                channel.read_available()
                begin = bench.now_s
                channel.write(b"?")
                while b"?" not in channel.read_available() and bench.now_s < begin + 1:
                    bench.advance(0)
                latency.append(bench.now_s - begin)
                bench.advance(0.0131)
            bench._step_ns = fine
        heard = b""
        while b"\r\n" not in heard.partition(b"LONGEST")[2]:
            bench.advance(0.1)
            heard += console.read_available()
        longest = int(heard.partition(b"LONGEST")[2].split()[0])
        return {
            "busy": busy,
            "bytes_s": received,
            "latency_ms": 1e3 * max(latency) if latency else float("nan"),
            "longest_ms": longest / 1e3,
        }


def main() -> None:
    """Measure every configuration and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--image", type=Path)
    image = find("stock", file=arguments.parse_args().image)
    flash = with_firmware(bare_flash(image))
    for port in ("console", "link"):
        base = measure(flash, port, 0, read=True)
        print(f"{port:8} loop at {TICKS_S} Hz without traffic: {100 * base['busy']:.1f} % busy")
        for rate in (20_000, 165_000):
            m = measure(flash, port, rate // TICKS_S, read=True)
            print(
                f"{port:8} {rate:7} B/s: busy + {100 * (m['busy'] - base['busy']):4.1f} %, "
                f"{m['bytes_s']:8.0f} B/s arrive, echo <= {m['latency_ms']:.1f} ms, "
                f"longest interval {m['longest_ms']:.1f} ms"
            )
        m = measure(flash, port, 100, read=False, hold=True)
        print(f"{port:8} open, not read: longest interval {m['longest_ms']:.1f} ms")


if __name__ == "__main__":
    main()
