"""The tables of the reference ERP as SQLAlchemy knows them, grouped by module.

Enters: nothing. Leaves: `METADATA`, `MODULE_TABLES` (module -> table names), `SYSTEM_TABLES`. The
migrations make these tables; a test holds both equal. Amounts are cents, dates yyyymmdd integers.
"""

from __future__ import annotations

from sqlalchemy import (
    CHAR,
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    Numeric,
    SmallInteger,
    Table,
    text,
)
from sqlalchemy import String as Varchar

from legacy_db.retail.column_types import LONG_TEXT, PRICE, STAMP

SCHEMA = "erp"
METADATA = MetaData(schema=SCHEMA)

MODULE_TABLES: dict[str, tuple[str, ...]] = {
    "customers": ("cust_mstr", "cust_addr"),
    "sales": ("ord_hdr", "ord_lin", "shipmt"),
    "inventory": ("item_mstr", "stk_bal", "stk_mvt"),
    "billing": ("pay_trx", "pay_stg", "pay_log"),
    "supply": ("supp_mstr", "po_hdr", "po_lin"),
}
SYSTEM_TABLES: tuple[str, ...] = ("cod_tab", "num_tab")
"""Tables that belong to no module: the meaning of codes, and the next numbers."""

CUST_MSTR = Table(
    "cust_mstr",
    METADATA,
    Column("cust_no", Integer, primary_key=True, autoincrement=False),
    Column("cust_nm", CHAR(40), nullable=False),
    Column("cust_typ", CHAR(1), nullable=False),
    Column("stat_cd", CHAR(1), nullable=False),
    Column("tax_no", Varchar(20)),
    Column("crd_lim", BigInteger, nullable=False),
    Column("lang_cd", CHAR(2)),
    Column("eml", Varchar(80)),
    Column("cre_dt", Integer, nullable=False),
    Column("del_flg", CHAR(1), nullable=False, server_default=text("'N'")),
    Column("notes", LONG_TEXT),
    Column("chg_ts", STAMP, nullable=False),
)
CUST_ADDR = Table(
    "cust_addr",
    METADATA,
    Column("cust_no", Integer, primary_key=True, autoincrement=False),
    Column("addr_typ", CHAR(1), primary_key=True),
    Column("addr_ln", Varchar(60), nullable=False),
    Column("city", CHAR(30), nullable=False),
    Column("zip_cd", CHAR(10)),
    Column("ctry_cd", CHAR(2), nullable=False),
)

ORD_HDR = Table(
    "ord_hdr",
    METADATA,
    Column("ord_no", BigInteger, primary_key=True, autoincrement=False),
    Column("cust_no", Integer, nullable=False),
    Column("ord_dt", Integer, nullable=False),
    Column("stat_cd", CHAR(1), nullable=False),
    Column("curr_cd", CHAR(3), nullable=False),
    Column("user", CHAR(8), nullable=False),
    Column("frt_amt", Varchar(12)),
    Column("disc_pct", Numeric(5, 2), nullable=False),
    Column("tot_amt", BigInteger, nullable=False),
    Column("rmk", LONG_TEXT),
    Column("chg_ts", STAMP, nullable=False),
    Index("ord_hdr_cust", "cust_no"),
)
ORD_LIN = Table(
    "ord_lin",
    METADATA,
    Column("ord_no", BigInteger, primary_key=True, autoincrement=False),
    Column("lin_no", SmallInteger, primary_key=True, autoincrement=False),
    Column("item_no", CHAR(15), nullable=False),
    Column("qty", Numeric(12, 3), nullable=False),
    Column("unit_prc", PRICE, nullable=False),
    Column("lin_amt", BigInteger, nullable=False),
    Column("stat_cd", CHAR(1), nullable=False),
)
SHIPMT = Table(
    "shipmt",
    METADATA,
    Column("ship_no", BigInteger, primary_key=True, autoincrement=False),
    Column("ord_no", BigInteger, nullable=False),
    Column("ship_dt", Integer, nullable=False),
    Column("carr_cd", CHAR(4), nullable=False),
    Column("trk_no", Varchar(30)),
    Column("stat_cd", CHAR(1), nullable=False),
    Index("shipmt_ord", "ord_no"),
)

ITEM_MSTR = Table(
    "item_mstr",
    METADATA,
    Column("item_no", CHAR(15), primary_key=True),
    Column("item_dsc", CHAR(40), nullable=False),
    Column("uom_cd", CHAR(3), nullable=False),
    Column("cls_cd", CHAR(4)),
    Column("stat_cd", CHAR(1), nullable=False),
)
STK_BAL = Table(
    "stk_bal",
    METADATA,
    Column("whs_cd", CHAR(3), primary_key=True),
    Column("item_no", CHAR(15), primary_key=True),
    Column("qty_oh", Numeric(12, 3), nullable=False),
    Column("qty_rsv", Numeric(12, 3), nullable=False),
    Column("last_dt", Integer),
)
STK_MVT = Table(
    "stk_mvt",
    METADATA,
    Column("mvt_no", BigInteger, primary_key=True, autoincrement=False),
    Column("whs_cd", CHAR(3), nullable=False),
    Column("item_no", CHAR(15), nullable=False),
    Column("mvt_typ", CHAR(1), nullable=False),
    Column("qty", Numeric(12, 3), nullable=False),
    Column("mvt_dt", Integer, nullable=False),
    Column("ref_no", BigInteger),
)

PAY_TRX = Table(
    "pay_trx",
    METADATA,
    Column("trx_no", BigInteger, primary_key=True, autoincrement=False),
    Column("ord_no", BigInteger, nullable=False),
    Column("mth_cd", CHAR(2), nullable=False),
    Column("amt", BigInteger, nullable=False),
    Column("curr_cd", CHAR(3), nullable=False),
    Column("stat_cd", CHAR(1), nullable=False),
    Column("rsn_cd", CHAR(4)),
    Column("trx_dt", Integer, nullable=False),
    Column("chg_ts", STAMP, nullable=False),
    Index("pay_trx_ord", "ord_no"),
)
PAY_STG = Table(
    "pay_stg",
    METADATA,
    Column("trx_no", BigInteger, primary_key=True, autoincrement=False),
    Column("stg_no", SmallInteger, primary_key=True, autoincrement=False),
    Column("stg_cd", CHAR(1), nullable=False),
    Column("rslt_cd", CHAR(1), nullable=False),
    Column("rsn_cd", CHAR(4)),
    Column("amt", BigInteger, nullable=False),
    Column("stg_ts", STAMP, nullable=False),
)
PAY_LOG = Table(  # no primary key: nobody ever missed one
    "pay_log",
    METADATA,
    Column("log_ts", STAMP, nullable=False),
    Column("trx_no", BigInteger),
    Column("lvl_cd", CHAR(1), nullable=False),
    Column("msg", Varchar(200), nullable=False),
)

SUPP_MSTR = Table(
    "supp_mstr",
    METADATA,
    Column("supp_no", Integer, primary_key=True, autoincrement=False),
    Column("supp_nm", CHAR(40), nullable=False),
    Column("ctry_cd", CHAR(2), nullable=False),
    Column("pay_days", SmallInteger, nullable=False),
    Column("stat_cd", CHAR(1), nullable=False),
)
PO_HDR = Table(
    "po_hdr",
    METADATA,
    Column("po_no", BigInteger, primary_key=True, autoincrement=False),
    Column("supp_no", Integer, nullable=False),
    Column("po_dt", Integer, nullable=False),
    Column("due_dt", Integer),
    Column("stat_cd", CHAR(1), nullable=False),
    Column("curr_cd", CHAR(3), nullable=False),
    Column("tot_amt", BigInteger, nullable=False),
)
PO_LIN = Table(
    "po_lin",
    METADATA,
    Column("po_no", BigInteger, primary_key=True, autoincrement=False),
    Column("lin_no", SmallInteger, primary_key=True, autoincrement=False),
    Column("item_no", CHAR(15), nullable=False),
    Column("qty", Numeric(12, 3), nullable=False),
    Column("qty_rcv", Numeric(12, 3), nullable=False),
    Column("unit_prc", Numeric(12, 4), nullable=False),
)

COD_TAB = Table(
    "cod_tab",
    METADATA,
    Column("dom_cd", CHAR(8), primary_key=True),
    Column("cod", CHAR(4), primary_key=True),
    Column("descr", Varchar(60), nullable=False),
)
NUM_TAB = Table(
    "num_tab",
    METADATA,
    Column("num_cd", CHAR(8), primary_key=True),
    Column("nxt_no", BigInteger, nullable=False),
)
