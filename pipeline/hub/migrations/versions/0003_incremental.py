"""What a module's translator must remember of an incremental snapshot."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter table hub.module add column incremental boolean not null default false")
    op.execute("""
        comment on column hub.module.incremental is
            'whether an incremental snapshot is running: what it corrects is told afterwards'
    """)


def downgrade() -> None:
    op.execute("alter table hub.module drop column incremental")
