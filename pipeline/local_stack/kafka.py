"""The broker: Apache Kafka in KRaft mode, one node that is broker and controller.

Enters: the child, ports and the class path. Leaves: the Program; its data lies in `folder`/data.
"""

from __future__ import annotations

import contextlib
import subprocess
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from pipeline.errors import Unreachable
from pipeline.local_stack.java import (
    ENVIRONMENT,
    build_java_command,
    prepare_java_folder,
    write_properties,
)
from pipeline.local_stack.ports import HOST, accepts_connections
from pipeline.local_stack.process import Child, Program
from pipeline.settings import RECORD_BYTES_MAX

HEAP_MB = 512
BATCH_OVERHEAD_BYTES = 64 * 1024
"""What a batch adds to its largest record: header, keys of headers, varints."""
MESSAGE_BYTES_MAX = RECORD_BYTES_MAX + BATCH_OVERHEAD_BYTES
INTERNAL_TOPIC_PARTITIONS = 8
"""Of offsets and transactions: 50 each by default, which one node pays for at every start."""
ANSWER_SECONDS_MAX = 2.0


def build_broker_properties(
    folder: Path, *, port: int, controller_port: int
) -> dict[str, str | int]:
    """Build server.properties of the only node."""
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(folder / "data"),
        # topics are made on purpose, with the partitions that their order needs
        "auto.create.topics.enable": "false",
        "num.partitions": 1,
        "message.max.bytes": MESSAGE_BYTES_MAX,
        "replica.fetch.max.bytes": MESSAGE_BYTES_MAX,
        # one node: nothing can be replicated
        "default.replication.factor": 1,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": INTERNAL_TOPIC_PARTITIONS,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": INTERNAL_TOPIC_PARTITIONS,
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1_000,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
    }


def build_kafka(child: Child, class_path: str, *, port: int, controller_port: int) -> Program:
    """Write the broker's configuration, format its storage once, and return what to start."""
    folder = child.folder
    prepare_java_folder(folder)
    config = folder / "server.properties"
    write_properties(
        config, build_broker_properties(folder, port=port, controller_port=controller_port)
    )
    options = (
        f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}",
        "-cp",
        class_path,
    )
    if not (folder / "data" / "meta.properties").is_file():
        _format_storage(folder, options, config)
    return Program(
        child=child,
        command=build_java_command(
            folder, heap_mb=HEAP_MB, options=options, main=("kafka.Kafka", str(config))
        ),
        environment=ENVIRONMENT,
    )


def _format_storage(folder: Path, options: tuple[str, ...], config: Path) -> None:
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    command = build_java_command(
        folder,
        heap_mb=HEAP_MB,
        options=options,
        main=("kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(config)),
    )
    answer = subprocess.run(  # noqa: S603 - made of our own constants
        command, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    if answer.returncode:
        raise Unreachable(
            f"Kafka's storage in {folder / 'data'} could not be formatted:\n"
            f"{answer.stdout}{answer.stderr}"
        )


def kafka_answers(port: int) -> bool:
    """Say whether the broker gives metadata."""
    if not accepts_connections(port):
        return False
    client = AdminClient({"bootstrap.servers": f"{HOST}:{port}", "log_level": 0})
    with contextlib.suppress(KafkaException):
        return bool(client.list_topics(timeout=ANSWER_SECONDS_MAX).brokers)
    return False
