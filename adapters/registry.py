"""The schema registry, over confluent-kafka's own client (Apicurio's ccompat v7, Confluent's).

Enters: a URL. Leaves: ids, texts and versions of schemas. Waits and retries are bounded; errors are
Unreachable (it does not answer), Configuration (it refuses) and, for an unknown id, Poison.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import httpx2
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from adapters.errors import Configuration, Poison, Retriable, Unreachable

COMPATIBILITY: Final = "BACKWARD_TRANSITIVE"
TIMEOUT_SECONDS: Final = 15
RETRIES_MAX: Final = 3
RETRY_WAIT_MS: Final = 200
RETRY_WAIT_MS_MAX: Final = 2000

_HTTP_NOT_FOUND: Final = 404
_HTTP_CONFLICT: Final = 409
_HTTP_SERVER_ERROR: Final = 500

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Version:
    """One registered version of a subject."""

    subject: str
    version: int
    schema_id: int
    text: str


class SchemaRegistry:
    """A registry at `url`, e.g. `http://127.0.0.1:8081/apis/ccompat/v7`."""

    def __init__(self, url: str) -> None:
        self._url = url
        try:
            self._client = SchemaRegistryClient(
                {
                    "url": url,
                    "timeout": TIMEOUT_SECONDS,
                    "max.retries": RETRIES_MAX,
                    "retries.wait.ms": RETRY_WAIT_MS,
                    "retries.max.wait.ms": RETRY_WAIT_MS_MAX,
                }
            )
        except ValueError as error:
            raise Configuration(
                f"{url!r} is not a registry's URL ({error}): correct [registry]"
            ) from error
        weakref.finalize(self, self._client.close)

    def close(self) -> None:
        """Close the connections; the registry is not asked any more."""
        self._client.close()

    def register(self, subject: str, text: str, level: str = COMPATIBILITY) -> int:
        """Register a schema under a compatibility level and return its id; the same one again."""
        if self.compatibility(subject) != level:
            self._ask(subject, lambda: self._client.set_compatibility(subject, level))
        known = self.find(subject, text)
        if known is not None:
            return known
        schema = Schema(text, "AVRO")
        return self._ask(subject, lambda: self._client.register_schema(subject, schema))

    def find(self, subject: str, text: str) -> int | None:
        """Return the id under which a subject has this very schema, None when it has not."""
        self._forget()
        schema = Schema(text, "AVRO")
        with suppress(_NotThereError):
            return self._ask(subject, lambda: self._client.lookup_schema(subject, schema)).schema_id
        return None

    def schema(self, schema_id: int) -> str:
        """Return a schema's JSON text; Poison when there is no such id, else Retriable."""
        self._forget()
        where = f"schema id {schema_id}"
        try:
            return str(self._ask(where, lambda: self._client.get_schema(schema_id)).schema_str)
        except _NotThereError as error:
            raise Poison(
                f"the registry at {self._url} has no {where}: was the value written with "
                "another registry?"
            ) from error
        except Unreachable as error:
            raise Retriable(str(error)) from error

    def subjects(self) -> list[str]:
        """Return all subjects, sorted."""
        return sorted(self._ask("the subjects", self._client.get_subjects))

    def versions(self, subject: str) -> list[Version]:
        """Return all versions of a subject, oldest first; [] when there is no such subject."""
        try:
            numbers = self._ask(subject, lambda: self._client.get_versions(subject))
            return [self._version(subject, number) for number in sorted(numbers)]
        except _NotThereError:
            return []

    def compatibility(self, subject: str) -> str | None:
        """Return the level that is set for the subject itself, None when none is."""
        with suppress(_NotThereError):
            return str(self._ask(subject, lambda: self._client.get_compatibility(subject)))
        return None

    def accepts(self, subject: str, text: str, version: int) -> bool:
        """Ask whether a schema can read what was written with that version of the subject."""
        schema = Schema(text, "AVRO")
        return bool(
            self._ask(
                f"{subject} version {version}",
                lambda: self._client.test_compatibility(subject, schema, version),
            )
        )

    def _forget(self) -> None:
        """Empty the client's caches: a registry that was lost and made anew gives other ids."""
        self._client.clear_caches()  # type: ignore[no-untyped-call]

    def _version(self, subject: str, number: int) -> Version:
        found: Any = self._ask(subject, lambda: self._client.get_version(subject, number))
        return Version(subject, number, int(found.schema_id), str(found.schema.schema_str))

    def _ask(self, what: str, call: Callable[[], _Answer]) -> _Answer:
        try:
            return call()
        except SchemaRegistryError as error:
            raise self._translate(what, error) from error
        except (httpx2.HTTPError, ValueError) as error:
            raise Unreachable(
                f"the registry at {self._url} does not answer ({type(error).__name__}): "
                "is it running, and is [registry] url right?"
            ) from error

    def _translate(self, what: str, error: SchemaRegistryError) -> Exception:
        words = str(error.error_message).strip()
        if error.http_status_code == _HTTP_NOT_FOUND:
            if error.error_code in (None, -1, _HTTP_NOT_FOUND):
                return Unreachable(
                    f"{self._url} answers, but not as a registry does (404): "
                    "[registry] url must end with the path of the Confluent API"
                )
            return _NotThereError(f"{what}: {words}")
        if error.http_status_code == _HTTP_CONFLICT:
            return Configuration(
                f"{what}: the registry refuses the schema as not compatible ({words}): "
                "run `isthmus contracts check`"
            )
        if error.http_status_code >= _HTTP_SERVER_ERROR:
            return Unreachable(f"the registry at {self._url} fails on {what}: {words}")
        return Configuration(f"the registry refuses {what}: {words}")


class _NotThereError(Configuration):
    """The registry knows no such subject, version or schema."""
