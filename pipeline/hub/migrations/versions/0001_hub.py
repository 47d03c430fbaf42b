"""The hub: modules, event store, relay marks, barriers, emissions, dead letters, spill."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

UPGRADE = """
create schema hub;
create schema mirror;

create table hub.module (
    module text primary key,
    owner bigint not null default 0,
    epoch integer not null default 0,
    lsn bigint not null default 0,
    link bigint,
    source_offset bigint not null default 0,
    next_number bigint not null default 1,
    revision bigint not null default 0,
    snapshot text not null default 'none' check (snapshot in ('none', 'running', 'complete')),
    snapshot_run integer not null default 0,
    snapshot_tables jsonb not null default '{}',
    open_transaction jsonb,
    source_time timestamptz,
    translated_at timestamptz
);
comment on column hub.module.owner is
    'taken anew by each translator that starts: fences the one before';
comment on column hub.module.lsn is 'position of the last translated transaction or message';
comment on column hub.module.link is 'what sequence[0] of the next row must be; null where unknown';
comment on column hub.module.source_offset is 'next offset of the change log to read';
comment on column hub.module.next_number is 'number of the next event: without gaps per module';

create table hub.event (
    module text not null,
    number bigint not null,
    recorded_on date not null default current_date,
    kind smallint not null,
    id text not null,
    type text not null,
    aggregate text not null,
    subject text not null,
    sequence text collate "C" not null,
    time timestamptz not null,
    source text not null,
    transaction text,
    region text,
    traceparent text,
    fingerprint text,
    payload bytea,
    recorded_at timestamptz not null default now(),
    primary key (module, number, recorded_on)
) partition by range (recorded_on);
comment on column hub.event.kind is '0 state, 1 domain, 2 tombstone, 3 barrier';
comment on column hub.event.payload is
    'Avro without prefix; the registry''s id is put in front on publishing';
create index event_subject on hub.event (aggregate, subject, number);

create function hub.ensure_event_partition(day date) returns void language plpgsql as $$
begin
    if to_regclass(format('hub.event_%s', to_char(day, 'YYYYMMDD'))) is null then
        perform pg_advisory_xact_lock(7104884);
        execute format(
            'create table if not exists hub.event_%s partition of hub.event '
            'for values from (%L) to (%L)',
            to_char(day, 'YYYYMMDD'), day, day + 1
        );
    end if;
end $$;

create table hub.relay (
    module text primary key,
    published_up_to bigint not null default 0,
    updated_at timestamptz not null default now()
);
comment on column hub.relay.published_up_to is
    'every event up to this number is acknowledged by Kafka';

create table hub.barrier (
    barrier text not null,
    module text not null,
    epoch integer not null,
    lsn bigint not null,
    number bigint not null,
    translated_at timestamptz not null default now(),
    primary key (barrier, module)
);

create table hub.emission (
    id bigint generated always as identity primary key,
    module text not null,
    aggregate text not null,
    scope text not null check (scope in ('all', 'keys', 'lookup')),
    lookup_table text,
    keys jsonb not null default '[]',
    after_key jsonb,
    reason text not null,
    requested_at timestamptz not null default now()
);
create index emission_module on hub.emission (module, id);
comment on table hub.emission is
    'aggregates that their module''s translator is asked to emit again';

create table hub.dead_letter (
    id bigint generated always as identity primary key,
    module text not null,
    origin text not null check (origin in ('change', 'adapter', 'quality')),
    aggregate text,
    subject text,
    root_key jsonb,
    type text,
    sequence text collate "C",
    source_offset bigint,
    expectation text,
    reason text not null,
    payload bytea,
    last_good_known boolean not null default false,
    last_good bytea,
    last_good_fingerprint text,
    state text not null default 'open'
        check (state in ('open', 'replayed', 'dropped', 'superseded')),
    occurred_at timestamptz not null default now(),
    resolved_at timestamptz
);
create unique index dead_letter_open on hub.dead_letter (module, aggregate, subject)
    where state = 'open' and aggregate is not null;

create table hub.spill (
    module text not null,
    ordinal bigint not null,
    table_name text not null,
    row_key bytea,
    change bytea not null,
    primary key (module, ordinal)
);
create index spill_row on hub.spill (module, table_name, row_key);
comment on table hub.spill is 'rows of a huge transaction whose END has not come';
comment on column hub.dead_letter.last_good is
    'Avro of the last published state; null with last_good_known: there was none';

create table hub.definition (
    module text not null,
    table_name text not null,
    document jsonb not null,
    read_at timestamptz not null default now(),
    primary key (module, table_name)
);

create table hub.schema (
    fingerprint text primary key,
    type text not null,
    subject text not null,
    text text not null,
    first_used_at timestamptz not null default now()
);
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(UPGRADE.replace("%", "%%"))


def downgrade() -> None:
    op.get_bind().exec_driver_sql("drop schema hub cascade; drop schema mirror cascade")
