"""A PostgreSQL server of the legacy database's own: a test stops, kills, puts back, promotes it.

Enters: a stack, whose programs and passwords it shares, and an empty folder. Leaves: a child
process on a port that it keeps; the data lies where its account can reach it, until `close`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psycopg
from child_guard import GuardedChild, end_children, start_guarded

from pipeline.local_stack import process
from pipeline.local_stack.account import (
    choose_data_folder,
    find_account,
    find_programs,
    prepare_owned_folder,
)
from pipeline.local_stack.databases import create_databases, create_roles
from pipeline.local_stack.ports import HOST, find_free_port
from pipeline.local_stack.postgres import ENVIRONMENT, build_postgres, postgres_answers
from pipeline.local_stack.process import Child, wait_until_ready
from pipeline.local_stack.stack import LocalStack
from pipeline.local_stack.state import ADMIN_ROLE, CAPTURE_ROLE

READY_SECONDS_MAX = 60.0
COPY_SECONDS_MAX = 120


class LegacyServer:
    """One server; empty until `start`, or made of another one's data by `become_standby`."""

    def __init__(self, stack: LocalStack, folder: Path, name: str = "legacy") -> None:
        self.port = find_free_port(())
        self._passwords = stack.state().passwords
        self._child = Child(name, folder / name, signal.SIGINT, 60.0)
        self._account = find_account()
        self._home = choose_data_folder(folder / name / "home", self._account)
        self._guard: GuardedChild | None = None

    @property
    def data(self) -> Path:
        """The data directory."""
        return self._home / "data"

    @property
    def home(self) -> Path:
        """The folder above it, which is PostgreSQL's, too."""
        return self._home

    @property
    def log(self) -> Path:
        """What the server prints."""
        return self._child.log

    def url(self, role: str = ADMIN_ROLE, database: str = "postgres", port: int = 0) -> str:
        """Give the URL by which a role reaches a database of it."""
        return f"postgresql://{role}:{self._passwords[role]}@{HOST}:{port or self.port}/{database}"

    def variables(self, suffix: str, port: int = 0) -> dict[str, str]:
        """Give the variables of a site whose legacy database is `legacy` + `suffix` on it.

        `port` is the one by which it is reached, where that is another one's than its own.
        """
        database = f"legacy{suffix}"
        return {
            "ISTHMUS_LEGACY_OWNER_URL": self.url("erp_owner", database, port),
            "ISTHMUS_LEGACY_APP_URL": self.url("erp_app", database, port),
            "ISTHMUS_LEGACY_URL": self.url("isthmus_reader", database, port),
            "ISTHMUS_CAPTURE_PORT": str(port or self.port),
            "ISTHMUS_POSTGRES_ADMIN_URL": self.url(port=port),
        }

    def start(self, *, ready: bool = True) -> None:
        """Start it and wait until it answers."""
        program = build_postgres(
            self._child, self._home, port=self.port, password=self._passwords[ADMIN_ROLE],
            account=self._account,
        )  # fmt: skip
        self._guard = start_guarded(program)
        if ready:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait until it takes connections."""
        wait_until_ready(
            self._child, lambda: postgres_answers(self.url()), seconds_max=READY_SECONDS_MAX
        )

    def make_databases(self, suffix: str) -> None:
        """Make the roles, and the databases of a site."""
        create_roles(self.url(), self._passwords)
        create_databases(self.url(), suffix)

    def stop(self) -> None:
        """Stop it in good order, with whoever is connected."""
        if self._guard is not None:
            end_children(self._guard)
        self._guard = None

    def kill(self) -> None:
        """Kill it with all its sessions, as if its machine were gone."""
        pid = process.find_pid(self._child)
        assert pid is not None
        sessions = _list_children(pid)
        os.kill(pid, signal.SIGSTOP)  # it would restart what dies before it
        for one in (*sessions, *_list_children(pid), pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        process.kill(self._child)
        self.stop()

    def close(self) -> None:
        """End it and remove its data."""
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def execute(self, *statements: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run statements as its administrator, whatever stands before it; rows of the last one."""
        with psycopg.connect(self.url(database=database), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def replicate(self, command: str, *, database: str) -> None:
        """Run a command of the replication protocol as the capture role."""
        with psycopg.connect(
            self.url(CAPTURE_ROLE, database), replication="database", autocommit=True,
            cursor_factory=psycopg.ClientCursor,
        ) as connection:  # fmt: skip
            connection.execute(command.encode())

    def configure(self, settings: Mapping[str, str]) -> None:
        """Set what it reads at its next start, behind all that it was told before."""
        with (self.data / "postgresql.auto.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def copy_cold(self, name: str) -> None:
        """Copy its data directory, slots too, while it is stopped."""
        assert process.find_pid(self._child) is None
        _copy(self.data, self._home / name)

    def put_back(self, name: str) -> None:
        """Replace its data directory by a copy."""
        assert process.find_pid(self._child) is None
        shutil.rmtree(self.data)
        _copy(self._home / name, self.data)

    def dump(self, name: str) -> None:
        """Dump all its roles and databases, for `restore_anew`."""
        self._run("pg_dumpall", f"--dbname={self.url()}", f"--file={self._home / name}")

    def restore_anew(self, name: str) -> None:
        """Replace it by a new cluster that has what was dumped: no slots, another identifier."""
        self.stop()
        shutil.rmtree(self.data)
        self.start()
        # it has the administrator already, and goes on behind that error
        self._run("psql", self.url(), "--quiet", "--no-psqlrc", f"--file={self._home / name}")

    def make_folder(self, name: str) -> Path:
        """Make a folder that the server may write to."""
        folder = self._home / name
        prepare_owned_folder(folder, self._account)
        return folder

    def signal_recovery(self, kind: str) -> None:
        """Let its next start be a recovery: `recovery` from an archive, or `standby`."""
        path = self.data / f"{kind}.signal"
        path.touch()
        if self._account is not None:
            os.chown(path, self._account.uid, self._account.gid)

    def become_standby(self, primary: LegacyServer, slot: str, settings: Mapping[str, str]) -> None:
        """Take a base copy of a running primary, and start as its standby, by a physical slot."""
        shutil.rmtree(self.data, ignore_errors=True)
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._run(
            "pg_basebackup", f"--dbname={primary.url()}", f"--pgdata={self.data}",
            "--checkpoint=fast", "--create-slot", f"--slot={slot}", "--wal-method=stream",
        )  # fmt: skip
        if self._account is not None:
            for path in (self._home, *self._home.rglob("*")):
                os.chown(path, self._account.uid, self._account.gid)
        self._child.folder.mkdir(parents=True, exist_ok=True)
        self.configure({"primary_conninfo": primary.url(), "primary_slot_name": slot, **settings})
        self.signal_recovery("standby")
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's client programs to its end."""
        done = subprocess.run(
            [str(find_programs(self._account) / program), *arguments],
            # pg_dumpall tells the pg_dump of each database no password
            env={**ENVIRONMENT, "PGPASSWORD": self._passwords[ADMIN_ROLE]},
            cwd="/", capture_output=True, text=True, check=False, timeout=COPY_SECONDS_MAX,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


def _list_children(pid: int) -> list[int]:
    """List the processes whose parent is `pid`."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def _copy(source: Path, target: Path) -> None:
    """Copy a folder with its owner and rights; a copy that is there is replaced."""
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-a", str(source), str(target)], check=True, timeout=COPY_SECONDS_MAX)
