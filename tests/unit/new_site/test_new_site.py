"""A new site is made whole or not at all, and says what it was given."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.aggregate import load_adapters
from connectors.declaration import known_secrets, load_declarations
from legacy_db.definition import Column, Table
from pipeline.errors import Configuration
from pipeline.new_site.address import Address, parse_address
from pipeline.new_site.modules import choose_tables, leave_out, parse_modules
from pipeline.new_site.writer import NewSite, check_names, write_site
from pipeline.settings import load_settings, read_own_variables

STACK = {
    "ISTHMUS_KAFKA": "localhost:1",
    "ISTHMUS_CONNECT_URL": "http://localhost:2",
    "ISTHMUS_REGISTRY_URL": "http://localhost:3",
    "ISTHMUS_HUB_URL": "postgresql://hub@localhost/hub",
    "ISTHMUS_STORE_EU_URL": "postgresql://eu@localhost/eu",
}
URL = "postgresql://own%40er:p%25w=d@db.example/shop?sslmode=require&sslrootcert=/ca.pem"


def make_table(name: str, *, key: tuple[str, ...] = ("id",)) -> Table:
    """Make a table of two columns."""
    columns = (Column("id", "bigint", nullable=False, attnum=1), Column("v", "text", True, 2))
    return Table("public", name, columns, key)


def make_site(name: str, *tables: Table) -> NewSite:
    """Make a site of one module and region."""
    return NewSite(name, URL, parse_address(URL), "public", {"sales": tables}, ("eu",))


def test_a_site_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Site file, declaration, package and variables fit together; the password is nobody's."""
    for variable, value in STACK.items():
        monkeypatch.setenv(variable, value)
    folder = tmp_path / "below" / "shop"
    write_site(folder, make_site("new-shop", make_table("orders"), make_table("Item$")))
    settings = load_settings(folder)
    assert (settings.site, settings.legacy.engine, list(settings.regions)) == (
        "new-shop",
        "postgresql",
        ["eu"],
    )
    assert settings.legacy.url == settings.legacy.owner_url == URL
    declared = load_declarations(settings.connectors, read_own_variables(folder))["sales"]
    assert (declared.host, declared.port, declared.user) == ("db.example", 5432, "own@er")
    assert declared.tables == ("Item$", "orders")
    assert dict(declared.config) == {
        "database.sslmode": "require",
        "database.sslrootcert": "/ca.pem",
    }
    assert [one.aggregate for one in load_adapters(settings.adapters)] == [
        "sales.Orders",
        "sales.Item",
    ]
    variables = folder / "site.env"
    assert stat.S_IMODE(variables.stat().st_mode) == 0o600
    assert known_secrets(settings.connectors) == ("ISTHMUS_CAPTURE_PASSWORD",)
    assert read_own_variables(folder)["ISTHMUS_CAPTURE_PASSWORD"] == "p%w=d"
    assert "site.env" in (folder / ".gitignore").read_text()


def test_nothing_is_left_of_a_site_that_cannot_be(tmp_path: Path) -> None:
    """Two tables of one name in events: nothing stands there afterwards, not even a scratch."""
    with pytest.raises(Configuration, match=r"would both be sales\.OrdHdr"):
        write_site(
            tmp_path / "shop", make_site("shop", make_table("ord_hdr"), make_table("OrdHdr"))
        )
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_stays_the_same_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever stands in it sees the site; where nothing can be written, one message says so."""
    monkeypatch.chdir(tmp_path)
    write_site(tmp_path, make_site("shop", make_table("orders")))
    assert sorted(one.name for one in Path().iterdir()) == [
        *(".gitignore", "connectors", "isthmus.toml", "shop_site", "site.env"),
    ]
    with pytest.raises(Configuration, match=r"can.t write the site into .*isthmus\.toml"):
        write_site(tmp_path / "isthmus.toml" / "shop", make_site("shop", make_table("orders")))


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    """So is a file; an empty folder will do."""
    check_names(tmp_path, "shop", ("eu",))
    (tmp_path / "mine").write_text("x")
    for folder in (tmp_path, tmp_path / "mine"):
        with pytest.raises(Configuration, match="is there and not empty"):
            check_names(folder, "shop", ("eu",))


def test_names_that_yaml_would_take_for_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module or a table may be called `on`."""
    for variable, value in STACK.items():
        monkeypatch.setenv(variable, value)
    site = replace(make_site("shop"), tables={"on": (make_table("no"),)})
    write_site(tmp_path / "shop", site)
    declared = load_declarations(
        tmp_path / "shop" / "connectors", read_own_variables(tmp_path / "shop")
    )
    assert declared["on"].tables == ("no",)


@pytest.mark.parametrize(
    ("name", "regions", "words"),
    [
        ("Shop", ("eu",), r"name 'Shop' \(--name"),
        ("shop", ("EU",), "--region 'EU'"),
        ("shop", ("eu", "eu"), "one stands twice"),
    ],
)
def test_names_that_cannot_be(
    tmp_path: Path, name: str, regions: tuple[str, ...], words: str
) -> None:
    """Names become those of topics, slots and variables."""
    with pytest.raises(Configuration, match=words):
        check_names(tmp_path, name, regions)


def test_addresses() -> None:
    """What Connect is told is what our own programs are told."""
    assert parse_address("mysql://u:p@h/d") == Address("mariadb", "h", 3306, "d", "u", "p")
    assert parse_address("postgresql://u@h:6000/d").port == 6000
    assert parse_address("postgresql://u:p[x@h/d").password == "p[x"
    assert parse_address("postgresql://u@h/d?sslmode=require&application_name=x").left_out == (
        "application_name",
    )
    for url, words in (
        ("oracle://u:p@h/d", "must be postgresql://"),
        ("host=h user=u dbname=d", "TCP alone"),
        ("postgresql://u@%2Frun/d", "TCP alone"),
        ("postgresql:///d", "user, host is missing"),
        ("postgresql://h/d", "user is missing"),
        ("postgresql://u@h:x/d", "must be postgresql://"),
        ("postgresql://u@h:1,i:2/d", "must be postgresql://"),
        ("postgresql://u@h,i/d", "must be postgresql://"),
        ("postgresql://u@[::1]/d", "must be one name"),
        ("postgresql://u:a%0Ab@h/d", "control character"),
        ("postgresql://u%0Ab@h/d", "control character"),
        ("mysql://u:p[x@h/d", "must be mysql://"),
        ("mysql://u:p@h:x/d", "must be mysql://"),
        ("postgresql://u:p@h", "dbname is missing"),
        ("mysql://u:p@h", "must be mysql://"),
    ):
        with pytest.raises(Configuration, match=words):
            parse_address(url)


def test_tables_are_divided_among_modules() -> None:
    """By name and pattern; without modules, one that is named like the site has all."""
    names = ["ord_hdr", "ord_lin", "cust"]
    modules = parse_modules(["sales=ord_*", "customers=cust"], "shop")
    assert choose_tables(modules, names) == {
        "sales": ("ord_hdr", "ord_lin"),
        "customers": ("cust",),
    }
    assert choose_tables(parse_modules([], "old-shop"), names) == {
        "old_shop": ("cust", "ord_hdr", "ord_lin")
    }


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["sales"], "must be NAME=TABLE"),
        (["Sales=ord_*"], "must be NAME=TABLE"),
        (["sales=a", "sales=b"], "sales stands twice"),
        (["sales=ord_*", "more=*_lin"], "ord_lin belongs to module sales"),
        (["sales=odr_*"], "'odr_\\*' matches no table"),
    ],
)
def test_mistakes_about_modules(texts: list[str], words: str) -> None:
    """Each says which module and what is wrong."""
    with pytest.raises(Configuration, match=words):
        choose_tables(parse_modules(texts, "shop"), ["ord_hdr", "ord_lin"])


def test_tables_that_cannot_be_captured_are_told() -> None:
    """Those without a key, and those whose name no declaration can hold."""
    place = Column("place", "geometry", nullable=True, attnum=1)
    shape = Table("public", "shape", (place,), ("place",))
    found = leave_out(
        [make_table("a"), make_table("log", key=()), make_table("order details"), shape]
    )
    assert list(found) == ["log", "order details", "shape"]
    assert "primary key" in found["log"]
    assert "place (geometry)" in found["shape"]


def test_variables_of_a_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment goes before the file; a line that is none is told by its number."""
    monkeypatch.setenv("ISTHMUS_B", "environment")
    path = tmp_path / "site.env"
    path.write_text("# one\n\nISTHMUS_A=x=y #z \nISTHMUS_B=file\n")
    variables = read_own_variables(tmp_path)
    assert (variables["ISTHMUS_A"], variables["ISTHMUS_B"]) == ("x=y #z ", "environment")
    path.write_text("ISTHMUS_A=1\nexport it\n")
    with pytest.raises(Configuration, match=r"site\.env, line 2: must be NAME=VALUE"):
        read_own_variables(tmp_path)
