"""How well the link carries what the board sends, and whether it can carry the raw waveform too."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

_RATE_OVER_S = 2.0
# Six bytes a sample and axis triple; head, fields, CRC and coding add up to a third to a block.
_BYTES_A_SAMPLE = 6 * 1.35
_LATE_S = 1.0
_DROPPED_AT_MOST = 3
_JUDGED_EVERY_S = 1.0
_TOO_SLOW = 0.5
_RETRY_S, _RETRY_AFTER_HARM_S, _RETRY_AT_MOST_S = 30.0, 300.0, 1200.0
_PROBATION_S = 10.0


@dataclass
class Rate:
    """Bytes a second, over the last two seconds of the clock."""

    _seen: deque[tuple[float, int]] = field(default_factory=deque)

    def update(self, now_s: float, bytes_total: int) -> None:
        """`bytes_total` have come until now."""
        self._seen.append((now_s, bytes_total))
        while len(self._seen) > 2 and now_s - self._seen[1][0] >= _RATE_OVER_S:
            self._seen.popleft()

    @property
    def bytes_per_s(self) -> float:
        """0 where nothing is known yet."""
        if len(self._seen) < 2:
            return 0.0
        (first_s, first), (last_s, last) = self._seen[0], self._seen[-1]
        return (last - first) / (last_s - first_s) if last_s > first_s else 0.0


class WaveformGate:
    """Whether to ask the board for its waveform. Times are seconds of the clock.

    First a little of it is asked for, for a tenth of a second. Where that comes as fast as it was
    sent, the waveform is turned on, and off again where answers become late or the board drops
    frames; then it is tried again, less and less often.

    Parameters:
        rate_hz: samples a second that the board would send.
    """

    def __init__(self, rate_hz: int) -> None:
        self.needs_bytes_per_s = rate_hz * _BYTES_A_SAMPLE
        self.on = False
        self.refusal = ""
        """Why the waveform is not asked for, for people; empty where it is."""
        self._wait_s = _RETRY_S
        self._retry_s = 0.0
        self._judge_s = 0.0
        self._on_s = 0.0
        self._dropped = 0

    def due(self, now_s: float) -> bool:
        """Whether it should be tried (again)."""
        return not self.on and now_s >= self._retry_s

    def tried(self, now_s: float, carried_bytes_per_s: float | None, dropped_frames: int) -> bool:
        """A little waveform has come: as fast as it was sent (None), or late, at that many bytes a
        second. True where it is to be asked for. `dropped_frames` as in `judge`.

        A board that is slower than its clock says, as an emulated one can be, is late too: only
        what is far too slow is the link's doing for sure.
        """
        if carried_bytes_per_s is not None and (
            carried_bytes_per_s < _TOO_SLOW * self.needs_bytes_per_s
        ):
            self._refuse(
                now_s,
                f"the link carries {carried_bytes_per_s / 1000:.1f} kB/s, and the waveform alone "
                f"takes {self.needs_bytes_per_s / 1000:.0f}",
            )
            return False
        self.on, self.refusal, self._on_s = True, "", now_s
        self._judge_s = now_s + _JUDGED_EVERY_S
        self._dropped = dropped_frames
        return True

    def denied(self, now_s: float, reason: str) -> None:
        """The board does not send it."""
        self._refuse(now_s, f"the board does not send it: {reason}")

    def judge(self, now_s: float, latency_s: float, dropped_frames: int) -> bool:
        """Once a second while it is on; `latency_s` is how long an answer takes, or has taken so
        far, and `dropped_frames` a running count. False where it is to be turned off.
        """
        if not self.on or now_s < self._judge_s:
            return self.on
        new = dropped_frames - self._dropped
        self._dropped = dropped_frames
        self._judge_s = now_s + _JUDGED_EVERY_S
        if latency_s > _LATE_S:
            self._harms(now_s, f"with it the link was {latency_s:.1f} s late")
        elif new > _DROPPED_AT_MOST:
            self._harms(now_s, "with it the board had to drop frames")
        return self.on

    def on_probation(self, now_s: float) -> bool:
        """Whether it has been turned on lately, and answers should be looked at closely."""
        return self.on and now_s - self._on_s < _PROBATION_S

    def _harms(self, now_s: float, reason: str) -> None:
        self._wait_s = max(self._wait_s, _RETRY_AFTER_HARM_S)
        self._refuse(now_s, reason)

    def _refuse(self, now_s: float, reason: str) -> None:
        self.on, self.refusal = False, reason
        self._retry_s = now_s + self._wait_s
        self._wait_s = min(2 * self._wait_s, _RETRY_AT_MOST_S)
