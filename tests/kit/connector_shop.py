"""A site with one declared module of two small tables, and the script that registers it.

Enters: a test's site. Leaves: what `python -m connectors` does and says there, and its change log.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg
import pytest
import requests
from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient

from connectors.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Path(__file__).resolve().parents[2]
WAIT_S = 60
DECLARATION = """
module: shop
engine: postgresql
host: ${ISTHMUS_CAPTURE_HOST}
port: ${ISTHMUS_CAPTURE_PORT}
database: ${ISTHMUS_CAPTURE_DATABASE}
user: ${ISTHMUS_CAPTURE_USER}
password: ${env:ISTHMUS_CAPTURE_PASSWORD}
schema: erp
tables: [account, line]
heartbeat: {interval_ms: 500}
"""


@dataclass(frozen=True, slots=True)
class Shop:
    """A site with one declared module of two small tables."""

    name: str
    folder: Path
    variables: dict[str, str]

    @property
    def connector(self) -> str:
        """The connector's name."""
        return f"{self.name}.shop"

    @property
    def slot(self) -> str:
        """The slot's and the publication's name."""
        return f"isthmus_{self.name}_shop"

    def declare(self, *changes: tuple[str, str]) -> None:
        """Write the declaration, with texts exchanged."""
        text = DECLARATION
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        folder = self.folder / "connectors"
        folder.mkdir(exist_ok=True)
        (folder / "shop.yaml").write_text(text)

    def run(self, *arguments: str, owner_url: str = "") -> subprocess.CompletedProcess[str]:
        """Run the script's commands in this process; no stream may ever hold a password."""
        out, err = io.StringIO(), io.StringIO()
        before = dict(os.environ)
        os.environ.update(self._environment(owner_url))
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = main(arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            os.environ.clear()
            os.environ.update(before)
        return self._check(
            subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())
        )

    def run_script(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the script as a person does, in a process of its own."""
        return self._check(
            subprocess.run(
                [sys.executable, "-m", "connectors", *arguments],
                cwd=REPOSITORY,
                env={**os.environ, **self._environment("")},
                capture_output=True,
                text=True,
                timeout=240,
                check=False,
            )
        )

    def _environment(self, owner_url: str) -> dict[str, str]:
        return {
            **self.variables,
            "ISTHMUS_DECLARATIONS": str(self.folder / "connectors"),
            "ISTHMUS_SITE_NAME": self.name,
            **({"ISTHMUS_LEGACY_OWNER_URL": owner_url} if owner_url else {}),
        }

    def _check(self, done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
        for password in self.passwords():
            assert password not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def plan(self, *arguments: str) -> dict[tuple[str, str], dict[str, Any]]:
        """Plan as JSON: the changes by kind and name; the exit code says whether there are any."""
        done = self.run("plan", "--json", *arguments)
        document = json.loads(done.stdout)
        assert done.returncode == (1 if document["changes"] else 0), done.stderr
        return {(change["kind"], change["name"]): change for change in document["changes"]}

    def apply(self, *arguments: str, owner_url: str = "") -> str:
        """Apply, which must succeed; what it says."""
        done = self.run("apply", *arguments, owner_url=owner_url)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def preflight(self) -> dict[str, dict[str, Any]]:
        """Run the preflight: the findings by their code and subject; 1 when there is a blocker."""
        done = self.run("preflight", "--json")
        found = json.loads(done.stdout)["findings"]
        blocked = any(one["severity"] == "blocker" for one in found)
        assert done.returncode == int(blocked), done.stderr
        return {f"{one['code']} {one['subject']}": one for one in found}

    def change_config(self, **fields: str) -> None:
        """Change the connector's config over REST, as somebody else would; _ stands for a dot."""
        config = self.rest("/config").json()
        config |= {key.replace("_", "."): value for key, value in fields.items()}
        url = f"{self.variables['ISTHMUS_CONNECT_URL']}/connectors/{self.connector}/config"
        answer = requests.put(url, json=config, timeout=60)
        assert answer.ok, answer.text

    def passwords(self) -> list[str]:
        """List the passwords that may not be seen anywhere."""
        owner = urlsplit(self.variables["ISTHMUS_LEGACY_OWNER_URL"]).password
        assert owner
        return [owner, self.variables["ISTHMUS_CAPTURE_PASSWORD"]]

    def legacy(self) -> psycopg.Connection:
        """Connect as the legacy schema's owner."""
        return psycopg.connect(self.variables["ISTHMUS_LEGACY_OWNER_URL"], autocommit=True)

    def admin_url(self) -> str:
        """Give a superuser's URL of the legacy database."""
        admin = urlsplit(self.variables["ISTHMUS_POSTGRES_ADMIN_URL"])
        legacy = urlsplit(self.variables["ISTHMUS_LEGACY_OWNER_URL"])
        return admin._replace(path=legacy.path).geturl()

    def rest(self, path: str) -> requests.Response:
        """Ask Connect directly."""
        url = self.variables["ISTHMUS_CONNECT_URL"]
        return requests.get(f"{url}/connectors/{self.connector}{path}", timeout=60)

    def topics(self) -> set[str]:
        """List the site's topics."""
        admin = AdminClient({"bootstrap.servers": self.variables["ISTHMUS_KAFKA"]})
        names = admin.list_topics(timeout=30).topics
        return {name for name in names if name.startswith(f"{self.name}.")}

    def read_log(self, until: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """Read the change log from its beginning to the first record that `until` accepts."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.variables["ISTHMUS_KAFKA"],
                "group.id": self.name,
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
            }
        )
        records: list[dict[str, Any]] = []
        try:
            consumer.assign([TopicPartition(f"{self.connector}.changes", 0, 0)])
            deadline = time.monotonic() + WAIT_S
            while time.monotonic() < deadline:
                message = consumer.poll(0.5)
                error = message.error() if message is not None else None
                assert error is None or error.code() == KafkaError._PARTITION_EOF, error
                if message is None or error is not None:
                    continue
                value = json.loads(message.value() or b"{}")
                headers = dict(message.headers() or [])
                records.append({"headers": headers, "kind": name_kind(value), "value": value})
                if until(records[-1]):
                    return records
        finally:
            consumer.close()
        pytest.fail(f"not in the log within {WAIT_S} s: {[r['kind'] for r in records][-20:]}")


def effects(change: dict[str, Any]) -> str:
    """Give the effects of a change, one a line."""
    return "\n".join(f"{one['severity']}: {one['text']}" for one in change["effects"])


def name_kind(value: dict[str, Any]) -> str:
    """Name what a record of the change log is."""
    if "aggregate_type" in value:
        return str(value["type"])
    if "status" in value:
        return str(value["status"])
    if "message" in value:
        return f"message {value['message']['prefix']}"
    if "op" in value:
        return f"{value['op']} {value['source']['table']}"
    return "heartbeat"


def leave_out_heartbeats(kinds: list[str]) -> list[str]:
    """Leave out plain heartbeats, and the transactions of which one writes a message."""
    kept: list[str] = []
    for kind in kinds:
        if kept[-2:] == ["BEGIN", "message heartbeat"] and kind == "END":
            del kept[-2:]
        elif kind != "heartbeat":
            kept.append(kind)
    return kept


def content(value: dict[str, Any]) -> str:
    """Decode a logical message's content; "" for other records."""
    return base64.b64decode(value.get("message", {}).get("content", "")).decode()
