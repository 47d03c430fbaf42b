"""Candidates on disk: any number of differing keys in bounded memory.

Enters: candidates, one by one. Leaves: batches of them, in the order in which they came.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

import msgspec

from pipeline.reconcile.judgement import Candidate

_LENGTH: Final = struct.Struct(">I")


class Spool:
    """An append-only temporary file of candidates that vanishes on close."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(Candidate)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def append(self, candidate: Candidate) -> None:
        """Add a candidate behind the others."""
        data = self._encoder.encode(candidate)
        self._file.write(_LENGTH.pack(len(data)))
        self._file.write(data)
        self._count += 1

    def batches(self, candidates_max: int) -> Iterator[list[Candidate]]:
        """Yield all candidates, at most `candidates_max` at a time; don't append meanwhile."""
        self._file.seek(0)
        batch: list[Candidate] = []
        while header := self._file.read(_LENGTH.size):
            (length,) = _LENGTH.unpack(header)
            batch.append(self._decoder.decode(self._file.read(length)))
            if len(batch) == candidates_max:
                yield batch
                batch = []
        if batch:
            yield batch

    def close(self) -> None:
        """Remove the file."""
        self._file.close()
