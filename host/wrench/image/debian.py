"""Packages from the Debian mirror that this machine already uses, without touching the machine.

Every call to apt gets package lists, a cache and a sources.list of its own inside our cache, so
that no right to write elsewhere is needed and nothing is installed. The mirror and the keyring are
the machine's; only the suite may be another one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from wrench.errors import ImageError
from wrench.image.cache import cache_dir, explained_os_errors
from wrench.image.contents import DOWNLOAD_PAGE
from wrench.image.process import ChildError, run

BY_HAND = (
    f"download the RPI_PICO image from {DOWNLOAD_PAGE}, or build on a Debian machine, "
    "and pass the file with --file"
)
_KEYRING_STEM = "/usr/share/keyrings/debian-archive-keyring"


@dataclass(frozen=True)
class AptSource:
    """One entry of apt's configuration: where packages come from and whose signature counts."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str | None

    @property
    def is_debian(self) -> bool:
        """Whether it is a mirror of Debian itself, not a third party's archive."""
        if self.signed_by is not None:
            return "debian-archive" in self.signed_by
        return "debian" in self.uri


def parse_deb822(text: str) -> list[AptSource]:
    """Parse a `.sources` file; disabled entries and source-only entries are left out."""
    found: list[AptSource] = []
    for paragraph in re.split(r"\n[ \t]*\n", text):
        fields: dict[str, str] = {}
        name = ""
        for line in paragraph.splitlines():
            if line.startswith("#") or not line.strip():
                continue
            if line[0] in " \t" and name:
                fields[name] += "\n" + line.strip()
            elif ":" in line:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        if fields.get("enabled", "yes").lower() in ("no", "false", "0", "off"):
            continue
        if "deb" not in fields.get("types", "").split():
            continue
        key = fields.get("signed-by", "")
        found += [
            AptSource(
                uri,
                tuple(fields.get("suites", "").split()),
                tuple(fields.get("components", "").split()),
                key if key.startswith("/") else ("embedded key" if key else None),
            )
            for uri in fields.get("uris", "").split()
        ]
    return found


def parse_one_line(text: str) -> list[AptSource]:
    """Parse a `sources.list` in the one-line style."""
    found: list[AptSource] = []
    pattern = re.compile(r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<rest>\S.*)")
    for raw_line in text.splitlines():
        match = pattern.fullmatch(raw_line.partition("#")[0].strip())
        if match is None:
            continue
        uri, _, rest = match["rest"].partition(" ")
        suite, *components = rest.split() or [""]
        key = re.search(r"signed-by=(\S+)", match["options"] or "")
        found.append(AptSource(uri, (suite,), tuple(components), key[1] if key else None))
    return found


def machine_sources(etc: Path = Path("/etc")) -> list[AptSource]:
    """Return the Debian entries with component main in this machine's apt configuration."""
    found: list[AptSource] = []
    for path in sorted((etc / "apt/sources.list.d").glob("*.sources")):
        found += parse_deb822(path.read_text(errors="replace"))
    for path in [etc / "apt/sources.list", *sorted((etc / "apt/sources.list.d").glob("*.list"))]:
        if path.is_file():
            found += parse_one_line(path.read_text(errors="replace"))
    return [source for source in found if source.is_debian and "main" in source.components]


def require_debian(etc: Path = Path("/etc")) -> str:
    """Return the codename of this Debian machine, such as "bookworm".

    Raises:
        ImageError: it is another system, or one without apt.
    """
    release: dict[str, str] = {}
    if (etc / "os-release").is_file():
        for line in (etc / "os-release").read_text(errors="replace").splitlines():
            name, _, value = line.partition("=")
            release[name] = value.strip().strip("\"'")
    if release.get("ID") != "debian":
        name = release.get("NAME", "another system")
        raise ImageError(f"building an image needs Debian, and this is {name}; {BY_HAND}")
    for tool in ("apt-get", "dpkg-deb", "dpkg-query"):
        if shutil.which(tool) is None:
            raise ImageError(f"building an image needs apt, and {tool} is missing; {BY_HAND}")
    return release.get("VERSION_CODENAME", "")


class Apt:
    """apt-get with a state of its own in `state`, for the given lines of a sources.list."""

    def __init__(
        self, state: Path, lines: Sequence[str], log: Path, keep_open: int | None = None
    ) -> None:
        self._state = state
        self._log = log
        self._keep_open = keep_open
        with explained_os_errors():
            for name in ("lists/partial", "cache/archives/partial"):
                (state / name).mkdir(parents=True, exist_ok=True)
            (state / "sources.list").write_text("".join(line + "\n" for line in lines))
            (state / "no-packages").write_text("")
        self._options = [
            f"-oDir::Etc::SourceList={state}/sources.list",
            "-oDir::Etc::SourceParts=-",
            f"-oDir::State::Lists={state}/lists",
            f"-oDir::Cache={state}/cache",
            # Our directories may lie where apt's own unprivileged user must not look.
            "-oAPT::Sandbox::User=root",
            "-oAPT::Get::List-Cleanup=false",
            "-oAcquire::Languages=none",
            "-oAcquire::http::Timeout=15",
            "-oAcquire::https::Timeout=15",
            "-oAcquire::Retries=1",
            "-oAPT::Update::Error-Mode=any",
            "-oAPT::Status-Fd=1",
        ]

    def update(self, on_fraction: Callable[[float], None]) -> None:
        """Fetch the package lists. Raises ImageError when that fails."""
        self._get(["update"], None, on_fraction)

    def download(
        self, packages: Sequence[str], into: Path, on_fraction: Callable[[float], None]
    ) -> None:
        """Download and verify binary packages into a directory; what is there stays.

        Raises:
            ImageError: that failed; what had arrived is kept for the next time.
        """
        self._get(["download", *packages], into, on_fraction)

    def download_source(
        self, packages: Sequence[str], into: Path, on_fraction: Callable[[float], None]
    ) -> None:
        """Download and verify source packages into a directory, without unpacking them."""
        self._get(["source", "--download-only", *packages], into, on_fraction)

    def files(self, packages: Sequence[str], *, source: bool) -> dict[str, int]:
        """Return the files that a download of these packages would fetch, with sizes in bytes."""
        arguments = ["source", "--download-only"] if source else ["download"]
        # Elsewhere than where the files are kept: those that are there already would be left out.
        lines = self._get([*arguments, "--print-uris", *packages], self._state, _ignore)
        return _listed(lines)

    def closure(self, packages: Sequence[str]) -> dict[str, int]:
        """Return the packages and all they depend on, each with its download size in bytes.

        What the machine has installed plays no part, so that a broken state there does no harm.
        """
        command = ["install", "--print-uris", "--yes", "--no-install-recommends"]
        empty = f"-oDir::State::Status={self._state}/no-packages"
        lines = self._get([empty, *command, *packages], None, _ignore)
        return {name.partition("_")[0]: size for name, size in _listed(lines).items()}

    def forget(self) -> None:
        """Delete the package lists, up to 0.2 GB, which the next `update` fetches again."""
        shutil.rmtree(self._state, ignore_errors=True)

    def _get(
        self, arguments: list[str], cwd: Path | None, on_fraction: Callable[[float], None]
    ) -> list[str]:
        def on_line(line: str) -> bool:
            if not line.startswith(("dlstatus:", "pmstatus:")):
                return False
            percent = line.split(":")[2]
            if line.startswith("dlstatus:") and re.fullmatch(r"[\d.]+", percent):
                on_fraction(min(float(percent) / 100, 1.0))
            return True

        options = [*self._options, "-oDebug::NoLocking=1", "-q"]
        try:
            return run(
                ["apt-get", *options, *arguments],
                log=self._log,
                cwd=cwd,
                env=os.environ | {"LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"},
                keep_open=self._keep_open,
                on_line=on_line,
            )
        except ChildError as failure:
            raise self._explain(failure) from None

    def _explain(self, failure: ChildError) -> ImageError:
        text = "\n".join(failure.tail)
        if re.search(r"NO_PUBKEY|not signed|EXPKEYSIG|no valid OpenPGP|[Mm]issing key", text):
            return ImageError(
                "the keyring of this machine cannot verify the Debian mirror's signature; "
                f"update the package debian-archive-keyring (the log is {self._log})"
            )
        if re.search(r"Unable to (locate|find a source) package|has no installation", text):
            return ImageError(
                f"the Debian mirror of this machine lacks a package that is needed; {BY_HAND} "
                f"(the log is {self._log})"
            )
        return ImageError(
            "cannot fetch packages from the Debian mirror of this machine; check the network and "
            f"run it again, it continues where it stopped (the log is {self._log}), "
            f"or {BY_HAND}"
        )


def _ignore(fraction: float) -> None:
    """Progress of a call that downloads nothing."""


def _listed(lines: Sequence[str]) -> dict[str, int]:
    """Parse what apt-get prints with --print-uris."""
    matches = (re.match(r"'\S+' (?P<file>\S+) (?P<size>\d+) ", line) for line in lines)
    return {match["file"]: int(match["size"]) for match in matches if match is not None}


def mirror_lines(suite: str, types: Sequence[str] = ("deb", "deb-src")) -> list[str]:
    """Return sources.list lines for a suite, from the mirror that this machine uses.

    Raises:
        ImageError: apt on this machine knows no Debian mirror, or no keyring to verify one.
    """
    codename = require_debian()
    releases = (codename, "stable", "testing", "unstable", "sid")
    for source in machine_sources():
        if any(name in releases for name in source.suites):
            key = _keyring(source)
            return [f"{kind} [signed-by={key}] {source.uri} {suite} main" for kind in types]
    raise ImageError(f"apt on this machine has no Debian mirror configured; {BY_HAND}")


def own_lines() -> list[str]:
    """Return sources.list lines for the suites that this machine itself is made from."""
    require_debian()
    return [
        f"deb [signed-by={_keyring(source)}] {source.uri} {suite} main"
        for source in machine_sources()
        for suite in source.suites
    ]


def installed_packages() -> set[str]:
    """Return the names of the packages that are installed on this machine."""
    listing = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    return {line.split()[0] for line in listing.splitlines() if line.endswith(" installed")}


def unpack_deb(
    package: Path, into: Path, wanted: Callable[[str], bool] = lambda name: True
) -> None:
    """Unpack those files of a .deb whose path (such as "usr/bin/cmake") is `wanted`."""
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", str(package)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as child:
        assert child.stdout is not None
        try:
            with tarfile.open(fileobj=child.stdout, mode="r|") as archive:
                _extract(archive, into, lambda name: name if wanted(name) else None)
            while child.stdout.read(1 << 16):
                pass  # padding, which dpkg-deb must be able to write
        except tarfile.TarError as error:
            child.kill()
            raise _damaged(package) from error
        except BaseException:
            child.kill()
            raise
    if child.returncode:
        raise _damaged(package)


def unpack_tar(path: Path, into: Path, place: Callable[[str], str | None]) -> None:
    """Unpack a source archive; `place` maps each path to one below `into`, or to None."""
    try:
        with tarfile.open(path) as archive:
            _extract(archive, into, place)
    except (tarfile.TarError, EOFError) as error:
        raise _damaged(path) from error


def _extract(archive: tarfile.TarFile, into: Path, place: Callable[[str], str | None]) -> None:
    with explained_os_errors():
        for member in archive:
            name = place(member.name.removeprefix("./"))
            if not name or name == ".":
                continue
            target = into / name
            if ".." in Path(name).parts or Path(name).is_absolute():
                raise tarfile.TarError(f"{member.name} would leave the directory")
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            if member.issym():
                target.symlink_to(member.linkname)
            elif member.islnk():
                os.link(into / (place(member.linkname.removeprefix("./")) or ""), target)
            elif member.isfile():
                content = archive.extractfile(member)
                assert content is not None
                with content, target.open("wb") as file:
                    shutil.copyfileobj(content, file, 1 << 20)
                target.chmod(0o755 if member.mode & 0o100 else 0o644)
                os.utime(target, (member.mtime, member.mtime))


def _damaged(path: Path) -> ImageError:
    with explained_os_errors():
        path.unlink(missing_ok=True)
    return ImageError(f"{path.name} was damaged and is discarded; run it again to fetch it anew")


def _keyring(source: AptSource) -> str:
    for key in (source.signed_by, f"{_KEYRING_STEM}.pgp", f"{_KEYRING_STEM}.gpg"):
        if key and Path(key).is_file():
            return key
    raise ImageError(
        "no keyring to verify the Debian mirror with; install the package debian-archive-keyring"
    )


def apt_state(name: str) -> Path:
    """Return the directory for an apt state of that name."""
    return cache_dir() / "apt" / name
