"""The command line is thin: it answers at once, prints what commands return, and knows four ways to end."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from tests.helpers.terminal import in_process_of_its_own, tribute
from tribute import cli
from tribute.cli import _terminal
from tribute.cli._output import Output, Table
from tribute.errors import ConfigError
from tribute.pipeline.launch import preflight
from tribute.progress import reporter
from tribute.version import __version__
from tribute.workspace import Workspace

COMMANDS = (
    *("init", "contribute", "release", "versions", "finetune", "attribute", "reward", "run", "demo", "verify"),
    *("export", "push", "runs", "gc", "up", "attack", "base", "plan"),
    *("sweep", "serve", "price", "payer", "agent", "mcp", "usage"),
    *("config", "inspect", "trace", "fetch", "explain"),
    *("screening", "review", "accept", "reject", "diff", "show", "card", "withdraw", "erase", "retrain"),
    *(
        "decide",
        "terms",
        "organisation",
        "sync",
        "import",
        "clone",
        "commit",
        "status",
        "key",
        "vault",
        "period",
        "policy",
        "pay",
    ),
    *("statement", "dispute", "year"),
)
GROUPS = ("config", "key", "vault", "period", "policy", "pay", "payer", "agent", "usage", "base", "dispute")
WRITES = {
    *("export", "push", "gc", "attack", "sweep"),
    *("init", "contribute", "release", "finetune", "attribute", "reward", "run", "demo", "fetch"),
    *("screening", "accept", "reject", "decide", "card", "terms", "withdraw", "erase", "retrain"),
    *("organisation", "import", "clone", "commit"),
    *("explain", "statement", "year"),
}


def test_the_commands_are_those_promised():
    """Help lists every command and no other, and each first word is the name of its file."""
    lines = tribute("--help").out.partition("Contribute data:")[2].splitlines()
    files = {path.stem.rstrip("_") for path in Path(cli.__file__).parent.glob("[!_]*.py")}

    assert {line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "} == set(COMMANDS)
    assert files == set(COMMANDS)


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in GROUPS])
def test_options_are_the_same_everywhere(command: str):
    """--json on every command that prints data, --dry-run on every one that writes."""
    help_ = tribute(command, "--help").out

    assert "--json" in help_
    assert ("--dry-run" in help_) == (command in WRITES)


def test_help_in_the_blink_of_an_eye():
    """Help needs no more than a bare Python and Typer: the modules it loads are few."""
    code = "import sys; from tribute.cli import main\ntry: main(['--help'])\nexcept SystemExit: print(len(sys.modules))"
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


def test_help_lists_whole_sentences_by_who_uses_them():
    """The panels stand in the order of the work; a file's docstring is its word's sentence, and none is cut."""
    text = tribute("--help").out
    panels = ["Contribute data:", "Fine-tune:", "Attribute:", "Pay:", "Operate:"]

    words = " ".join(text.split())
    for path in Path(cli.__file__).parent.glob("[!_]*.py"):
        module = import_module(f"tribute.cli.{path.stem}")
        assert f" {path.stem.rstrip('_')} {' '.join((module.__doc__ or '').split())}" in words
    assert sorted(panels, key=text.index) == panels
    assert "…" not in text
    assert "..." not in text.partition(panels[0])[2]


def test_version_and_short_help():
    """--version names the version, and -h is --help at every level."""
    assert tribute("--version").out == f"tribute {__version__}\n"
    for words in ((), ("period",), ("period", "close")):
        assert tribute(*words, "-h").out == tribute(*words, "--help").out


def test_a_command_that_is_nearly_one():
    """A typing error is answered with what was meant."""
    assert "Did you mean 'finetune'?" in tribute("finetun").err


def test_a_shell_completes_words():
    """A shell that asks gets the words that begin so."""
    asked = {"_TRIBUTE_COMPLETE": "complete_bash", "COMP_WORDS": "tribute rel", "COMP_CWORD": "1"}
    done = subprocess.run([sys.executable, "-m", "tribute"], capture_output=True, text=True, env=os.environ | asked)

    assert done.stdout.split() == ["release"]


def test_ids_stay_whole_in_the_narrowest_terminal(printed: Callable[[Output, bool], str]):
    """An id is on one line whatever the width; words beside it wrap."""
    id_ = "c-405-2e2170da:91"
    rows = [(id_, "near_duplicate", "a sentence of some words " * 6), ("x" * 60, "y" * 60, "z z")]
    text = printed(Output({}, tables=[Table("Rows", ("row", "reason", "text"), rows)]), False)

    assert id_ in text
    assert "x" * 60 in text
    assert "y" * 60 in text


def test_a_pipe_breaks_no_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Without a terminal a row of a table is a line."""
    monkeypatch.delenv("COLUMNS", raising=False)
    words = "many words " * 40
    _terminal.show(Output({}, tables=[Table("Rows", ("row", "text"), [("id", words.strip())])]), None)

    assert words.strip() in capsys.readouterr().out


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_all_characters_gets_plain_ones(encoding: str, finished: Path):
    """No check mark, dash or arrow ends in a traceback."""
    for arguments in (("verify", "registry"), ("review", "tiny"), ("trace", "2026-11/ada"), ("status",)):
        done = subprocess.run(
            [sys.executable, "-m", "tribute", *arguments, "-w", finished],
            capture_output=True,
            env=os.environ | {"PYTHONIOENCODING": encoding},
        )

        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.decode(encoding).strip()


def test_json_says_which_schema_it_has(finished: Path):
    """Every JSON begins with the version of its schema; a dry run says that it was one."""
    plain = json.loads(tribute("versions", "-w", finished, "--json").out)
    dry = json.loads(tribute("release", "tiny@v2.0.0", "-w", finished, "--dry-run", "--json").out)

    assert next(iter(plain.items())) == ("schema_version", 1)
    assert (dry["schema_version"], dry["dry_run"]) == (1, True)


def test_missing_ray_is_one_line(finished: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch):
    """A run on Ray without Ray is refused before anything starts, by a dry run too."""
    monkeypatch.setattr(preflight, "find_spec", lambda _: None)
    ended = tribute("run", tiny / "config.yaml", "--set", "execution.engine=ray", "-w", finished, "--dry-run")

    assert ended.code == 2
    assert ended.err == (
        "tribute: execution.engine: ray is not installed; run `pip install 'tribute[ray]'`, "
        "or set execution.engine to local\n"
    )


@pytest.mark.parametrize("columns", ["20", "80", "200"])
def test_ids_and_amounts_are_whole_on_any_terminal(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    """An amount is a number and a currency, an id has no blank: neither is cut, however narrow the screen is."""
    from tribute.cli import _terminal
    from tribute.cli._output import Table

    monkeypatch.setenv("COLUMNS", columns)
    words = ("2026-12-000007", "Liabilities:Contributor:numpy:Accrued", "1,250.00 EUR")

    _terminal._print_tables([Table("Posted", ("entry", "account", "debit"), [words], right=("debit",))])

    line = next(line for line in capsys.readouterr().out.splitlines() if "2026" in line)
    assert all(word in line for word in words)
