"""The ways to an image, tried in order: a file, the cache, the download, a build."""

import contextlib
import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_image_contents import make_image, make_wrench

from wrench import image
from wrench.errors import ImageError
from wrench.image import cache, official
from wrench.image.progress import Step, silent


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WRENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(progress: image.Progress) -> bytes:
        raise ImageError("cannot download it (no network); try again")

    monkeypatch.setattr(image, "download", fail)


class Site(http.server.BaseHTTPRequestHandler):
    """A site that misbehaves as its path says."""

    def do_GET(self) -> None:
        body = make_image()
        if self.path == "/absent":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.path == "/short":
            self.wfile.write(body[:-512])
        elif self.path == "/stall":
            self.wfile.write(body[:-512])
            self.wfile.flush()
            time.sleep(3)
        elif self.path == "/other":
            self.wfile.write(bytes(len(body)))
        else:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_given_file_comes_first_and_is_kept_for_later(tmp_path: Path, offline: None) -> None:
    path = tmp_path / "mine.uf2"
    path.write_bytes(make_image())
    found = image.find("stock", path)
    assert found.kind == "stock"
    assert "mine.uf2" in found.source
    path.unlink()
    assert image.find("stock") == found


def test_a_given_file_says_itself_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mine.uf2"
    path.write_bytes(make_wrench(frozen=True))
    assert image.find("stock", path).kind == "wrench-frozen"


def test_the_cache_comes_before_the_network(offline: None) -> None:
    stored = cache.store(make_image(), "the official download")
    cache.store(make_wrench(), "a build")
    assert image.find("stock") == stored


def test_the_download_is_checked_and_kept(monkeypatch: pytest.MonkeyPatch, site: str) -> None:
    monkeypatch.setattr(image, "download", lambda report: official.download(report, f"{site}/"))
    told: list[Step] = []
    found = image.find(progress=told.append)
    assert found.path.read_bytes() == make_image()
    assert found.source == "the official download"
    assert told[-1].done
    assert image.find() == found


@pytest.mark.parametrize("path", ["/absent", "/short", "/other"])
def test_a_bad_download_leads_to_a_build(
    monkeypatch: pytest.MonkeyPatch, site: str, path: str, root: Path
) -> None:
    monkeypatch.setattr(
        image, "download", lambda report: official.download(report, f"{site}{path}")
    )
    built: list[str] = []

    def build(kind: str, *, progress: image.Progress) -> image.Image:
        built.append(kind)
        return cache.store(make_image(), "a build")

    monkeypatch.setattr(image, "build", build)
    told: list[Step] = []
    assert image.find(progress=told.append).source == "a build"
    assert built == ["stock"]
    assert any("building it" in step.text for step in told)


def test_a_site_that_stalls_is_given_up(monkeypatch: pytest.MonkeyPatch, site: str) -> None:
    monkeypatch.setattr(official, "_STALL_S", 0.3)
    began = time.monotonic()
    with pytest.raises(ImageError, match="try again"):
        official.download(silent, f"{site}/stall")
    assert time.monotonic() - began < 2


def test_no_server_is_a_clear_error() -> None:
    with pytest.raises(ImageError, match=r"cannot download http://127\.0\.0\.1:1/ .*refused"):
        official.download(silent, "http://127.0.0.1:1/")


def test_a_name_lookup_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(official, "_CONNECT_S", 0.2)
    monkeypatch.setattr(official, "_transfer", lambda url, messages: release.wait(5))
    with contextlib.closing(_Releaser(release)), pytest.raises(ImageError, match="no answer"):
        official.download(silent, "http://slow.invalid/")


class _Releaser:
    def __init__(self, event: threading.Event) -> None:
        self.close = event.set


def test_an_unknown_kind_lists_the_kinds() -> None:
    with pytest.raises(ImageError, match="stock, wrench, wrench-frozen"):
        image.find("stok")
