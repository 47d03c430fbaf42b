"""Runs the expectation suites with Great Expectations over the tables of a region's store.

Enters: a region, the site's projections and suites. Leaves: one `Result` per table and expectation.
The context is ephemeral, nothing is sent anywhere. Importing Great Expectations takes seconds, so
it is imported only when it is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy

from adapters.projection import Projection
from pipeline.errors import Configuration, Unreachable
from pipeline.quality.suite import ContractSuites, Expectation, Suite
from pipeline.settings import Region

if TYPE_CHECKING:
    from great_expectations.data_context.data_context.ephemeral_data_context import (
        EphemeralDataContext,
    )

SCHEMA: Final = "public"
CONNECT_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Result:
    """What one expectation found in one table; counts are None where it counts no rows.

    `error` says why it could not be evaluated at all; then `success` is False.
    """

    region: str
    table: str
    expectation: str
    column: str
    success: bool
    unexpected_count: int | None = None
    element_count: int | None = None
    error: str | None = None


def validate_region(
    region: Region, projections: Sequence[Projection], suites: Mapping[str, ContractSuites]
) -> list[Result]:
    """Validate all tables of a region; Unreachable when its store is not there."""
    targets = list(_plan(projections, suites))
    url = sqlalchemy.make_url(region.url).set(drivername="postgresql+psycopg")
    _check_reachable(region, url, [table for table, _ in targets])
    context = _make_context()
    source = context.data_sources.add_postgres(
        region.name,
        connection_string=_search_public(url).render_as_string(hide_password=False),
        create_temp_table=False,
    )
    results = []
    try:
        for table, suite in targets:
            asset = source.add_table_asset(table, table_name=table)
            batch = asset.add_batch_definition_whole_table(table).get_batch()
            results += _validate_table(context, region.name, table, suite, batch)
    finally:
        source.get_execution_engine().close()
        source.get_engine().dispose()
    return results


def _plan(
    projections: Sequence[Projection], suites: Mapping[str, ContractSuites]
) -> Iterator[tuple[str, Suite]]:
    for projection in projections:
        known = suites.get(projection.type)
        if known is None:
            continue
        if known.root is not None:
            yield projection.table, known.root
        for child in projection.children:
            if child.field in known.children:
                yield child.table, known.children[child.field]


def _search_public(url: sqlalchemy.URL) -> sqlalchemy.URL:
    return url.update_query_dict({"options": f"-csearch_path={SCHEMA}"})


def _check_reachable(region: Region, url: sqlalchemy.URL, tables: Sequence[str]) -> None:
    """Fail with our words before Great Expectations does with its own."""
    engine = sqlalchemy.create_engine(
        url, poolclass=sqlalchemy.NullPool, connect_args={"connect_timeout": CONNECT_SECONDS}
    )
    try:
        with engine.connect() as connection:
            there = set(sqlalchemy.inspect(connection).get_table_names(SCHEMA))
    except sqlalchemy.exc.OperationalError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise Unreachable(
            f"can't reach the store of region {region.name} ({reason}): is it running, and is "
            f"[regions.{region.name}] url right?"
        ) from error
    absent = [table for table in tables if table not in there]
    if absent:
        raise Configuration(
            f"region {region.name} has no table {', '.join(absent)}: "
            f"run `isthmus replicate --region {region.name}` first"
        )


def _make_context() -> EphemeralDataContext:
    import great_expectations  # noqa: PLC0415 - takes seconds, see above
    from great_expectations.data_context.types.base import (  # noqa: PLC0415 - takes seconds, see above
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    return great_expectations.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            analytics_enabled=False,
            progress_bars=ProgressBarsConfig(globally=False),
        ),
    )


def _validate_table(
    context: EphemeralDataContext, region: str, table: str, suite: Suite, batch: Any
) -> list[Result]:
    from great_expectations import ExpectationSuite  # noqa: PLC0415 - takes seconds, see above
    from great_expectations.exceptions.exceptions import (  # noqa: PLC0415 - takes seconds, see above
        GreatExpectationsError,
    )

    try:
        loaded = context.suites.add(ExpectationSuite(**suite.document))
    except (GreatExpectationsError, ValueError, TypeError) as error:
        raise Configuration(f"Great Expectations refuses suite {suite.name}: {error}") from error
    outcome = batch.validate(loaded, result_format="BASIC")
    return [_make_result(region, table, one) for one in outcome.results]


def _make_result(region: str, table: str, outcome: Any) -> Result:
    config = outcome.expectation_config
    counts = outcome.result or {}
    raised = (outcome.exception_info or {}).get("raised_exception")
    return Result(
        region=region,
        table=table,
        expectation=config.type,
        column=Expectation(config.type, config.kwargs).column,
        success=bool(outcome.success),
        unexpected_count=counts.get("unexpected_count"),
        element_count=counts.get("element_count"),
        error="Great Expectations could not evaluate it" if raised else None,
    )
