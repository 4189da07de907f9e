"""What deploy/ ships is read as its tools read it: programs and options exist, units verify, variables are explained.

Docker is not asked: whether the images build and start is not tested here.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
PROGRAMS = Path(sys.executable).parent
OURS = ("tribute", "prefect", "mlflow")
VARIABLE = re.compile(r"^(?:# )?([A-Z][A-Z0-9_]+)=", re.MULTILINE)


def of_compose() -> Iterator[list[str]]:
    """Every command of the compose file, taken apart where a shell runs several."""
    for service in COMPOSE["services"].values():
        words = [str(word) for word in service.get("command", ())]
        if words[:2] == ["sh", "-c"]:
            yield from (shlex.split(part.strip().removeprefix("exec ")) for part in words[2].split("&&"))
        else:
            yield words


def of_units() -> Iterator[list[str]]:
    """Every command of the units, with the program's name alone."""
    for unit in UNITS:
        for line in re.findall(r"^Exec\w+=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE):
            program, *options = shlex.split(line)
            yield [Path(program).name, *options]


@cache
def help_of(*words: str) -> str:
    """What a program says of its options."""
    shell = os.environ | {"COLUMNS": "200"}
    command = [PROGRAMS / words[0], *words[1:], "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=shell)
    return done.stdout


COMMANDS = [words for words in (*of_compose(), *of_units()) if words and words[0] in OURS]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_commands_exist(words: list[str]):
    """The program has the command, and the command every option that is given."""
    options = [word for word in words if word.startswith("--")]
    top = [option for option in options[:1] if words.index(option) == 1]
    named = [word for word in words[1 + len(top) : 4] if re.fullmatch("[a-z]+", word)]
    command = named[: 2 if words[0] == "prefect" and named[0] != "deploy" else 1]

    assert command
    for option in top:
        assert option.removeprefix("--no-") in help_of(words[0])
    said = help_of(words[0], *command)
    assert [option for option in options if option not in top and option not in said] == []


def test_what_a_service_waits_for_is_there():
    """Nothing depends on a service or a volume that the file lacks; ports are this machine's own."""
    for service in COMPOSE["services"].values():
        assert set(service.get("depends_on", {})) <= set(COMPOSE["services"])
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
        mounted = [volume.partition(":")[0] for volume in service.get("volumes", ())]
        assert all(name in COMPOSE["volumes"] or (DEPLOY / name).is_file() for name in mounted)


def test_variables_are_explained():
    """Every variable of the example is in docs/deploy.md, and none holds a secret."""
    example = (DEPLOY / "tribute.env.example").read_text(encoding="utf-8")
    docs = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")

    names = VARIABLE.findall(example)

    assert "TRIBUTE_ARTIFACTS" in names
    assert [name for name in names if f"`{name}`" not in docs and f"{name}=" not in docs] == []
    assert "tribute:PASSWORD@" in example


def test_every_database_is_created():
    """The example's three databases are those that the compose file's server creates."""
    example = (DEPLOY / "tribute.env.example").read_text(encoding="utf-8")
    created = re.findall(r"CREATE DATABASE (\w+);", (DEPLOY / "databases.sql").read_text(encoding="utf-8"))

    assert sorted(re.findall(r"postgresql\S*/(\w+)$", example, re.MULTILINE)) == sorted(created)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_units_verify(unit: Path, tmp_path: Path):
    """systemd finds no fault, once the programs are where this environment has them."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is absent; apt-get install systemd")
    for each in UNITS:
        text = each.read_text(encoding="utf-8").replace("/opt/tribute/.venv/bin", str(PROGRAMS))
        (tmp_path / each.name).write_text(text, encoding="utf-8")

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / unit.name], capture_output=True, text=True, timeout=60
    )

    faults = [line for line in done.stderr.splitlines() if "tribute-" in line]
    assert (done.returncode, faults) == (0, []), done.stderr
