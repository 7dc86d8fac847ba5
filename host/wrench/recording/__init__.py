"""Recordings of a board: MCAP files that Foxglove and PlotJuggler open as they are.

::

    link -> session -> Recorder -> chunks (one a second) -> container -> FILE.mcap
    FILE.mcap -> scan -> Recording -> facts, export, and whoever analyses

`schema` says what the messages are. Device time is the truth: a message's `publish_time` is its
device time in ns; its `log_time` is that plus one constant for the whole file, chosen so that it
is wall time in ns since 1970. `wrench.sample_clock` places the samples.
"""

from wrench.recording.reader import Event, Gap, Recording, Table, Waveform

__all__ = ["Event", "Gap", "Recording", "Table", "Waveform"]
