"""Write `artifacts.lock` anew: `python -m pipeline.local_stack.relock`.

Enters: the coordinates of `ROOTS`. jgo resolves what they need, our downloader fetches every file
to learn its sha256 and size. Leaves: the lock file, to be committed.
"""

from __future__ import annotations

import hashlib
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from jgo.maven import MavenContext

from pipeline.local_stack.artifacts import (
    KAFKA,
    LOCK_FILE,
    PLUGINS,
    REGISTRY,
    Artifact,
    format_lock,
    parse_coordinate,
)
from pipeline.local_stack.download import artifact_cache, fetch_unverified, repositories

KAFKA_VERSION = "4.2.0"
"""4.3.0 to 4.4.0 can skip the markers of transactions: docs/adr/0009."""
ROOTS = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    f"org.apache.kafka:connect-runtime:{KAFKA_VERSION}",
    f"org.apache.kafka:connect-json:{KAFKA_VERSION}",
    f"org.apache.kafka:connect-mirror:{KAFKA_VERSION}",
    f"org.apache.kafka:kafka-tools:{KAFKA_VERSION}",
)
"""Resolved together: jgo takes the versions that these manage over all others."""
ALONE = (
    # Kafka speaks slf4j 1.7 and brings log4j-core 2.25.3, but nothing that joins the two
    (KAFKA, "org.apache.logging.log4j:log4j-slf4j-impl:2.25.3"),
    # not 3.6: with transaction metadata it can lose interleaved transactions over a restart
    (PLUGINS["postgresql"], "io.debezium:debezium-connector-postgres:3.7.0.Final:tar.gz:plugin"),
    (PLUGINS["mariadb"], "io.debezium:debezium-connector-mariadb:3.5.0.Final:tar.gz:plugin"),
    (PLUGINS["mysql"], "io.debezium:debezium-connector-mysql:3.6.1.Final:tar.gz:plugin"),
    (PLUGINS["sqlserver"], "io.debezium:debezium-connector-sqlserver:3.6.1.Final:tar.gz:plugin"),
    (PLUGINS["oracle"], "io.debezium:debezium-connector-oracle:3.6.1.Final:tar.gz:plugin"),
    (REGISTRY, "io.apicurio:apicurio-registry-app:3.3.3:tar.gz:all"),
)


def resolve_roots() -> list[str]:
    """Return the coordinates of `ROOTS` and of all that they need at run time."""
    with tempfile.TemporaryDirectory() as folder:
        context: Any = MavenContext(repo_cache=Path(folder), timeout=60)
        roots, others = context.resolver.resolve([context.create_dependency(r) for r in ROOTS])
        found = {(d.groupId, d.artifactId, d.version, d.classifier) for d in [*roots, *others]}
    return [
        f"{group}:{name}:{version}" + (f":jar:{classifier}" if classifier else "")
        for group, name, version, classifier in sorted(found)
    ]


def measure(bundle: str, coordinate: str) -> Artifact:
    """Download one artifact and return it with its sha256 and size."""
    unknown = Artifact(bundle, *parse_coordinate(coordinate), "", 0)
    path = fetch_unverified(unknown, artifact_cache(), repositories())
    content = path.read_bytes()
    return Artifact(
        bundle, *parse_coordinate(coordinate), hashlib.sha256(content).hexdigest(), len(content)
    )


def main() -> None:
    """Resolve, download, measure and write the lock."""
    wanted = [(KAFKA, coordinate) for coordinate in resolve_roots()] + list(ALONE)
    with ThreadPoolExecutor(8) as pool:
        artifacts = tuple(pool.map(lambda one: measure(*one), wanted))
    LOCK_FILE.write_text(format_lock(artifacts))


if __name__ == "__main__":
    main()
