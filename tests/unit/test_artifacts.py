"""The lock of the local stack's artifacts: what it says, what it refuses."""

from __future__ import annotations

import pytest

from connectors.engines import ENGINES
from pipeline.errors import Configuration
from pipeline.local_stack.artifacts import (
    KAFKA,
    LOCK_FILE,
    PLUGINS,
    REGISTRY,
    Artifact,
    choose_plugins,
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
    assert {a.version for a in artifacts if a.group == "org.apache.kafka"} == {"4.2.0"}
    archives = {a.bundle: a.coordinate for a in artifacts if a.packaging == "tar.gz"}
    assert archives == {
        **{
            PLUGINS[engine]: f"io.debezium:debezium-connector-{name}.Final:tar.gz:plugin"
            for engine, name in (
                ("postgresql", "postgres:3.7.0"),
                ("mariadb", "mariadb:3.5.0"),
                ("mysql", "mysql:3.6.1"),
                ("sqlserver", "sqlserver:3.6.1"),
                ("oracle", "oracle:3.6.1"),
            )
        },
        REGISTRY: "io.apicurio:apicurio-registry-app:3.3.3:tar.gz:all",
    }
    assert any(a.name == "log4j-slf4j-impl" and a.bundle == KAFKA for a in artifacts)
    assert "://" not in LOCK_FILE.read_text()


def test_every_engine_that_can_be_declared_has_a_plugin() -> None:
    """Plugins are chosen by the declarations' words for engines; another word is refused."""
    assert set(PLUGINS) == set(ENGINES)
    assert choose_plugins(["oracle", "mariadb"]) == ("debezium-mariadb", "debezium-oracle")
    with pytest.raises(Configuration, match="no engine 'maria': known are postgresql, mariadb"):
        choose_plugins(["maria"])
