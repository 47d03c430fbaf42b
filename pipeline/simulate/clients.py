"""Kafka's clients on the model of the broker: what the stages call of confluent_kafka.

Enters: the calls of `ChangeConsumer`, `EventsConsumer` and `Channel`. Leaves: what the real client
would answer, also when the process is cut off from the broker or another one took over.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from pipeline.simulate.broker import Broker, Entry, Headers, Member, is_visible

if TYPE_CHECKING:
    from pipeline.simulate.kernel import Kernel

BROKER = "broker"
QUEUED_RECORDS = 40
"""Records that a client has fetched ahead at the most."""
_HALF_ANSWERS = 7
"""Of so many answers about a log's ends one is half an answer, as librdkafka's may be when the
broker has just come back: the other half was an error."""


class SimulatedMessage(msgspec.Struct, frozen=True, gc=False):
    """A message as confluent_kafka gives it."""

    place: tuple[str, int]
    position: int
    entry: Entry | None
    failure: KafkaError | None = None

    def error(self) -> KafkaError | None:
        """Return the error that came instead of a record."""
        return self.failure

    def topic(self) -> str:
        """Return the topic."""
        return self.place[0]

    def partition(self) -> int:
        """Return the partition."""
        return self.place[1]

    def offset(self) -> int:
        """Return the offset."""
        return self.position

    def key(self) -> bytes | None:
        """Return the key."""
        return None if self.entry is None else self.entry.key

    def value(self) -> bytes | None:
        """Return the value."""
        return None if self.entry is None else self.entry.value

    def headers(self) -> Headers | None:
        """Return the headers."""
        return None if self.entry is None else self.entry.headers

    def __len__(self) -> int:
        return len(self.value() or b"")


def transport_error() -> KafkaException:
    """Make the error of a client that can't reach the broker."""
    return KafkaException(KafkaError(KafkaError._TRANSPORT, "cut off"))  # noqa: SLF001 - librdkafka's own name


class SimulatedConsumer:
    """A consumer of one process, assigned by hand or by its group."""

    def __init__(self, kernel: Kernel, broker: Broker, config: dict[str, Any]) -> None:
        self._kernel = kernel
        self._broker = broker
        self._group = str(config["group.id"])
        self._process = kernel.process
        self._positions: dict[tuple[str, int], int] = {}
        self._tells_ends = bool(config.get("enable.partition.eof", False))
        self._ends: dict[tuple[str, int], int] = {}
        self._member: Member | None = None
        self._on_assign: Callable[..., Any] | None = None
        self._on_revoke: Callable[..., Any] | None = None
        self._on_lost: Callable[..., Any] | None = None
        self._nothing_at: int | None = None

    def list_topics(self, topic: str | None = None, timeout: float = 0) -> Any:
        """Describe topics."""
        self._call("consumer.list_topics")
        del timeout
        names = self._broker.topics if topic is None else [topic]
        topics = {
            name: SimpleNamespace(partitions=dict.fromkeys(range(len(self._broker.topics[name]))))
            for name in names
        }
        return SimpleNamespace(topics=topics)

    def get_watermark_offsets(self, place: TopicPartition, timeout: float = 0) -> tuple[int, int]:
        """Return where a log begins, and where it ends for readers of committed records.

        Now and then one answer of two is an error, and the other is told for both.
        """
        self._call("consumer.watermarks")
        del timeout
        log = self._broker.topics[place.topic][place.partition]
        end = log.last_stable()
        self._broker.asked += 1
        return end if self._broker.asked % _HALF_ANSWERS == 0 else log.start, end

    def subscribe(
        self,
        topics: list[str],
        on_assign: Callable[..., Any],
        on_revoke: Callable[..., Any],
        on_lost: Callable[..., Any],
    ) -> None:
        """Join the group."""
        self._on_assign, self._on_revoke, self._on_lost = on_assign, on_revoke, on_lost
        self._member = Member(topics, self._is_alive, self._kernel.now)
        self._broker.join(self._group, self._member)

    def assign(self, partitions: list[TopicPartition]) -> None:
        """Read these partitions from these offsets."""
        self._ends = {}
        self._positions = {(one.topic, one.partition): one.offset for one in partitions}

    def unassign(self) -> None:
        """Read nothing."""
        self._positions = {}

    def poll(self, timeout: float) -> SimulatedMessage | None:
        """Return the next message."""
        return next(iter(self.consume(1, timeout)), None)

    def consume(self, count: int, timeout: float) -> list[SimulatedMessage]:
        """Return the next messages; [] when none came in time."""
        self._kernel.step("consumer.consume")
        self._rebalance()
        found = self._fetch(count)
        if not found and timeout > 0:
            self._nothing_at = None
            self._kernel.wait(self._is_ready, timeout)
            self._rebalance()
            found = self._fetch(count)
        return found

    def commit(self, offsets: list[TopicPartition], asynchronous: bool) -> None:  # noqa: FBT001 - the library's signature
        """Keep offsets in the group."""
        del asynchronous
        self._kernel.step("consumer.commit")
        if self._is_cut():
            return
        group = self._broker.groups.get(self._group)
        if group is not None:
            for one in offsets:
                group.offsets[one.topic, one.partition] = one.offset

    def close(self) -> None:
        """Leave the group."""
        self._kernel.step("consumer.close")
        if self._member is not None:
            if self._member.holds and self._on_revoke is not None:
                self._on_revoke(self, [])
            self._broker.leave(self._group, self._member)
            self._member = None
        self._positions = {}

    def _call(self, what: str) -> None:
        self._kernel.step(what)
        if self._is_cut():
            raise transport_error()

    def _is_cut(self) -> bool:
        return self._process.cut_off.get(BROKER, 0.0) > self._kernel.now

    def _is_alive(self) -> bool:
        """Say whether the group hears of this member."""
        process, now = self._process, self._kernel.now
        return (
            process.alive
            and process.paused_until <= now
            and process.cut_off.get(BROKER, 0.0) <= now
        )

    def _is_due(self) -> bool:
        """Say whether the group wants something of this member."""
        member = self._member
        if member is None:
            return False
        generation = self._broker.groups[self._group].generation
        return member.generation != generation

    def _can_rebalance(self) -> bool:
        """Say whether this member has something to give up, or may take what it is to have."""
        member = self._member
        assert member is not None  # noqa: S101 - asked of members
        return bool(member.holds or self._positions) or self._broker.may_join(self._group, member)

    def _rebalance(self) -> None:
        """Give up and take partitions as the group says; callbacks run in here."""
        member = self._member
        if member is None or not self._is_due() or self._is_cut():
            return
        assert self._on_assign is not None and self._on_revoke is not None  # noqa: S101, PT018 - subscribed
        members = self._broker.groups[self._group].members
        if member.holds or self._positions:
            expelled = member not in members
            give_up = self._on_lost if expelled and self._on_lost is not None else self._on_revoke
            give_up(self, [])
            self._broker.give_up(member)
        if member not in members:  # maybe it was expelled while it gave up what it held
            self._broker.join(self._group, member)
        if not self._broker.may_join(self._group, member):
            return
        places = self._broker.take(self._group, member)
        self._on_assign(self, [TopicPartition(topic, number) for topic, number in places])

    def _is_ready(self) -> bool:
        """Say whether there is a record, an error or a rebalance for this member.

        It is asked at anybody's step: where nothing was, nothing is until the broker changes.
        """
        version = self._broker.version
        if self._nothing_at == version or self._is_cut():
            return False
        if (self._is_due() and self._can_rebalance()) or self._has_more():
            return True
        self._nothing_at = version
        return False

    def _has_more(self) -> bool:
        """Say whether a fetch would give a record or an error."""
        topics = self._broker.topics
        for (topic, number), position in self._positions.items():
            log = topics[topic][number]
            if position < log.last_stable() or position > len(log.entries):
                return True
        return False

    def _fetch(self, count: int) -> list[SimulatedMessage]:
        found: list[SimulatedMessage] = []
        if self._is_cut():
            return found
        topics = self._broker.topics
        for place, first in self._positions.items():
            log, position = topics[place[0]][place[1]], first
            if not log.start <= position <= len(log.entries):
                failure = KafkaError(KafkaError._AUTO_OFFSET_RESET, "out of range")  # noqa: SLF001 - as above
                found.append(SimulatedMessage(place, position, None, failure))
                continue
            stable = log.last_stable()
            while position < stable and len(found) < count:
                entry = log.entries[position]
                if is_visible(entry):
                    found.append(SimulatedMessage(place, position, entry))
                position += 1
            self._positions[place] = position
            if self._tells_ends and position == stable != self._ends.get(place):
                self._ends[place] = position
                failure = KafkaError(KafkaError._PARTITION_EOF, "end")  # noqa: SLF001 - as above
                found.append(SimulatedMessage(place, position, None, failure))
        return found


class SimulatedProducer:
    """A transactional producer of one process."""

    def __init__(self, kernel: Kernel, broker: Broker, config: dict[str, Any]) -> None:
        self._kernel = kernel
        self._broker = broker
        self._name = str(config["transactional.id"])
        self._process = kernel.process
        self._epoch = 0

    def init_transactions(self, timeout: float) -> None:
        """Take the transactional id over."""
        del timeout
        self._call("producer.init", fenced=False)
        self._epoch = self._broker.init_producer(self._name)

    def begin_transaction(self) -> None:
        """Begin."""

    def produce(
        self, topic: str, *, value: bytes | None, key: bytes, partition: int, headers: Headers
    ) -> None:
        """Append a record within the transaction."""
        if self._kernel.random.random() < 0.1:  # noqa: PLR2004 - others see some half transactions
            self._call("producer.produce")
        self._check_fence()
        number = self._broker.partition_of(topic, key) if partition < 0 else partition
        transaction = self._broker.transaction(self._name)
        self._broker.append((topic, number), Entry(key, value, headers, transaction))

    def poll(self, timeout: float) -> int:
        """Serve callbacks."""
        del timeout
        return 0

    def flush(self, timeout: float) -> int:
        """Wait until all is acknowledged; return how many records are not."""
        if timeout > 0 and self._is_cut():
            self._kernel.sleep(timeout)
        elif timeout > 0:
            self._kernel.step("producer.flush")
        return int(self._is_cut())

    def purge(self) -> None:
        """Forget what was not sent."""

    def commit_transaction(self, timeout: float) -> None:
        """Commit; the answer may be lost though it was done."""
        del timeout
        self._call("producer.commit")
        self._broker.end_transaction(self._name, "committed")
        self._call("producer.committed", fenced=False)

    def abort_transaction(self, timeout: float) -> None:
        """Abort."""
        del timeout
        self._call("producer.abort")
        self._broker.end_transaction(self._name, "aborted")

    def list_topics(self, topic: str, timeout: float) -> Any:
        """Describe a topic."""
        del timeout
        self._call("producer.list_topics", fenced=False)
        partitions = dict.fromkeys(range(len(self._broker.topics[topic])))
        return SimpleNamespace(topics={topic: SimpleNamespace(error=None, partitions=partitions)})

    def _call(self, what: str, *, fenced: bool = True) -> None:
        self._kernel.step(what)
        if self._is_cut():
            raise transport_error()
        if fenced:
            self._check_fence()

    def _is_cut(self) -> bool:
        return self._process.cut_off.get(BROKER, 0.0) > self._kernel.now

    def _check_fence(self) -> None:
        if self._broker.is_fenced(self._name, self._epoch):
            raise KafkaException(
                KafkaError(KafkaError._FENCED, "fenced", fatal=True)  # noqa: SLF001 - as above
            )
