"""A recording in a window: waveform, spectrum and envelope of the stretch that the mouse marks."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backend_bases import Event, KeyEvent
from matplotlib.backends.registry import BackendFilter, backend_registry
from matplotlib.figure import Figure
from matplotlib.widgets import SpanSelector

from wrench.analysis.analyse import look_at, look_over
from wrench.analysis.measurement import Measurement
from wrench.analysis.result import Analysis, Choices
from wrench.errors import ReportError, WrenchError
from wrench.reporting import figures, style

_SIZE_IN = (12.0, 8.5)
_LEAST_SHARE = 1e-3
_HELP = "drag over the waveform: analyse that stretch   a: next axis   w: back to the first"


def show(measurement: Measurement, choices: Choices) -> None:
    """Open the window and return when it is closed.

    Raises ReportError where no window can be opened, or there is no waveform to look at.
    """
    if measurement.waveform is None:
        raise ReportError(
            f"{measurement.source} has no waveform to look at; `wrench report` shows what it has"
        )
    new_window = _window_maker(measurement.source)
    whole = look_over(measurement, choices)
    with style.styled():
        viewer = Viewer(new_window(), whole, choices)
        viewer.draw()
        _main_loop()


class Viewer:
    """What is drawn in the window, and what the mouse and the keys do to it."""

    def __init__(self, figure: Figure, whole: Analysis, choices: Choices) -> None:
        self.figure = figure
        self.whole = whole
        self.now = whole
        self._choices = choices
        self._span: SpanSelector | None = None
        figure.canvas.mpl_connect("key_press_event", self._key)

    def draw(self) -> None:
        """Everything anew."""
        self.figure.clear()
        parts = self.figure.subfigures(2, 1, squeeze=False, height_ratios=[1.0, 2.2])[:, 0]
        axis = self.now.axis
        figures.waveform(parts[0], replace(self.whole, stretch=self.now.stretch), (axis,))
        place = parts[0].axes[0]
        below = parts[1].subfigures(1, 2, squeeze=False)[0]
        left = below[0].subfigures(2, 1, squeeze=False)[:, 0]
        if axis in self.now.spectra:
            figures.spectrum(left[0], self.now, (axis,))
        if axis in self.now.velocity:
            figures.velocity(left[1], self.now, (axis,))
        if self.now.envelope is not None:
            figures.envelope(below[1], self.now)
        if axis not in self.now.spectra and self.now.envelope is None:
            parts[1].text(0.5, 0.6, "\n".join(self.now.missing), ha="center", fontsize=10)
        for at in self.figure.axes:
            at.format_coord = _cursor_text(at)  # pyright: ignore[reportAttributeAccessIssue]
        self._title(f"{self.whole.measurement.source}   {_stretch_text(self.now)}")
        self._span = SpanSelector(
            place,
            self.choose,
            "horizontal",
            useblit=True,
            props={"facecolor": style.ORANGE, "alpha": 0.3},
            minspan=_LEAST_SHARE * (self.whole.end_s - self.whole.start_s),
        )
        self.figure.canvas.draw_idle()

    def choose(self, start_s: float, end_s: float) -> None:
        """Analyse what lies between two times, in s since the recording began."""
        self._look(Choices(start_s, end_s, self.now.axis, self._choices.band_hz))

    def next_axis(self) -> None:
        """The same stretch of the next axis."""
        waveform = self.whole.measurement.waveform
        assert waveform is not None
        axes = waveform.axes
        axis = axes[(axes.index(self.now.axis) + 1) % len(axes)]
        stretch = self.now.stretch
        self._look(Choices(stretch.start_s, stretch.end_s, axis, self._choices.band_hz))

    def reset(self) -> None:
        """Back to the stretch that the analysis chooses by itself."""
        self._look(self._choices)

    def _look(self, choices: Choices) -> None:
        try:
            self.now = look_at(self.whole.measurement, choices)
        except WrenchError as error:
            self._title(str(error))
            self.figure.canvas.draw_idle()
            return
        self.draw()

    def _title(self, text: str) -> None:
        self.figure.suptitle(f"{text}\n{_HELP}", fontsize=9).set_parse_math(False)

    def _key(self, event: Event) -> None:
        if not isinstance(event, KeyEvent):
            return
        if event.key == "a":
            self.next_axis()
        elif event.key == "w":
            self.reset()


def _cursor_text(place: Axes) -> Callable[[float, float], str]:
    """What the toolbar tells of the place below the pointer: in the units of its axes, but for the
    time, which is told in s."""

    def told(x: float, y: float) -> str:
        across = place.get_xlabel()
        unit = "s" if across.startswith("time") else across.rpartition(", ")[2]
        if across.startswith("order"):
            unit = "times the shaft's speed"
        up = place.get_ylabel().replace("\n", " ").rpartition(", ")[2]
        return f"{x:.4f} {unit}   {y:.4g} {up}" if across else ""

    return told


def _stretch_text(analysis: Analysis) -> str:
    stretch = analysis.stretch
    text = f"{stretch.start_s:.3f} to {stretch.end_s:.3f} s, axis {analysis.axis}"
    if stretch.speed_rpm is not None:
        text += f", {stretch.speed_rpm:,.0f} rpm"
    return text


def _window_maker(title: str) -> Callable[[], Figure]:
    """How to open a window; the display is looked for before anything is analysed."""
    import matplotlib.pyplot as plt  # noqa: PLC0415  (chooses a toolkit)

    instead = "`wrench report FILE -o report.html` needs none"
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        raise ReportError(f"there is no display to open a window on; {instead}")
    try:
        backend = mpl.get_backend()
        plt.switch_backend(backend)
    except ImportError as error:
        raise ReportError(
            f"no window can be opened ({error}); install PySide6, or Python's tkinter; {instead}"
        ) from error
    if backend.lower() not in backend_registry.list_builtin(BackendFilter.INTERACTIVE):
        raise ReportError(
            "no window can be opened: the display does not answer, or Python has no toolkit for "
            f"windows; install PySide6 (`pip install PySide6`), or Python's tkinter; {instead}"
        )

    def opened() -> Figure:
        figure = plt.figure(figsize=_SIZE_IN, layout="constrained")
        manager = figure.canvas.manager
        if manager is not None:
            manager.set_window_title(f"wrench: {title}")
        return figure

    return opened


def _main_loop() -> None:
    import matplotlib.pyplot as plt  # noqa: PLC0415

    plt.show()
