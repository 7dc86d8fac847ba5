"""Child processes: whatever interrupts the work, none of them outlives it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wrench.image.process import ChildError, run

FAMILY = "sleep 60 & echo $! ; echo $$ ; wait"


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def assert_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 5
    while any(is_running(pid) for pid in pids):
        assert time.monotonic() < deadline, f"still running: {pids}"
        time.sleep(0.02)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupt_ends_children_and_grandchildren(
    tmp_path: Path, error: type[BaseException]
) -> None:
    pids: list[int] = []

    def on_line(line: str) -> bool:
        pids.append(int(line))
        if len(pids) == 2:
            raise error
        return False

    with pytest.raises(error):
        run(["sh", "-c", FAMILY], log=tmp_path / "log", on_line=on_line)
    assert_gone(pids)


RUNNER = """
import sys
from pathlib import Path
from wrench.image.process import run
def on_line(line):
    print(line, flush=True)
    return False
try:
    run(["sh", "-c", sys.argv[2]], log=Path(sys.argv[1]), on_line=on_line)
except KeyboardInterrupt:
    sys.exit(42)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_the_whole_family(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-c", RUNNER, str(tmp_path / "log"), FAMILY]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(parent.stdout.readline()), int(parent.stdout.readline())]
        assert all(is_running(pid) for pid in pids)
        parent.send_signal(number)
        assert parent.wait(10) == 42
    assert_gone(pids)


def test_a_failure_carries_the_last_lines_and_the_log_has_all(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "log"
    with pytest.raises(ChildError) as caught:
        run(["sh", "-c", "echo out; echo err >&2; exit 3"], log=log)
    assert caught.value.status == 3
    assert caught.value.tail == ["out", "err"]
    assert log.read_text().splitlines()[1:] == ["out", "err"]


def test_the_handlers_are_restored(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    run(["true"], log=tmp_path / "log")
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_inherited_descriptor_stays_open_in_the_child(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    try:
        say = f"import os; os.write({writer}, b'hello')"
        run([sys.executable, "-c", say], log=tmp_path / "log", keep_open=writer)
        assert os.read(reader, 10) == b"hello"
    finally:
        os.close(reader)
        os.close(writer)
