"""A change log that an open transaction holds, on a real broker."""

from __future__ import annotations

import secrets
from contextlib import closing
from typing import TYPE_CHECKING

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from connectors.health.log_end import LogReader

if TYPE_CHECKING:
    from pipeline.local_stack.stack import LocalStack

SECONDS_MAX = 30


def test_an_open_transaction_holds_a_log_until_it_ends(stack: LocalStack) -> None:
    """What is written and can't be read yet is told by its first offset; an end frees it."""
    servers, topic = stack.variables()["ISTHMUS_KAFKA"], f"t{secrets.token_hex(4)}.changes"
    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(SECONDS_MAX)
    producer = Producer({"bootstrap.servers": servers, "transactional.id": topic})
    producer.init_transactions(SECONDS_MAX)
    with closing(LogReader(servers)) as logs:
        producer.begin_transaction()
        producer.produce(topic, b"done")
        producer.commit_transaction(SECONDS_MAX)
        free = logs.read_ends([topic])[topic]
        assert free.held_at is None
        producer.begin_transaction()
        producer.produce(topic, b"open")
        assert producer.flush(SECONDS_MAX) == 0
        assert logs.read_ends([topic])[topic].held_at == free.high
        producer.abort_transaction(SECONDS_MAX)
        assert logs.read_ends([topic])[topic].held_at is None
