"""What deploy/ ships is read as its tools read it: programs and options exist, units verify, variables are explained.

Docker is not asked: whether the images build and start is not tested here.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from tribute.version import __version__

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
PROGRAMS = Path(sys.executable).parent
OURS = ("tribute", "prefect", "mlflow")
VARIABLE = re.compile(r"^(?:# )?([A-Z][A-Z0-9_]+)=", re.MULTILINE)
EXAMPLE = (DEPLOY / "tribute.env.example").read_text(encoding="utf-8")
OF_TRIBUTE = {name: service for name, service in COMPOSE["services"].items() if service["image"] == "tribute"}


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
    """Every variable of the example has a row in the table of docs/deploy.md, and none holds a secret."""
    docs = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    table = docs.partition("| what | variable | for |\n")[2].partition("\n\n")[0]
    explained = set(re.findall(r"[A-Z][A-Z0-9]+_[A-Z0-9_]+", " ".join(row.split("|")[2] for row in table.splitlines())))

    names = set(VARIABLE.findall(EXAMPLE))

    assert names - explained == set()
    assert "tribute:PASSWORD@" in EXAMPLE


def test_compose_finds_what_it_asks_for():
    """Variables between braces come from the command's own `--env-file`; `env_file` gives them to containers alone."""
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    asked = set(re.findall(r"\$\{(\w+)", text))

    assert asked == {"POSTGRES_PASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    assert asked <= set(VARIABLE.findall(EXAMPLE))
    assert "docker compose --env-file deploy/tribute.env -f deploy/compose.yaml" in text


@pytest.mark.parametrize("name", OF_TRIBUTE)
def test_containers_reach_each_other(name: str):
    """Every address that a container is given names a container: 127.0.0.1 would be itself."""
    given = dict(line.split("=", 1) for line in EXAMPLE.splitlines() if "=" in line and not line.startswith("#"))
    addresses = {
        variable: urlsplit(re.sub(r"\$\{.*?\}", "secret", value))
        for variable, value in (given | OF_TRIBUTE[name]["environment"]).items()
        if "://" in value and not value.startswith("s3:") and variable != "PREFECT_UI_API_URL"
    }

    assert {"PREFECT_API_URL", "MLFLOW_TRACKING_URI", "AWS_ENDPOINT_URL", "TRIBUTE_STORE"} <= set(addresses)
    assert [variable for variable, url in addresses.items() if url.hostname not in COMPOSE["services"]] == []


def test_a_browser_reaches_both_servers(monkeypatch: pytest.MonkeyPatch):
    """Prefect's page asks for its API where the port is published, and MLflow takes the names that are used for it."""
    from mlflow.server.security_utils import is_allowed_host_header
    from prefect.settings import Settings

    for variable, value in OF_TRIBUTE["prefect"]["environment"].items():
        monkeypatch.setenv(variable, value)
    command = OF_TRIBUTE["mlflow"]["command"]
    hosts = command[command.index("--allowed-hosts") + 1].split(",")
    tracking = urlsplit(OF_TRIBUTE["worker"]["environment"]["MLFLOW_TRACKING_URI"]).netloc

    assert Settings().server.ui.api_url == "http://127.0.0.1:4200/api"
    assert OF_TRIBUTE["prefect"]["ports"] == ["127.0.0.1:4200:4200"]
    assert all(is_allowed_host_header(hosts, host) for host in ("127.0.0.1:5000", "localhost:5000", tracking))


def test_nobody_starts_too_early():
    """Who needs the database or S3 waits until it answers: a first start takes seconds, and `workspace` has one try."""
    for service in COMPOSE["services"].values():
        for other, how in service.get("depends_on", {}).items():
            if other in ("db", "s3"):
                assert how == {"condition": "service_healthy"}
                assert COMPOSE["services"][other]["healthcheck"]["test"][0] == "CMD"


def test_an_image_holds_no_secret():
    """What is copied into it is named, and that is all it needs; whatever else lies in a checkout stays out."""
    first, *others = [
        line for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if not line.startswith("#")
    ]
    let_in = {line[1:] for line in others if line.startswith("!")}
    built = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = built["tool"]["hatch"]["build"]["targets"]["wheel"]
    copied = re.findall(r"^COPY (.*) \./$", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)

    assert first == "*"
    assert let_in >= {*wheel["packages"], *wheel["force-include"], *copied[0].split(), "prefect.yaml"}
    assert {".git", ".venv", "deploy", "data", "demo"}.isdisjoint(let_in)
    assert "/deploy/tribute.env" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("kind", ["checkout", "anothers", "tarball"])
def test_a_deployment_has_a_version(kind: str, tmp_path: Path):
    """The commit, also in a checkout of another user; where there is none, as in a container, Tribute's version."""
    (tmp_path / "tribute").mkdir()
    shutil.copy(ROOT / "tribute" / "version.py", tmp_path / "tribute")
    shell = os.environ | {"GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}
    expected = __version__
    if kind != "tarball":
        author = ("-c", "user.name=ann", "-c", "user.email=ann@example.org")
        for words in (("init", "-q"), (*author, "commit", "-q", "--allow-empty", "-m", "A")):
            subprocess.run(["git", *words], cwd=tmp_path, env=shell, check=True)
        asked = ["git", "rev-parse", "--short", "HEAD"]
        expected = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.strip()
    if kind == "anothers":
        if os.geteuid() != 0:
            pytest.skip("only root can give a checkout away")
        for path in (tmp_path, tmp_path / ".git"):
            os.chown(path, 65534, 65534)
    [step] = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["build"]
    [(_, options)] = step.items()

    assert options["shell"] is True
    done = subprocess.run(["sh", "-c", options["script"]], cwd=tmp_path, env=shell, capture_output=True, check=True)
    assert done.stdout.decode().strip() == expected


def test_every_database_is_created():
    """The example's three databases are those that the compose file's server creates."""
    created = re.findall(r"CREATE DATABASE (\w+);", (DEPLOY / "databases.sql").read_text(encoding="utf-8"))

    assert sorted(re.findall(r"postgresql\S*/(\w+)$", EXAMPLE, re.MULTILINE)) == sorted(created)


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
