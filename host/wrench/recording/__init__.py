"""Recordings of a board: MCAP files that Foxglove and PlotJuggler open as they are.

::

    link -> session -> Recorder -> chunks (one a second) -> container -> FILE.mcap
    FILE.mcap -> scan -> Recording -> facts, export, and whoever analyses

`schema` says what the messages are, `clock` how device time becomes the file's times.
"""

from wrench.recording.reader import Event, Gap, Recording, Table, Waveform

__all__ = ["Event", "Gap", "Recording", "Table", "Waveform"]
