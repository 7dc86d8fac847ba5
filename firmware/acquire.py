"""From the board file to samples: the sensor's driver, its self-test, and the engine that moves its
samples.
"""

from micropython import const

from . import acquire_rp2, buffers
from .drivers import WrongSensorError

# Places in `wire.FAULTS`.
_SENSOR_ABSENT = const(17)
_SENSOR_STUCK = const(19)
_WRONG_SENSOR = const(22)


def _driver(board):
    """The sensor's driver; its module is imported here alone: the others cost no memory."""
    name = board.VIBRATION_DRIVER
    if name == "adxl345":
        from .drivers.adxl345 import Adxl345

        return Adxl345(board)
    if name in ("mpu6050", "mpu9250"):
        from .drivers.mpu6050 import Mpu6050

        return Mpu6050(board)
    if name == "analog":
        from .drivers.analog import Analog

        return Analog(board, buffers.codes)
    raise ValueError("no driver for " + name)


class Source:
    """The board's vibration sensor and its engine.

    Made before the inputs: an analog sensor takes the ADC for itself, and the guard follows it.
    `start` may be called again after it has failed: a connector that has been put back needs no
    reset of the board.
    """

    def __init__(self, board, guard):
        self._guard = guard
        self.ring = acquire_rp2.Ring(buffers.ring)
        self.sensor = _driver(board)
        self.scale_ug = self.sensor.count_ug
        self._running = False
        self._is_analog = board.VIBRATION_BUS == "adc"
        if self._is_analog:
            guard.follow(self.sensor.place)  # pyright: ignore[reportAttributeAccessIssue]

    def make_engine(self):
        """Once every input is known."""
        parameters = self.sensor.engine_parameters()
        if self._is_analog:
            parameters += (self._guard.followed,)
        self.engine = acquire_rp2.engine(self.ring, parameters)
        self.count_address = self.engine.address

    def start(self):
        """Check the identity, test, configure, begin; the motor is off. Returns a fault, or 0."""
        self._running = False
        self.engine.pause()  # half a transfer would be taken for the answer to the next one
        self._guard.use(None)
        sensor = self.sensor
        try:
            sensor.identify()
            passed = sensor.self_test()
            sensor.start()
        except WrongSensorError as error:
            print("sensor:", error)
            return _WRONG_SENSOR
        except OSError as error:
            print("sensor:", error)
            return _SENSOR_ABSENT
        self.engine.resume()
        self._guard.use(self.engine)
        self._running = True
        if passed is False:
            print("sensor: its self-test fails; replace it")
            return _SENSOR_STUCK
        return 0

    def check(self):
        """Look whether the sensor still is what `start` has made of it: 0, or 1 where it is another
        one or has lost its settings. A brown-out of the sensor alone does that.
        """
        if not self._running:
            return 0
        self.engine.pause()
        try:
            lost = 0 if self.sensor.configured() else 1
        except OSError:
            lost = 0  # silent, which has a fault of its own
        self.engine.resume()
        return lost

    def recover(self):
        """The engine has paused: a transfer without an answer, a FIFO that has overflowed."""
        if not self._running:
            return
        try:
            self.sensor.recover()
        except OSError:
            return  # it stays silent, and is tried again
        self.engine.resume()
