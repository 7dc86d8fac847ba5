"""The board whose sensor is an IIS3DWB: what it streams, the lines of a damaged bearing, and what
protects the machine there.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal as scipy_signal

from wrench.bench.plant import Reading
from wrench.boards import load_board
from wrench.hil.content import variant
from wrench.hil.rig import Rig
from wrench.hil.virtual_rig import VirtualRig
from wrench.link import Frame

WIDEBAND = load_board("pico-iis3dwb")
IMAGE = "wrench-frozen"
LINES = ("bpfo", "bpfi", "bsf", "ftf")
CELLS, TURNS = 32, 32
WATCHED = variant(
    "wideband-no-velocity",
    WIDEBAND,
    protection__vibration="velocity_alarm_mm_s = 50.0\nvelocity_limit_mm_s = 60.0\n"
    "velocity_trip_mm_s = 70.0",
)
STRICT = variant(
    "wideband-strict",
    WATCHED,
    protection__vibration="line_alarm_g = 0.05\nline_limit_g = 0.1\nline_trip_g = 0.2",
)


def listen(rig: Rig, seconds: float) -> dict[str, list[Frame]]:
    """What the board says in so much device time, by its kind."""
    heard: dict[str, list[Frame]] = {}
    end_s = rig.now_s + seconds
    while rig.now_s < end_s:
        if frame := rig.link.receive(0.1):
            heard.setdefault(frame.name, []).append(frame)
    rig.pass_time(0.1)  # so that the rig's own status is of now
    return heard


class Felt:
    """What the sensor's model has been given, and when the shaft passed the tacho."""

    def __init__(self, rig: VirtualRig) -> None:
        self._signal = rig.wired.signal
        self._counts: list[NDArray[np.int16]] = []
        self.edges_s: list[float] = []
        self._time_s = 0.0
        given = self._signal.counts

        def counts(acceleration_g: NDArray[np.float64]) -> NDArray[np.int16]:
            made = given(acceleration_g)
            self._counts.append(made)
            return made

        self._signal.counts = counts  # type: ignore[method-assign]
        rig.wired.on_reading.append(self._take)

    def _take(self, reading: Reading) -> None:
        self.edges_s += [self._time_s + float(edge) for edge in reading.tacho_edge_s]
        self._time_s = reading.time_s

    @property
    def counts(self) -> NDArray[np.int16]:
        return np.concatenate(self._counts)

    @property
    def times_s(self) -> NDArray[np.float64]:
        return np.arange(sum(len(one) for one in self._counts)) / self._signal.rate_hz


def streamed(waveforms: list[Frame]) -> NDArray[np.int16]:
    """The samples of successive frames; fails where one is missing."""
    for before, after in itertools.pairwise(waveforms):
        assert after["first_sample"] == before["first_sample"] + before["samples"]
    return np.concatenate([np.frombuffer(f.tail, "<i2").reshape(-1, 3) for f in waveforms])


def place_of(part: NDArray[np.int16], whole: NDArray[np.int16]) -> int:
    """Where in the whole the part begins; fails where it is nowhere, or differs in any sample."""
    starts = np.flatnonzero((whole[: len(whole) - len(part) + 1] == part[0]).all(axis=1))
    found = [int(at) for at in starts if (whole[at : at + len(part)] == part).all()]
    assert len(found) == 1
    return found[0]


def running(rig: Rig, speed: int = 1000, seconds: float = 4.0) -> None:
    rig.ready()
    rig.pass_time(WIDEBAND.motor.min_off_ms / 1000)
    rig.run(speed)
    rig.pass_time(seconds)


@pytest.mark.needs("shaft", "other boards", "other images", "emulator")
def test_every_streamed_sample_is_the_sensor_s_own_and_none_is_lost(make_rig):
    rig = make_rig(WIDEBAND, image=IMAGE)
    felt = Felt(rig)
    running(rig)
    lost, dropped = rig.status.lost_samples, rig.status.dropped_frames
    rig.link.command("stream", 1)
    heard = listen(rig, 4.0)
    samples = streamed(heard["waveform"])
    assert len(samples) == pytest.approx(3.9 * felt._signal.rate_hz, rel=0.03)
    place_of(samples, felt.counts)
    last = heard["status"][-1]
    assert (last["mode"], last["fault"]) == ("running", "none")
    assert (last.lost_samples, last.dropped_frames) == (lost, dropped)
    assert last["control_interval_us"] < 6000


@dataclass
class Record:
    """A band's lines as the host computes them: amplitude in g by line."""

    amplitude_g: dict[str, float]


def host_lines(
    counts: NDArray[np.int16], times_s: NDArray[np.float64], edges_s: list[float], rate_hz: float
) -> Iterator[Record]:
    """Record after record of 32 turns, with ideal filters and the true angle of the shaft."""
    v = WIDEBAND.vibration
    assert v.envelope_low_hz
    assert v.envelope_high_hz
    g = counts[:, 1] * (v.range_g / 32768)
    high = scipy_signal.butter(2, v.envelope_low_hz, "high", fs=rate_hz, output="sos")
    low = scipy_signal.butter(2, v.envelope_high_hz, "low", fs=rate_hz, output="sos")
    passed = scipy_signal.sosfilt(low, scipy_signal.sosfilt(high, g))
    envelope = np.abs(passed) * (np.pi / 2)
    turns = np.interp(times_s, edges_s, np.arange(len(edges_s)))
    bearing = WIDEBAND.bearing
    assert bearing
    ratio = bearing.ball_diameter_mm / bearing.pitch_diameter_mm
    orders = {
        "bpfo": bearing.balls / 2 * (1 - ratio),
        "bpfi": bearing.balls / 2 * (1 + ratio),
        "bsf": (1 - ratio**2) / ratio,
        "ftf": (1 - ratio) / 2,
    }
    first = int(np.ceil(turns[2000]))
    window = np.hanning(CELLS * TURNS + 1)[:-1]
    for begin in range(first, int(turns[-1]) - TURNS, TURNS // 2):
        grid = begin + np.arange(CELLS * TURNS + 1) / CELLS
        summed = np.concatenate([[0.0], np.cumsum(envelope)])
        edges = np.interp(grid, turns, np.arange(len(turns)))
        cells = np.diff(np.interp(edges, np.arange(len(summed)), summed)) / np.diff(edges)
        power = np.abs(np.fft.rfft((cells - cells.mean()) * window)) ** 2
        found = {}
        for name, order in orders.items():
            low_at, high_at = round(TURNS * order * 0.985), round(TURNS * order * 1.015)
            at = low_at + int(np.argmax(power[low_at : max(high_at, low_at + 2) + 1]))
            loss = np.sinc(order / CELLS)
            total = power[at - 1 : at + 2].sum()
            found[name] = float(np.sqrt(total / 1.5) / (CELLS * TURNS / 4) / loss)
        yield Record(found)


@pytest.mark.parametrize(
    ("defect", "line"), [("outer", "bpfo"), ("inner", "bpfi"), ("ball", "bsf")]
)
@pytest.mark.parametrize("speed", [500, 1000])
@pytest.mark.needs("shaft", "machine", "other boards", "other images", "emulator")
def test_a_damaged_part_draws_its_own_line_as_the_host_computes_it(make_rig, defect, line, speed):
    rig = make_rig(WATCHED, image=IMAGE)
    rig.plant.set_defect(defect, 0.35)
    felt = Felt(rig)
    running(rig, speed)
    begin = len(felt.times_s)
    heard = listen(rig, 8.0)
    told = heard["bands"][-1]
    assert told["records"] >= 2
    assert told["by_host"] == 0
    amplitudes = {name: told[f"{name}_ug"] for name in LINES}
    assert max(amplitudes, key=amplitudes.__getitem__) == line
    assert told[f"{line}_snr_cdb"] > 1500
    told_mg = {frame[f"{line}_ug"] // 1000 for frame in heard["bands"]}
    assert heard["status"][-1]["bearing_line_mg"] in told_mg
    of_chip = {frame["records"]: frame[f"{line}_ug"] / 1e6 for frame in heard["bands"]}
    of_host = [
        record.amplitude_g[line]
        for record in host_lines(
            felt.counts[begin:], felt.times_s[begin:], felt.edges_s, felt._signal.rate_hz
        )
    ]
    difference_db = 20 * np.log10(np.median(list(of_chip.values())) / np.median(of_host))
    assert abs(difference_db) < 1.0


@pytest.mark.needs("shaft", "machine", "other boards", "other images", "emulator")
def test_a_healthy_bearing_has_no_line_and_a_rub_raises_the_bands_alone(make_rig):
    rig = make_rig(WATCHED, image=IMAGE)
    running(rig)
    quiet = listen(rig, 6.0)["bands"][-1]
    assert rig.status["bearing_line_mg"] == 0
    assert all(quiet[f"{name}_snr_cdb"] < 1000 for name in LINES)
    rig.plant.set_rub(0.006)
    listen(rig, 3.0)
    loud = listen(rig, 6.0)["bands"][-1]
    for band in ("band_1_ug", "band_2_ug", "band_3_ug"):
        assert loud[band] > 2 * quiet[band]
    assert loud["envelope_mg"] > 2 * quiet["envelope_mg"]
    assert rig.status["band_mg"] == max(loud[f"band_{n}_ug"] for n in (1, 2, 3)) // 1000
    assert rig.status["bearing_line_mg"] == 0


@pytest.mark.needs("motor pins", "machine", "other boards", "other images", "emulator")
def test_the_line_of_a_damaged_race_stops_the_motor(make_rig):
    rig = make_rig(STRICT, image=IMAGE)
    running(rig)
    rig.plant.set_defect("outer", 0.55)
    assert rig.wait_for(lambda: rig.status["bearing_line_mg"] > 100, 6.0)
    assert rig.wait_for(lambda: rig.fault != "none", 10.0)
    assert rig.fault == "bearing line"
    rig.pass_time(0.01)
    assert rig.duty_at_pin == 0.0


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        ({"absent": True}, "sensor silent"),
        ({"stuck": True}, "sensor stuck"),
        ({"reset": True}, "sensor silent"),
        ({"interrupt_dead": True}, "sensor silent"),
    ],
)
@pytest.mark.needs("motor pins", "other boards", "other images", "emulator")
def test_a_sensor_that_fails_stops_the_motor(make_rig, fault, name):
    rig = make_rig(WATCHED, image=IMAGE)
    running(rig)
    rig.wired.set_sensor_fault(**fault)
    assert rig.wait_for(lambda: rig.fault != "none", 3.0)
    assert rig.fault == name
    rig.pass_time(0.01)
    assert rig.duty_at_pin == 0.0


@pytest.mark.needs("motor pins", "other boards", "other images", "emulator")
def test_another_chip_in_its_place_lets_nothing_run(make_rig):
    rig = make_rig(WATCHED, image=IMAGE)
    rig.wired.set_sensor_fault(identity=0x6B)
    assert rig.link
    assert rig.wait_for(lambda: rig.fault == "wrong sensor", 5.0)
    assert rig.highest_duty == 0.0


@pytest.mark.needs("shaft", "machine", "other boards", "other images", "emulator")
def test_a_host_looks_in_another_band_while_the_board_s_own_is_watched(make_rig):
    rig = make_rig(WATCHED, image=IMAGE)
    rig.plant.set_defect("outer", 0.35)
    running(rig)
    rig.link.command("band", 1000, 2000, 2)
    heard = listen(rig, 12.0)["bands"]
    by_host = [frame for frame in heard if frame["by_host"]]
    by_board = [frame for frame in heard if not frame["by_host"]]
    assert {(f["low_hz"], f["high_hz"], f["axis"]) for f in by_host} == {(1000, 2000, 2)}
    assert {(f["low_hz"], f["high_hz"], f["axis"]) for f in by_board} == {(2500, 5500, 1)}
    assert rig.status["bearing_line_mg"] in {frame["bpfo_ug"] // 1000 for frame in by_board}
    rig.link.command("band", 0, 0, 0)
    listen(rig, 4.0)
    assert all(not frame["by_host"] for frame in listen(rig, 5.0)["bands"])
