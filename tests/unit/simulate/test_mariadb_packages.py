"""Where no MariaDB can be had, its tests are told what is missing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import mariadb_packages
import pytest
from mariadb_packages import MissingMariaDB, Package, find_mariadb


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the only folder on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def write_program(folder: Path, name: str, text: str) -> None:
    """Write a program of the shell's."""
    program = folder / name
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)


def test_without_apt_it_says_so(programs: Path, tmp_path: Path) -> None:
    """Neither apt nor a server on PATH: both are named."""
    del programs
    with pytest.raises(MissingMariaDB, match=r"apt-get does not run here .*, and no mariadbd on"):
        find_mariadb(tmp_path / "cache" / "artifacts")
    assert not list((tmp_path / "cache" / "mariadb").glob("*/root"))


def test_without_the_pinned_version_it_says_what_apt_says(programs: Path, tmp_path: Path) -> None:
    """A mirror that has moved on does not offer the pinned version: apt's own words are told."""
    write_program(programs, "apt-get", "echo \"E: Version '1' was not found\" >&2; exit 100")
    with pytest.raises(MissingMariaDB, match=r"mariadb-server-core=.*E: Version '1' was not found"):
        find_mariadb(tmp_path / "cache" / "artifacts")


def test_another_file_than_the_pinned_one_is_refused(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What apt gives is unpacked only when it has the pinned sha256."""
    write_program(programs, "apt-get", "echo other > server_1_amd64.deb")
    digest = hashlib.sha256(b"this one").hexdigest()
    monkeypatch.setattr(mariadb_packages, "PACKAGES", (Package("server", "1", digest),))
    with pytest.raises(MissingMariaDB, match=r"apt's server=1 has sha256 .*, not the pinned one"):
        find_mariadb(tmp_path / "cache" / "artifacts")


def test_a_server_on_path_serves_too(programs: Path, tmp_path: Path) -> None:
    """Where apt gives nothing, the server on PATH is taken, when it runs with its client."""
    write_program(programs, "mariadbd", "exit 0")
    write_program(programs, "mariadb", "exit 0")
    found = find_mariadb(tmp_path / "cache" / "artifacts")
    assert found.server == (programs / "mariadbd").resolve()
    assert found.libraries == ()


def test_a_program_that_does_not_run_says_why(programs: Path, tmp_path: Path) -> None:
    """A library that is missing is told in the loader's words."""
    write_program(programs, "mariadbd", "echo 'cannot open liburing.so.2' >&2; exit 127")
    with pytest.raises(MissingMariaDB, match=r"mariadbd.*cannot open liburing\.so\.2"):
        find_mariadb(tmp_path / "cache" / "artifacts")
