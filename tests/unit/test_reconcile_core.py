"""Judging keys that differ, merging states, and keeping candidates."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipeline.reconcile.judgement import (
    Candidate,
    Judgement,
    compare_hashes,
    differing_columns,
    judge,
    kind_of,
)
from pipeline.reconcile.result import (
    EXIT_CODES,
    Kind,
    Reconciliation,
    State,
    TableResult,
    decide_state,
    merge_states,
)
from pipeline.reconcile.spool import Spool
from pipeline.reconcile.tally import Tally


def make_tally(keys_max: int = 10) -> Tally:
    """Make a tally of a table with one key column."""
    return Tally(
        module="sales",
        table="orders",
        region="eu",
        key_document=lambda key: {"id": key[0]},
        keys_max=keys_max,
    )


def test_chunks_that_are_equal_have_no_candidates() -> None:
    """Equal hashes by key give nothing, whatever the order."""
    left = {("1",): 1, ("2",): 2}
    assert list(compare_hashes(left, dict(reversed(left.items())))) == []


def test_missing_extra_and_changed_are_candidates() -> None:
    """Keys of one side alone and keys with different hashes become candidates."""
    found = list(compare_hashes({("1",): 1, ("2",): 2}, {("2",): 3, ("4",): 4}))
    assert found == [
        Candidate(("1",), 1, None),
        Candidate(("2",), 2, 3),
        Candidate(("4",), None, 4),
    ]
    assert [kind_of(one.expected, one.found) for one in found] == [
        Kind.MISSING,
        Kind.CHANGED,
        Kind.EXTRA,
    ]


@pytest.mark.parametrize(
    ("expected", "found", "last", "judgement"),
    [
        (1, 1, False, Judgement.SETTLED),
        (3, 3, False, Judgement.SETTLED),
        (None, None, False, Judgement.SETTLED),
        (1, 2, False, Judgement.DIFFERENT),
        (1, 4, False, Judgement.MOVING),
        (1, 4, True, Judgement.DIFFERENT),
        (1, None, True, Judgement.DIFFERENT),
        (3, 2, False, Judgement.MOVING),
        (3, 2, True, Judgement.MOVING),
        (None, 2, True, Judgement.MOVING),
    ],
)
def test_only_an_unmoved_expected_row_proves_a_difference(
    *, expected: int | None, found: int | None, last: bool, judgement: Judgement
) -> None:
    """A key that differed as (1, 2) is different only while 1 is still what is expected."""
    candidate = Candidate(("k",), 1, 2)
    assert judge(candidate, expected=expected, found=found, last=last) is judgement


def test_columns_that_differ_keep_their_order() -> None:
    """A changed row names the columns of the expected row that differ."""
    assert differing_columns({"b": 1, "a": None, "c": 3}, {"b": 2, "a": "", "c": 3}) == ("b", "a")


def test_gravest_state_is_the_verdict() -> None:
    """ERROR outweighs DIFF, then LAGGING, UNDECIDED, QUARANTINED and MATCH."""
    order = [
        *(State.ERROR, State.DIFF, State.LAGGING, State.UNDECIDED),
        *(State.QUARANTINED, State.MATCH),
    ]
    for place, state in enumerate(order):
        assert merge_states(order[place:]) is state
    assert merge_states([]) is State.ERROR


def test_exit_codes_follow_the_verdict() -> None:
    """Every state has an exit code: 0, 1 for findings, 4 for not yet known."""
    assert {state: EXIT_CODES[state] for state in State} == {
        State.MATCH: 0,
        State.DIFF: 1,
        State.QUARANTINED: 1,
        State.ERROR: 1,
        State.LAGGING: 4,
        State.UNDECIDED: 4,
    }


def test_state_of_counts() -> None:
    """A difference outweighs what is undecided, and that a dead letter."""
    assert decide_state(different=1, undecided=1, quarantined=True) is State.DIFF
    assert decide_state(different=0, undecided=1, quarantined=True) is State.UNDECIDED
    assert decide_state(different=0, undecided=0, quarantined=True) is State.QUARANTINED
    assert decide_state(different=0, undecided=0, quarantined=False) is State.MATCH


def test_spool_gives_back_what_it_took_in_batches() -> None:
    """Candidates come back in order, in batches, with None and roots as they were."""
    candidates = [Candidate((str(n), "ä"), n, None, ("7",) if n % 2 else None) for n in range(5)]
    with Spool() as spool:
        for candidate in candidates:
            spool.append(candidate)
        assert len(spool) == 5
        assert [len(batch) for batch in spool.batches(2)] == [2, 2, 1]
        assert [one for batch in spool.batches(2) for one in batch] == candidates


def test_tally_counts_all_and_lists_some() -> None:
    """Counts stay exact when more keys are decided than are listed."""
    tally = make_tally(keys_max=2)
    for number in range(5):
        tally.decide((str(number),), Kind.MISSING)
    tally.keep(Candidate(("9",), 1, 2))
    result = tally.result("p")
    tally.close()
    assert (result.missing, result.undecided, len(result.keys)) == (5, 1, 2)
    assert result.state is State.DIFF
    assert result.position == "p"


def test_aggregate_with_a_letter_is_listed_once() -> None:
    """A quarantined key is listed once with its reason, and is no difference."""
    tally = make_tally()
    tally.quarantine(("1",), "unknown code")
    tally.quarantine(("1",), "unknown code")
    result = tally.result(None)
    tally.close()
    assert result.state is State.QUARANTINED
    assert [one.document() for one in result.keys] == [
        {"key": {"id": "1"}, "kind": "quarantined", "columns": [], "reason": "unknown code"}
    ]


def test_problem_is_an_error() -> None:
    """A table whose comparison failed is an ERROR, whatever was found before."""
    tally = make_tally()
    tally.problem = "the store went away"
    assert tally.result(None).state is State.ERROR
    tally.close()


def test_document_has_exactly_the_fields() -> None:
    """The JSON document has the fields that scripts rely on."""
    moment = datetime(2026, 11, 23, tzinfo=UTC)
    result = Reconciliation(
        (TableResult("sales", "orders", "eu", State.MATCH, rows=3, position="p"),), "b", moment,
        moment,
    )  # fmt: skip
    assert result.document() == {
        "verdict": "MATCH",
        "tables": [
            {
                "module": "sales",
                "table": "orders",
                "region": "eu",
                "state": "MATCH",
                "rows": 3,
                "missing": 0,
                "extra": 0,
                "changed": 0,
                "undecided": 0,
                "position": "p",
                "keys": [],
            }
        ],
    }
