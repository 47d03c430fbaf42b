"""Writes a site's package of identity adapters: contracts, adapters, and the stores' migrations.

Enters: a folder, the site's name and the tables' definitions by module. Leaves: a package that the
site file names: generated once, then the site's own, to be read, changed and committed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from string import Template

from adapters.contract import make_contract
from adapters.errors import Configuration
from adapters.identity.adapter import IdentityAdapter
from adapters.identity.definitions import TABLES_FILE, Tables, make_adapters, write_tables
from legacy_db.supported_types import base_type

CONTRACTS = "contracts"
STORE_MIGRATIONS = "store_migrations"

_PACKAGE = '''"""Every captured table is an aggregate of its own: its rows are told as they are.

The tables' definitions stand in tables.json. To tell a table in another way, leave it out of
`TABLES` and write an adapter and a projection for it.
"""

from __future__ import annotations

from pathlib import Path

from adapters.identity import load_tables, make_adapters

TABLES = load_tables(Path(__file__).with_name("tables.json"))
ADAPTERS = make_adapters(TABLES)
PROJECTIONS = tuple(adapter.projection() for adapter in ADAPTERS)
'''

_ENVIRONMENT = '''"""Alembic's entry for a region's store: runs on the given connection."""

from alembic import context

config = context.config
context.configure(
    connection=config.attributes["connection"],
    target_metadata=None,
    version_table=config.attributes.get("version_table", "alembic_version_projections"),
)
context.run_migrations()
'''

_REVISION = Template('''"""The projections' tables: those of the legacy database, keys only."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
$created

def downgrade() -> None:
$dropped''')

_STORE_TYPES = {
    "integer": "sa.Integer",
    "bigint": "sa.BigInteger",
    "boolean": "sa.Boolean",
    "real": "sa.REAL",
    "double precision": "sa.Double",
    "text": "sa.Text",
    "bytea": "sa.LargeBinary",
    "date": "sa.Date",
    "timestamp without time zone": "sa.TIMESTAMP",
    "timestamp with time zone": "sa.TIMESTAMP(timezone=True)",
}


def write_site_package(folder: Path, site: str, tables: Tables) -> None:
    """Write the package into `folder`, which must be empty or not there yet.

    Configuration when a table can't be told so, or when something stands in the folder already.
    """
    adapters = make_adapters(tables)
    if not adapters:
        raise Configuration(f"no table for the package {folder}: the declarations match none")
    if folder.is_dir() and any(folder.iterdir()):
        raise Configuration(f"{folder} is not empty: name another folder, or clear it out")
    contracts = folder / CONTRACTS
    versions = folder / STORE_MIGRATIONS / "versions"
    contracts.mkdir(parents=True)
    versions.mkdir(parents=True)
    for adapter in adapters:
        contract = make_contract(adapter.contract, adapter.schema(site))
        text = json.dumps(contract.schema, indent=2, ensure_ascii=False)
        (contracts / f"{contract.type}.avsc").write_text(f"{text}\n", encoding="utf-8")
    (folder / "__init__.py").write_text(_PACKAGE, encoding="utf-8")
    write_tables(folder / TABLES_FILE, tables)
    (folder / STORE_MIGRATIONS / "env.py").write_text(_ENVIRONMENT, encoding="utf-8")
    (versions / "0001_projections.py").write_text(write_revision(adapters), encoding="utf-8")


def write_revision(adapters: Sequence[IdentityAdapter]) -> str:
    """Write the Alembic revision that makes the projections' tables."""
    created = "".join(_create(adapter) for adapter in adapters)
    names = [_quote(adapter.root) for adapter in reversed(adapters)]
    dropped = "".join(f'    op.drop_table({name}, schema="public")\n' for name in names)
    return _REVISION.substitute(created=created, dropped=dropped)


def _create(adapter: IdentityAdapter) -> str:
    lines = ["    op.create_table(", f"        {_quote(adapter.root)},"]
    for field in adapter.fields:
        key = ", primary_key=True, autoincrement=False" if field in adapter.key else ""
        lines.append(f"        sa.Column({_quote(field.name)}, {_store_type(field.store)}{key}),")
    return "\n".join([*lines, '        schema="public",', "    )\n"])


def _store_type(store: str) -> str:
    if base_type(store) == "numeric":
        precision, scale = re.findall(r"\d+", store)
        return f"sa.Numeric({precision}, {scale})"
    return _STORE_TYPES[store]


def _quote(text: str) -> str:
    return json.dumps(text)
