"""The four services of the stack: how each is built, when it answers, what it needs afterwards.

Enters: the state (ports, passwords) and the bundles. Leaves: Programs and answers.
"""

from __future__ import annotations

import signal
from concurrent.futures import Future
from pathlib import Path

from pipeline.local_stack.account import choose_data_folder, find_account
from pipeline.local_stack.bundles import Bundles
from pipeline.local_stack.connect import build_connect, connect_answers
from pipeline.local_stack.databases import create_databases, create_roles
from pipeline.local_stack.kafka import build_kafka, kafka_answers
from pipeline.local_stack.postgres import build_postgres, postgres_answers
from pipeline.local_stack.process import Child, Program
from pipeline.local_stack.registry import build_registry, registry_answers
from pipeline.local_stack.state import ADMIN_ROLE, CAPTURE_ROLE, StackState, build_variables

SERVICES = ("postgres", "kafka", "registry", "connect")
"""In the order in which they are needed; they are stopped in the opposite one."""
PORTS = {
    "postgres": ("postgres",),
    "kafka": ("kafka", "kafka_controller"),
    "registry": ("registry",),
    "connect": ("connect",),
}


STOP_SECONDS_MAX = {"postgres": 60.0, "kafka": 30.0, "registry": 10.0, "connect": 15.0}
"""Before SIGKILL; Connect would wait long for a broker that is gone, and loses nothing by it."""


def find_child(folder: Path, name: str) -> Child:
    """Return where the service of that name is known by, in the stack's folder."""
    # PostgreSQL's fast shutdown is SIGINT: on SIGTERM it would wait for every client to leave
    stop_signal = signal.SIGINT if name == "postgres" else signal.SIGTERM
    return Child(
        name=name,
        folder=folder / name,
        stop_signal=stop_signal,
        stop_seconds_max=STOP_SECONDS_MAX[name],
    )


def find_postgres_home(folder: Path) -> Path:
    """Return the folder of PostgreSQL's data; as root it may lie outside the stack's."""
    return choose_data_folder(folder / "postgres" / "home", find_account())


def admin_url(state: StackState) -> str:
    """Return the superuser's URL."""
    return build_variables(state)["ISTHMUS_POSTGRES_ADMIN_URL"]


def build_program(
    folder: Path, name: str, state: StackState, fetched: Future[Bundles] | None
) -> Program:
    """Prepare a service and return what to start; all but PostgreSQL wait for `fetched`."""
    child = find_child(folder, name)
    ports = state.ports
    if name == "postgres" or fetched is None:
        home = find_postgres_home(folder)
        password = state.passwords[ADMIN_ROLE]
        return build_postgres(
            child, home, port=ports["postgres"], password=password, account=find_account()
        )
    bundles = fetched.result()
    if name == "kafka":
        controller = ports["kafka_controller"]
        return build_kafka(
            child, bundles.class_path, port=ports["kafka"], controller_port=controller
        )
    if name == "registry":
        return build_registry(child, bundles.registry, port=ports["registry"])
    return build_connect(
        child,
        bundles.class_path,
        bundles.plugin_folders,
        port=ports["connect"],
        kafka_port=ports["kafka"],
        secrets={"ISTHMUS_CAPTURE_PASSWORD": state.passwords[CAPTURE_ROLE], **state.secrets},
    )


def service_answers(name: str, state: StackState) -> bool:
    """Say whether a service does its work."""
    if name == "postgres":
        return postgres_answers(admin_url(state))
    answers = {"kafka": kafka_answers, "registry": registry_answers, "connect": connect_answers}
    return answers[name](state.ports[name])


def complete_service(name: str, state: StackState) -> None:
    """Make what a service must hold once it answers: roles and databases."""
    if name == "postgres":
        create_roles(admin_url(state), state.passwords)
        create_databases(admin_url(state))
