"""Every definition that a legacy table had, by the position from which the mirror followed it."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

UPGRADE = """
create table hub.definition_version (
    module text not null,
    table_name text not null,
    version integer not null,
    epoch integer not null,
    lsn bigint not null,
    document jsonb not null,
    recorded_at timestamptz not null default now(),
    registered boolean not null default false,
    primary key (module, table_name, version)
);
comment on column hub.definition_version.lsn is
    'position of the module when its mirror began to follow this definition';
comment on column hub.definition_version.registered is
    'whether the registry has it, as subject <site>.<module>.<table>';
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute("drop table hub.definition_version")
