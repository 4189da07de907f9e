"""The command line is thin: it answers at once, prints what commands return, and knows four ways to end."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.terminal import in_process_of_its_own, tribute
from tribute import cli
from tribute.cli import _terminal
from tribute.cli._output import Output, Table
from tribute.errors import ConfigError
from tribute.progress import reporter
from tribute.workspace import Workspace

COMMANDS = (
    *("init", "contribute", "release", "versions", "finetune", "attribute", "reward", "run", "demo", "verify"),
    *("config", "inspect", "trace", "fetch", "explain"),
    *("screening", "review", "accept", "reject", "diff", "show", "card", "withdraw", "erase", "retrain"),
    *("organisation", "sync", "import", "clone", "key", "vault", "period", "policy", "pay"),
    *("statement", "dispute", "year"),
)
GROUPS = ("config", "key", "vault", "period", "policy", "pay", "dispute")
WRITES = {
    *("init", "contribute", "release", "finetune", "attribute", "reward", "run", "demo", "fetch"),
    *("screening", "accept", "reject", "card", "withdraw", "erase", "retrain", "organisation", "import", "clone"),
    *("explain", "statement", "year"),
}


def test_the_commands_are_those_promised():
    """Help lists every command and no other."""
    lines = tribute("--help").out.partition("Contribute data:")[2].splitlines()

    assert {line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "} == set(COMMANDS)


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in GROUPS])
def test_options_are_the_same_everywhere(command: str):
    """--json on every command that prints data, --dry-run on every one that writes."""
    help_ = tribute(command, "--help").out

    assert "--json" in help_
    assert ("--dry-run" in help_) == (command in WRITES)


def test_help_in_the_blink_of_an_eye():
    """Help needs no more than a bare Python and Typer: the modules it loads are few."""
    code = "import sys; from tribute.cli import main\ntry: main(['--help'])\nexcept SystemExit: print(len(sys.modules))"
    import subprocess

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert int(done.stdout.splitlines()[-1]) < 500


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ConfigError("a\n  slip"), 2, "tribute: a slip\n"),
        (OSError(28, "No space left on device", "/full"), 2, "tribute: [Errno 28] No space left on device: '/full'\n"),
        (KeyboardInterrupt(), 130, "tribute: interrupted; run the same command again to resume\n"),
    ],
)
def test_endings(error: BaseException, code: int, line: str, monkeypatch: pytest.MonkeyPatch):
    """What a user can mend is one line and 2; an interrupt is 130."""

    def fail(_: Path) -> Workspace:
        raise error

    monkeypatch.setattr(Workspace, "open", fail)
    ended = tribute("versions")

    assert (ended.code, ended.out, ended.err) == (code, "", line)


def test_a_fault_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch):
    """An error that the user cannot mend keeps its traceback."""
    monkeypatch.setattr(Workspace, "open", lambda _: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        cli.main(["versions"])


def test_debug_anywhere(tmp_path: Path):
    """--debug may stand before or after the command."""
    for arguments in (("--debug", "versions"), ("versions", "--debug")):
        ended = in_process_of_its_own(*arguments, "-w", tmp_path)

        assert "Traceback" in ended.err
        assert "WorkspaceError" in ended.err


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[[Output, bool], str]:
    """What a terminal of 80 columns shows of an output."""
    monkeypatch.setenv("COLUMNS", "80")

    def show(output: Output, as_json: bool) -> str:
        _terminal.show(output, {} if as_json else None)
        return capsys.readouterr().out

    return show


def test_tables_keep_numbers_whole(printed: Callable[[Output, bool], str]):
    """Numbers stay on one line at the right; only words wrap, and none is cut short."""
    rows = [("a" * 40, "1,234.56 EUR", "credit below zero"), ("b", "0.00 EUR", "rows " * 12)]
    text = printed(Output({}, tables=[Table("Paid", ("who", "amount", "why"), rows, right=("amount",))]), False)

    assert "1,234.56 EUR" in text
    assert "    0.00 EUR" in text
    assert "…" not in text
    assert text.count("rows") == 12
    assert max(map(len, text.splitlines())) <= 80


def test_lines_are_printed_as_they_are(printed: Callable[[Output, bool], str]):
    """Brackets are no markup, and a long path stays one line to copy."""
    line = f"[bold]{'x' * 100}[/bold]"

    assert printed(Output({}, [line]), False) == f"{line}\n"


def test_json_is_all_there_is(printed: Callable[[Output, bool], str]):
    """With --json neither lines nor tables are printed."""
    text = printed(Output({"a": 1}, ["a line"], [Table("t", ("c",), [("x",)])]), True)

    assert json.loads(text) == {"a": 1}


def test_progress_is_for_standard_error(capsys: pytest.CaptureFixture[str]):
    """Bars go to standard error, and where nothing reports nothing is printed."""
    with _terminal.progress():
        pass
    silent = capsys.readouterr()
    with _terminal.progress():
        reporter("walk")(3, 3)
    shown = capsys.readouterr()
    reporter("walk")(1, 3)

    assert (silent.out, silent.err) == ("", "")
    assert shown.out == ""
    assert "walk" in shown.err
    assert "3/3" in shown.err
    assert capsys.readouterr().err == ""
