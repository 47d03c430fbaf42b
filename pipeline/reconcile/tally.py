"""Counts what is found in one table of one region, and keeps the keys to look at again.

Enters: candidates and findings as they come. Leaves: a `TableResult`. Counts are exact; listed keys
are capped, and candidates lie on disk, so memory does not grow with the number of differences.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from pipeline.reconcile.judgement import Candidate, KeyText
from pipeline.reconcile.result import (
    KeyFinding,
    Kind,
    State,
    TableResult,
    decide_state,
)
from pipeline.reconcile.spool import Spool

KeyDocument = Callable[[KeyText], dict[str, Any]]


class Tally:
    """What is known so far of one table in one region; `close` it in the end."""

    def __init__(
        self, *, module: str, table: str, region: str, key_document: KeyDocument, keys_max: int
    ) -> None:
        self.module = module
        self.table = table
        self.region = region
        self.rows = 0
        self.problem: str | None = None
        self.candidates = Spool()
        self._key_document = key_document
        self._keys_max = keys_max
        self._counts: Counter[Kind] = Counter()
        self._findings: list[KeyFinding] = []
        self._quarantined: set[KeyText] = set()

    def wants_details(self) -> bool:
        """Tell whether another decided key would still be listed."""
        return len(self._findings) < self._keys_max

    def keep(self, candidate: Candidate) -> None:
        """Keep a key that differs now, to be looked at behind another barrier."""
        self.candidates.append(candidate)

    def take_candidates(self) -> Spool:
        """Hand over all candidates (the caller closes them) and begin with none."""
        taken, self.candidates = self.candidates, Spool()
        return taken

    def decide(
        self,
        key: KeyText,
        kind: Kind,
        *,
        columns: tuple[str, ...] = (),
        values: dict[str, tuple[str | None, str | None]] | None = None,
    ) -> None:
        """Count a key that is proven different, and list it while there is room."""
        self._counts[kind] += 1
        if self.wants_details():
            document = self._key_document(key)
            self._findings.append(KeyFinding(document, kind, columns, values=values))

    def quarantine(self, key: KeyText, reason: str) -> None:
        """Note, once, that the aggregate with that key has an open dead letter."""
        if key in self._quarantined:
            return
        self._quarantined.add(key)
        if self.wants_details():
            self._findings.append(
                KeyFinding(self._key_document(key), Kind.QUARANTINED, reason=reason)
            )

    def result(self, position: str | None) -> TableResult:
        """Return the table's result; candidates that are left are undecided."""
        for batch in self.candidates.batches(1_000):
            for candidate in batch:
                self.decide(candidate.key, Kind.UNDECIDED)
        counts = self._counts
        different = counts[Kind.MISSING] + counts[Kind.EXTRA] + counts[Kind.CHANGED]
        state = decide_state(
            different=different,
            undecided=counts[Kind.UNDECIDED],
            quarantined=bool(self._quarantined),
        )
        return TableResult(
            module=self.module,
            table=self.table,
            region=self.region,
            state=State.ERROR if self.problem is not None else state,
            rows=self.rows,
            missing=counts[Kind.MISSING],
            extra=counts[Kind.EXTRA],
            changed=counts[Kind.CHANGED],
            undecided=counts[Kind.UNDECIDED],
            position=position,
            keys=tuple(self._findings),
            problem=self.problem,
        )

    def close(self) -> None:
        """Remove what lies on disk."""
        self.candidates.close()
