"""Makes what is declared: observe, compare, check everything, then change, then wait until it runs.

Enters: a Target. Leaves: the Plan, or the servers changed accordingly. Nothing is changed before
the preflight and Connect's own validation have passed; applying twice changes nothing more.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors import database
from connectors.client import ConnectClient
from connectors.creation import create_connector
from connectors.errors import Configuration, Fatal, Unreachable
from connectors.options import collect_complaints
from connectors.plan import Action, Change, Kind, Plan, Severity, State, make_plan
from connectors.target import Target, desired_state, resolve_target
from connectors.topics import TopicAdmin
from legacy_db.catalogue import list_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import psycopg

RUNNING_TIMEOUT_S = 90.0
STEADY_S = 1.5
"""A task that fails at once shows RUNNING first: it must stay so for this long."""
_POLL_S = 0.3
_RESTING = ("PAUSED", "STOPPED")
"""Somebody made it rest: it is configured, and left so."""


@dataclass(frozen=True, slots=True)
class Servers:
    """The open connections of one run."""

    connect: ConnectClient
    topics: TopicAdmin
    owner: psycopg.Connection


@contextmanager
def open_servers(target: Target) -> Iterator[Servers]:
    """Connect to everything that plan and apply need."""
    with database.connect_owner(target.owner_url) as owner:
        yield Servers(
            ConnectClient(target.connect_url), TopicAdmin(target.bootstrap_servers), owner
        )


def plan_site(target: Target, servers: Servers) -> Plan:
    """Compare the declarations with the servers; a table that can't be captured is refused."""
    target = _resolve(target, servers)
    desired = desired_state(target)
    check_database(target, servers)
    plan = make_plan(desired, observe(target, servers, desired))
    validate_connectors(servers, desired, plan)
    return plan


def apply_site(
    target: Target,
    servers: Servers,
    *,
    remove: bool = False,
    report: Callable[[str], None] = lambda _line: None,
    timeout_s: float = RUNNING_TIMEOUT_S,
) -> Plan:
    """Apply the declarations and wait until every connector and task runs; returns what was done.

    Connectors that are not declared any more are deleted only with `remove`.
    """
    target = _resolve(target, servers)
    desired = desired_state(target)
    plan = plan_site(target, servers)
    refuse_refused(plan)
    before = {name: servers.connect.read_status(name) for name in desired.connectors}
    for change in plan.changes:
        if change.action is Action.REMOVE and not remove:
            continue
        report(f"{change.action} {change.kind} {change.name}")
        _make(target, servers, desired, change)
    for name, config in sorted(desired.connectors.items()):
        earlier = before[name]
        if earlier is not None and earlier["connector"]["state"] in _RESTING:
            report(f"{name} stays {earlier['connector']['state']}")
            continue
        if earlier is not None and _has_failed(earlier):
            servers.connect.restart(name, only_failed=True)
        wait_until_running(servers.connect, name, config, before=earlier, timeout_s=timeout_s)
        report(f"{name} is running")
    return plan


def _resolve(target: Target, servers: Servers) -> Target:
    return resolve_target(target, lambda one: list_tables(servers.owner, one.schema))


def check_database(target: Target, servers: Servers) -> None:
    """Check, read-only, that every declared module can be captured; Configuration says what not."""
    slots = [target.names(module).slot for module in target.declarations]
    there = database.read_slots(servers.owner, slots)
    database.check_server(servers.owner, len(slots) - len(there))
    for declaration in target.declarations.values():
        database.check_role(servers.owner, declaration.user)
        database.check_tables(servers.owner, declaration)


def observe(target: Target, servers: Servers, desired: State) -> State:
    """Read what is there of everything that is desired, and the site's other connectors."""
    prefix = f"{target.site}."
    ours = [name for name in servers.connect.list_connectors() if name.startswith(prefix)]
    configs = {name: servers.connect.read_config(name) for name in ours}
    grants = (
        database.read_grants(servers.owner, declaration)
        for declaration in target.declarations.values()
    )
    return State(
        {name: config for name, config in configs.items() if config is not None},
        database.read_publications(servers.owner, desired.publications),
        frozenset().union(*grants),
        servers.topics.read(desired.topics),
    )


def refuse_refused(plan: Plan) -> None:
    """Raise Configuration when the plan holds a change that must not be made."""
    for change in plan.changes:
        for effect in change.effects:
            if effect.severity is Severity.REFUSED:
                raise Configuration(f"{change.kind} {change.name}: {effect.text}")


def validate_connectors(servers: Servers, desired: State, plan: Plan) -> None:
    """Let Connect validate every config that the plan changes; Configuration has its own words.

    A property that no part of Connect or of the plugin reads is refused, too.
    """
    complaints = []
    for change in plan.changes:
        if change.kind is Kind.CONNECTOR and change.action is not Action.REMOVE:
            config = desired.connectors[change.name]
            fields = collect_complaints(config, servers.connect.validate(config))
            complaints += [
                f"connector {change.name}: {field}: {'; '.join(words)}"
                for field, words in sorted(fields.items())
            ]
    if complaints:
        raise Configuration("not valid, nothing was changed:\n" + "\n".join(complaints))


def _make(target: Target, servers: Servers, desired: State, change: Change) -> None:
    name = change.name
    if change.kind is Kind.PUBLICATION:
        wanted = desired.publications[name]
        there = change.action is Action.UPDATE
        database.make_publication(servers.owner, name, wanted, there=there)
    elif change.kind is Kind.GRANT:
        for grant in desired.grants:
            if change.fields[0].field == grant.privilege and name == grant.name:
                database.make_grant(servers.owner, grant)
    elif change.kind is Kind.TOPIC:
        topic = desired.topics[name]
        if change.action is Action.CREATE:
            servers.topics.create(name, topic)
        else:
            servers.topics.change_settings(name, dict(topic.settings))
    elif change.action is Action.CREATE:
        module = name.removeprefix(f"{target.site}.")
        epoch = target.declarations[module].epoch
        create_connector(servers, target.names(module), desired.connectors[name], epoch)
    elif change.action is Action.REMOVE:
        servers.connect.delete(name)
    else:
        servers.connect.put_config(name, desired.connectors[name])


def wait_until_running(
    client: ConnectClient,
    name: str,
    config: Mapping[str, str],
    *,
    before: Mapping[str, Any] | None = None,
    timeout_s: float = RUNNING_TIMEOUT_S,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Wait until the connector and its task run with `config`; Fatal has the trace's first line.

    A failure that is the one of `before`, the status before anything was done, is not yet news;
    nor is it when a task that was started once more with the config before fails as it did then.
    """
    deadline = clock() + timeout_s
    running_since: float | None = None
    while clock() < deadline:
        told = _has_config(client.read_task_configs(name), config)  # first: a status may be older
        status = client.read_status(name)
        if status is not None:
            told = told and bool(status["tasks"])
            if (told or status["connector"]["state"] == "FAILED") and _is_news(status, before):
                refuse_failed(name, status)
            if told and _runs(status):
                running_since = clock() if running_since is None else running_since
                if clock() - running_since >= STEADY_S:
                    return
            else:
                running_since = None
        sleep(_POLL_S)
    status = client.read_status(name)
    if status is not None:
        refuse_failed(name, status)
    raise Unreachable(
        f"connector {name} did not run within {timeout_s:g} s; its state is "
        f"{describe_states(status)}: see Connect's log"
    )


def refuse_failed(name: str, status: Mapping[str, Any]) -> None:
    """Raise Fatal with the first line of the trace when the connector or a task has failed."""
    for part, state in _parts(status):
        if state["state"] == "FAILED":
            raise Fatal(f"connector {name}: {part} has failed: {first_trace_line(state)}")


def first_trace_line(state: Mapping[str, Any]) -> str:
    """Give a trace's first line, with the innermost cause's; '' without a trace."""
    lines = str(state.get("trace") or "").strip().splitlines()
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    return " <- ".join([*lines[:1], *causes[-1:]])


def describe_states(status: Mapping[str, Any] | None) -> str:
    """Describe the states of a connector and its tasks in few words."""
    if status is None:
        return "unknown"
    return ", ".join(f"{part} {state['state']}" for part, state in _parts(status))


def _parts(status: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield "connector", status["connector"]
    for task in status["tasks"]:
        yield f"task {task['id']}", task


def _has_failed(status: Mapping[str, Any]) -> bool:
    return any(state["state"] == "FAILED" for _, state in _parts(status))


def _is_news(status: Mapping[str, Any], before: Mapping[str, Any] | None) -> bool:
    """Tell whether a part fails that did not fail before with the same trace."""
    known = {} if before is None else dict(_parts(before))
    return any(
        state["state"] == "FAILED" and state.get("trace") != known.get(part, {}).get("trace")
        for part, state in _parts(status)
    )


def _runs(status: Mapping[str, Any]) -> bool:
    return bool(status["tasks"]) and all(s["state"] == "RUNNING" for _, s in _parts(status))


def _has_config(tasks: list[dict[str, str]], config: Mapping[str, str]) -> bool:
    """Tell whether the tasks were given this config already, not the one before."""
    return bool(tasks) and all(
        task.get(key, value) == value for task in tasks for key, value in config.items()
    )
