"""The machine around an emulated board: physics in lock-step with the firmware.

`Plant` takes what the motor driver's pins did and returns what the sensors feel. One file per
subject, in the order of a step: `supply`, `motor`, `load`, `bearing`, `wear`, `thermal`,
`vibration` (or `replay` of a `playback`, a recording instead of it), `machine`, which ties them
together, and `sensors`, what a chip makes of the acceleration. `wrench.bench.scenarios` lists what
can be wrong.
"""

from wrench.bench.plant.bearing import (
    BEARING_608,
    BEARING_6202,
    BEARING_6205,
    BearingGeometry,
    BearingParameters,
    DefectKind,
)
from wrench.bench.plant.machine import Drive, MachineParameters, Plant, Reading
from wrench.bench.plant.playback import Playback
from wrench.bench.plant.replay import Replay
from wrench.bench.plant.sensors import (
    MPU6050,
    MPU9250,
    Adxl345Signal,
    AnalogSignal,
    MpuSignal,
    SensorSignal,
)
from wrench.bench.plant.vibration import ADXL345_SITE, IIS3DWB_SITE, SensorSite
from wrench.bench.scenarios import SCENARIOS, Scenario, scenario

__all__ = [
    "ADXL345_SITE",
    "BEARING_608",
    "BEARING_6202",
    "BEARING_6205",
    "IIS3DWB_SITE",
    "MPU6050",
    "MPU9250",
    "SCENARIOS",
    "Adxl345Signal",
    "AnalogSignal",
    "BearingGeometry",
    "BearingParameters",
    "DefectKind",
    "Drive",
    "MachineParameters",
    "MpuSignal",
    "Plant",
    "Playback",
    "Reading",
    "Replay",
    "Scenario",
    "SensorSignal",
    "SensorSite",
    "scenario",
]
