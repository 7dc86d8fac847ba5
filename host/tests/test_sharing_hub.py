"""One port, several processes: real hubs on a board behind TCP."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Client, Listener
from pathlib import Path

import pytest
from tcp_board import PATIENCE_S, TcpBoard

from wrench import sharing
from wrench.errors import PortError
from wrench.link import Link, encode
from wrench.sharing import client as sharing_client
from wrench.sharing import hub as sharing_hub
from wrench.sharing import messages
from wrench.sharing.client import SharedPort, connect, let_go
from wrench.sharing.place import Place, SharingError, canonical, runtime_folder
from wrench.tcp_port import TcpPort
from wrench.transport import BoardConnection, open_shared

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and permissions")

ANOTHER = """
import sys
from wrench.link import Link
from wrench.sharing import connect
port = connect(sys.argv[1])
link = Link(port)
link.hello()
print(port.hub.pid, flush=True)
sys.stdin.read()
link.command("get_setting", 0)
print("answered", flush=True)
"""


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own; its name is short, as a socket's must be."""
    folder = Path(tempfile.mkdtemp(prefix="wr-"))
    monkeypatch.setenv("WRENCH_RUNTIME", str(folder))
    return folder


@pytest.fixture
def board() -> Iterator[TcpBoard]:
    served = TcpBoard()
    yield served
    served.close()


def another(board: TcpBoard) -> subprocess.Popen[str]:
    """Another process with a link; it asks the board something once its input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", ANOTHER, board.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def hub_of(process: subprocess.Popen[str]) -> int:
    assert process.stdout
    return int(process.stdout.readline())


def finish(process: subprocess.Popen[str]) -> str:
    return process.communicate(timeout=PATIENCE_S)[0].strip()


def gone_with(port: SharedPort) -> str:
    """Read until it is over; the sentence of the error."""
    port.timeout = PATIENCE_S
    try:
        while port.read(1):
            port.read(port.in_waiting)
    except PortError as error:
        return str(error)
    raise AssertionError("it is not over")


# ---- side by side --------------------------------------------------------------------------------


def test_two_clients_ask_at_once_and_each_gets_its_own_answers(board: TcpBoard) -> None:
    links = [Link(connect(board.url)) for _ in range(2)]
    failures: list[BaseException] = []

    def ask(link: Link) -> None:
        try:
            link.hello()
            for number in range(40):
                link.command("get_setting", number % 8)
        except BaseException as error:
            failures.append(error)

    asking = [threading.Thread(target=ask, args=[link]) for link in links]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert failures == []
    assert board.opened == 1
    assert len({sequence >> 8 for _, sequence, _ in board.heard}) == 2
    for link in links:
        assert (link.decoder.bad_frames, link.decoder.missing_frames) == (0, 0)
        link.port.close()


@POSIX
def test_the_port_stays_open_when_the_process_that_opened_it_is_killed(board: TcpBoard) -> None:
    first = another(board)
    hub = hub_of(first)
    port = connect(board.url)
    assert port.hub.pid == hub
    first.kill()
    first.wait()
    link = Link(port)
    for number in range(5):
        link.command("get_setting", number)
    assert board.opened == 1
    assert board.left is None
    port.close()


def test_the_port_is_closed_a_moment_after_the_last_client_and_can_be_opened_again(
    board: TcpBoard,
) -> None:
    ports = [connect(board.url) for _ in range(2)]
    ports[0].close()
    Link(ports[1]).hello()
    ended = time.monotonic()
    ports[1].close()
    assert board.wait_for(lambda: board.left is not None)
    assert board.left is not None
    assert board.left - ended >= 0.9
    assert board.wait_for(lambda: sharing.running() == [])
    again = connect(board.url)
    Link(again).hello()
    assert board.opened == 2
    again.close()


def test_commands_one_after_the_other_use_one_hub(board: TcpBoard) -> None:
    hubs = set()
    for _ in range(3):
        port = connect(board.url)
        hubs.add(port.hub.pid)
        Link(port).hello()
        port.close()
    assert len(hubs) == 1
    assert board.opened == 1


def test_starters_at_the_same_moment_agree_on_one_hub(board: TcpBoard) -> None:
    starters = [another(board) for _ in range(4)]
    assert len({hub_of(starter) for starter in starters}) == 1
    assert board.opened == 1
    for starter in starters:
        assert finish(starter) == "answered"
    assert board.opened == 1


# ---- what goes wrong -----------------------------------------------------------------------------


@POSIX
def test_a_killed_hub_is_told_and_the_next_command_starts_another(board: TcpBoard) -> None:
    ports = [connect(board.url) for _ in range(2)]
    os.kill(ports[0].hub.pid, signal.SIGKILL)
    for port in ports:
        assert "the process that shared" in gone_with(port)
        with pytest.raises(PortError):
            port.write(encode("hello", 1))
    assert board.wait_for(lambda: board.left is not None), "the board sees its port close"
    again = connect(board.url)
    assert again.hub.pid != ports[0].hub.pid
    Link(again).hello()
    again.close()


def test_every_client_is_told_that_the_board_has_gone_and_can_come_again(board: TcpBoard) -> None:
    ports = [connect(board.url) for _ in range(2)]
    for port in ports:
        Link(port).hello()
    board.vanish()
    for port in ports:
        assert f"{board.url} has gone" in gone_with(port)
        with pytest.raises(PortError, match="has gone"):
            port.write(encode("hello", 1))
    again = connect(board.url)
    Link(again).hello()
    assert board.opened == 2
    again.close()


@POSIX
def test_a_hub_that_does_not_answer_is_named(
    board: TcpBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = connect(board.url)
    os.kill(port.hub.pid, signal.SIGSTOP)
    monkeypatch.setattr(sharing_client, "_ANSWER_S", 0.2)
    with pytest.raises(PortError, match=f"{port.hub.pid}, does not answer; end it"):
        connect(board.url)
    os.kill(port.hub.pid, signal.SIGCONT)
    port.close()


def test_a_port_that_another_program_holds_is_refused_as_ever(board: TcpBoard) -> None:
    foreign = TcpPort(board.url)
    with pytest.raises(PortError, match="in use by another program"):
        # On a busy computer the board hangs up a moment later.
        Link(open_shared(board.url)).hello()
    foreign.close()


def test_a_port_that_goes_before_anybody_has_joined_its_hub_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As another program's does on a busy computer: the hang-up comes after the hub is ready."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = Place(f"socket://127.0.0.1:{server.getsockname()[1]}")

        def joined_late(_: Place) -> None:
            if place.hub():
                server.accept()[0].close()
                until = time.monotonic() + PATIENCE_S
                while place.is_held() and time.monotonic() < until:
                    time.sleep(0.01)

        monkeypatch.setattr(sharing_client, "_join", joined_late)
        with pytest.raises(PortError, match="in use by another program; close that one"):
            connect(place.url)


def test_a_port_that_is_not_there_is_told_as_ever(board: TcpBoard) -> None:
    board.close()
    with pytest.raises(PortError, match="wrench bench up"):
        open_shared(board.url)


def test_a_slow_client_holds_up_nobody_and_misses_whole_frames_only(board: TcpBoard) -> None:
    slow, quick = Link(connect(board.url)), Link(connect(board.url))
    for link in (slow, quick):
        link.hello()
    frames = 6000
    seen = 0

    def read() -> None:
        nonlocal seen
        while seen < frames:
            frame = quick.receive(PATIENCE_S)
            assert frame is not None
            seen += frame.name == "waveform"

    reading = threading.Thread(target=read)
    reading.start()
    for number in range(frames):
        # No faster than the quick one reads: half of what may wait for it is on its way at most.
        assert board.wait_for(lambda number=number: number - seen < 500)
        board.send("waveform", first_sample=32 * number, samples=150, tail=bytes(900))
    reading.join(PATIENCE_S)
    assert seen == frames
    assert (quick.decoder.missing_frames, quick.decoder.bad_frames) == (0, 0)
    last = 0
    while last < 32 * (frames - 1):
        frame = slow.receive(PATIENCE_S)
        assert frame is not None
        last = frame["first_sample"] if frame.name == "waveform" else last
    assert slow.decoder.missing_frames > 1000
    assert slow.decoder.bad_frames == 0
    for link in (slow, quick):
        link.port.close()


def test_half_a_command_of_a_client_that_dies_is_joined_to_no_others(board: TcpBoard) -> None:
    whole = Link(connect(board.url))
    whole.hello()
    dying = connect(board.url)
    whole_frame = encode("run", dying.sequences[0], 600)
    dying.write(whole_frame[:5])
    dying.close()
    for number in range(5):
        whole.command("get_setting", number)
    assert board.names() == ["hello", *["get_setting"] * 5]
    assert board.garbage == []
    whole.port.close()


def test_garbage_and_other_clients_numbers_do_not_reach_the_board(board: TcpBoard) -> None:
    honest = Link(connect(board.url))
    honest.hello()
    wild = connect(board.url)
    wild.write(bytes(range(1, 256)) * 10 + b"\0")
    wild.write(b"\0\0\0garbage\0")
    wild.write(encode("run", honest._sequences[7], 600))
    wild._connection.send_bytes(b"?no such message")
    wild.write(encode("get_levels", wild.sequences[0], 1))
    assert board.wait_for(lambda: "get_levels" in board.names())
    honest.command("get_setting", 1)
    assert board.names() == ["hello", "get_levels", "get_setting"]
    assert board.garbage == []
    with contextlib.suppress(OSError):
        wild._connection.send_bytes(bytes(100_000))
    assert "not shared any more" in gone_with(wild), "who shouts is put out"
    honest.command("get_setting", 1)
    honest.port.close()


def test_a_client_that_asks_without_end_is_cut_off_and_nobody_else(board: TcpBoard) -> None:
    honest = Link(connect(board.url))
    honest.hello()
    board.answers = False
    greedy = connect(board.url)
    for number in range(1000):
        with contextlib.suppress(PortError):
            greedy.write(encode("get_setting", greedy.sequences[number % 256], 0))
    assert "more than the board can answer" in gone_with(greedy)
    board.answers = True
    honest.stop()
    assert board.names()[-1] == "stop"
    honest.port.close()


def test_half_a_frame_of_whoever_had_the_port_before_costs_no_command(board: TcpBoard) -> None:
    board.left_behind = encode("run", 7, 700)[:-3]
    link = Link(connect(board.url))
    link.stop()
    assert board.names() == ["stop"]
    assert board.garbage == [board.left_behind]
    link.port.close()


def test_who_does_not_know_the_key_and_who_says_nothing_are_left_outside(board: TcpBoard) -> None:
    port = connect(board.url)
    silent = [Client(port.hub.address) for _ in range(3)]
    wrong = Client(port.hub.address)
    with pytest.raises(Exception, match="digest"):
        messages.greet_hub(wrong, "00" * 32)
    for nonsense in (b"", b"garbage", bytes(1000)):
        babbling = Client(port.hub.address)
        babbling.recv_bytes()
        babbling.send_bytes(nonsense)
        with contextlib.suppress(EOFError, OSError):
            while True:
                babbling.recv_bytes()
    again = connect(board.url)
    Link(again).hello()
    for end in silent:
        end.close()
    again.close()
    port.close()


def test_a_stop_is_said_before_what_waits(board: TcpBoard) -> None:
    busy, other = connect(board.url), connect(board.url)
    board.answers = False
    questions = [encode("get_setting", busy.sequences[number], 0) for number in range(100)]
    # In one piece: once the board has heard of it, the hub has all of it.
    busy.write(b"".join([*questions, encode("run", busy.sequences[100], 600)]))
    assert board.wait_for(lambda: len(board.heard) > 0)
    other.write(encode("stop", other.sequences[0]))
    assert board.wait_for(lambda: "stop" in board.names())
    assert board.names().index("stop") < 20
    assert "stopped the motor" in gone_with(busy)
    assert "run" not in board.names()
    other.close()


# ---- giving the port free ------------------------------------------------------------------------


def test_a_port_is_given_free_at_once_when_it_is_needed(board: TcpBoard) -> None:
    connect(board.url).close()
    let_go(board.url)
    direct = TcpPort(board.url)
    direct.close()
    let_go(board.url)


def test_a_port_that_others_use_is_not_given_free(board: TcpBoard) -> None:
    port = connect(board.url)
    with pytest.raises(PortError, match="in use by 1 other wrench command;"):
        let_go(board.url)
    Link(port).hello()
    port.close()


def test_a_port_of_which_nothing_is_known_is_tried_as_the_link_and_then_used_as_the_console(
    board: TcpBoard, own_cache: Path
) -> None:
    del own_cache
    connection = BoardConnection(board.url)
    connection.open_link().close()
    console = connection.open_console()
    assert isinstance(console, TcpPort)
    console.close()


# ---- where there is no sharing -------------------------------------------------------------------


def test_without_a_folder_the_port_is_opened_directly(
    board: TcpBoard,
    runtime: Path,
    monkeypatch: pytest.MonkeyPatch,
    recwarn: pytest.WarningsRecorder,
) -> None:
    (runtime / "file").write_text("")
    monkeypatch.setenv("WRENCH_RUNTIME", str(runtime / "file" / "folder"))
    port = open_shared(board.url)
    assert isinstance(port, TcpPort)
    Link(port).hello()
    port.close()
    assert not recwarn.list


def test_without_a_process_the_port_is_opened_directly(
    board: TcpBoard, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for nothing in ("", str(runtime / "no-python")):
        monkeypatch.setattr(sys, "executable", nothing)
        port = open_shared(board.url)
        assert isinstance(port, TcpPort)
        port.close()
        assert board.wait_for(lambda: board.left is not None)


def test_where_a_sockets_name_would_be_too_long_the_port_is_opened_directly(
    board: TcpBoard, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WRENCH_RUNTIME", str(runtime / ("x" * 100)))
    port = open_shared(board.url)
    assert isinstance(port, TcpPort)
    port.close()


@POSIX
def test_no_other_user_gets_in(board: TcpBoard, runtime: Path) -> None:
    runtime.chmod(0o777)
    port = connect(board.url)
    assert runtime.stat().st_mode & 0o777 == 0o700
    assert Place(board.url).entry.stat().st_mode & 0o777 == 0o600
    port.close()


@POSIX
def test_a_folder_that_only_leads_to_one_is_not_trusted(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (runtime / "led").symlink_to(tempfile.mkdtemp(prefix="wr-"))
    monkeypatch.setenv("WRENCH_RUNTIME", str(runtime / "led"))
    with pytest.raises(SharingError, match="not this user's"):
        runtime_folder()


def test_what_dead_hubs_left_is_cleared_away(board: TcpBoard) -> None:
    place = Place(board.url)
    left = {"port": place.key, "pid": 1, "address": "/nowhere", "authkey": "00"}
    for text in (json.dumps(left), "{", "[]", '{"pid": 1}'):
        place.entry.write_text(text)
        assert sharing.running() == []
        port = connect(board.url)
        assert [hub.pid for hub in sharing.running()] == [port.hub.pid]
        port.close()
        let_go(board.url)


def test_another_version_is_told(board: TcpBoard) -> None:
    place = Place(board.url)
    other = {"port": place.key, "pid": 77, "address": "x", "authkey": "00", "protocol": 99}
    lock = place.hold()
    assert lock
    place.entry.write_text(json.dumps(other | {"more": "than this version knows"}))
    with pytest.raises(PortError, match=r"another version of wrench \(process 77\)"):
        connect(board.url)
    lock.release()
    port = connect(board.url)
    Link(port).hello()
    assert port.hub.pid != 77, "what a killed one has left keeps nobody away"
    port.close()


def test_a_port_has_one_name(runtime: Path) -> None:
    device = runtime / "ttyACM0"
    device.write_text("")
    (runtime / "by-id").symlink_to(device)
    assert Place(str(device)).key == Place(str(runtime / "by-id")).key
    assert Place("socket://LOCALHOST:5").key == Place("socket://127.0.0.1:5").key
    assert Place("socket://h:5").key != Place("socket://h:6").key


@pytest.mark.parametrize(
    "spelling",
    [
        "SOCKET://127.0.0.1:{}",
        "socket://localhost:{}/",
        "socket://127.0.0.1:0{}",
        "socket://127.1:{}",
    ],
)
def test_two_spellings_of_an_address_reach_one_hub(board: TcpBoard, spelling: str) -> None:
    first = connect(board.url)
    second = connect(spelling.format(board.url.rpartition(":")[2]))
    assert second.hub.pid == first.hub.pid
    Link(second).hello()
    assert board.opened == 1
    for port in (first, second):
        port.close()


def test_what_is_no_address_has_a_name_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert canonical("rfc2217://Workshop:4000?timeout=3") == canonical("RFC2217://workshop:4000")
    assert canonical("socket://workshop:4000") != canonical("rfc2217://workshop:4000")
    assert canonical("socket://[::1]:7") == canonical("socket://127.0.0.1:7")
    for nonsense in ("socket://h:port", "socket://", "socket://h:99999999", "://", "spy://x"):
        assert isinstance(canonical(nonsense), str)


# ---- a run's owner -------------------------------------------------------------------------------


@POSIX
@pytest.mark.parametrize("owns", [True, False])
def test_the_port_closes_at_once_behind_the_last_client_where_it_owned_a_run(
    board: TcpBoard, monkeypatch: pytest.MonkeyPatch, owns: bool
) -> None:
    monkeypatch.setattr(sharing_hub, "LINGER_S", 1e6)
    place = Place(board.url)
    lock = place.hold()
    assert lock
    listener = Listener(place.new_address(), "AF_UNIX")
    port = TcpPort(board.url, 0.1)
    hub = sharing_hub.Hub(port, listener, place.register(str(listener.address)))
    running = threading.Thread(target=hub.run, daemon=True)
    running.start()
    link = Link(connect(board.url))
    link.run(300)
    if not owns:
        link.stop()
    link.port.close()
    if owns:
        running.join(PATIENCE_S)
        assert not running.is_alive()
    else:
        again = connect(board.url)
        Link(again).hello()
        assert running.is_alive()
        hub._end("")
        running.join(PATIENCE_S)
    port.close()
    lock.release()
