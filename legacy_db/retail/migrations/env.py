"""Alembic's entry: runs the revisions on the connection that `migrate` opened."""

from alembic import context
from sqlalchemy import text

connection = context.config.attributes["connection"]
schema = context.config.attributes["schema"]
quoted = connection.dialect.identifier_preparer.quote(schema)
# the revisions name tables without a schema, so that one ERP can stand beside another
is_postgresql = connection.dialect.name == "postgresql"
connection.execute(text(f"set local search_path to {quoted}" if is_postgresql else f"use {quoted}"))
context.configure(
    connection=connection, version_table="alembic_version", version_table_schema=schema
)
context.run_migrations()
