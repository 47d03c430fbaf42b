"""Doubts: transactions within which a connector started again, until they are refuted."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        create table hub.doubt (
            module text not null,
            source_offset bigint not null,
            epoch integer not null,
            lsn bigint not null,
            txid bigint not null,
            noted_at timestamptz not null default now(),
            refuted_at timestamptz,
            primary key (module, source_offset, epoch)
        )
    """)
    op.execute("""
        comment on table hub.doubt is
            'transactions that a connector started within: Debezium may have left out rows of them'
    """)
    op.execute("""
        comment on column hub.doubt.refuted_at is
            'when legacy database and mirror were found to be equal behind it'
    """)


def downgrade() -> None:
    op.execute("drop table hub.doubt")
