"""The rules of MariaDB's and MySQL's preflight for the server and the capture user.

Enters: BinlogFacts. Leaves: findings, pure. Rules for tables are in mariadb_tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.preflight.finding import Finding, Weight, sort_findings
from connectors.preflight.mariadb_tables import judge_tables
from connectors.sizes import say_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors.preflight.mariadb_facts import BinlogFacts, BinlogModule, BinlogServer

EXPIRE_ADVISED_S = 86_400
LONG_STATEMENT_S = 30
_CONFIGURE = "and put it into the server's configuration, or a restart takes it back"


def judge(facts: BinlogFacts) -> tuple[Finding, ...]:
    """Judge a server for the modules that are to be captured from it, gravest first."""
    new = [module for module in facts.modules if not module.connected]
    return sort_findings(
        [
            *_judge_log(facts.server),
            *_judge_place(facts.server),
            *_judge_gtids(facts.server),
            *(one for module in facts.modules for one in _judge_user(module, facts.server)),
            *_judge_server_ids(facts),
            *(one for module in facts.modules for one in judge_tables(module)),
            *(_judge_statements(facts) if new else ()),
        ]
    )


def _judge_log(server: BinlogServer) -> Iterator[Finding]:
    if not server.log_bin:
        yield Finding(
            Weight.BLOCKER,
            "log_bin",
            "log_bin",
            "the legacy server writes no binary log",
            "changes are read from it; put log_bin into the server's configuration, restart it",
        )
        return
    if server.format != "ROW":
        yield Finding(
            Weight.BLOCKER,
            "binlog_format",
            "binlog_format",
            f"binlog_format is {server.format}",
            "the binary log holds statements, not rows; sessions that are open keep their own "
            f"format: end them, {_CONFIGURE}",
            "set global binlog_format = 'ROW';",
        )
    if server.row_image != "FULL":
        yield Finding(
            Weight.BLOCKER,
            "binlog_row_image",
            "binlog_row_image",
            f"binlog_row_image is {server.row_image}",
            "columns that a statement did not change are left out of the binary log; sessions that "
            f"are open keep their own image: end them, {_CONFIGURE}",
            "set global binlog_row_image = 'FULL';",
        )
    if server.compressed:
        yield Finding(
            Weight.WARNING,
            "log_bin_compress",
            "log_bin_compress",
            "the binary log is compressed",
            "the whole way was never run with a compressed one",
            "set global log_bin_compress = 0;",
        )
    yield from _judge_expiry(server)


def _judge_expiry(server: BinlogServer) -> Iterator[Finding]:
    if server.expire_s == 0:
        yield Finding(
            Weight.NOTICE,
            "binlog_kept",
            "binlog_expire_logs_seconds",
            "binary logs are kept for ever",
            "they fill the legacy server's disk unless somebody purges them; what is purged before "
            "a connector has read it is lost to it",
            "set global expire_logs_days = 10;",
        )
    elif server.expire_s < EXPIRE_ADVISED_S:
        yield Finding(
            Weight.WARNING,
            "binlog_expiry",
            "binlog_expire_logs_seconds",
            f"binary logs are kept for {say_seconds(server.expire_s)}",
            "a connector that is down for longer can't go on: its module is read anew",
            "set global expire_logs_days = 10;",
        )


def _judge_place(server: BinlogServer) -> Iterator[Finding]:
    if server.read_only:
        yield Finding(
            Weight.BLOCKER,
            "read_only",
            "read_only",
            "the owner's URL leads to a server that is read-only",
            "barriers are rows that are written there: use the primary's address",
        )
    if server.relays:
        yield Finding(
            Weight.BLOCKER,
            "log_slave_updates",
            "log_slave_updates",
            "the server is a replica that does not log what it replays",
            "changes made on its primary are not in its binary log; put log_slave_updates = ON "
            "into its configuration and restart it, or read the primary",
        )
    if server.filtered:
        yield Finding(
            Weight.BLOCKER,
            "binlog_filter",
            server.database,
            f"the binary log leaves this database out ({server.filtered})",
            "its changes can't be read; take the filter out of the server's configuration and "
            "restart it",
        )


def _judge_gtids(server: BinlogServer) -> Iterator[Finding]:
    if server.gtid_strict is False:
        yield Finding(
            Weight.WARNING,
            "gtid_strict_mode",
            "gtid_strict_mode",
            "gtid_strict_mode is off",
            "GTIDs prove that no transaction is missing in the change log, and without it they "
            f"need not rise; {_CONFIGURE}",
            "set global gtid_strict_mode = 1;",
        )
    if server.gtid_domains > 1:
        yield Finding(
            Weight.WARNING,
            "gtid_domains",
            "gtid_domain_id",
            f"the binary log holds transactions of {server.gtid_domains} GTID domains",
            "order is only proven within one: let all writers use the same gtid_domain_id",
        )


def _judge_user(module: BinlogModule, server: BinlogServer) -> Iterator[Finding]:
    user = module.user
    if user.accounts is None:
        yield Finding(
            Weight.NOTICE,
            "hidden_rights",
            user.name,
            f"{server.owner} does not see which rights {user.name!r} has",
            "it needs SELECT on the captured tables, REPLICATION SLAVE, BINLOG MONITOR (MySQL and "
            "older: REPLICATION CLIENT), and RELOAD or LOCK TABLES for the snapshot",
            f"show grants for '{user.name}'@'...'; -- as an administrator",
        )
        return
    if not user.accounts:
        yield Finding(
            Weight.BLOCKER,
            "role",
            user.name,
            f"the capture user {user.name!r} is not there",
            "the connector logs in with it; an administrator makes it",
            f"create user '{user.name}'@'%' identified by '...';",
        )
    if user.missing:
        privileges = ", ".join(user.missing)
        yield Finding(
            Weight.BLOCKER,
            "role_rights",
            user.name,
            f"the capture user {user.name!r} lacks {privileges}",
            "it reads the binary log as a replica does, and a snapshot begins under a read lock",
            " ".join(f"grant {privileges} on *.* to {account};" for account in user.accounts),
        )


def _judge_server_ids(facts: BinlogFacts) -> Iterator[Finding]:
    """Judge the ids that are known: a replica registers itself, a connector of Debezium's does not.

    So neither the module's own connector is seen there, nor that of another site.
    """
    taken = {facts.server.server_id: "the server itself"}
    for other in facts.server.replica_ids or ():
        taken.setdefault(other, "another replica")
    for module in facts.modules:
        if module.server_id is None:
            continue
        who = taken.get(module.server_id)
        if who is not None:
            yield Finding(
                Weight.BLOCKER,
                "server_id",
                str(module.server_id),
                f"module {module.module!r}: server id {module.server_id} is that of {who}",
                "two replicas of one id throw each other out; declare another one, `config: "
                "{database.server.id: ...}`",
                module=module.module,
            )
        taken[module.server_id] = f"module {module.module!r}"
    if facts.server.replica_ids is None:
        yield Finding(
            Weight.NOTICE,
            "hidden_replicas",
            facts.server.owner,
            f"{facts.server.owner} does not see which replicas are registered",
            "whether another one has the server id of a connector can't be told",
            "show slave hosts; -- as an administrator",
        )


def _judge_statements(facts: BinlogFacts) -> Iterator[Finding]:
    for one in facts.statements or ():
        if one.seconds >= LONG_STATEMENT_S:
            yield Finding(
                Weight.WARNING,
                "long_statement",
                f"connection {one.id}",
                f"a statement of connection {one.id} has run for {say_seconds(one.seconds)}",
                "a snapshot begins under a read lock, which waits for running statements, and all "
                "writes of the legacy application wait behind it",
                f"kill query {one.id}; -- or let it end",
            )
    if facts.statements is None:
        yield Finding(
            Weight.NOTICE,
            "hidden_sessions",
            facts.server.owner,
            f"{facts.server.owner} does not see other users' statements",
            "a long one would hold up the beginning of a snapshot, and all writes with it",
            f"grant process on *.* to {facts.server.owner};",
        )
