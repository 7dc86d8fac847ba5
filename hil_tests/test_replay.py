"""A recording is played to the sensor, and the real firmware hears it."""

import os

import numpy as np
import pytest

from wrench.bench.plant import Playback
from wrench.errors import RecordingError

pytestmark = pytest.mark.needs("machine")

OUTER_RACE = "12k_Drive_End_OR007@6_0_130.npz"
HEALTHY = "normal_0_97.npz"
SETTLES_S = 3.0


def rms_heard(rig):
    """What the firmware tells of the x axis: RMS acceleration in g, velocity RMS in mm/s."""
    rig.link.hello()
    rig.pass_time(SETTLES_S)
    frames = rig.features[-5:]
    assert len(frames) == 5
    told = [(one["rms_x_mg"] / 1e3, one["velocity_x_um_s"] / 1e3) for one in frames]
    return np.median(told, axis=0)


@pytest.mark.parametrize("rate_hz", [2000.0, 12_000.0, 48_000.0])
def test_a_recorded_tone_arrives_as_it_was_recorded(make_rig, tmp_path, rate_hz):
    peak_g, tone_hz = 2.0, 200.0
    wave = peak_g * np.sin(2 * np.pi * tone_hz * np.arange(round(4 * rate_hz)) / rate_hz)
    np.savez(tmp_path / "tone.npz", DE=wave.astype(np.float32), fs=rate_hz)
    rig = make_rig(replay=Playback(tmp_path / "tone.npz"))
    acceleration_g, velocity_mm_s = rms_heard(rig)
    rms_g = peak_g / np.sqrt(2)
    # The sensor's gain is off by up to 1 %.
    assert acceleration_g == pytest.approx(rms_g, rel=0.015)
    assert velocity_mm_s == pytest.approx(9806.65 * rms_g / (2 * np.pi * tone_hz), rel=0.015)


def test_the_tacho_may_show_the_recorded_shaft(make_rig, tmp_path):
    wave = 0.05 * np.sin(2 * np.pi * 200.0 * np.arange(12_000) / 12_000)
    np.savez(tmp_path / "tone.npz", DE=wave.astype(np.float32), fs=12_000, rpm=1797)
    rig = make_rig(replay=Playback(tmp_path / "tone.npz", turns_tacho=True))
    rig.run(600)
    rig.pass_time(4.0)
    assert rig.mode == "running"
    assert rig.status["speed_rpm"] == pytest.approx(1797, abs=4)


def test_a_damaged_bearing_is_heard_in_the_envelope(make_rig):
    if "WRENCH_DATA" not in os.environ:
        pytest.skip(f"needs {OUTER_RACE} in the folder named by WRENCH_DATA")
    heard = {}
    for name in (HEALTHY, OUTER_RACE):
        try:
            rig = make_rig(replay=Playback(name))
        except RecordingError as missing:
            pytest.skip(str(missing))
        rig.link.hello()
        rig.pass_time(SETTLES_S)
        heard[name] = np.median([one["envelope_x_mg"] for one in rig.features[-5:]])
    # Most of it lies above the 1.6 kHz that this sensor hears.
    assert heard[OUTER_RACE] > 1.5 * heard[HEALTHY]
