"""The lock of the local stack's artifacts: what it says, what it refuses."""

from __future__ import annotations

import pytest

from pipeline.errors import Configuration
from pipeline.local_stack.artifacts import (
    DEBEZIUM,
    KAFKA,
    LOCK_FILE,
    REGISTRY,
    Artifact,
    format_lock,
    parse_lock,
    read_lock,
)

JAR = Artifact("kafka", "org.example", "thing", "1.0", "jar", "", "0" * 64, 10)
ARCHIVE = Artifact("registry", "org.example", "app", "2.0", "tar.gz", "all", "a" * 64, 20)


def test_lock_reads_back_what_was_written() -> None:
    """Writing artifacts and parsing the text gives the same artifacts, sorted."""
    assert parse_lock(format_lock((ARCHIVE, JAR))) == (JAR, ARCHIVE)


def test_paths_follow_the_layout_of_a_maven_repository() -> None:
    """Group folders, name, version, then name-version-classifier.packaging."""
    assert JAR.path == "org/example/thing/1.0/thing-1.0.jar"
    assert ARCHIVE.path == "org/example/app/2.0/app-2.0-all.tar.gz"


@pytest.mark.parametrize(
    "line",
    [
        "kafka org.example:thing:1.0 0123 10",
        f"kafka org.example:thing {'0' * 64} 10",
        f"kafka org.example:thing:1.0:jar {'0' * 64} 10",
        f"kafka org.example:thing:1.0 {'0' * 64}",
        f"kafka org.example:thing:1.0 {'0' * 64} ten",
        "<<<<<<< ours",
    ],
)
def test_a_broken_line_is_refused_by_number(line: str) -> None:
    """A line that is not bundle, coordinate, sha256 and size is named with its number."""
    with pytest.raises(Configuration, match=r"artifacts\.lock:2: expected"):
        parse_lock(f"# a comment\n{line}\n")


def test_the_committed_lock_is_whole() -> None:
    """The lock names one Kafka version, one archive for each unpacked bundle, and no URL."""
    artifacts = read_lock()
    assert {a.version for a in artifacts if a.group == "org.apache.kafka"} == {"4.3.1"}
    archives = {a.bundle: a.coordinate for a in artifacts if a.packaging == "tar.gz"}
    assert archives == {
        DEBEZIUM: "io.debezium:debezium-connector-postgres:3.7.0.Final:tar.gz:plugin",
        REGISTRY: "io.apicurio:apicurio-registry-app:3.3.3:tar.gz:all",
    }
    assert any(a.name == "log4j-slf4j-impl" and a.bundle == KAFKA for a in artifacts)
    assert "://" not in LOCK_FILE.read_text()
