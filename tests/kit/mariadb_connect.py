"""A Connect worker of the tests' own that has other connectors than PostgreSQL's on its path.

Enters: the stack's broker. Leaves: a child process with a group and topics of its own, so that it
can be killed without hurting the stack's worker. The plugins are the local stack's: pinned.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests
from child_guard import end_children, start_guarded
from mariadb_packages import MissingMariaDB

from pipeline.errors import Unreachable
from pipeline.local_stack import process
from pipeline.local_stack.bundles import Bundles, fetch_bundles
from pipeline.local_stack.connect import (
    build_connect,
    build_worker_properties,
    connect_answers,
)
from pipeline.local_stack.java import write_properties
from pipeline.local_stack.ports import HOST, find_free_port
from pipeline.local_stack.process import Child
from pipeline.local_stack.progress import Silence

HTTP_SECONDS_MAX = 60
READY_SECONDS_MAX = 120.0


def fetch_plugins(engines: Sequence[str]) -> Bundles:
    """Give the programs with the engines' plugins; MissingMariaDB when they can't be downloaded."""
    try:
        return fetch_bundles(Silence(), engines=engines)
    except Unreachable as problem:
        raise MissingMariaDB(f"no connectors for {', '.join(engines)}: {problem}") from problem


class MariaDBConnect:
    """The worker: it runs from the start until `close`."""

    def __init__(
        self,
        variables: Mapping[str, str],
        folder: Path,
        engines: Sequence[str] = ("mariadb",),
        *,
        own_secrets: Mapping[str, str] | None = None,
    ) -> None:
        port = find_free_port(())
        kafka_port = int(variables["ISTHMUS_KAFKA"].rpartition(":")[2])
        self.url = f"http://{HOST}:{port}"
        self.variables = variables
        self.offsets_topic = f"mariadb-{secrets.token_hex(4)}-offsets"
        self._port = port
        bundles = fetch_plugins(engines)
        self._program = build_connect(
            Child("connect", folder),
            bundles.class_path,
            bundles.plugin_folders,
            port=port,
            kafka_port=kafka_port,
            secrets=dict(own_secrets or {}),
        )
        name = self.offsets_topic.removesuffix("-offsets")
        given = build_worker_properties(
            port=port, kafka_port=kafka_port, plugin_folders=bundles.plugin_folders
        )
        own: dict[str, str | int] = {
            "group.id": name,
            "offset.storage.topic": self.offsets_topic,
            "offset.storage.partitions": 1,
            "config.storage.topic": f"{name}-configs",
            "status.storage.topic": f"{name}-status",
        }
        write_properties(folder / "worker.properties", {**given, **own})
        self._guard = start_guarded(self._program)
        try:
            self._wait_until_ready()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the worker."""
        end_children(self._guard)

    def kill(self) -> None:
        """Kill the worker, as a crash would."""
        process.kill(self._program.child)

    def start(self) -> None:
        """Start the killed worker again."""
        process.start(self._program)
        self._wait_until_ready()

    def ask(self, method: str, path: str, document: Any = None) -> Any:
        """Ask the worker; a path begins behind `/connectors`."""
        answer = requests.request(
            method, f"{self.url}/connectors{path}", json=document, timeout=HTTP_SECONDS_MAX
        )
        assert answer.ok, f"{method} {path}: {answer.text}"
        return answer.json() if answer.content else None

    def read_states(self, name: str) -> list[str]:
        """Read the states of a connector and its tasks; [] while it is just being made."""
        found = self.ask("GET", "?expand=status").get(name, {})
        if not found:
            return []
        status = found["status"]
        return [status["connector"]["state"], *(task["state"] for task in status["tasks"])]

    def _wait_until_ready(self) -> None:
        process.wait_until_ready(
            self._program.child,
            lambda: connect_answers(self._port),
            seconds_max=READY_SECONDS_MAX,
        )
