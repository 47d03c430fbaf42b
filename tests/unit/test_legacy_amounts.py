"""The ERP's arithmetic is exact, and rounds half a cent up."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_db.retail import amounts
from legacy_db.retail.seed_orders import FREIGHTS, freight_cents


@given(quantity=st.integers(0, 10**9), price=st.integers(0, 10**9))
def test_a_line_is_quantity_times_price(quantity: int, price: int) -> None:
    """A line's cents are round(quantity * price * 100) of the decimals that are written."""
    exact = Decimal(amounts.quantity_text(quantity)) * Decimal(amounts.price_text(price)) * 100
    assert amounts.line_cents(quantity, price) == exact.quantize(Decimal(1), ROUND_HALF_UP)


@given(cents=st.integers(0, 10**12), discount=st.integers(0, 10_000))
def test_a_total_is_the_lines_less_the_discount(cents: int, discount: int) -> None:
    """The discount applies to the lines and not to the freight."""
    exact = Decimal(cents) * (100 - Decimal(amounts.percent_text(discount))) / 100
    rounded = int(exact.quantize(Decimal(1), ROUND_HALF_UP))
    assert amounts.total_cents(cents, discount, 490) == rounded + 490


def test_prices_have_two_or_four_decimals() -> None:
    """A price is written with the decimals that it has."""
    assert amounts.price_text(125_000) == "12.50"
    assert amounts.price_text(125_001) == "12.5001"
    assert amounts.quantity_text(-1_250) == "-1.250"


@pytest.mark.parametrize("text", FREIGHTS)
def test_a_blank_freight_is_nothing(text: str | None) -> None:
    """NULL, '' and blanks count as 0; everything else is a decimal."""
    expected = Decimal(text) * 100 if text and text.strip() else 0
    assert freight_cents(text) == expected
