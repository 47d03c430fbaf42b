"""A MariaDB server of the tests' own, on loopback and a free port, and sessions on it.

Enters: the programs and an empty folder. Leaves: a child process, ended by its pid; each session
is a client of its own, so that transactions of several sessions interleave as a script says.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import IO

from child_guard import end_children, start_guarded
from mariadb_packages import SECONDS_MAX, MariaDBPrograms

from pipeline.local_stack.ports import HOST, find_free_port
from pipeline.local_stack.process import Child, Program, start, stop, wait_until_ready

USER = "isthmus"
READY_SECONDS_MAX = 60.0
_MARK = "-- done --"


class MariaDBServer:
    """The server: it runs from the start until `close`; USER may do everything."""

    def __init__(self, programs: MariaDBPrograms, folder: Path) -> None:
        self.port = find_free_port(())
        self.password = secrets.token_hex(16)
        self._programs = programs
        self._child = Child("mariadbd", folder)
        self._data = data = folder / "data"
        # a server that starts deletes the temporary tables that it finds, those of others too
        temporary = folder / "tmp"
        temporary.mkdir()
        self._environment = {**programs.environment, "TMPDIR": str(temporary)}
        own = ["--user=root"] if os.geteuid() == 0 else []
        self._install(data, own)
        users = folder / "users.sql"
        users.write_text(
            f"create user {USER}@'{HOST}' identified by '{self.password}';\n"
            f"grant all on *.* to {USER}@'{HOST}' with grant option;\n"
        )
        command = (
            str(programs.server),
            *("--no-defaults", f"--basedir={programs.base}", f"--datadir={data}", *own),
            *(f"--bind-address={HOST}", f"--port={self.port}", "--skip-name-resolve"),
            *("--socket=socket", f"--init-file={users}", "--default-time-zone=+00:00"),
            *("--server-id=7", "--log-bin=bin", "--binlog-format=ROW", "--binlog-row-image=FULL"),
            *("--transaction-isolation=READ-COMMITTED", "--innodb-lock-wait-timeout=5"),
            *("--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0"),
            "--max-allowed-packet=64M",
        )
        self._program = Program(self._child, command, self._environment)
        self._guard = start_guarded(self._program)
        try:
            wait_until_ready(self._child, self._answers, seconds_max=READY_SECONDS_MAX)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the server."""
        end_children(self._guard)

    def stop(self) -> None:
        """Shut the server down; its sessions end."""
        stop(self._child)

    def start(self) -> None:
        """Start the server again on what its folder holds."""
        start(self._program)
        wait_until_ready(self._child, self._answers, seconds_max=READY_SECONDS_MAX)

    def copy_data(self, folder: Path) -> None:
        """Copy the data of the stopped server."""
        shutil.copytree(self._data, folder)

    def restore_data(self, folder: Path) -> None:
        """Put a copy in the place of the stopped server's data, binary logs and all."""
        shutil.rmtree(self._data)
        shutil.copytree(folder, self._data)

    def url(self, database: str) -> str:
        """Give the URL by which PyMySQL's users reach a database."""
        return f"mysql://{USER}:{self.password}@{HOST}:{self.port}/{database}"

    def open_session(self, database: str = "") -> MariaDBSession:
        """Open a session, with a database that is there or with none."""
        return MariaDBSession(self._client(database), self._programs.environment)

    def _client(self, database: str) -> tuple[str, ...]:
        return (
            str(self._programs.find("mariadb")),
            *("--no-defaults", "--protocol=tcp", f"--host={HOST}", f"--port={self.port}"),
            *(f"--user={USER}", f"--password={self.password}", "--batch", "--skip-column-names"),
            "--max-allowed-packet=64M",
            *("--unbuffered", "--default-character-set=utf8mb4", database or "mysql"),
        )

    def _answers(self) -> bool:
        answer = subprocess.run(
            [*self._client(""), "--execute=select 1"],
            env=self._programs.environment,
            capture_output=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        return answer.returncode == 0

    def _install(self, data: Path, own: list[str]) -> None:
        answer = subprocess.run(
            [
                str(self._programs.find("mariadb-install-db")),
                *("--no-defaults", f"--basedir={self._programs.base}", f"--datadir={data}", *own),
                *("--auth-root-authentication-method=normal", "--skip-test-db"),
                "--skip-name-resolve",
            ],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        assert answer.returncode == 0, f"mariadb-install-db: {answer.stdout}{answer.stderr}"


class DeadlockError(AssertionError):
    """The server has rolled a transaction back, as it may where two wait for each other."""


class MariaDBSession:
    """One connection: a client whose input is ours."""

    def __init__(self, command: tuple[str, ...], environment: dict[str, str]) -> None:
        self._client = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def execute(self, statement: str) -> list[str]:
        """Execute a statement and give its rows, columns between tabs; it ends at an error.

        Raises DeadlockError or another AssertionError, behind which the session can only be closed.
        """
        given, taken = self._pipes()
        given.write(f"{statement};\nselect '{_MARK}';\n")
        given.flush()
        rows: list[str] = []
        for line in taken:
            if line.rstrip("\n") == _MARK:
                return rows
            rows.append(line.rstrip("\n"))
        refused = DeadlockError if any("ERROR 1213 " in row for row in rows) else AssertionError
        raise refused(f"MariaDB refuses {statement}: {rows[-3:]}")

    def close(self) -> None:
        """Close the connection; an open transaction is rolled back."""
        given, taken = self._pipes()
        given.close()
        taken.read()
        taken.close()
        self._client.wait(SECONDS_MAX)

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        given, taken = self._client.stdin, self._client.stdout
        assert given is not None
        assert taken is not None
        return given, taken
