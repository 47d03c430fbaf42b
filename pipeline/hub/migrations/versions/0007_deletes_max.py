"""How many rows a module's next sweep may delete."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter table hub.module add column deletes_max bigint")
    op.execute("""
        comment on column hub.module.deletes_max is
            'rows that the sweep of the next snapshot may delete; null: nobody has said'
    """)


def downgrade() -> None:
    op.execute("alter table hub.module drop column deletes_max")
