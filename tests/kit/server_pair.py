"""A primary and its standby, which change places under an address that stays.

Enters: a stack and a way to make folders. Leaves: two servers and a proxy, until `close`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from legacy_server import LegacyServer
from torture.proxy import Mode, StoppableProxy

from pipeline.local_stack.stack import LocalStack

STANDBY = "isthmus_standby"
READY = (
    "select slot_name from pg_replication_slots where failover and synced and not temporary"
    " and invalidation_reason is null order by 1"
)
KEEPS_IN_STEP = {
    "hot_standby": "on",
    "hot_standby_feedback": "on",
    "sync_replication_slots": "on",
}


class Pair:
    """A primary, its standby, and the address that leads to one of them."""

    def __init__(self, stack: LocalStack, make_folder: Callable[[str], Path]) -> None:
        self.primary = LegacyServer(stack, make_folder("primary"), "primary")
        self.standby = LegacyServer(stack, make_folder("standby"), "standby")
        self.address = StoppableProxy(self.primary.port)

    def join(self) -> None:
        """Make the standby."""
        self.standby.become_standby(self.primary, STANDBY, KEEPS_IN_STEP)

    def wait_for_standby(self) -> None:
        """Let no failover slot run ahead of the standby."""
        self.primary.execute(
            f"alter system set synchronized_standby_slots = '{STANDBY}'", "select pg_reload_conf()"
        )

    def are_slots_ready(self, *names: str) -> bool:
        """Say whether the standby has these slots, and no others, ready for its promotion."""
        rows = self.standby.execute(READY)
        return rows == [(name,) for name in sorted(names)]

    def part(self) -> None:
        """Let the standby get nothing more."""
        self.standby.execute("alter system set primary_conninfo = ''", "select pg_reload_conf()")

    def fail_over(self) -> None:
        """Kill the primary, promote the standby and lead the address to it: they change places."""
        self.primary.kill()
        self.address.set_mode(Mode.REFUSE)
        self.standby.execute("select pg_promote()")
        self.address.target_port = self.standby.port
        self.address.set_mode(Mode.PASS)
        self.primary, self.standby = self.standby, self.primary

    def close(self) -> None:
        """End all."""
        self.address.close()
        self.standby.close()
        self.primary.close()
