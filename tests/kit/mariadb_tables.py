"""The tables of the tests on a real MariaDB: one for each family of types, and their first rows."""

from __future__ import annotations

DDL = (
    """
    create table ord (
      id bigint unsigned primary key, cust int unsigned not null,
      status enum('new', 'paid', 'it''s gone') not null default 'new',
      total decimal(12,2) not null default 0, note text, placed datetime(6) not null,
      changed timestamp(3) not null default current_timestamp(3) on update current_timestamp(3),
      is_gift tinyint(1) not null default 0, tags set('a', 'b', 'c'), flags bit(5), done bit(1)
    )""",
    """
    create table line (
      ord_id bigint unsigned, no smallint unsigned, qty decimal(9,3), price double,
      primary key (ord_id, no)
    )""",
    """
    create table part (
      code varchar(20) character set latin1 primary key, made date, at time(3), doc json,
      raw varbinary(20), pic blob, ratio float, made_in year, state char(3), seen timestamp null
    )""",
)
SEED = (
    """
    insert into ord (id, cust, total, note, placed, is_gift, tags, flags, done) values
      (1, 10, 1.50, 'Zoë 😀', '2026-02-03 04:05:06.123456', 1, 'a,c', b'10110', b'1'),
      (18446744073709551615, 4294967295, -12345678.90, null, '2026-02-03', -5, '', null, null)""",
    "insert into line values (1, 1, 2.5, 0.1), (1, 65535, null, -1e300)",
    """
    insert into part values
      ('é', '2026-02-03', '04:05:06.5', '{"a": 1.50}', x'00ff', x'', 1.1, 2026, 'ab',
       '2026-02-03 04:05:06'),
      ('none', null, null, null, null, null, null, null, null, null)""",
)
