"""The real servers of the tests: one stack per run, databases and a site per test.

Enters: `--stack-dir DIR` to use a stack that `isthmus up` started in DIR. Leaves: the fixtures
`stack`, `databases` and `site` (and `module_databases`, `module_site`, which last for a module).
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import pytest
import requests
from confluent_kafka.admin import AdminClient
from mariadb_packages import MissingMariaDB, find_mariadb
from mariadb_server import MariaDBServer

from pipeline.local_stack.databases import OWNERS, create_databases, drop_databases
from pipeline.local_stack.guard import guarded
from pipeline.local_stack.stack import LocalStack
from pipeline.settings import SITE_FILE, STACK_STATE_FILE, STATE_FOLDER

REPOSITORY = Path(__file__).resolve().parent.parent
HTTP_SECONDS_MAX = 60
KAFKA_SECONDS_MAX = 30


@dataclass(frozen=True, slots=True)
class Site:
    """A test's own site: its folder (for `--site`), its unique name, the variables it reads."""

    folder: Path
    name: str
    variables: dict[str, str]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer a stack that runs already, for quick development."""
    parser.addoption(
        "--stack-dir", type=Path, help="use the local stack of this site's folder and leave it up"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Turn SIGTERM into an interrupt, so that fixtures end what they began.

    A script's background job ignores SIGINT, and so would every program that the tests start.
    """
    del config

    def interrupt(number: int, frame: FrameType | None) -> None:
        del frame
        raise KeyboardInterrupt(f"signal {number}")

    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that needs the stack."""
    for item in items:
        if "stack" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.stack)


@pytest.fixture(scope="session")
def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalStack]:
    """Give the run's stack of real servers, ended with the run."""
    given: Path | None = request.config.getoption("--stack-dir")
    if given is not None:
        running = LocalStack(given)
        running.up()
        yield running
        return
    own = LocalStack(tmp_path_factory.mktemp("stack"))
    with guarded(own):
        own.up()
        yield own


@contextlib.contextmanager
def _database_factory(stack: LocalStack) -> Iterator[Callable[[], dict[str, str]]]:
    admin_url = stack.variables()["ISTHMUS_POSTGRES_ADMIN_URL"]
    suffixes: list[str] = []

    def make() -> dict[str, str]:
        suffixes.append(f"_t{secrets.token_hex(4)}")
        create_databases(admin_url, suffixes[-1])
        return stack.variables(suffixes[-1])

    try:
        yield make
    finally:
        drop_databases(admin_url, [f"{kind}{suffix}" for suffix in suffixes for kind in OWNERS])


@pytest.fixture
def databases(stack: LocalStack) -> Iterator[Callable[[], dict[str, str]]]:
    """Give a factory: each call makes legacy, hub, eu and us anew and returns their variables."""
    with _database_factory(stack) as make:
        yield make


@pytest.fixture(scope="module")
def module_databases(stack: LocalStack) -> Iterator[Callable[[], dict[str, str]]]:
    """Give the same factory for what the tests of a module share."""
    with _database_factory(stack) as make:
        yield make


@pytest.fixture(scope="session")
def mariadb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDBServer]:
    """Give the run's MariaDB server; skip, with the reason, where there can be none."""
    try:
        programs = find_mariadb()
    except MissingMariaDB as problem:
        pytest.skip(str(problem))
    server = MariaDBServer(programs, tmp_path_factory.mktemp("mariadb"))
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def mariadb_url(mariadb_server: MariaDBServer) -> Iterator[str]:
    """Give the URL of an empty MariaDB database of the test's own."""
    name = f"t{secrets.token_hex(4)}"
    with contextlib.closing(mariadb_server.open_session()) as session:
        session.execute(f"create database {name} character set utf8mb4")
        yield mariadb_server.url(name)
        session.execute(f"drop database {name}")


@contextlib.contextmanager
def _site_factory(
    make_databases: Callable[[], dict[str, str]], make_folder: Callable[[], Path]
) -> Iterator[Callable[[], Site]]:
    sites: list[Site] = []

    def make() -> Site:
        site = Site(make_folder(), f"t{secrets.token_hex(4)}", make_databases())
        _write_site(site)
        sites.append(site)
        return site

    try:
        yield make
    finally:
        for site in sites:
            _remove_connectors(site)
            _remove_topics(site)


@pytest.fixture
def site(
    databases: Callable[[], dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Site]]:
    """Give a factory: each call makes a site like the repository's, with databases of its own."""
    with _site_factory(databases, lambda: tmp_path_factory.mktemp("site")) as make:
        yield make


@pytest.fixture(scope="module")
def module_site(
    module_databases: Callable[[], dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Site]]:
    """Give the same factory for what the tests of a module share."""
    with _site_factory(module_databases, lambda: tmp_path_factory.mktemp("site")) as make:
        yield make


def _write_site(site: Site) -> None:
    """Write the repository's isthmus.toml with the site's name and absolute paths."""
    text = (REPOSITORY / SITE_FILE).read_text()
    text = re.sub(r'(?m)^name = ".*"$', f'name = "{site.name}"', text)
    for key in ("connectors", "contracts", "store_migrations"):
        text = re.sub(rf'(?m)^{key} = "(.*)"$', rf'{key} = "{REPOSITORY}/\1"', text)
    (site.folder / SITE_FILE).write_text(text)
    state = site.folder / STATE_FOLDER / STACK_STATE_FILE
    state.parent.mkdir()
    state.write_text(json.dumps({"variables": site.variables}))


def _remove_connectors(site: Site) -> None:
    """Remove the site's connectors, or they would keep its databases' slots busy."""
    url = f"{site.variables['ISTHMUS_CONNECT_URL']}/connectors"
    for name in requests.get(url, timeout=HTTP_SECONDS_MAX).json():
        if name.startswith(f"{site.name}."):
            requests.delete(f"{url}/{name}", timeout=HTTP_SECONDS_MAX)


def _remove_topics(site: Site) -> None:
    """Remove the site's topics: one node has only so many file handles."""
    client = AdminClient({"bootstrap.servers": site.variables["ISTHMUS_KAFKA"]})
    topics = client.list_topics(timeout=KAFKA_SECONDS_MAX).topics
    mine = [topic for topic in topics if topic.startswith(f"{site.name}.")]
    if mine:
        for future in client.delete_topics(mine, operation_timeout=KAFKA_SECONDS_MAX).values():
            future.result(timeout=KAFKA_SECONDS_MAX)
