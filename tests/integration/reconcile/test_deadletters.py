"""`isthmus deadletters` on the letters of a hub and of two regions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from psycopg.types.json import Jsonb
from reconcile_landscape import Landscape

from pipeline.cli.app import run


class Terminal:
    """Runs `isthmus deadletters` on a site."""

    def __init__(self, landscape: Landscape, capsys: pytest.CaptureFixture[str]) -> None:
        self._site = str(landscape.folder)
        self._capsys = capsys
        self.err = ""

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run a subcommand; return its exit code and what it printed."""
        code = run(["deadletters", *arguments, "--site", self._site])
        printed = self._capsys.readouterr()
        self.err = printed.err
        return code, printed.out

    def json(self, *arguments: str) -> Any:
        """Run a subcommand with --json and return what it printed."""
        return json.loads(self.run(*arguments, "--json")[1])


@pytest.fixture
def terminal(landscape: Landscape, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """Give a terminal, and letters: three in the hub, three in eu."""
    numbers = [
        row[0] for row in landscape.legacy("select ord_no from erp.ord_hdr order by 1 limit 3")
    ]
    landscape.hub("alter sequence hub.dead_letter_id_seq restart with 1")
    landscape.hub(
        "insert into hub.dead_letter (module, origin, aggregate, subject, root_key, reason,"
        " payload) values"
        " ('sales', 'adapter', 'sales.Order', %s, %s, 'unknown code', '{\"secret\": 7}'),"
        " ('customers', 'quality', 'customers.Customer', '5', '[5]', 'broken', null)",
        str(numbers[0]),
        Jsonb([numbers[0]]),
    )
    landscape.hub(
        "insert into hub.dead_letter (module, origin, source_offset, reason, payload)"
        " values ('sales', 'change', 99, 'not JSON', '\\xff00')"
    )
    topic = landscape.settings.events_topic("sales")
    statement = (
        "insert into replication.dead_letter (topic, partition, record_offset, aggregate, subject,"
        " sequence, reason, payload, headers, at) values (%s, 2, %s, %s, %s, %s, 'too long',"
        " '\\x00', '[[\"ce_type\", \"sales.Order.v1\"]]', now())"
    )
    for offset, subject in ((7, str(numbers[1])), (8, str(numbers[2])), (9, "-77")):
        landscape.store("eu", statement, topic, offset, "sales.Order", subject, "b")
    landscape.store(
        "eu",
        "insert into replication.aggregate values ('sales.Order', %s, 'c', false, 'x')",
        str(numbers[2]),
    )
    return Terminal(landscape, capsys)


def test_list_shows_open_letters_of_hub_and_regions(terminal: Terminal) -> None:
    """Open letters are listed with their ids; a superseded one only when asked for."""
    letters = terminal.json("list")
    assert [one["id"] for one in letters] == [
        *("h1", "h2", "h3"),
        *("eu:sales.2.7", "eu:sales.2.9"),
    ]
    assert "secret" not in json.dumps(letters)
    assert [one["id"] for one in terminal.json("list", "--region", "eu", "--resolved")] == [
        *("eu:sales.2.7", "eu:sales.2.8", "eu:sales.2.9")
    ]
    assert [one["id"] for one in terminal.json("list", "--module", "customers")] == ["h2"]
    code, out = terminal.run("list")
    assert code == 0
    assert "h1" in out
    assert terminal.run("list", "--region", "asia")[0] == 2


def test_show_hides_the_payload_unless_asked(terminal: Terminal) -> None:
    """A letter is shown without rows' values; --payload shows them, binary ones in base64."""
    code, out = terminal.run("show", "h1")
    assert code == 0
    assert "unknown code" in out
    assert "secret" not in out
    assert terminal.json("show", "h1", "--payload")["payload"] == '{"secret": 7}'
    assert terminal.json("show", "h3", "--payload")["payload_base64"] == "/wA="
    shown = terminal.json("show", "eu:sales.2.7", "--payload")
    assert shown["headers"] == {"ce_type": "sales.Order.v1"}
    assert shown["type"] == "sales.Order.v1"
    assert terminal.run("show", "h99")[0] == 2
    assert terminal.run("show", "nonsense")[0] == 2
    assert "list" in terminal.err


def test_replay_asks_the_owning_module(landscape: Landscape, terminal: Terminal) -> None:
    """A hub letter and a region's letter become emission requests with the aggregate's root key."""
    assert terminal.run("replay", "h1", "eu:sales.2.7")[0] == 0
    keys = landscape.hub(
        "select module, aggregate, scope, keys, reason from hub.emission order by id"
    )
    first, second = [
        row[0] for row in landscape.legacy("select ord_no from erp.ord_hdr order by 1 limit 2")
    ]
    assert keys == [("sales", "sales.Order", "keys", [[first], [second]], "deadletters replay")]
    assert landscape.hub("select state from hub.dead_letter where id = 1") == [("open",)]
    closed = landscape.store("eu", "select record_offset, state from replication.dead_letter")
    assert dict(closed)[7] == "replayed"


def test_replay_says_what_can_be_done_instead(terminal: Terminal) -> None:
    """What can't be replayed is told with the way out, and the exit code is 1."""
    code, out = terminal.run("replay", "h3", "eu:sales.2.9", "eu:sales.2.8")
    assert code == 1
    assert "snapshot" in out
    assert "no row of sales.Order" in out
    assert "superseded already" in out
    assert terminal.run("replay")[0] == 2
    assert terminal.run("replay", "--all")[0] == 1


def test_drop_keeps_the_reason(landscape: Landscape, terminal: Terminal) -> None:
    """A dropped letter is closed with the reason; a second drop exits 1."""
    assert terminal.run("drop", "h2", "eu:sales.2.9", "--reason", "test data")[0] == 0
    assert landscape.hub("select state, reason from hub.dead_letter where id = 2") == [
        ("dropped", "broken (dropped: test data)")
    ]
    assert terminal.run("drop", "h2", "--reason", "again")[0] == 1
    assert [one["id"] for one in terminal.json("list", "--module", "customers")] == []
