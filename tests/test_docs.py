"""What is generated is fresh, what the pages name exists, and what they tell to type can be typed."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.core
import typer.main

from tribute.cli import app
from tribute.pipeline.runs.runs import all_runs
from tribute.workspace import Workspace

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMENTED = [*sorted((ROOT / "configs").glob("*.yaml")), ROOT / "prefect.yaml", ROOT / "dvc.yaml"]
SOURCES = [path for folder in ("tribute", "flows", "tasks") for path in sorted((ROOT / folder).rglob("*.py"))]

LINE = re.compile(r"^(?:#   |    )(?:\$ )?(?:\.venv/bin/)?tribute (.*)$", re.MULTILINE)
SPAN = re.compile(r"`(?:\.venv/bin/)?tribute ([^`\n]+)`")
ELLIPSIS = "…"


def test_generated_files_are_fresh():
    """`make docs` would change nothing."""
    check = subprocess.run([sys.executable, ROOT / "docs" / "generate.py", "--check"], capture_output=True, text=True)

    assert check.returncode == 0, check.stderr


def test_pages_link_to_files_that_exist():
    """No relative link leads nowhere."""
    broken = [
        f"{page.name}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]

    assert broken == []


def test_pages_link_to_sections_that_exist():
    """The part of a link behind `#` is a heading of the page that it names."""
    broken = [
        f"{page.name}: {target}#{section}"
        for page in PAGES
        for target, section in re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", page.read_text(encoding="utf-8"))
        if section not in anchors(page.parent / target if target else page)
    ]

    assert broken == []


def test_pages_name_modules_that_exist():
    """Each `file.py` in the pages is the end of a path in the repository."""
    folders = ("tribute", "flows", "tasks", "tools", "benchmarks", "docs", "tests")
    modules = {f"/{path.relative_to(ROOT).as_posix()}" for name in folders for path in (ROOT / name).rglob("*.py")}
    missing = [
        f"{page.name}: {module}"
        for page in PAGES
        for module in re.findall(r"`([\w/]+\.py)`", page.read_text(encoding="utf-8"))
        if not any(path.endswith(f"/{module}") for path in modules)
    ]

    assert missing == []


def test_command_lines_can_be_typed():
    """Each command line in pages and configs names a command, its options, and as many arguments as it takes."""
    lines = [(path, line) for path in [*PAGES, *COMMENTED] for line in LINE.findall(path.read_text(encoding="utf-8"))]

    faults = [f"{path.name}: tribute {line}: {fault}" for path, line in lines for fault in faults_of(line, whole=True)]

    assert len(lines) > 50
    assert faults == []


def test_commands_named_in_text_exist():
    """Each `tribute …` in pages, messages and docstrings names a command and options that it has."""
    spans = [(path, span) for path in [*PAGES, *SOURCES] for span in SPAN.findall(path.read_text(encoding="utf-8"))]

    faults = [f"{path.name}: tribute {span}: {fault}" for path, span in spans for fault in faults_of(span, whole=False)]

    assert len(spans) > 50
    assert faults == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("relase intents@v1.0.0", "there is no command relase"),
        ("period clos 2026-11", "there is no command clos"),
        ("show intents@v1.0.0 --jsn", "there is no option --jsn"),
        ("diff intents@v1.0.0", "1 arguments, not 2"),
        ("show a b", "2 arguments, not 1"),
        ("period close 2026-11 --key KEY", "--as is required"),
    ],
)
def test_faulty_command_lines_are_noticed(line: str, fault: str):
    """A misspelt command, an unknown option and a wrong number of arguments are faults."""
    assert list(faults_of(line, whole=True)) == [fault]


def test_the_readme_example_runs(finished: Path):
    """The Python example of the README runs as it stands on a finished workspace."""
    (run,) = all_runs(Workspace.open(finished))
    section = (
        (ROOT / "README.md").read_text(encoding="utf-8").partition("## Use it from Python")[2].partition("\n## ")[0]
    )
    example = "\n".join(line[4:] for line in section.splitlines() if line.startswith("    "))
    script = re.sub(r'"docs-[0-9a-f]{12}"', repr(run), example).replace("demo/", f"{finished}/")
    script = script.replace('"demo"', repr(str(finished)))

    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert "EUR    100.00" in output
    assert "contributor_id" in output


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def faults_of(line: str, *, whole: bool) -> Iterator[str]:
    """What typer would reject in the words behind `tribute`; `whole` also counts arguments and required options."""
    words = re.sub(r"\{[^}]*\}", "X", line)
    command = typer.main.get_command(app)
    rest = shlex.split(words, comments=True)
    while isinstance(command, typer.core.TyperGroup) and rest and not rest[0].startswith("-"):
        if rest[0] not in command.commands:
            if rest[0] != ELLIPSIS:
                yield f"there is no command {rest[0]}"
            return
        command = command.commands[rest.pop(0)]
    yield from faults_of_words(command, rest, whole and ELLIPSIS not in rest)


def faults_of_words(command: typer.core.TyperCommand, words: list[str], whole: bool) -> Iterator[str]:
    """What `command` would reject in its words."""
    options = {
        name: param for param in command.params if isinstance(param, typer.core.TyperOption) for name in param.opts
    }
    given, arguments, rest = set(), 0, list(words)
    whole = whole and "--help" not in words
    while rest:
        word = rest.pop(0)
        name, _, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if not word.startswith("-"):
            arguments += word != ELLIPSIS
        elif name in ("--help", "--debug"):
            continue
        elif name not in options:
            yield f"there is no option {name}"
        else:
            given.add(options[name])
            if not options[name].is_flag and not value and rest:
                rest.pop(0)
    if whole:
        yield from faults_of_count(command, arguments)
        missing = (option for option in options.values() if option.required)
        yield from (f"{option.opts[0]} is required" for option in missing if option not in given)


def faults_of_count(command: typer.core.TyperCommand, count: int) -> Iterator[str]:
    """Whether `command` takes so many arguments."""
    arguments = [param for param in command.params if isinstance(param, typer.core.TyperArgument)]
    least = sum(param.required for param in arguments)
    most = float("inf") if any(param.nargs == -1 for param in arguments) else len(arguments)
    if not least <= count <= most:
        yield f"{count} arguments, not {least if count < least else most}"
