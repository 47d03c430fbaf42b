"""A Connect worker of the tests' own that has Debezium's MariaDB connector on its plugin path.

Enters: the stack's broker. Leaves: a child process with a group and topics of its own, so that it
can be killed without hurting the stack's worker. The plugin is fetched like the stack's: pinned.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
from child_guard import end_children, start_guarded
from mariadb_packages import MissingMariaDB

from pipeline.errors import Unreachable
from pipeline.local_stack import process
from pipeline.local_stack.artifacts import Artifact
from pipeline.local_stack.bundles import fetch_bundles
from pipeline.local_stack.connect import (
    build_connect,
    build_worker_properties,
    connect_answers,
)
from pipeline.local_stack.download import (
    artifact_cache,
    fetch_all,
    is_intact,
    repositories,
    unpack,
)
from pipeline.local_stack.java import write_properties
from pipeline.local_stack.ports import HOST, find_free_port
from pipeline.local_stack.process import Child
from pipeline.local_stack.progress import Silence

HTTP_SECONDS_MAX = 60
READY_SECONDS_MAX = 120.0
PLUGIN = Artifact(
    bundle="debezium-mariadb",
    group="io.debezium",
    name="debezium-connector-mariadb",
    version="3.5.0.Final",
    packaging="tar.gz",
    classifier="plugin",
    sha256="1ccab832edc5d1e667607361905e70689a308c9e5cb1561d79808084811e938f",
    size=26_972_146,
)


def fetch_plugin() -> Path:
    """Give the folder of the connector's plugin; MissingMariaDB when it can't be downloaded."""
    cache = artifact_cache()
    if not is_intact(PLUGIN, cache / PLUGIN.path):
        try:
            fetch_all([PLUGIN], cache, repositories(), lambda _: None)
        except Unreachable as problem:
            raise MissingMariaDB(f"no MariaDB connector: {problem}") from problem
    return unpack(PLUGIN, cache)


class MariaDBConnect:
    """The worker: it runs from the start until `close`."""

    def __init__(self, variables: Mapping[str, str], folder: Path) -> None:
        port = find_free_port(())
        kafka_port = int(variables["ISTHMUS_KAFKA"].rpartition(":")[2])
        self.url = f"http://{HOST}:{port}"
        self.variables = variables
        self.offsets_topic = f"mariadb-{secrets.token_hex(4)}-offsets"
        self._port = port
        plugin_folder = fetch_plugin()
        self._program = build_connect(
            Child("connect", folder),
            fetch_bundles(Silence()).class_path,
            plugin_folder,
            port=port,
            kafka_port=kafka_port,
            secrets={},
        )
        name = self.offsets_topic.removesuffix("-offsets")
        given = build_worker_properties(
            port=port, kafka_port=kafka_port, plugin_folder=plugin_folder
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
