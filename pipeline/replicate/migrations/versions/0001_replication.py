"""What a replicator keeps in a region's store beside the projections."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "replication"
BYTES = sa.Text(collation="C")  # sequences and ids are compared as bytes
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "offset",
        sa.Column("topic", sa.Text, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True),
        sa.Column("next_offset", sa.BigInteger, nullable=False),
        sa.Column("owner_epoch", sa.BigInteger, nullable=False),
        schema=SCHEMA,
    )
    op.create_table(
        "aggregate",
        sa.Column("aggregate", BYTES, primary_key=True),
        sa.Column("subject", BYTES, primary_key=True),
        sa.Column("sequence", BYTES, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        schema=SCHEMA,
    )
    op.create_table(
        "barrier",
        sa.Column("barrier", sa.Text, primary_key=True),
        sa.Column("topic", sa.Text, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True),
        sa.Column("module", sa.Text, nullable=False),
        sa.Column("position", BYTES, nullable=False),
        sa.Column("quarantined", postgresql.ARRAY(sa.Text), nullable=False),
        sa.Column("passed_at", MOMENT, nullable=False),
        schema=SCHEMA,
    )
    op.create_table(
        "inbox",
        sa.Column("consumer", BYTES, primary_key=True),
        sa.Column("event_id", BYTES, primary_key=True),
        sa.Column("received_at", MOMENT, nullable=False),
        schema=SCHEMA,
    )
    op.create_table(
        "domain_event",
        sa.Column("event_id", BYTES, primary_key=True),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("sequence", BYTES, nullable=False),
        sa.Column("time", MOMENT, nullable=False),
        sa.Column("transaction", sa.Text),
        sa.Column("data", postgresql.JSONB, nullable=False),
        schema=SCHEMA,
    )
    _create_dead_letter()
    op.create_table(
        "latency",
        sa.Column("minute", MOMENT, primary_key=True),
        sa.Column("bucket", sa.SmallInteger, primary_key=True),
        sa.Column("events", sa.BigInteger, nullable=False),
        sa.Column("ms_max", sa.Float, nullable=False),
        schema=SCHEMA,
    )


def _create_dead_letter() -> None:
    op.create_table(
        "dead_letter",
        sa.Column("topic", sa.Text, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True),
        sa.Column("record_offset", sa.BigInteger, primary_key=True),
        sa.Column("aggregate", BYTES),
        sa.Column("subject", BYTES),
        sa.Column("sequence", BYTES),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("payload", sa.LargeBinary),
        sa.Column("headers", postgresql.JSONB, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default="open"),
        sa.CheckConstraint("state in ('open', 'replayed', 'dropped')", name="dead_letter_state"),
        schema=SCHEMA,
    )
    # quarantined: a state that could not be applied, and no newer one has come since
    op.execute(
        """
        create view replication.quarantined as
        select d.aggregate, d.subject, max(d.sequence) as sequence, max(d.reason) as reason
        from replication.dead_letter d
        left join replication.aggregate a using (aggregate, subject)
        where d.state = 'open' and d.aggregate is not null and d.subject is not null
          and (a.sequence is null or d.sequence is null or d.sequence > a.sequence)
        group by d.aggregate, d.subject
        """
    )


def downgrade() -> None:
    op.execute("drop view replication.quarantined")
    for table in (
        "latency", "dead_letter", "domain_event", "inbox", "barrier", "aggregate", "offset",
    ):  # fmt: skip
        op.drop_table(table, schema=SCHEMA)
