"""What a region must hold of the retail site on MariaDB, as SQL over its tables.

Written by hand from the meaning of the tables and not from the adapters, as the queries for
PostgreSQL are (retail_region_queries.py); `{db}` is the database.
"""

MARIADB_REGION_QUERIES = {
    "customers": """
        select c.cust_no, nullif(trim(c.cust_nm), ''),
            case c.cust_typ when 'B' then 'business' when 'P' then 'private' end,
            case c.stat_cd when 'A' then 'active' when 'H' then 'on_hold' when 'C' then 'closed'
            end,
            nullif(trim(c.tax_no), ''), c.crd_lim / 100, nullif(trim(c.lang_cd), ''),
            nullif(trim(c.eml), ''), str_to_date(nullif(c.cre_dt, 0), '%Y%m%d'),
            case when trim(c.notes) <> '' then c.notes end,
            nullif(trim(b.addr_ln), ''), nullif(trim(b.city), ''), nullif(trim(b.zip_cd), ''),
            nullif(trim(b.ctry_cd), ''),
            nullif(trim(s.addr_ln), ''), nullif(trim(s.city), ''), nullif(trim(s.zip_cd), ''),
            nullif(trim(s.ctry_cd), ''),
            c.chg_ts
        from {db}.cust_mstr c
        left join {db}.cust_addr b on b.cust_no = c.cust_no and b.addr_typ = 'B'
        left join {db}.cust_addr s on s.cust_no = c.cust_no and s.addr_typ = 'S'
        where c.del_flg <> 'Y'
    """,
    "orders": """
        select o.ord_no, o.cust_no, nullif(trim(c.cust_nm), ''),
            str_to_date(nullif(o.ord_dt, 0), '%Y%m%d'),
            case o.stat_cd when 'N' then 'new' when 'S' then 'shipped' when 'X' then 'cancelled'
            end,
            nullif(trim(o.curr_cd), ''), nullif(trim(o.user), ''),
            cast(nullif(trim(o.frt_amt), '') as decimal(12, 2)), o.disc_pct, o.tot_amt / 100,
            (select count(*) from {db}.ord_lin l where l.ord_no = o.ord_no),
            case when trim(o.rmk) <> '' then o.rmk end,
            str_to_date(nullif(s.ship_dt, 0), '%Y%m%d'), nullif(trim(s.carr_cd), ''),
            nullif(trim(s.trk_no), ''), o.chg_ts
        from {db}.ord_hdr o
        left join {db}.cust_mstr c on c.cust_no = o.cust_no
        left join {db}.shipmt s on s.ship_no =
            (select max(last.ship_no) from {db}.shipmt last where last.ord_no = o.ord_no)
    """,
    "order_lines": """
        select ord_no, lin_no, nullif(trim(item_no), ''), qty, unit_prc, lin_amt / 100,
            case stat_cd when 'O' then 'open' when 'S' then 'shipped' when 'X' then 'cancelled' end
        from {db}.ord_lin
    """,
    "stock_levels": """
        select trim(b.whs_cd), trim(b.item_no), nullif(trim(i.item_dsc), ''),
            nullif(trim(i.uom_cd), ''), b.qty_oh, b.qty_rsv, b.qty_oh - b.qty_rsv,
            str_to_date(nullif(b.last_dt, 0), '%Y%m%d')
        from {db}.stk_bal b left join {db}.item_mstr i on i.item_no = b.item_no
    """,
}
"""The columns stand in the order of the store's tables."""
