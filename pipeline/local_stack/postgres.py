"""PostgreSQL 18: one server that stands for the legacy database, the hub and the regions' stores.

Enters: the child, a home, a port, the superuser's password. Leaves: the Program; the data lies in
`home`, which is the account's. Real durability (fsync on), logical WAL, loopback and scram only.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import psycopg

from pipeline.errors import Unreachable
from pipeline.local_stack.account import find_programs, prepare_owned_folder
from pipeline.local_stack.ports import HOST
from pipeline.local_stack.process import Account, Child, Program, split_account
from pipeline.local_stack.state import ADMIN_ROLE

ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}
SETTINGS: dict[str, str | int] = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": 300,
    "wal_level": "logical",
    "max_replication_slots": 60,
    "max_wal_senders": 60,
    # a forgotten slot holds back this much WAL and no more: it gets invalid, not the disk full
    "max_slot_wal_keep_size": "8GB",
    "max_wal_size": "4GB",
    "shared_buffers": "256MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}
CONNECT_SECONDS_MAX = 3


def build_postgres(
    child: Child, home: Path, *, port: int, password: str, account: Account | None
) -> Program:
    """Make the cluster once, write its settings, and return what to start.

    The child's folder holds pid file and log (ours), `home` the data (the account's).
    """
    child.folder.mkdir(parents=True, exist_ok=True)
    programs = find_programs(account)
    prepare_owned_folder(home, account)
    data = home / "data"
    if not (data / "PG_VERSION").is_file():
        _make_cluster(programs, home, password, account)
    settings = "".join(f"{key} = '{value}'\n" for key, value in SETTINGS.items())
    (data / "isthmus.conf").write_text(settings + f"port = {port}\n")
    return Program(
        child=child,
        command=(
            str(programs / "postgres"),
            "-D",
            str(data),
            "-c",
            f"config_file={data / 'isthmus.conf'}",
        ),
        environment=ENVIRONMENT,
        account=account,
    )


def _make_cluster(programs: Path, home: Path, password: str, account: Account | None) -> None:
    password_file = home / "password"
    password_file.write_text(password)
    password_file.chmod(0o644)  # inside a folder of mode 0700, and gone in a second
    uid, gid = split_account(account)
    answer = subprocess.run(  # noqa: S603 - made of our own constants
        [
            str(programs / "initdb"),
            f"--pgdata={home / 'data'}",
            f"--username={ADMIN_ROLE}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-locale",
            "--no-sync",
        ],
        env=ENVIRONMENT,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        user=uid,
        group=gid,
        extra_groups=None if uid is None else [],
    )
    password_file.unlink()
    if answer.returncode:
        raise Unreachable(
            f"PostgreSQL's data in {home} could not be made:\n{answer.stdout}{answer.stderr}"
        )


def postgres_answers(admin_url: str) -> bool:
    """Say whether the server takes our superuser."""
    try:
        psycopg.connect(admin_url, connect_timeout=CONNECT_SECONDS_MAX).close()
    except psycopg.OperationalError:
        return False
    return True
