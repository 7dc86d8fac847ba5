"""Operating a board over its link: what it sends, and a run that this program owns."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from wrench.errors import LinkError, RefusedError, RunEndedError
from wrench.link import Frame, Link

SILENCE_S = 3.0
_SECOND_US = 1_000_000
_SETTLING_S = 5.0
_TURNING = ("starting", "running", "limiting")
_NOT_YET = ("sensor not ready", "too soon after the last stop")


def frames(link: Link) -> Iterator[Frame]:
    """What the board sends, for ever. Raises LinkError when it falls silent."""
    while True:
        frame = link.receive(SILENCE_S)
        if frame is None:
            raise LinkError(
                f"the board has sent nothing for {SILENCE_S:g} s; reset it, or flash it with "
                "`wrench flash`"
            )
        yield frame


def statuses(
    link: Link, every_s: float = 0.0, ended: Callable[[], bool] = lambda: False
) -> Iterator[Frame]:
    """Status frames, at most one in `every_s` seconds of device time, until `ended` says so.

    Raises LinkError.
    """
    due_us: float = 0
    for frame in frames(link):
        if ended():
            return
        if frame.name == "status" and frame.time_us >= due_us:
            due_us = frame.time_us + every_s * _SECOND_US
            yield frame


def turns(status: Frame) -> bool:
    """Whether a run goes on, whoever owns it."""
    return status["mode"] in _TURNING


def start(link: Link, speed_permille: int) -> None:
    """Start the motor, or change the speed of its run, and own the run.

    A board that has just booted tests itself before it lets run, and a motor that has just stopped
    has to rest: waits some seconds for both. Raises RefusedError, RunEndedError where the board is
    tripped, LinkError.
    """
    refused_us: int | None = None
    while True:
        now = link.status()
        if now["mode"] == "tripped":
            raise _tripped(now)
        try:
            link.run(speed_permille)
        except RefusedError as error:
            if refused_us is None:
                refused_us = now.time_us
            waited_s = (now.time_us - refused_us) / _SECOND_US
            if error.reason not in _NOT_YET or waited_s > _SETTLING_S:
                raise
        else:
            return


def attend(
    link: Link,
    duration_s: float | None = None,
    ended: Callable[[], bool] = lambda: False,
    show: Callable[[Frame], None] = lambda status: None,
) -> None:
    """Keep a run alive that this link owns, for `duration_s` of device time or until `ended` says
    so. `show` is given a status frame a second. Raises RunEndedError where it ends otherwise,
    LinkError.
    """
    first_us: int | None = None
    turning = False
    shown_us = 0
    for frame in frames(link):
        if link.taken_over:
            raise RunEndedError(
                "another command has taken the run over, and it goes on; `wrench stop` ends it"
            )
        if ended():
            return
        if frame.name != "status":
            continue
        if first_us is None:
            first_us = frame.time_us
        if frame["mode"] == "tripped":
            link.owns_run = False
            raise _tripped(frame)
        turning = turning or frame["mode"] in _TURNING
        # What was on its way when the run began still tells of the time before.
        late = turning or frame.time_us - first_us > _SECOND_US
        if frame.time_us < first_us or (late and frame["mode"] not in _TURNING):
            link.owns_run = False
            raise RunEndedError(
                "the run was ended by another command, at the board, or by its reset; start "
                "another with `wrench run`"
            )
        if frame.time_us >= shown_us:
            shown_us = frame.time_us + _SECOND_US
            show(frame)
        if duration_s is not None and frame.time_us - first_us >= duration_s * _SECOND_US:
            return


def _tripped(frame: Frame) -> RunEndedError:
    return RunEndedError(
        f"the board has tripped: {frame['fault']}; see where to look with `wrench status`, mend "
        "the cause, then `wrench reset`"
    )
