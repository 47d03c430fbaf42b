"""Which registry id stands for a stored schema (pipeline.publish.schema_ids)."""

from __future__ import annotations

import pytest

from pipeline.errors import Fatal, Retriable, Unreachable
from pipeline.publish.schema_ids import REFRESH_SECONDS, SchemaIds


class _FakeRegistry:
    """Gives rising ids; `lost` makes it answer nothing."""

    def __init__(self) -> None:
        self.subjects: list[str] = []
        self.lost = False

    def register(self, subject: str, text: str) -> int:
        if self.lost:
            raise Unreachable("the registry does not answer")
        assert text
        self.subjects.append(subject)
        return 100 + len(self.subjects)

    def close(self) -> None:
        self.lost = True


def _read_schema(fingerprint: str) -> tuple[str, str]:
    if fingerprint == "unknown":
        raise Fatal("hub.schema has no such fingerprint")
    return f"subject of {fingerprint}", "{}"


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_schema_is_registered_once_under_its_own_subject() -> None:
    """What is known is not asked for again within REFRESH_SECONDS."""
    registry = _FakeRegistry()
    ids = SchemaIds(registry, _Clock())
    assert ids.resolve(["a"], _read_schema) == {"a": 101}
    assert ids.resolve(["a", "b"], _read_schema) == {"a": 101, "b": 102}
    assert registry.subjects == ["subject of a", "subject of b"]


def test_a_registry_that_is_new_gives_new_ids_after_the_refresh() -> None:
    """A lost registry loses nothing: its successor is told every schema that is in use."""
    registry, clock = _FakeRegistry(), _Clock()
    ids = SchemaIds(registry, clock)
    ids.resolve(["a"], _read_schema)
    clock.now += REFRESH_SECONDS + 1
    assert ids.resolve(["a"], _read_schema) == {"a": 102}


def test_an_unknown_schema_waits_for_a_registry_that_is_away() -> None:
    """Nothing can be put in front of the payload, so the batch is tried again later."""
    registry = _FakeRegistry()
    registry.lost = True
    with pytest.raises(Retriable):
        SchemaIds(registry, _Clock()).resolve(["a"], _read_schema)


def test_a_known_schema_does_not_wait_for_a_registry_that_is_away() -> None:
    """The id that was right a minute ago is used."""
    registry, clock = _FakeRegistry(), _Clock()
    ids = SchemaIds(registry, clock)
    ids.resolve(["a"], _read_schema)
    registry.lost = True
    clock.now += REFRESH_SECONDS + 1
    assert ids.resolve(["a"], _read_schema) == {"a": 101}


def test_a_schema_that_the_hub_does_not_have_is_fatal() -> None:
    """Fatal is no outage: it is not taken for one even where the registry answers."""
    with pytest.raises(Fatal):
        SchemaIds(_FakeRegistry(), _Clock()).resolve(["unknown"], _read_schema)
