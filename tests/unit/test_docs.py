"""The documents say what the code has: commands, options, variables, failpoints, exit codes."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from adapters.event import EventKind, IntegrationEvent, make_headers
from adapters.position import Sequence
from legacy_db import errors

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("legacy_db", "connectors", "adapters", "pipeline")
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
SHARED_OPTIONS = {"--help", "--install-completion", "--show-completion"}

Command = Any
"""A command as typer makes it: typer carries its own copy of click, under a private name."""

_VARIABLE = re.compile(r"ISTHMUS_[A-Z][A-Z0-9_]*[A-Z0-9]")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+\s+(.*)$", re.MULTILINE)


@cache
def all_documents() -> str:
    """Return the text of all documents."""
    return "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)


def program() -> Command:
    """Return the program's root command; imported late, so that other tests run without it."""
    return typer.main.get_command(importlib.import_module("pipeline.cli.app").app)


def walk(command: Command, path: tuple[str, ...]) -> Iterator[tuple[str, Command]]:
    """Yield every command that does something, with its words, e.g. `connectors plan`."""
    if not hasattr(command, "list_commands"):
        yield " ".join(path), command
        return
    context = command.make_context("isthmus", [], resilient_parsing=True)
    for name in command.list_commands(context):
        subcommand = command.get_command(context, name)
        if not subcommand.hidden:
            yield from walk(subcommand, (*path, name))


@cache
def commands() -> dict[str, Command]:
    """Return every command by its words."""
    return dict(walk(program(), ()))


def option_names(parameter: Any) -> list[str]:
    """Return the long names of an option; none for an argument."""
    if parameter.param_type_name != "option" or parameter.hidden:
        return []
    names = [*parameter.opts, *parameter.secondary_opts]
    return [name for name in names if name.startswith("--") and name not in SHARED_OPTIONS]


def section_of(words: str) -> str:
    """Return what the documents say of a command: the lines that name it, and those below."""
    table = command_reference()
    return table.get(words, "")


@cache
def command_reference() -> dict[str, str]:
    """Parse the reference: a heading `### isthmus WORDS`, then its text up to the next heading."""
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    parts = re.split(r"^### `isthmus ([^`]+)`$", text, flags=re.MULTILINE)
    return {
        words: body.split("\n## ")[0] for words, body in zip(parts[1::2], parts[2::2], strict=True)
    }


def code_variables() -> set[str]:
    """Return the ISTHMUS_* names in string literals of the packages, without docstrings' prose."""
    names: set[str] = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    names.update(_VARIABLE.findall(node.value))
    names.update(_VARIABLE.findall((ROOT / "isthmus.toml").read_text(encoding="utf-8")))
    for declaration in (ROOT / "connectors").rglob("*.y*ml"):
        names.update(_VARIABLE.findall(declaration.read_text(encoding="utf-8")))
    return names


def anchors(path: Path) -> set[str]:
    """Return the anchors of a markdown file's headings, as the usual renderers make them."""
    headings = _HEADING.findall(path.read_text(encoding="utf-8"))
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in kept}


def test_every_command_is_in_the_reference_and_none_that_is_not_there() -> None:
    """docs/commands.md has a section for each command of the program and for no other."""
    assert set(command_reference()) == set(commands())


def test_every_command_is_in_the_table_of_the_readme() -> None:
    """The README names every command by its first word, and each subcommand of a group."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.split("## Commands", 1)[1].split("\n## ", 1)[0]
    missing = [words for words in commands() if not set(words.split()) <= _words(table)]
    assert not missing


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z][a-z-]*", text))


def test_every_option_of_every_command_is_in_its_section() -> None:
    """Each option stands in the section of its command; --site and --json are told once for all."""
    shared = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8").split("\n### ", 1)[0]
    missing = [
        f"isthmus {words} {name}"
        for words, command in commands().items()
        for parameter in command.params
        for name in option_names(parameter)
        if not _names(name, section_of(words))
        and not (name in {"--site", "--json"} and _names(name, shared))
    ]
    assert not missing


def test_no_section_names_an_option_that_its_command_does_not_have() -> None:
    """An option in a command's section is an option of that command."""
    known = commands()
    strange = [
        f"isthmus {words} {name}"
        for words, body in command_reference().items()
        for name in re.findall(r"(?<![\w-])--[a-z][a-z-]*", body)
        if words in known
        and name not in {n for parameter in known[words].params for n in option_names(parameter)}
    ]
    assert not strange


def _names(option: str, text: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", text) is not None


def test_the_flags_of_the_connectors_script_are_documented() -> None:
    """commands.md has a row for each flag of `python -m connectors`, with its variable."""
    flags = importlib.import_module("connectors.__main__")._FLAGS
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert not [flag for flag, variable, _ in flags if f"| `{flag}` | `{variable}` |" not in text]


def test_every_variable_that_the_code_names_is_documented() -> None:
    """Each ISTHMUS_* variable of packages, site file and declarations stands in a document."""
    documented = set(_VARIABLE.findall(all_documents()))
    assert not sorted(code_variables() - documented)


def test_every_failpoint_is_documented_and_no_other() -> None:
    """operations.md lists the failpoints of the registry, in its order, with its words."""
    failpoints: dict[str, str] = importlib.import_module("pipeline.failpoints").FAILPOINTS
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = text.split("## Failpoints", 1)[1].split("\n## ", 1)[0]
    assert re.findall(r"^\| `([^`]+)` \| (.*) \|$", section, re.MULTILINE) == list(
        failpoints.items()
    )


def test_every_exit_code_is_described() -> None:
    """operations.md has a row for each of the exit codes 0 to 4, and the README names them."""
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = text.split("## Exit codes", 1)[1].split("\n## ", 1)[0]
    assert re.findall(r"^\| (\d) \| \S", section, re.MULTILINE) == ["0", "1", "2", "3", "4"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(re.search(rf"^\| {code} \|", readme, re.MULTILINE) for code in range(5))


@pytest.mark.parametrize("arguments", [["no-such-command"], ["publish", "--no-such-option"]])
def test_bad_use_is_answered_with_the_documented_code(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A command or option that is not there gives 2 and a message on stderr, without traceback."""
    assert importlib.import_module("pipeline.cli.app").run(arguments) == 2
    output = capsys.readouterr()
    assert not output.out
    assert "No such" in output.err
    assert "Traceback" not in output.err


def test_every_verdict_is_described_with_its_exit_code() -> None:
    """operations.md lists the verdicts from harmless to grave, each with the code that it gives."""
    result = importlib.import_module("pipeline.reconcile.result")
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = text.split("## Verdicts of a reconciliation", 1)[1].split("\n## ", 1)[0]
    documented = re.findall(r"^\| ([A-Z]+) \| .* \| (\d) \|$", section, re.MULTILINE)
    assert documented == [(str(one), str(result.EXIT_CODES[one])) for one in result.SEVERITY]


def test_every_error_family_is_described() -> None:
    """operations.md has a row for each direct subclass of IsthmusError."""
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    families = {one.__name__ for one in errors.IsthmusError.__subclasses__()}
    described = set(re.findall(r"^\| `([A-Z][A-Za-z]+)` \|", text, re.MULTILINE))
    assert {"Configuration", "Unreachable", "Retriable", "Poison", "Fatal"} <= families
    assert {name for name in families if hasattr(errors, name)} <= described


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_resolves(path: Path) -> None:
    """A relative link leads to a file of the repository, its anchor to a heading of that file."""
    broken = []
    for link in _LINK.findall(path.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


def test_decision_records_are_numbered_and_of_one_page() -> None:
    """Each ADR has context, decision, consequences and measurements, within 60 lines."""
    records = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert [path.name[:4] for path in records] == [f"{n:04d}" for n in range(1, len(records) + 1)]
    for path in records:
        text = path.read_text(encoding="utf-8")
        headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences", "What was measured"], path
        assert text.startswith(f"# {path.name[:4]}: "), path
        assert len(text.splitlines()) <= 60, path


def test_changelog_names_the_version_of_the_package() -> None:
    """The newest entry of CHANGELOG.md is the project's version, in Keep a Changelog's form."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    version = re.search(r'^version = "([^"]+)"', project, re.MULTILINE)
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[(\d[^\]]*)\] - \d{4}-\d{2}-\d{2}$", changelog, re.MULTILINE)
    assert version is not None
    assert newest is not None
    assert newest[1] == version[1]


def blocks(path: Path, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    text = path.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_site_file_of_the_readme_is_the_one_that_is_there() -> None:
    """The README shows isthmus.toml with the same sections, keys and values."""
    (block,) = blocks(ROOT / "README.md", "toml")
    assert tomllib.loads(block) == tomllib.loads((ROOT / "isthmus.toml").read_text())


def test_the_declaration_of_the_readme_is_the_one_that_is_there() -> None:
    """The README shows connectors/retail/sales.yaml with the same keys and values."""
    (block,) = blocks(ROOT / "README.md", "yaml")
    declared = (ROOT / "connectors" / "retail" / "sales.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(block) == yaml.safe_load(declared)


def test_the_header_table_lists_the_headers_that_are_made() -> None:
    """events.md has a row for each header of an event that has everything, and for no other."""
    event = IntegrationEvent(
        id="0" * 32,
        kind=EventKind.STATE,
        type="sales.Order.v1",
        aggregate="sales.Order",
        subject="77",
        sequence=str(Sequence(1, 2)),
        time=datetime(2026, 11, 23, tzinfo=UTC),
        source="/retail/sales",
        transaction="762",
        region="eu",
        traceparent="00-0-0-00",
        fingerprint="0" * 32,
        payload=b"",
    )
    text = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
    section = text.split("## Headers", 1)[1].split("\n## ", 1)[0]
    documented = re.findall(r"^\| `([a-z_-]+)` \|", section, re.MULTILINE)
    assert sorted(documented) == sorted(name for name, _ in make_headers(event))


def test_the_sequence_of_the_guide_is_one() -> None:
    """The example of a sequence in events.md parses and is written the same again."""
    text = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^    ([0-9a-f]{8}-[0-9a-f-]+)$", text, re.MULTILINE)
    assert str(Sequence.parse(example)) == example


def test_the_consumer_of_the_guide_imports_what_there_is() -> None:
    """The Python of events.md parses, its imports work, and it needs nothing of Isthmus."""
    (block,) = blocks(ROOT / "docs" / "events.md", "python")
    for node in ast.parse(block).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            statement = ast.unparse(node)
            assert not any(package in statement for package in PACKAGES)
            exec(compile(statement, "events.md", "exec"), {})  # noqa: S102 - our own file
