"""The schema registry: Apicurio with an H2 database in a file, Confluent's API at /apis/ccompat/v7.

Enters: the child, a port and the unpacked distribution. Leaves: the Program.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.local_stack.connect import http_answers
from pipeline.local_stack.java import ENVIRONMENT, build_java_command, prepare_java_folder
from pipeline.local_stack.ports import HOST
from pipeline.local_stack.process import Child, Program

HEAP_MB = 384


def build_registry(child: Child, distribution: Path, *, port: int) -> Program:
    """Return what to start; its data lies in `folder`/data."""
    folder = child.folder
    prepare_java_folder(folder)
    (folder / "data").mkdir(exist_ok=True)
    (jar,) = distribution.rglob("quarkus-run.jar")
    return Program(
        child=child,
        command=build_java_command(
            folder,
            heap_mb=HEAP_MB,
            options=(
                f"-Dquarkus.http.host={HOST}",
                f"-Dquarkus.http.port={port}",
                # its management page is not used, and would take port 9000 of every address
                f"-Dquarkus.management.host={HOST}",
                "-Dquarkus.management.port=0",
            ),
            main=("-jar", str(jar)),
        ),
        environment={
            **ENVIRONMENT,
            "APICURIO_STORAGE_KIND": "sql",
            "APICURIO_STORAGE_SQL_KIND": "h2",
            "APICURIO_DATASOURCE_URL": f"jdbc:h2:file:{folder / 'data' / 'registry'}",
        },
    )


def registry_answers(port: int) -> bool:
    """Say whether the Confluent-compatible API serves requests."""
    return http_answers(port, "/apis/ccompat/v7/subjects")
