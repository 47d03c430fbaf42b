"""Bad use, bad configuration, servers that are not there: one clear message and an exit code."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from legacy_db.retail.migrations import migrate
from pipeline.cli.app import run
from pipeline.hub.migrate import migrate_hub
from pipeline.settings import SITE_FILE, STACK_STATE_FILE, STATE_FOLDER

REPOSITORY = Path(__file__).resolve().parents[2]
SECONDS_MAX = 90
BAD_USE, NOT_THERE = 2, 3
MESSAGE_LINES_MAX = 6
"""Of a message on stderr, with what a command announces beside it."""


@dataclass(frozen=True, slots=True)
class BadSite:
    """A copy of a good site, to be spoilt."""

    folder: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command that must end by itself, without a traceback."""
        done = subprocess.run(
            [sys.executable, "-m", "pipeline.cli", *arguments, "--site", str(self.folder)],
            cwd=REPOSITORY,
            env={**os.environ, "COLUMNS": "200"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command in this process, for mistakes that are found before anything begins."""
        out, errors = io.StringIO(), io.StringIO()
        program = [*arguments, "--site", str(self.folder)]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            code = run(program)
        return subprocess.CompletedProcess(program, code, out.getvalue(), errors.getvalue())

    def write(self, text: str) -> None:
        """Replace the site file."""
        (self.folder / SITE_FILE).write_text(text)

    def replace(self, before: str, after: str) -> None:
        """Replace a text of the site file, which must be there."""
        text = (self.folder / SITE_FILE).read_text()
        assert before in text
        self.write(text.replace(before, after))

    def set_variables(self, **values: str) -> None:
        """Change variables that the stack gave."""
        path = self.folder / STATE_FOLDER / STACK_STATE_FILE
        document = json.loads(path.read_text())
        document["variables"].update(values)
        path.write_text(json.dumps(document))

    def variable(self, name: str) -> str:
        """Return a variable that the stack gave."""
        path = self.folder / STATE_FOLDER / STACK_STATE_FILE
        return str(json.loads(path.read_text())["variables"][name])


@pytest.fixture(scope="module")
def good_site(module_site: Callable[[], Any]) -> Path:
    """Give a site with a migrated legacy database and hub."""
    folder = Path(module_site().folder)
    good = BadSite(folder)
    migrate(good.variable("ISTHMUS_LEGACY_OWNER_URL"))
    migrate_hub(good.variable("ISTHMUS_HUB_URL"))
    return folder


@pytest.fixture
def bad(good_site: Path, tmp_path: Path) -> BadSite:
    """Give a copy of the good site."""
    return BadSite(Path(shutil.copytree(good_site, tmp_path / "site")))


@pytest.fixture
def closed_port() -> int:
    """Give a port of the loopback where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def assert_told(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """Hold a run to its exit code and to one message on stderr (log lines are JSON beside it)."""
    assert done.returncode == code, done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if line.strip() and line[0] != "{"]
    assert 0 < len(lines) <= MESSAGE_LINES_MAX, done.stderr
    for word in words:
        assert word in done.stderr, done.stderr
    assert sum(line.startswith("isthmus: ") for line in lines) <= 1, done.stderr


COMMANDS = [
    ("translate", "--module", "sales"),
    ("reconcile",),
    ("connectors", "plan"),
    ("workload",),
    ("up",),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_site_file_is_bad_use(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Every command says where it looked for isthmus.toml."""
    assert_told(BadSite(tmp_path).call(*command), BAD_USE, f"no {SITE_FILE} in {tmp_path}")


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("[hub]\n", "[hub\n", "is not TOML"),
        ('name = "', 'nome = "', "unknown key 'nome' in [site]"),
        ('name = "', 'name = "Not A Name', "[site] name"),
        ("[registry]", "[registrar]", "unknown section [registrar]"),
        ("${ISTHMUS_HUB_URL}", "${ISTHMUS_NO_SUCH}", "${ISTHMUS_NO_SUCH}"),
        ('engine = "postgresql"', 'engine = "db2"', "'db2' is not one of"),
        ("event_partitions = 4", 'event_partitions = "4"', "event_partitions"),
        ("[regions.eu]\nurl", "[regions.eu]\nurn", "[regions.eu] needs url"),
        ('adapters = "adapters.retail"', 'adapters = "no.such"', "no.such"),
        ('connectors = "', 'connectors = "/nowhere', "/nowhere"),
        ('contracts = "', 'contracts = "/nowhere', "/nowhere"),
        ("postgresql", "postgresql", "module"),
    ],
)
def test_wrong_site_file_is_bad_configuration(
    bad: BadSite, before: str, after: str, words: str
) -> None:
    """A mistake in isthmus.toml is named by section and key before anything is contacted."""
    bad.replace(before, after)
    command = ["translate", "--module", "sales"] if before != after else ["translate"]
    assert_told(bad.call(*command), BAD_USE, words)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("translate", "--module", "nope"), "no module 'nope'"),
        (("publish", "--module", "nope"), "no module 'nope'"),
        (("reconcile", "--module", "nope"), "nope"),
        (("reconcile", "--region", "nope"), "no region 'nope'"),
        (("replicate", "--region", "nope"), "no region 'nope'"),
        (("deadletters", "show", "h0x"), "'h0x' is not the id"),
        (("deadletters", "replay"), "name the letters"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else "",
)
def test_unknown_names_are_bad_use(bad: BadSite, command: tuple[str, ...], words: str) -> None:
    """An unknown module, region or letter is refused, and the known ones are listed."""
    assert_told(bad.call(*command), BAD_USE, words)


@pytest.mark.parametrize(
    "command",
    [
        ("translate", "--module", "sales"),
        ("publish",),
        ("replicate", "--region", "eu"),
        ("connectors", "plan"),
    ],
    ids=" ".join,
)
def test_unreachable_broker(bad: BadSite, closed_port: int, command: tuple[str, ...]) -> None:
    """Without a broker a process ends with 3 and names the address that it tried."""
    bad.set_variables(ISTHMUS_KAFKA=f"127.0.0.1:{closed_port}")
    assert_told(bad.run(*command), NOT_THERE, str(closed_port))


@pytest.mark.parametrize("command", [("contracts", "check"), ("contracts", "register")])
def test_unreachable_registry(bad: BadSite, closed_port: int, command: tuple[str, ...]) -> None:
    """Without a registry the contracts' commands end with 3."""
    bad.set_variables(ISTHMUS_REGISTRY_URL=f"http://127.0.0.1:{closed_port}/apis/ccompat/v7")
    assert_told(bad.run(*command), NOT_THERE, str(closed_port))


def test_unreachable_connect(bad: BadSite, closed_port: int) -> None:
    """Without Connect the connectors' commands end with 3."""
    bad.set_variables(ISTHMUS_CONNECT_URL=f"http://127.0.0.1:{closed_port}")
    assert_told(bad.run("connectors", "status"), NOT_THERE, str(closed_port))


@pytest.mark.parametrize(
    ("variable", "command"),
    [
        ("ISTHMUS_HUB_URL", ("translate", "--module", "sales")),
        ("ISTHMUS_HUB_URL", ("publish",)),
        ("ISTHMUS_HUB_URL", ("deadletters", "list")),
        ("ISTHMUS_HUB_URL", ("reconcile",)),
        ("ISTHMUS_LEGACY_URL", ("reconcile",)),
        ("ISTHMUS_LEGACY_OWNER_URL", ("connectors", "apply")),
        ("ISTHMUS_LEGACY_APP_URL", ("workload",)),
        ("ISTHMUS_STORE_EU_URL", ("replicate", "--region", "eu")),
    ],
    ids=lambda one: one if isinstance(one, str) else " ".join(one),
)
def test_unreachable_database(
    bad: BadSite, closed_port: int, variable: str, command: tuple[str, ...]
) -> None:
    """Without a database that it needs a command ends with 3; no password is shown."""
    url = bad.variable(variable)
    before = conninfo_to_dict(url)
    changed = url.replace(f":{before['port']}/", f":{closed_port}/")
    assert changed != url
    bad.set_variables(**{variable: changed})
    done = bad.run(*command)
    assert_told(done, NOT_THERE, str(closed_port))
    assert str(before["password"]) not in done.stdout + done.stderr


def test_incompatible_contract_is_refused(bad: BadSite) -> None:
    """A contract that readers of the one before can't read is refused before it is registered."""
    contracts = bad.folder / "contracts"
    shutil.copytree(REPOSITORY / "adapters" / "retail" / "contracts", contracts)
    bad.replace(f'"{REPOSITORY}/adapters/retail/contracts"', f'"{contracts}"')
    assert bad.run("contracts", "register").returncode == 0
    path = contracts / "inventory.StockLevel.v1.avsc"
    document = json.loads(path.read_text())
    document["fields"].append({"name": "shelf", "type": "string"})
    path.write_text(json.dumps(document))
    for command in ("check", "register"):
        done = bad.run("contracts", command)
        assert_told(done, BAD_USE, "shelf")


def test_table_that_does_not_exist_is_refused(bad: BadSite) -> None:
    """A declared table that the legacy database does not have is named, and nothing is made."""
    connectors = bad.folder / "connectors"
    shutil.copytree(REPOSITORY / "connectors" / "retail", connectors)
    bad.replace(f'"{REPOSITORY}/connectors/retail"', f'"{connectors}"')
    path = connectors / "sales.yaml"
    path.write_text(path.read_text().replace("shipmt]", "shipmt, no_such]"))
    for command in (("connectors", "apply"), ("translate", "--module", "sales")):
        assert_told(bad.run(*command), BAD_USE, "no_such")
    with psycopg.connect(bad.variable("ISTHMUS_LEGACY_OWNER_URL")) as legacy:
        assert legacy.execute("select pubname from pg_publication").fetchall() == []
