"""What the local stack needs from a Maven repository, pinned by coordinate, sha256 and size.

Enters: `artifacts.lock`, one artifact a line, without any URL. Leaves: `Artifact` values. To change
a version: edit `ROOTS` in `relock.py` and run `python -m pipeline.local_stack.relock`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Configuration

LOCK_FILE = Path(__file__).with_name("artifacts.lock")

KAFKA = "kafka"
"""The class path of the broker and of Connect: both are Apache Kafka, of one version."""
REGISTRY = "registry"
PLUGINS = {
    "postgresql": "debezium-postgres",
    "mariadb": "debezium-mariadb",
    "mysql": "debezium-mysql",
    "sqlserver": "debezium-sqlserver",
    "oracle": "debezium-oracle",
}
"""Debezium's connector for each engine; only those that are asked for are fetched."""
DEFAULT_ENGINES = ("postgresql",)

_LINE = re.compile(
    r"(?P<bundle>\S+) (?P<coordinate>[^\s:]+:[^\s:]+:[^\s:]+(:[^\s:]+:[^\s:]*)?)"
    r" (?P<sha256>[0-9a-f]{64}) (?P<size>[0-9]+)"
)


@dataclass(frozen=True, slots=True, order=True)
class Artifact:
    """One file of a Maven repository; `size` in bytes, `bundle` is the part that needs it."""

    bundle: str
    group: str
    name: str
    version: str
    packaging: str
    classifier: str
    sha256: str
    size: int

    @property
    def coordinate(self) -> str:
        """The Maven coordinate `group:name:version[:packaging:classifier]`."""
        parts = [self.group, self.name, self.version]
        if self.packaging != "jar" or self.classifier:
            parts += [self.packaging, self.classifier]
        return ":".join(parts)

    @property
    def path(self) -> str:
        """The path in a Maven repository, relative, with forward slashes."""
        suffix = f"-{self.classifier}" if self.classifier else ""
        file = f"{self.name}-{self.version}{suffix}.{self.packaging}"
        return f"{self.group.replace('.', '/')}/{self.name}/{self.version}/{file}"


def parse_coordinate(text: str) -> tuple[str, str, str, str, str]:
    """Split a well-formed coordinate into group, name, version, packaging and classifier."""
    group, name, version, *rest = text.split(":")
    packaging, classifier = rest or ("jar", "")
    return group, name, version, packaging, classifier


def parse_lock(text: str, path: Path = LOCK_FILE) -> tuple[Artifact, ...]:
    """Parse the lines `bundle coordinate sha256 size`; Configuration names file and line."""
    artifacts = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise Configuration(
                f"{path}:{number}: expected 'bundle group:name:version sha256 size': restore the "
                "file, or write it again with `python -m pipeline.local_stack.relock`"
            )
        artifacts.append(
            Artifact(
                match["bundle"],
                *parse_coordinate(match["coordinate"]),
                match["sha256"],
                int(match["size"]),
            )
        )
    return tuple(artifacts)


def format_lock(artifacts: tuple[Artifact, ...]) -> str:
    """Write the lock: sorted, one artifact a line."""
    head = "# Written by `python -m pipeline.local_stack.relock`: bundle coordinate sha256 size\n"
    return head + "".join(
        f"{one.bundle} {one.coordinate} {one.sha256} {one.size}\n" for one in sorted(artifacts)
    )


def read_lock() -> tuple[Artifact, ...]:
    """Read the lock that lies beside this module."""
    return parse_lock(LOCK_FILE.read_text())


def choose_plugins(engines: Collection[str]) -> tuple[str, ...]:
    """Give the bundles of the engines' connectors; Configuration lists the known engines."""
    for engine in engines:
        if engine not in PLUGINS:
            raise Configuration(f"no engine {engine!r}: known are {', '.join(PLUGINS)}")
    return tuple(bundle for engine, bundle in PLUGINS.items() if engine in engines)
