"""Finds a MariaDB server for tests: pinned Debian packages, else what is on PATH.

Enters: apt as the machine has configured it. Leaves: the folder of programs, unpacked beside the
user's artifact cache (nothing is installed), or MissingMariaDB, which says what was lacking.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pipeline.local_stack.download import artifact_cache, exclusive

SECONDS_MAX = 120
_LIBRARIES = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")


class MissingMariaDB(Exception):  # noqa: N818 - not an error: its tests are skipped
    """No MariaDB can be had here; the message says why."""


@dataclass(frozen=True, slots=True)
class Package:
    """A Debian package, pinned."""

    name: str
    version: str
    sha256: str


PACKAGES = (
    Package(
        "mariadb-server-core",
        "1:10.11.19-0+deb12u1",
        "bda81cb1c5b538e19eed27462fa8df577684b9cdc4fe40cee8d1da9cbc0fe76b",
    ),
    Package(
        "mariadb-client-core",
        "1:10.11.19-0+deb12u1",
        "60549abde2ad55068610b2cae03af7d17a2cafb0993f16c8c2413bd1b5fe6f5f",
    ),
    Package(
        "liburing2",
        "2.3-3",
        "c23077e3640e6cb4b819c134b3f41d5cf21b3edac099654b1b4142c3069a39a3",
    ),
    Package(
        "libaio1",
        "0.3.113-4",
        "d1476e4beab3d85f8a7d31de94c27472711ed3ef399ce70708e24b259426125b",
    ),
)
"""Debian 12's, for amd64. A mirror keeps the newest versions only: pin these anew when it moves."""


@dataclass(frozen=True, slots=True)
class MariaDBPrograms:
    """The programs: `base` is their common prefix, `libraries` where else to look for theirs."""

    base: Path
    server: Path
    libraries: tuple[Path, ...] = ()

    @property
    def environment(self) -> dict[str, str]:
        """What the programs see of ours."""
        given = {"PATH": os.defpath, "LANG": "C.UTF-8", "TZ": "UTC"}
        if self.libraries:
            given["LD_LIBRARY_PATH"] = os.pathsep.join(map(str, self.libraries))
        return given

    def find(self, name: str) -> Path:
        """Give the path of one of the other programs."""
        return self.base / "bin" / name


def find_mariadb(cache: Path | None = None) -> MariaDBPrograms:
    """Give programs that run here; MissingMariaDB says why there are none."""
    try:
        return _check(unpack_packages((cache or artifact_cache()).parent / "mariadb"))
    except MissingMariaDB as problem:
        found = shutil.which("mariadbd")
        if found is None:
            raise MissingMariaDB(f"no MariaDB: {problem}, and no mariadbd on PATH") from problem
        server = Path(found).resolve()
        return _check(MariaDBPrograms(server.parent.parent, server))


def unpack_packages(folder: Path) -> MariaDBPrograms:
    """Fetch and unpack the pinned packages once; checkouts share them."""
    names = "".join(package.sha256 for package in PACKAGES)
    root = folder / hashlib.sha256(names.encode()).hexdigest()[:12]
    with exclusive(folder / "lock"):
        if not root.is_dir():
            scratch = Path(tempfile.mkdtemp(dir=folder))
            try:
                for package in PACKAGES:
                    _unpack(_fetch(package, scratch), scratch / "root")
                (scratch / "root").rename(root)
            finally:
                shutil.rmtree(scratch)
    libraries = tuple(root / name for name in _LIBRARIES)
    return MariaDBPrograms(root / "usr", root / "usr/sbin/mariadbd", libraries)


def _fetch(package: Package, folder: Path) -> Path:
    """Download a package as apt is configured here; MissingMariaDB when it has no such one."""
    wanted = f"{package.name}={package.version}"
    _run("apt-get", "-o", "APT::Sandbox::User=root", "download", wanted, folder=folder)
    (found,) = folder.glob(f"{package.name}_*.deb")
    with found.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != package.sha256:
        raise MissingMariaDB(f"apt's {wanted} has sha256 {digest[:12]}..., not the pinned one")
    return found


def _unpack(package: Path, root: Path) -> None:
    root.mkdir(exist_ok=True)
    _run("dpkg-deb", "--extract", str(package), str(root), folder=root)


def _check(programs: MariaDBPrograms) -> MariaDBPrograms:
    """Let each program say its version: a library may be missing, or it is for another machine."""
    for program in (programs.server, programs.find("mariadb")):
        _run(str(program), "--no-defaults", "--version", folder=Path("/"), programs=programs)
    return programs


def _run(*command: str, folder: Path, programs: MariaDBPrograms | None = None) -> None:
    environment = {**os.environ, "LC_ALL": "C.UTF-8"} if programs is None else programs.environment
    try:
        answer = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingMariaDB(f"{command[0]} does not run here ({error})") from error
    if answer.returncode:
        lines = answer.stderr.strip().splitlines() or ["no message"]
        raise MissingMariaDB(f"`{' '.join(command)}` says: {lines[-1]}")
