"""Kafka Connect: one distributed worker with exactly-once sources and Debezium's plugins.

Enters: the child, ports, the class path and the unpacked plugins. Leaves: the Program. The capture
role's password and the site's other secrets are in its environment: configs say `${env:...}`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import requests

from pipeline.local_stack.java import (
    ENVIRONMENT,
    build_java_command,
    prepare_java_folder,
    write_properties,
)
from pipeline.local_stack.ports import HOST, accepts_connections
from pipeline.local_stack.process import Child, Program
from pipeline.settings import RECORD_BYTES_MAX

HEAP_MB = 768
ANSWER_SECONDS_MAX = 5.0
ENVIRONMENT_PROVIDER = "org.apache.kafka.common.config.provider.EnvVarConfigProvider"
JSON_CONVERTER = "org.apache.kafka.connect.json.JsonConverter"


def build_worker_properties(
    *, port: int, kafka_port: int, plugin_folders: Iterable[Path], secrets: Iterable[str] = ()
) -> dict[str, str | int]:
    """Build the worker's configuration; connector configs may refer to `secrets` by name."""
    others = sorted(name for name in secrets if not name.startswith("ISTHMUS_"))
    return {
        "bootstrap.servers": f"{HOST}:{kafka_port}",
        "group.id": "isthmus-connect",
        "listeners": f"http://{HOST}:{port}",
        "rest.advertised.host.name": HOST,
        "config.storage.topic": "isthmus-connect-configs",
        "config.storage.replication.factor": 1,
        "offset.storage.topic": "isthmus-connect-offsets",
        "offset.storage.replication.factor": 1,
        "offset.storage.partitions": 4,
        "status.storage.topic": "isthmus-connect-status",
        "status.storage.replication.factor": 1,
        "status.storage.partitions": 2,
        "exactly.once.source.support": "enabled",
        # finding plugins by their service files takes 6 s instead of 14
        "plugin.discovery": "service_load",
        "plugin.path": ",".join(map(str, plugin_folders)),
        "key.converter": JSON_CONVERTER,
        "key.converter.schemas.enable": "false",
        "value.converter": JSON_CONVERTER,
        "value.converter.schemas.enable": "false",
        "header.converter": "org.apache.kafka.connect.storage.SimpleHeaderConverter",
        "connector.client.config.override.policy": "All",
        "config.providers": "env",
        "config.providers.env.class": ENVIRONMENT_PROVIDER,
        "config.providers.env.param.allowlist.pattern": "|".join(["ISTHMUS_.*", *others]),
        "producer.max.request.size": RECORD_BYTES_MAX,
        "offset.flush.interval.ms": 1000,
        # what a task leaves open when it dies holds up every other connector's start for so long
        "producer.transaction.timeout.ms": 15_000,
        # one worker: nobody else could take over what a restarted one left
        "scheduled.rebalance.max.delay.ms": 0,
    }


def build_connect(
    child: Child,
    class_path: str,
    plugin_folders: Iterable[Path],
    *,
    port: int,
    kafka_port: int,
    secrets: dict[str, str],
) -> Program:
    """Write the worker's configuration and return what to start."""
    folder = child.folder
    prepare_java_folder(folder)
    config = folder / "worker.properties"
    write_properties(
        config,
        build_worker_properties(
            port=port, kafka_port=kafka_port, plugin_folders=plugin_folders, secrets=secrets
        ),
    )
    return Program(
        child=child,
        command=build_java_command(
            folder,
            heap_mb=HEAP_MB,
            options=(
                f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}",
                "-cp",
                class_path,
            ),
            main=("org.apache.kafka.connect.cli.ConnectDistributed", str(config)),
        ),
        environment={**ENVIRONMENT, **secrets},
    )


def http_answers(port: int, path: str) -> bool:
    """Say whether a GET gives 200; a closed port is told without the cost of a request."""
    if not accepts_connections(port):
        return False
    try:
        return requests.get(f"http://{HOST}:{port}{path}", timeout=ANSWER_SECONDS_MAX).ok
    except requests.RequestException:
        return False


def connect_answers(port: int) -> bool:
    """Say whether the worker has joined its group and serves requests."""
    return http_answers(port, "/health")
