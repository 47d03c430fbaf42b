"""Alembic's entry for the hub: runs on the connection that migrate_hub gives."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=None, version_table="alembic_version_hub")
context.run_migrations()
