"""Why a change log is doubted, where no connector started within a transaction."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter table hub.doubt add column reason text")
    op.execute("""
        comment on column hub.doubt.reason is
            'what lost changes, found by the care of a running site; null: see the table'
    """)


def downgrade() -> None:
    op.execute("alter table hub.doubt drop column reason")
