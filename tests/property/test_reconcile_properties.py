"""Properties of the reconciliation's core, for any rows and any movement."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from legacy_db.float_text import double_text
from legacy_db.row_hash import hash_texts
from pipeline.reconcile.canonical import decimal_text
from pipeline.reconcile.judgement import Candidate, Judgement, compare_hashes, judge
from pipeline.reconcile.result import State, merge_states

KEYS = st.tuples(st.sampled_from("abcdef"))
HASHES = st.integers(min_value=0, max_value=3)
SIDES = st.dictionaries(KEYS, HASHES, max_size=6)
VALUES = st.none() | HASHES
STATES = st.sampled_from(list(State))
TEXTS = st.lists(st.none() | st.text(alphabet="-:1a", max_size=4), min_size=1, max_size=3)


@given(SIDES, SIDES)
def test_candidates_are_exactly_the_differing_keys(
    expected: dict[tuple[str], int], found: dict[tuple[str], int]
) -> None:
    """Comparing two chunks names each differing key once, with what stands on both sides."""
    named = list(compare_hashes(expected, found))
    keys = expected.keys() | found.keys()
    assert {one.key for one in named} == {
        key for key in keys if expected.get(key) != found.get(key)
    }
    assert len({one.key for one in named}) == len(named)
    assert all(
        (one.expected, one.found) == (expected.get(one.key), found.get(one.key)) for one in named
    )


@given(st.lists(VALUES, min_size=2, max_size=6), st.integers(0, 5), st.booleans())
def test_side_that_follows_is_never_different(
    history: list[int | None],
    behind: int,
    last: bool,  # noqa: FBT001 - drawn by Hypothesis
) -> None:
    """A copy that has, behind a barrier, any value since then is never called different.

    The first look sees history[0]; at the second, the copy has some later value or the same, and
    what is expected is the newest, unless it came back to what it was (one more look is for that).
    """
    newest = history[-1]
    copied = history[min(behind, len(history) - 1)]
    candidate = Candidate(("k",), history[0], -1)
    judgement = judge(candidate, expected=newest, found=copied, last=last)
    there_and_back = newest == history[0] and copied != newest
    assert judgement is not Judgement.DIFFERENT or (there_and_back and last)


@given(VALUES, VALUES)
def test_stuck_side_is_always_found(expected: int | None, found: int | None) -> None:
    """A key whose sides do not move and differ is different at the next look."""
    if expected != found:
        candidate = Candidate(("k",), expected, found)
        assert judge(candidate, expected=expected, found=found, last=False) is Judgement.DIFFERENT


@given(st.lists(STATES, min_size=1), st.lists(STATES, min_size=1))
def test_merging_is_associative_and_idempotent(left: list[State], right: list[State]) -> None:
    """The verdict does not depend on how the tables are grouped."""
    whole = merge_states([*left, *right])
    assert whole is merge_states([merge_states(left), merge_states(right)])
    assert whole is merge_states([whole, *left, *right])
    assert (whole is State.MATCH) == (set(left + right) == {State.MATCH})


@given(TEXTS, TEXTS)
def test_hash_is_of_the_columns_not_of_their_joined_text(
    left: list[str | None], right: list[str | None]
) -> None:
    """Rows of texts have equal hashes only when they are equal column by column."""
    assert (hash_texts(left) == hash_texts(right)) == (left == right)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6))
def test_numbers_that_are_equal_have_one_text(number: Decimal) -> None:
    """Trailing zeros and exponents do not show; the text reads back as the same number."""
    text = decimal_text(number)
    assert Decimal(text) == number
    assert text == decimal_text(number * Decimal("1.000") if abs(number) < 10**12 else number)


@given(st.floats(allow_nan=False))
def test_floats_read_back(number: float) -> None:
    """A float's text reads back as the same float."""
    assert float(double_text(number).replace("Infinity", "inf")) == number
