"""Every command's --json fits its committed schema, and the schemas are those of the types that commands return."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.periods import closing, correction, said
from tests.helpers.terminal import SCHEMAS, schema_of, tribute
from tests.rewards.helpers.people import House, make_house

DOCS = Path(__file__).parents[1] / "docs"
WHO = ("--by", "grace", "--why", "a test")


def generator():
    """docs/json_schemas.py."""
    spec = importlib.util.spec_from_file_location("json_schemas", DOCS / "json_schemas.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_command_has_a_schema_and_every_schema_a_command():
    """A file per command, none left over; the generated text is what is committed."""
    files = generator().files()

    assert set(files) == set(SCHEMAS.glob("*.json"))
    assert all(path.read_text(encoding="utf-8") == text for path, text in files.items())


def test_a_word_with_two_types_is_refused():
    """The same word as a number and as a list ends the generation and names both commands."""
    schemas = {
        "a": {"properties": {"rows": {"type": "integer"}}},
        "b": {"properties": {"x": {"type": "object", "properties": {"rows": {"type": "array"}}}}},
    }

    with pytest.raises(SystemExit, match=r"rows.*'a'.*'b'"):
        generator()._refuse_double_words(schemas)


@pytest.mark.parametrize(
    "arguments",
    [
        ("versions",),
        ("show", "tiny"),
        ("show", "tiny@v1.0.0"),
        ("show", "{bob}"),
        ("diff", "tiny@v1.0.0", "tiny@v1.0.0"),
        ("screening", "tiny"),
        ("review", "tiny"),
        ("release", "tiny@v2.0.0", "--dry-run"),
        ("release", "--config", "{config}", "--dry-run"),
        ("release", "--config", "{config}"),
        ("card", "tiny@v1.0.0", "--dry-run"),
        ("sync",),
        ("withdraw", "{bob}", *WHO, "--dry-run"),
        ("erase", "{bob}", *WHO, "--dry-run"),
        ("retrain", "--dry-run"),
        ("organisation", "acme"),
        ("config", "check", "{config}"),
        ("config", "schema"),
        ("inspect", "{config}"),
        ("finetune", "{config}"),
        ("finetune", "{config}", "--dry-run"),
        ("attribute", "{config}"),
        ("attribute", "{config}", "--dry-run"),
        ("reward", "{config}", "--dry-run"),
        ("run", "{config}", "--dry-run"),
        ("explain", "{run}", "--text", "words", "--dry-run"),
        ("statement", "2026-11", "--dry-run"),
        ("verify", "registry"),
        ("verify", "period", "2026-11"),
        ("verify", "run", "{run}"),
        ("trace", "{run}"),
        ("trace", "{bob}"),
        ("trace", "{bob}:1"),
        ("trace", "bob"),
        ("trace", "2026-11/bob"),
        ("period", "status"),
        ("status",),
    ],
    ids=" ".join,
)
def test_what_a_command_prints_fits(arguments: tuple[str, ...], finished: Path, tiny: Path):
    """On a finished run; `tribute` of the helpers checks the output against the schema."""
    bob = next(path.name for path in (finished / "registry" / "contributions").glob("bob-*"))
    run = next(path.name for path in (finished / "runs").iterdir())
    words = [word.format(bob=bob, run=run, config=tiny / "config.yaml") for word in arguments]
    where = () if words[0] == "config" else ("-w", finished)

    ended = tribute(*words, *where, "--json")

    assert ended.code == 0, ended.err
    assert schema_of(words)["title"].startswith(f"tribute {words[0]}")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """November is closed, in a house of several people."""
    house = make_house(tmp_path_factory.mktemp("house") / "workspace")
    house.close("2026-11")
    return house


def test_what_the_commands_of_money_print_fits(house: House, tmp_path: Path):
    """Every command of policies, periods, disputes and payments, one after the other."""
    letter = tmp_path / "letter.txt"
    letter.write_text("a letter")
    day = ("--date", "2026-12-05")
    dispute = "2026-11-numpy-1"
    decide = ("--amount", "0", "--as", "rita", "--key", house.root / "keys" / "rita", "--why", "right")
    for arguments in (
        ("period", "open", "2026-12"),
        closing(house, "anna"),
        ("period", "status", "2026-11"),
        ("period", "release", "--date", "2026-12-31", "--dry-run"),
        correction(house, "correct", "1.00", "--dry-run"),
        correction(house, "claw-back", "1.00", "--dry-run"),
        ("period", "reverse", "2026-11-000002", "--why", "slip", *day, "--dry-run"),
        ("policy", "simulate", house.policy, "--period", "2026-11"),
        ("dispute", "open", "2026-11-numpy", *WHO[2:], "--by", "numpy", *day),
        ("dispute", "evidence", dispute, letter, *WHO[2:], "--by", "numpy", *day),
        ("dispute", "decide", dispute, *decide, *day, "--dry-run"),
        ("dispute", "show"),
        ("dispute", "show", dispute),
        ("pay", "books", "--out", tmp_path / "books.hledger", "--dry-run"),
        ("status",),
    ):
        assert said(house, *arguments) is not None
    assert tribute("policy", "check", house.policy, "--json").code == 0
    assert tribute("policy", "diff", house.policy, house.policy, "--json").code == 0


def test_the_generated_files_are_fresh():
    """`make docs` has been run."""
    done = subprocess.run([sys.executable, DOCS / "generate.py", "--check"], capture_output=True, text=True)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
