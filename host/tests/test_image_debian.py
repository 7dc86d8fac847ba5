"""apt's configuration is read right, and machines that are not Debian are told what to do."""

import shutil
import subprocess
from pathlib import Path

import pytest

from wrench.errors import ImageError
from wrench.image import debian
from wrench.image.debian import AptSource, parse_deb822, parse_one_line

KEY = "/usr/share/keyrings/debian-archive-keyring.gpg"

DEB822 = f"""\
# a comment
Types: deb deb-src
URIs: http://mirror.invalid/debian
 http://second.invalid/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: {KEY}

Types: deb-src
URIs: http://sources.invalid/debian
Suites: bookworm
Components: main

Enabled: no
Types: deb
URIs: http://disabled.invalid/debian
Suites: bookworm
Components: main

types: deb
uris: https://vendor.invalid/linux/debian
suites: bookworm
components: main
signed-by: /etc/apt/keyrings/vendor.asc
"""

ONE_LINE = f"""\
# deb http://comment.invalid/debian bookworm main
deb http://mirror.invalid/debian bookworm main contrib  # trailing
deb [arch=amd64 signed-by={KEY}]   http://signed.invalid/debian bookworm-updates main
deb-src http://mirror.invalid/debian bookworm main
deb [signed-by=/etc/apt/keyrings/vendor.gpg] https://vendor.invalid/linux/debian bookworm main
"""


def make_etc(tmp_path: Path, os_release: str) -> Path:
    etc = tmp_path / "etc"
    (etc / "apt/sources.list.d").mkdir(parents=True)
    (etc / "os-release").write_text(os_release)
    return etc


def test_deb822_entries() -> None:
    suites, components = ("bookworm", "bookworm-updates"), ("main", "contrib")
    vendor = "https://vendor.invalid/linux/debian"
    assert parse_deb822(DEB822) == [
        AptSource("http://mirror.invalid/debian", suites, components, KEY),
        AptSource("http://second.invalid/debian", suites, components, KEY),
        AptSource(vendor, ("bookworm",), ("main",), "/etc/apt/keyrings/vendor.asc"),
    ]


def test_an_embedded_key_is_not_taken_for_a_path() -> None:
    text = "Types: deb\nURIs: http://m.invalid/debian\nSuites: sid\nComponents: main\nSigned-By:\n"
    (source,) = parse_deb822(text + " -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQ==\n")
    assert source.signed_by == "embedded key"
    assert not source.is_debian


def test_one_line_entries() -> None:
    mirror, signed, vendor = parse_one_line(ONE_LINE)
    assert mirror == AptSource(
        "http://mirror.invalid/debian", ("bookworm",), ("main", "contrib"), None
    )
    assert signed == AptSource(
        "http://signed.invalid/debian", ("bookworm-updates",), ("main",), KEY
    )
    assert [mirror.is_debian, signed.is_debian, vendor.is_debian] == [True, True, False]


def test_a_third_party_archive_is_never_the_mirror(tmp_path: Path) -> None:
    etc = make_etc(tmp_path, "ID=debian\n")
    (etc / "apt/sources.list.d/debian.sources").write_text(DEB822)
    (etc / "apt/sources.list").write_text(ONE_LINE)
    uris = {source.uri for source in debian.machine_sources(etc)}
    assert not any("vendor" in uri or "disabled" in uri or "comment" in uri for uri in uris)
    assert uris >= {"http://mirror.invalid/debian", "http://signed.invalid/debian"}


def test_only_the_suite_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = tmp_path / "debian-archive-keyring.gpg"
    key.write_bytes(b"")
    updates = AptSource("http://a.invalid/debian", ("bookworm-updates",), ("main",), str(key))
    mirror = AptSource("http://b.invalid/debian", ("bookworm",), ("main",), str(key))
    monkeypatch.setattr(debian, "require_debian", lambda: "bookworm")
    monkeypatch.setattr(debian, "machine_sources", lambda: [updates, mirror])
    assert debian.mirror_lines("trixie") == [
        f"deb [signed-by={key}] http://b.invalid/debian trixie main",
        f"deb-src [signed-by={key}] http://b.invalid/debian trixie main",
    ]
    assert len(debian.own_lines()) == 2
    monkeypatch.setattr(debian, "machine_sources", lambda: [updates])
    with pytest.raises(ImageError, match="no Debian mirror configured"):
        debian.mirror_lines("trixie")


def test_no_keyring_means_no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    source = AptSource("http://b.invalid/debian", ("bookworm",), ("main",), None)
    monkeypatch.setattr(debian, "require_debian", lambda: "bookworm")
    monkeypatch.setattr(debian, "machine_sources", lambda: [source])
    monkeypatch.setattr(debian, "_KEYRING_STEM", "/nonexistent/debian-archive-keyring")
    with pytest.raises(ImageError, match="install the package debian-archive-keyring"):
        debian.mirror_lines("trixie")


@pytest.mark.parametrize("os_release", ['ID=ubuntu\nID_LIKE=debian\nNAME="Ubuntu"\n', ""])
def test_another_system_is_told_to_download_by_hand(tmp_path: Path, os_release: str) -> None:
    with pytest.raises(ImageError, match=r"download the RPI_PICO image .* --file"):
        debian.require_debian(make_etc(tmp_path, os_release))


def test_debian_without_apt_is_told_to_download_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ImageError, match=r"apt-get is missing; download .* --file"):
        debian.require_debian(make_etc(tmp_path, "ID=debian\nVERSION_CODENAME=bookworm\n"))


@pytest.fixture
def package(tmp_path: Path) -> Path:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("needs dpkg-deb")
    root = tmp_path / "package"
    for name in ("DEBIAN", "usr/bin", "usr/lib/thumb/v7"):
        (root / name).mkdir(parents=True)
    control = "Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x>\nDescription: x\n"
    (root / "DEBIAN/control").write_text(control)
    (root / "usr/bin/tool").write_text("#!/bin/sh\n")
    (root / "usr/bin/tool").chmod(0o755)
    (root / "usr/bin/link").symlink_to("tool")
    (root / "usr/lib/thumb/v7/libc.a").write_bytes(bytes(300_000))
    path = tmp_path / "x.deb"
    build = ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "-b", str(root), str(path)]
    subprocess.run(build, check=True, capture_output=True)
    return path


def test_only_the_wanted_part_of_a_package_is_unpacked(package: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    debian.unpack_deb(package, out, lambda name: "thumb" not in name)
    assert (out / "usr/bin/tool").stat().st_mode & 0o111
    assert (out / "usr/bin/link").readlink() == Path("tool")
    assert not (out / "usr/lib/thumb").exists()
    debian.unpack_deb(package, out)  # a second time over the first
    assert (out / "usr/lib/thumb/v7/libc.a").stat().st_size == 300_000


def test_a_damaged_package_is_discarded(package: Path, tmp_path: Path) -> None:
    package.write_bytes(package.read_bytes()[:-200])
    with pytest.raises(ImageError, match=r"x\.deb was damaged and is discarded; run it again"):
        debian.unpack_deb(package, tmp_path / "out")
    assert not package.exists()
