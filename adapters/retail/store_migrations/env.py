"""Alembic's entry for a region's store: runs on the connection that the caller gives."""

from alembic import context

config = context.config
context.configure(
    connection=config.attributes["connection"],
    target_metadata=None,
    version_table=config.attributes.get("version_table", "alembic_version_projections"),
)
context.run_migrations()
