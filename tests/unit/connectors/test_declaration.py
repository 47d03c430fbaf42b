"""Declarations: what is accepted, and what each mistake is told with."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.declaration import known_engines, known_modules, load_declarations
from connectors.errors import Configuration
from connectors.target import Target, desired_state

VARIABLES = {"HOST": "db.example", "PORT": "5433"}
GOOD = """
module: sales
engine: postgresql
host: ${HOST}
port: ${PORT}
database: legacy
user: capture
password: ${env:CAPTURE_PASSWORD}
schema: erp
tables: [ord_lin, ord_hdr]
"""


def write(folder: Path, text: str, name: str = "sales.yaml") -> Path:
    """Write one declaration file."""
    path = folder / name
    path.write_text(text)
    return path


def refusal(folder: Path, text: str) -> str:
    """Give the text of the error that a file's content leads to."""
    path = write(folder, text)
    with pytest.raises(Configuration) as caught:
        load_declarations(folder, VARIABLES)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_good_declaration(tmp_path: Path) -> None:
    """Variables are filled, tables sorted, defaults taken, the secret stays a reference."""
    write(tmp_path, GOOD)
    declaration = load_declarations(tmp_path, VARIABLES)["sales"]
    assert (declaration.host, declaration.port) == ("db.example", 5433)
    assert declaration.tables == ("ord_hdr", "ord_lin")
    assert declaration.epoch == 1
    assert declaration.password == "${env:CAPTURE_PASSWORD}"


def test_a_signal_table_is_published_and_written(tmp_path: Path) -> None:
    """Where `config` names one, Debezium is sent its rows and may write its watermarks into it."""
    write(tmp_path, GOOD + "config: {signal.data.collection: erp.signals}")
    declaration = load_declarations(tmp_path, VARIABLES)["sales"]
    assert declaration.signal_table == "signals"
    assert declaration.tables == ("ord_hdr", "ord_lin")
    target = Target("shop", {"sales": declaration}, "", "", "")
    state = desired_state(target)
    (publication,) = state.publications.values()
    assert publication.tables == ("erp.ord_hdr", "erp.ord_lin", "erp.signals")
    written = {grant.table for grant in state.grants if grant.privilege == "insert"}
    assert written == {"signals"}


def test_tables_that_a_snapshot_reads_in_part_are_known(tmp_path: Path) -> None:
    """They are those of a filter, and without a snapshot all of them; none otherwise."""
    key = "snapshot.select.statement.overrides"
    for more, expected in (
        ("", set()),
        (f"config: {{{key}: 'erp.ord_lin'}}", {"ord_lin"}),
        ("snapshot: no_data", {"ord_lin", "ord_hdr"}),
    ):
        write(tmp_path, GOOD + more)
        declaration = load_declarations(tmp_path, VARIABLES)["sales"]
        assert declaration.partly_read == expected


def test_a_target_is_narrowed_to_one_module(tmp_path: Path) -> None:
    """What is declared of the other modules is not there to be applied."""
    write(tmp_path, GOOD)
    write(tmp_path, GOOD.replace("sales", "stock").replace("ord_", "stk_"), "stock.yaml")
    target = Target("shop", load_declarations(tmp_path, VARIABLES), "", "", "")
    assert set(desired_state(target).connectors) == {"shop.sales", "shop.stock"}
    assert set(desired_state(target.only("sales")).connectors) == {"shop.sales"}


def test_engines_are_known_without_any_variable(tmp_path: Path) -> None:
    """The declared engines are read from the files alone; a folder without files has none."""
    assert known_engines(tmp_path) == known_engines(tmp_path / "absent") == ()
    write(tmp_path, GOOD)
    write(tmp_path, GOOD.replace("postgresql", "mariadb"), "other.yaml")
    assert known_engines(tmp_path) == ("postgresql", "mariadb")


def test_site_retail_declares_three_modules() -> None:
    """The reference site captures customers, inventory and sales; that needs no variable."""
    folder = Path(__file__).resolve().parents[3] / "connectors" / "retail"
    assert known_modules(folder) == ("customers", "inventory", "sales")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("tables:", "tabels:"), "unknown key tabels: did you mean tables?"),
        (
            ("epoch: 1", "epoch: 1\nheartbeat: {intervall_ms: 5}"),
            "did you mean heartbeat.interval_ms",
        ),
        (("schema: erp\n", ""), "schema: is missing"),
        (("${HOST}", "${NOWHERE}"), "host: ${NOWHERE} is neither in the environment nor"),
        (("${PORT}", "many"), "port: a positive number is needed, not 'many'"),
        (("epoch: 1", "epoch: 0"), "epoch: a positive number is needed, not 0"),
        (("postgresql", "oracle7"), "engine: 'oracle7' is none of postgresql"),
        (("module: sales", "module: Sales"), "module: 'Sales' must be lower-case"),
        (
            ("[ord_lin, ord_hdr]", "[erp.ord_hdr]"),
            "tables: 'erp.ord_hdr' must be a plain table name",
        ),
        (("[ord_lin, ord_hdr]", "['erp.*']"), "tables: 'erp.*' must be a plain table name"),
        (("epoch: 1", "snapshot: never"), "snapshot: 'never' is none of initial, no_data"),
        (("epoch: 1", "keys: [a]"), "keys: needs tables (table: [column, ...])"),
        (("epoch: 1", "keys: {ord_lin: []}"), "keys.ord_lin: the columns that tell a row"),
        (("epoch: 1", "keys: {ord_lin: [a, a]}"), "keys.ord_lin: the columns that tell a row"),
        (("epoch: 1", "keys: {other: [id]}"), "keys: 'other' is none of the captured tables"),
        (("epoch: 1", "barrier_table: b"), "barrier_table: postgresql needs none"),
        (("[ord_lin, ord_hdr]", "[ord_hdr, ord_hdr]"), "tables: ord_hdr stands twice"),
        (("[ord_lin, ord_hdr]", "ord_hdr"), "tables: a list"),
        (("schema: erp", "schema: erp\nschema: other"), "key 'schema' stands twice"),
        (("schema: erp", "schema: [erp"), "is not good YAML"),
        (
            ("epoch: 1", "config: {signal.data.collection: other.signals}"),
            "'other.signals' must be a table of schema erp",
        ),
        (
            ("epoch: 1", "config: {signal.data.collection: erp.ord_hdr}"),
            "stands nowhere under tables",
        ),
        (("epoch: 1", "config: {a.b: [1]}"), "config.a.b: a text, number or boolean is needed"),
    ],
)
def test_mistake_is_named(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    """Every mistake is told with the file, the key and what is right."""
    assert words in refusal(tmp_path, (GOOD + "epoch: 1\n").replace(*change))


@pytest.mark.parametrize("password", ["hunter2", "${CAPTURE_PASSWORD}", "x${env:CAPTURE_PASSWORD}"])
def test_password_must_be_reference(tmp_path: Path, password: str) -> None:
    """A password in the clear, or filled by us, is refused, and the error does not show it."""
    text = refusal(tmp_path, GOOD.replace("${env:CAPTURE_PASSWORD}", password))
    assert "password: must be a reference that Connect itself resolves" in text
    assert "hunter2" not in text


def test_secret_override_must_be_reference(tmp_path: Path) -> None:
    """A secret among the free overrides is refused in the clear, too."""
    text = refusal(tmp_path, GOOD + "config: {producer.override.sasl.jaas.config: hunter2}")
    assert "config.producer.override.sasl.jaas.config: must be a reference" in text
    assert "hunter2" not in text


def test_table_belongs_to_one_module(tmp_path: Path) -> None:
    """The same table in two modules is refused: its changes would have two orders."""
    write(tmp_path, GOOD, "a.yaml")
    text = refusal(tmp_path, GOOD.replace("module: sales", "module: other"))
    assert "belongs to module 'sales' already" in text or "belongs to module 'other'" in text


def test_module_declared_twice(tmp_path: Path) -> None:
    """Two files of one module are refused."""
    write(tmp_path, GOOD, "a.yaml")
    assert "module 'sales' is declared a second time" in refusal(tmp_path, GOOD)


def test_no_folder_and_no_file(tmp_path: Path) -> None:
    """A missing or empty folder is bad configuration."""
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(Configuration, match=str(folder)):
            load_declarations(folder, VARIABLES)
