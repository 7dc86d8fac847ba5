"""The assembler kernels of a wideband sensor on the emulated RP2040, against NumPy's integers, bit
for bit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from on_chip import PartChip, modules

from wrench.deploy import PACKAGE

RNG = np.random.default_rng(5)


def poles(corner_hz: float) -> tuple[float, float]:
    """a1 and a2 of a bilinear Butterworth filter of order 2 at 26,667 Hz."""
    k = np.tan(np.pi * corner_hz / 26_667)
    scale = 1 / (1 + np.sqrt(2) * k + k * k)
    return 2 * (k * k - 1) * scale, (1 - np.sqrt(2) * k + k * k) * scale


HIGH, LOW = poles(2500), poles(5500)
GAIN = (1 - HIGH[0] + HIGH[1]) / 4 * (1 + LOW[0] + LOW[1]) / 4
COEFFICIENTS = [round(2048 * v) for v in (-HIGH[0], -HIGH[1], GAIN, -LOW[0], -LOW[1])]
NUMBERS = (0, 1, 12, 82, 142, 511)


def samples() -> NDArray[np.int16]:
    """Loud, quiet, and at both ends of the range."""
    loud = RNG.integers(-20_000, 20_000, (256, 3))
    quiet = RNG.integers(2040, 2056, (128, 3))
    ends = RNG.choice([-32768, 32767], (128, 3))
    return np.concatenate([loud, quiet, ends]).astype(np.int16)


def decimated(given: NDArray[np.int16]) -> list[int]:
    taps = np.convolve(np.convolve(np.ones(4, int), np.ones(4, int)), np.ones(4, int))
    columns = [
        np.convolve(given[:, axis].astype(int), taps)[3 : len(given) : 4] for axis in range(3)
    ]
    whole = (np.stack(columns, axis=1) + 32) >> 6
    return whole.astype(np.int16).ravel().tolist()


def banded(given: NDArray[np.int16]) -> tuple[list[int], int]:
    """What `features.envelope_reference` does to each sample, in 32-bit integers."""
    a1, a2, gain, b1, b2 = (np.int32(one) for one in COEFFICIENTS)
    h1 = h2 = l1 = l2 = np.int32(0)
    sums, part, squares = [], 0, 0
    with np.errstate(over="ignore"):
        for at, value in enumerate(given[:, 1].astype(np.int32)):
            x = value << np.int32(12)
            y = (x + h1) >> np.int32(11)
            h1 = h2 + a1 * y - x - x
            h2 = a2 * y + x
            x = gain * y
            y = (x + l1) >> np.int32(11)
            l1 = l2 + b1 * y + x + x
            l2 = b2 * y + x
            part += int(y ^ (y >> np.int32(31)))
            squares += int(y >> 1) ** 2
            if at % 16 == 15:
                sums.append(part)
                part = 0
    return sums, squares


@pytest.fixture(scope="module")
def said() -> Iterator[dict[str, Any]]:
    given = samples()
    turn = 2 * np.pi / 1024
    table = np.rint(1024 * np.cos(turn * np.arange(1280))).astype(int).tolist()
    record = RNG.integers(-1023, 1024, 1024).tolist()
    head = (
        f"PACKAGE = {PACKAGE!r}\nSAMPLES = {given.tobytes().hex()!r}\n"
        f"COEFFICIENTS = {COEFFICIENTS}\nRECORD = {record}\nTABLE = {table}\n"
    )
    text = (Path(__file__).parent / "wideband_device.py").read_text()
    with PartChip(modules("__init__", "features_rp2", "wideband_rp2")) as chip:
        yield chip.run(head + text) | {"given": given, "table": table, "record": record}


def test_the_decimation_is_three_running_means_of_four(said: dict[str, Any]) -> None:
    assert said["decimate"] == decimated(said["given"])


def test_the_band_pass_and_its_squares_are_those_of_the_reference(said: dict[str, Any]) -> None:
    sums, squares = banded(said["given"])
    assert said["band"] == sums
    low, high, carries = said["squares"]
    assert low + (high << 16) + (carries << 32) == squares


def test_a_line_is_the_sum_of_products_with_cosine_and_minus_sine(said: dict[str, Any]) -> None:
    record, table = np.asarray(said["record"]), np.asarray(said["table"])
    for number, found in zip(NUMBERS, said["correlate"], strict=True):
        at = number * np.arange(1024) % 1024
        assert found == [int(record @ table[at]), int(record @ table[at + 256])]


def test_one_call_does_what_eight_calls_do(said: dict[str, Any]) -> None:
    assert said["each_32"]
