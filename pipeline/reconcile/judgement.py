"""Compares two sides of a table and judges keys that differ; pure.

Enters: hashes of both sides by key. Leaves: candidates (keys that differ now) and, after another
barrier, what is proven about each: a candidate is a difference only when it stays different
although the side that is right did not move between two looks with a barrier in between.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from pipeline.reconcile.result import Kind

KeyText = tuple[str, ...]
"""A key's values as canonical text, in key order."""


class Candidate(msgspec.Struct, frozen=True, array_like=True):
    """A key whose two sides differed at the last look.

    `expected` and `found` are the hashes of the rows then, None where there was none. `root` is
    the key of the aggregate's root row, None where it is not known (or not needed).
    """

    key: KeyText
    expected: int | None
    found: int | None
    root: KeyText | None = None


class Judgement(enum.Enum):
    """What another look behind another barrier says about a candidate."""

    SETTLED = enum.auto()
    DIFFERENT = enum.auto()
    MOVING = enum.auto()


def compare_hashes(
    expected: Mapping[KeyText, int], found: Mapping[KeyText, int]
) -> Iterator[Candidate]:
    """Yield the keys whose hashes differ or that one side lacks, expected keys first."""
    for key, wanted in expected.items():
        actual = found.get(key)
        if actual != wanted:
            yield Candidate(key, wanted, actual)
    for key, actual in found.items():
        if key not in expected:
            yield Candidate(key, None, actual)


def judge(
    candidate: Candidate, *, expected: int | None, found: int | None, last: bool
) -> Judgement:
    """Judge a candidate by what stands on both sides now.

    The caller read the candidate before a barrier was written, waited until it was passed, and then
    read `found` before `expected`. When the expected row is the same as before the barrier, it was
    so all the time in between, and the other side had to have it: DIFFERENT. Where the found
    row moved, one more look excludes a value that went there and back; in the `last` look there is
    no other, and the unmoved expected row decides.
    """
    if expected == found:
        return Judgement.SETTLED
    if expected != candidate.expected:
        return Judgement.MOVING
    if found != candidate.found and not last:
        return Judgement.MOVING
    return Judgement.DIFFERENT


def kind_of(expected: int | None, found: int | None) -> Kind:
    """Name the difference between two rows, one of which is there."""
    if found is None:
        return Kind.MISSING
    return Kind.EXTRA if expected is None else Kind.CHANGED


def differing_columns(expected: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns of `expected` whose values or hashes differ, in their order."""
    return tuple(name for name, value in expected.items() if found.get(name) != value)
