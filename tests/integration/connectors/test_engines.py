"""Every engine's connector against the real plugins: only the server itself is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mariadb_connect import MariaDBConnect
from mariadb_packages import MissingMariaDB

from connectors.client import ConnectClient
from connectors.config import build_config
from connectors.declaration import parse_declaration
from connectors.engines import ENGINES
from connectors.options import collect_complaints
from pipeline.local_stack.ports import HOST, find_free_port
from pipeline.local_stack.stack import LocalStack

SERVER = "database.hostname"
"""What every plugin complains about when no server answers."""
MISSPELT = {
    "snapshot.fetchsize": "snapshot.fetch.size",
    "producer.override.linger": "producer.override.linger.ms",
    "error.retry.timeout": "errors.retry.timeout",
    "topic.creation.default.retention": "topic.creation.default.retention.ms",
}


@pytest.fixture(scope="module")
def worker(
    stack: LocalStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ConnectClient, str]]:
    """Give one worker that has the plugins of all engines, and its broker."""
    variables = stack.variables()
    try:
        own = MariaDBConnect(variables, tmp_path_factory.mktemp("engines"), tuple(ENGINES))
    except MissingMariaDB as problem:
        pytest.skip(str(problem))
    try:
        yield ConnectClient(own.url), variables["ISTHMUS_KAFKA"]
    finally:
        own.close()


def make_config(engine: str, brokers: str, **config: Any) -> dict[str, str]:
    """Make the config of a declaration that uses every key, of a server that is not there."""
    body = {
        "module": "sales",
        "engine": engine,
        "host": HOST,
        "port": find_free_port(()),
        "database": "erp",
        "user": "capture",
        "password": "${env:PATH}",
        "tables": ["ord_hdr", "ord_lin"],
        "keys": {"ord_lin": ["ord_no", "lin_no"]},
        "snapshot": "no_data",
        "heartbeat": {"interval_ms": 500},
        "config": {
            "max.batch.size": 512,
            "producer.override.linger.ms": 2,
            "driver.loginTimeout": 2,  # SQL Server's would try for half a minute
            **config,
        },
        **({"schema": "dbo"} if ENGINES[engine].has_schemas else {}),
    }
    return build_config(parse_declaration(Path("s.yaml"), body, {}), "retail", brokers=brokers)


@pytest.mark.parametrize("engine", ENGINES)
def test_only_the_server_is_missing(worker: tuple[ConnectClient, str], engine: str) -> None:
    """The plugin knows every property and takes every value; it only misses its server."""
    client, brokers = worker
    config = make_config(engine, brokers)
    found = client.validate(config)
    complaints = collect_complaints(config, found)
    assert set(complaints) == {SERVER}, complaints
    assert len(found.options) > len(config)


@pytest.mark.parametrize("engine", ENGINES)
def test_misspelt_options_are_told(worker: tuple[ConnectClient, str], engine: str) -> None:
    """An option that neither plugin nor Connect reads is told with the one that was meant."""
    client, brokers = worker
    config = make_config(engine, brokers, **dict.fromkeys(MISSPELT, "1"))
    complaints = collect_complaints(config, client.validate(config))
    assert complaints.pop(SERVER)
    assert complaints == {
        misspelt: [f"there is no such option: did you mean {right}?"]
        for misspelt, right in MISSPELT.items()
    }


def test_a_value_that_the_plugin_refuses_is_told_in_its_words(
    worker: tuple[ConnectClient, str],
) -> None:
    """A right name with a wrong value is the plugin's to refuse, and it does so by name."""
    client, brokers = worker
    config = make_config("mariadb", brokers, **{"snapshot.locking.mode": "sometimes"})
    complaints = collect_complaints(config, client.validate(config))
    assert "snapshot.locking.mode" in complaints
