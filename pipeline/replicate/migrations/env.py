"""Alembic's entry for a store's own tables: runs on the connection that migrate_store gives."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=None,
    version_table="alembic_version",
    version_table_schema="replication",
)
context.run_migrations()
