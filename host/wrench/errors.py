"""What can go wrong, as one small tree.

::

    WrenchError                 exit code 1
    ├── BoardFileError          2   a boards/*.toml is not valid
    ├── PartsError              2   a list of parts cannot be used
    ├── ImageError              3   no usable MicroPython image
    ├── BenchError              4   the virtual bench cannot start or has died
    ├── PortError               5   a port is missing, busy or gone
    ├── LinkError               6   the board does not answer as a Wrench board
    │   └── RefusedError        7   the board answered, and said no
    ├── FlashError              8   installing the firmware failed
    ├── RunEndedError           9   a run ended otherwise than its owner asked
    ├── RecordingError         10   a recording cannot be written, read or exported
    │   └── DamagedError       12   a recording was read, but not all of it
    ├── ReportError            11   a report cannot be made or written
    ├── RuleBrokenError        13   a campaign, fuzzing or a soak has seen a rule broken
    └── RigError               14   a rig is not what its description says, or cannot be used

Every message is one sentence that ends with what to type or do next.
The command line prints it alone, without a traceback, and exits with the code; with 0 where all is
done, with 2 also where it was called in a way that it does not understand, and with 130 where it
was interrupted.
"""

from __future__ import annotations

from collections.abc import Sequence

_PROBLEMS_TOLD = 3


class WrenchError(Exception):
    """Base of all errors that a user can act on."""

    exit_code = 1


class BoardFileError(WrenchError):
    """A board file is missing, has an unknown key, a value out of range, or a pin used twice."""

    exit_code = 2


class PartsError(WrenchError):
    """A list of parts is missing, cannot be read, or contradicts itself."""

    exit_code = 2


class ImageError(WrenchError):
    """No usable MicroPython image: not found, corrupt, not downloadable, or it does not build."""

    exit_code = 3


class BenchError(WrenchError):
    """The virtual bench cannot start, or its emulator has died."""

    exit_code = 4


class PortError(WrenchError):
    """A serial port is missing, in use by another process, or was unplugged."""

    exit_code = 5


class LinkError(WrenchError):
    """The device on the port does not answer, or does not speak this version of the protocol."""

    exit_code = 6


class RefusedError(LinkError):
    """The board understood the command and refused it; `reason` is the board's, as in
    `wire.REASONS`."""

    exit_code = 7

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class FlashError(WrenchError):
    """The firmware could not be installed; the board is left so that flashing works again."""

    exit_code = 8


class RunEndedError(WrenchError):
    """The board has tripped, or somebody else has stopped the motor."""

    exit_code = 9


class RecordingError(WrenchError):
    """A recording cannot be written, read, mended or exported."""

    exit_code = 10


class DamagedError(RecordingError):
    """A recording was cut short or is damaged: what is there has been shown or written, and this
    tells what is not."""

    exit_code = 12


def damaged(name: object, problems: Sequence[str]) -> DamagedError:
    """What to tell of a recording with these problems, once all else of it has been told."""
    shown = "; ".join(problems[:_PROBLEMS_TOLD])
    more = len(problems) - _PROBLEMS_TOLD
    and_more = f"; and {more} more" if more > 0 else ""
    return DamagedError(
        f"{name} is not whole: {shown}{and_more}; `wrench recover` keeps what can be read"
    )


class ReportError(WrenchError):
    """A report cannot be made or written, or there is no display for a view."""

    exit_code = 11


class RuleBrokenError(WrenchError):
    """A campaign, hostile bytes or a soak have made a board, or the host, do what it must not."""

    exit_code = 13


class RigError(WrenchError):
    """A rig's description is wrong, or does not match what answers, or a part of it has failed."""

    exit_code = 14
