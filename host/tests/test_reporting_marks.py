"""What a figure of a report draws is what was measured, and its marks stand where they belong."""

from __future__ import annotations

import numpy as np
import pytest
import worn_drill
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from wrench.analysis import faults
from wrench.analysis.analyse import analyse
from wrench.analysis.load import load
from wrench.analysis.result import Analysis, Choices
from wrench.reporting import figures, style
from wrench.reporting.viewer import Viewer

BLOCK_S = 32 / worn_drill.RATE_HZ


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    path = tmp_path_factory.mktemp("drill") / "worn.mcap"
    return analyse(load(worn_drill.record(path, lost_blocks=frozenset({40}))))


def figure_of(name: str, analysis: Analysis) -> Figure:
    kind = next(kind for kind in figures.FIGURES if kind.name == name)
    with style.styled():
        figure = Figure(figsize=(style.WIDTH_IN, kind.height_in(analysis)))
        kind.draw(figure, analysis)
    return figure


def panel(figure: Figure, title: str) -> Axes:
    return next(at for at in figure.axes if at.get_ylabel().replace("\n", " ").startswith(title))


def upright(place: Axes) -> list[tuple[float, Line2D]]:
    """Lines that stand at one place from bottom to top."""
    found = [(np.asarray(line.get_xdata(), float), line) for line in place.lines]
    return [(float(x[0]), line) for x, line in found if len(x) == 2 and x[0] == x[1]]


def levels(place: Axes) -> dict[float, tuple[object, object]]:
    """Colour and dashes of each line at one height from left to right, by its height."""
    found = [(np.asarray(line.get_ydata(), float), line) for line in place.lines]
    return {
        float(y[0]): (line.get_color(), line.get_linestyle())
        for y, line in found
        if len(y) == 2 and y[0] == y[1] and line.get_transform() != place.transData
    }


def texts(place: Axes) -> dict[str, float]:
    """Texts in axes, with their places from left to right."""
    return {text.get_text(): float(text.get_position()[0]) for text in place.texts}


def test_levels_are_lines_of_their_kind_and_are_named(drill: Analysis) -> None:
    velocity = panel(figure_of("vibration", drill), "velocity")
    found = levels(velocity)
    assert sorted(found) == [1.2, 1.8]
    assert found[1.2] != found[1.8]
    assert {"alarm 1.2", "limit 1.8"} <= texts(velocity).keys()
    bottom, top = velocity.get_ylim()
    assert bottom == 0.0
    assert top > 1.8
    # Far above all that was measured.
    assert "beyond: trip 4.5" in texts(velocity)
    speed = panel(figure_of("machine", drill), "speed")
    found = levels(speed)
    assert sorted(found) == [2100.0, 2500.0]
    assert found[2500.0] == (style.BLACK, "-")
    assert {"derate cap 2100", "trip 2500"} <= texts(speed).keys()


def test_curves_over_time_are_the_readings(drill: Analysis) -> None:
    speed = panel(figure_of("machine", drill), "speed, rpm")
    drawn = {str(line.get_label()): line for line in speed.lines}
    told = next(it for it in drill.panels if it.key == "speed").lines["measured"]
    np.testing.assert_array_equal(drawn["measured"].get_xdata(), told.time_s)
    np.testing.assert_array_equal(drawn["measured"].get_ydata(), told.value)
    assert panel(figure_of("machine", drill), "temperature").get_ylabel() == (
        "temperature, °C\n(bearing)"
    )


def test_events_stand_at_their_times_and_a_trip_is_a_solid_line(drill: Analysis) -> None:
    figure = figure_of("vibration", drill)
    told = [event.time_s for event in drill.measurement.happenings]
    assert [at for at, _ in upright(panel(figure, "velocity"))] == pytest.approx(told)
    solid = [at for at, line in upright(panel(figure, "velocity")) if line.get_linestyle() == "-"]
    assert solid == pytest.approx([worn_drill.TRIP_S], abs=1e-3)
    lane = texts(figure.axes[0])
    assert lane["1–2"] == pytest.approx(worn_drill.RUN_S, abs=1e-3)
    assert lane["5"] == pytest.approx(worn_drill.ALARM_S, abs=1e-3)
    trips = upright(figure_of("waveform", drill).axes[0])
    assert [at for at, _ in trips] == pytest.approx([worn_drill.TRIP_S], abs=1e-3)


def test_the_waveform_shows_its_extremes_its_gap_and_what_is_analysed(drill: Analysis) -> None:
    place = panel(figure_of("waveform", drill), "axis y, g")
    (filled,) = place.collections
    edge = np.concatenate([np.asarray(path.vertices)[:, 1] for path in filled.get_paths()])
    assert edge.max() == pytest.approx(np.nanmax(drill.extremes["y"].high))
    assert edge.min() == pytest.approx(np.nanmin(drill.extremes["y"].low))
    shaded = {bool(it.get_hatch()): it for it in place.patches if isinstance(it, Rectangle)}
    gap, stretch = shaded[True], shaded[False]
    assert gap.get_width() == pytest.approx(BLOCK_S, rel=0.1)
    assert gap.get_x() == pytest.approx(40 * BLOCK_S, abs=0.01)
    assert stretch.get_x() == drill.stretch.start_s
    assert stretch.get_x() + stretch.get_width() == pytest.approx(drill.stretch.end_s)


def test_spectra_are_drawn_at_their_amplitude_with_the_shaft_in_them(drill: Analysis) -> None:
    for name, spectra, unit in (
        ("spectrum", drill.spectra, "g RMS"),
        ("velocity", drill.velocity, "mm/s RMS"),
    ):
        place = panel(figure_of(name, drill), "axis y")
        assert place.get_ylabel() == f"axis y,\n{unit}"
        curve = np.asarray(place.lines[0].get_ydata(), float)
        assert curve.max() == pytest.approx(spectra["y"].amplitude.max())
        assert curve.max() == np.sqrt(spectra["y"].mean_square.max())
        shaft = [at for at, _ in upright(place)]
        assert shaft == pytest.approx([worn_drill.RPM / 60, 2 * worn_drill.RPM / 60], rel=1e-3)
        assert {"1x", "2x"} <= texts(figure_of(name, drill).axes[0]).keys()


def test_fault_frequencies_are_marked_where_the_geometry_puts_them(drill: Analysis) -> None:
    figure = figure_of("envelope", drill)
    lanes, place = figure.axes[:2]
    rows = {text.get_text(): row for row, text in enumerate(lanes.get_yticklabels())}
    bearing = worn_drill.BOARD.bearing
    for name, colour in style.FAMILIES.items():
        bars = [it for it in lanes.patches if int(it.get_y()) == rows[name]]  # type: ignore[attr-defined]
        marks = [it for it in faults.marks(bearing) if it.family == name]
        marks = [it for it in marks if it.order <= place.get_xlim()[1]]
        assert len(bars) == len(marks) > 0
        for bar, mark in zip(bars, marks, strict=True):
            assert isinstance(bar, Rectangle)
            assert bar.get_x() + bar.get_width() / 2 == pytest.approx(mark.order, rel=1e-6)
            assert to_rgb(bar.get_facecolor()[:3]) == to_rgb(colour)
    # The worn race's line stands inside its band.
    (curve,) = place.lines
    top = float(np.asarray(curve.get_xdata())[np.argmax(curve.get_ydata())])
    bands = [it for it in place.patches if isinstance(it, Rectangle)]
    inside = [it for it in bands if it.get_x() <= top <= it.get_x() + it.get_width()]
    assert [to_rgb(it.get_facecolor()[:3]) for it in inside] == [to_rgb(style.FAMILIES["BPFO"])]
    (second,) = lanes.child_axes
    assert second.get_xlabel() == f"frequency at {worn_drill.RPM:,.0f} rpm, Hz"
    to_hz, to_orders = second._functions  # type: ignore[attr-defined]
    assert to_hz(1.0) == pytest.approx(worn_drill.RPM / 60, rel=1e-3)
    assert to_orders(worn_drill.RPM / 60) == pytest.approx(1.0, rel=1e-3)


def test_a_waterfall_has_its_time_upward_and_its_scale_named(drill: Analysis) -> None:
    figure = figure_of("over-time", drill)
    place, scale = figure.axes
    assert place.get_xlabel() == "frequency, Hz"
    assert place.get_ylabel() == "time, s"
    assert scale.get_ylabel() == "acceleration y, g RMS"
    assert drill.over_time is not None
    (mesh,) = place.collections
    assert np.nanmax(np.asarray(mesh.get_array())) == np.nanmax(drill.over_time.amplitude)
    assert mesh.get_clim()[1] == np.nanmax(drill.over_time.amplitude)


def test_the_pointer_is_told_in_the_units_of_the_axes(drill: Analysis) -> None:
    with style.styled():
        viewer = Viewer(Figure(figsize=(12, 8.5)), drill, Choices())
        viewer.draw()
        told = [at.format_coord(12.5, 0.25) for at in viewer.figure.axes]
        assert told[0] == "12.5000 s   0.25 g"
        assert "12.5000 Hz   0.25 g RMS" in told
        assert "12.5000 Hz   0.25 mm/s RMS" in told
        assert "12.5000 times the shaft's speed   0.25 g RMS" in told
        # What is zoomed in has ticks of its own.
        viewer.figure.axes[0].set_xlim(3.0, 3.1)
        assert len(viewer.figure.axes[0].get_xticks()) >= 4
