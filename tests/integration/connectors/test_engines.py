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

OF_THE_CONNECTION = {"database.hostname", "database.port", "database.user", "database.password"}
UNREACHED = ("unable to connect", "error while validating connector config", "failed to connect")


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
        "config": {"max.batch.size": 512, "producer.override.linger.ms": 2, **config},
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
    assert set(complaints) <= OF_THE_CONNECTION, complaints
    assert len(found.options) > len(config)
    words = " ".join(word for words in complaints.values() for word in words).lower()
    assert any(one in words for one in UNREACHED), complaints


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("misspelt", "right"),
    [
        ("snapshot.fetchsize", "snapshot.fetch.size"),
        ("producer.override.linger", "producer.override.linger.ms"),
        ("error.retry.timeout", "errors.retry.timeout"),
    ],
)
def test_a_misspelt_option_is_told(
    worker: tuple[ConnectClient, str], engine: str, misspelt: str, right: str
) -> None:
    """An option that neither plugin nor Connect reads is told with the one that was meant."""
    client, brokers = worker
    config = make_config(engine, brokers, **{misspelt: "1"})
    complaints = collect_complaints(config, client.validate(config))
    assert complaints[misspelt] == [f"there is no such option: did you mean {right}?"]
    assert set(complaints) <= {misspelt, *OF_THE_CONNECTION}


def test_a_value_that_the_plugin_refuses_is_told_in_its_words(
    worker: tuple[ConnectClient, str],
) -> None:
    """A right name with a wrong value is the plugin's to refuse, and it does so by name."""
    client, brokers = worker
    config = make_config("mariadb", brokers, **{"snapshot.locking.mode": "sometimes"})
    complaints = collect_complaints(config, client.validate(config))
    assert "snapshot.locking.mode" in complaints
