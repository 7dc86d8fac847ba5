"""The cache: nothing half-written is ever taken for an image, and nothing is lost silently."""

import errno
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_image_contents import make_image, make_wrench

from wrench.errors import ImageError
from wrench.image import cache
from wrench.image.progress import Step, silent


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WRENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_is_stored_is_listed_newest_first() -> None:
    older = cache.store(make_image(), "the first", {"compiler": "gcc"})
    newer = cache.store(make_wrench(), "the second")
    assert cache.images(silent) == [newer, older]
    assert older.path.read_bytes() == make_image()


def test_the_same_image_is_kept_once(root: Path) -> None:
    cache.store(make_image(), "a download")
    cache.store(make_image(), "a file")
    assert [image.source for image in cache.images(silent)] == ["a file"]


def test_a_corrupt_image_is_reported_and_discarded() -> None:
    image = cache.store(make_image(), "a download")
    raw = bytearray(image.path.read_bytes())
    raw[1000] ^= 1
    image.path.write_bytes(raw)
    told: list[Step] = []
    assert cache.images(told.append) == []
    assert str(image.path) in told[0].text
    assert "corrupt" in told[0].text
    assert not image.path.exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"kind": "stock"}', b"\xff\xfe"])
def test_a_corrupt_description_is_discarded(content: bytes) -> None:
    image = cache.store(make_image(), "a download")
    image.path.with_suffix(".json").write_bytes(content)
    assert cache.images(silent) == []
    assert cache.store(make_image(), "again") in cache.images(silent)


def test_an_image_without_description_is_not_taken() -> None:
    image = cache.store(make_image(), "a download")
    image.path.with_suffix(".json").unlink()
    assert cache.images(silent) == []


def test_old_images_of_a_kind_make_room_and_other_kinds_stay() -> None:
    stock = cache.store(make_image(), "a download")
    built = [cache.store(make_wrench(extra=bytes([number])), "a build") for number in range(12)]
    kinds = [image.kind for image in cache.images(silent)]
    assert kinds.count("wrench") == 8
    assert built[-1] in cache.images(silent)
    assert stock in cache.images(silent)


def test_a_refused_image_leaves_nothing_behind(root: Path) -> None:
    with pytest.raises(ImageError):
        cache.store(b"x" * 512, "a download")
    assert not list(root.rglob("*"))


def test_a_failed_write_leaves_the_old_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = root / "it"
    cache.write_atomic(path, b"old")

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache.os, "fsync", full)
    with pytest.raises(ImageError, match=r"is full; free some space .*WRENCH_CACHE"):
        cache.write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(root.iterdir()) == [path]


def test_a_cache_that_cannot_be_written_names_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WRENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(ImageError, match="set WRENCH_CACHE"):
        cache.store(make_image(), "a download")
    with pytest.raises(ImageError, match="set WRENCH_CACHE"), cache.locked(silent):
        pass


def test_too_little_space_is_said_beforehand() -> None:
    with pytest.raises(ImageError, match=r"building needs \d+ MB .* free"):
        cache.need_space(1 << 60, "building")


HOLDER = """
import sys, time
from wrench.image import cache
with cache.locked(lambda step: None) as descriptor:
    print("held", flush=True)
    if sys.argv[1:] == ["child"]:
        import subprocess
        subprocess.Popen(["sleep", "1"], pass_fds=(descriptor,))
    else:
        time.sleep(1)
"""


@pytest.mark.parametrize("who", ["self", "child"])
def test_the_lock_waits_for_another_process_and_for_what_it_left_running(who: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, who], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        began = time.monotonic()
        told: list[Step] = []
        with cache.locked(told.append):
            assert time.monotonic() - began > 0.5
        assert "waiting" in told[0].text
        assert told[-1].done
