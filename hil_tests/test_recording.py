"""A recording of a running drill by the tool itself, and what the board says of the same time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mcap.stream_reader import StreamReader

from wrench.hil.rig import Rig
from wrench.recording import Recording
from wrench.recording.recover import recover
from wrench.recording.session import Session

PATIENCE_S = 120.0
RECORDS = """
import sys
from pathlib import Path
from wrench.hil.content import BOARD, content_of
from wrench.hil.virtual_rig import VirtualRig
from wrench.recording.session import Session
rig = VirtualRig(BOARD, content_of(BOARD))
rig.ready()
rig.link.run(700)
Session(rig.link, Path(sys.argv[1]), show=lambda now: print("recording", flush=True)).run()
"""


def test_the_recording_agrees_with_the_board_s_own_features(rig: Rig, tmp_path: Path) -> None:
    rig.run(700)
    done = Session(rig.link, tmp_path / "run.mcap", duration_s=4.0).run()
    assert str(done.losses) == "nothing lost"
    with Recording(tmp_path / "run.mcap") as recording:
        waveform, features = recording.waveform(), recording.features()
        assert waveform.gaps == []
        assert recording.greeting["board_name"] == rig.board.name
        assert recording.board_file is not None
        assert set(recording.status()["mode"]) == {"running"}
    rate = waveform.rate_hz
    assert abs(len(waveform) / (waveform.time_s[-1] - waveform.time_s[0]) / rate - 1) < 1e-3
    window = rig.board.vibration.window_samples
    compared = 0
    for n, told_s in enumerate(features.time_s):
        end = int(np.searchsorted(waveform.time_s, told_s))
        if end < window:
            continue
        part_mg = 1000 * waveform.acceleration_g[end - window : end]
        for axis, name in enumerate("xyz"):
            assert part_mg[:, axis].mean() == pytest.approx(features[f"mean_{name}_mg"][n], abs=2.0)
            assert part_mg[:, axis].std() == pytest.approx(features[f"rms_{name}_mg"][n], abs=2.0)
        compared += 1
    assert compared > 10


@pytest.mark.needs("motor pins")
def test_the_waveform_is_off_again_and_the_run_goes_on(rig: Rig, tmp_path: Path) -> None:
    rig.run(700)
    Session(rig.link, tmp_path / "run.mcap", waveform_s=0.5).run()
    rig.pass_time(0.2)  # what was on its way has come
    came = [frame.name for _ in range(30) if (frame := rig.link.receive(0.1))]
    assert "status" in came
    assert "waveform" not in came
    assert rig.duty_at_pin > 0.0


@pytest.mark.needs("emulator")
@pytest.mark.skipif(sys.platform == "win32", reason="process groups")
def test_a_recording_of_a_real_board_that_is_killed_is_there_to_the_last_second(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run.mcap"
    process = subprocess.Popen(
        [sys.executable, "-c", RECORDS, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent,
        start_new_session=True,
    )
    try:
        assert process.stdout
        for _ in range(3):
            assert process.stdout.readline() == "recording\n"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(PATIENCE_S)
    with Recording(path) as recording:
        assert not recording.is_complete
        samples = len(recording.waveform())
        assert recording.gaps() == []
    recover(path)
    with path.open("rb") as file:
        assert list(StreamReader(file, validate_crcs=True).records)
    with Recording(path) as recording:
        assert recording.is_complete
        assert len(recording.waveform()) == samples > 0
