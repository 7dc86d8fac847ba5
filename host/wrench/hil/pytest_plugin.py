"""Hardware-in-the-loop tests with pytest: on which bench they run, and what each needs of it.

pytest loads this wherever Wrench is installed; it knows of boards, benches and capabilities, and
of no machine. `make_chip` makes a bare board that runs any MicroPython program.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from wrench.bench import DEFAULT_EMULATOR, EMULATORS
from wrench.errors import WrenchError
from wrench.hil.capabilities import CAPABILITIES, UnableError, missing
from wrench.hil.pytest_report import TIMELINES

if TYPE_CHECKING:
    from wrench.hil.chip import Chip
    from wrench.hil.real_chip import RealChip

NEEDS = "needs"


def pytest_addoption(parser: pytest.Parser) -> None:
    """On which bench."""
    group = parser.getgroup("hil", "hardware in the loop")
    group.addoption(
        "--bench",
        choices=("virtual", "serial"),
        default="virtual",
        help="virtual: an emulated board for each test. serial: a real one at --port.",
    )
    group.addoption(
        "--port",
        dest="hil_port",
        metavar="PORT",
        help="of the real board, as `wrench --port` takes it; none: the only one attached",
    )
    group.addoption(
        "--board",
        dest="hil_board",
        metavar="FILE",
        help="name or path of the board file; none: the rig's, or pico-adxl345",
    )
    group.addoption(
        "--rig",
        dest="hil_rig",
        type=Path,
        metavar="FILE",
        help="description of the real rig: what is wired to the board, what cuts its power",
    )
    group.addoption(
        "--emulator",
        choices=EMULATORS,
        default=DEFAULT_EMULATOR,
        help="of the virtual bench's chip; rp2040py, the second opinion, is for `-m smoke`",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The marks."""
    config.addinivalue_line(
        "markers",
        f"{NEEDS}(*capabilities): what the test needs of its rig, by the names of "
        "wrench.hil.capabilities; a rig that has it not skips the test",
    )
    config.addinivalue_line(
        "markers", "smoke: of the suite that takes seconds, and is for a second emulator as well"
    )
    config.addinivalue_line("markers", "soak: of the suite that takes hours")


class MakeChip(Protocol):
    """Makes a chip with these files on it; the others are `Chip`'s, for an emulated one."""

    def __call__(
        self, files: Mapping[str, bytes | str] | None = None, image: str = "stock", **others: Any
    ) -> Chip | RealChip: ...


@pytest.fixture
def make_chip(request: pytest.FixtureRequest) -> Iterator[MakeChip]:
    """A chip with any MicroPython program on it: an emulated one, or with `--bench serial` the real
    board, whose files are replaced."""
    from wrench.hil import real_chip  # noqa: PLC0415  (a run without chips loads no bench)
    from wrench.hil.chip import Chip  # noqa: PLC0415
    from wrench.hil.rig_file import RigFile, load_rig  # noqa: PLC0415

    option = request.config.getoption
    made: list[Chip | RealChip] = []

    def make(
        files: Mapping[str, bytes | str] | None = None, image: str = "stock", **others: Any
    ) -> Chip | RealChip:
        try:
            if option("bench") == "serial":
                rig = option("hil_rig")
                described = load_rig(rig) if rig else RigFile()
                made.append(real_chip.opened(described, option("hil_port"), files or {}))
            else:
                made.append(Chip(image, files, **{"trace": True, **others}))
        except WrenchError as error:
            pytest.fail(str(error), pytrace=False)
        chip = made[-1]
        if isinstance(chip, Chip):
            request.node.stash.setdefault(TIMELINES, []).append(chip.timeline())
        return chip

    yield make
    for chip in made:
        chip.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, None, None]:
    """What a rig turns out not to be able to do skips the test, with that as the reason."""
    try:
        yield
    except UnableError as error:
        pytest.skip(str(error))


def needs(item: pytest.Item) -> frozenset[str]:
    """What a test says that it needs."""
    return frozenset(name for mark in item.iter_markers(NEEDS) for name in mark.args)


def skip_without(able: frozenset[str], item: pytest.Item) -> None:
    """Skip a test whose rig cannot do what it needs, naming that."""
    lacking = missing(needs(item), able)
    if lacking:
        pytest.skip("needs " + ", ".join(f"{name!r} ({CAPABILITIES[name]})" for name in lacking))


def fail_unsaid(used: set[str], item: pytest.Item) -> None:
    """Fail a test that uses what it does not say it needs: it would not be skipped elsewhere."""
    unsaid = missing(used, needs(item))
    if unsaid:
        names = ", ".join(f'"{name}"' for name in unsaid)
        pytest.fail(f"uses more than it says; mark it @pytest.mark.needs({names})", pytrace=False)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A misspelt capability would skip a test for ever; a test that makes emulated boards of its
    own says nothing about a real one."""
    real = config.getoption("bench") == "serial"
    for item in items:
        if real and "emulator" in needs(item):
            item.add_marker(pytest.mark.skip(f"needs 'emulator' ({CAPABILITIES['emulator']})"))
        try:
            missing(needs(item), ())
        except KeyError as error:
            raise pytest.UsageError(f"{item.nodeid}: {error.args[0]}") from error
