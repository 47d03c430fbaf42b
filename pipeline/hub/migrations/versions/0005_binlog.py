"""What a module's translator must remember of a binary log (MariaDB): GTIDs and what is open."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter table hub.module add column binlog jsonb")
    op.execute("""
        comment on column hub.module.binlog is
            'for MariaDB: the last sequence of each GTID domain, the newest time, what is open'
    """)


def downgrade() -> None:
    op.execute("alter table hub.module drop column binlog")
