"""Property: a person's settings say where things are and who asks; nothing of theirs decides what is stored."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contributions.conftest import SCHEMA
from tribute.contributions.intake.submissions import Submission
from tribute.contributions.registry.git import Git
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.surroundings import git_environment, remotes_only
from tribute.contributions.registry.verify import verify_registry
from tribute.contributions.releases.release import release_version
from tribute.errors import RegistryError, WorkspaceError
from tribute.workspace import Workspace

DECIDING = """
[core]
    excludesFile = {home}/ignore
    attributesFile = {home}/attributes
    autocrlf = true
    hooksPath = {home}/hooks
    fsmonitor = {home}/fail
[color]
    ui = always
[commit]
    gpgSign = true
    template = {home}/template
    cleanup = scissors
[tag]
    gpgSign = true
    forceSignAnnotated = true
[push]
    gpgSign = true
[log]
    showSignature = true
    follow = true
[format]
    pretty = oneline
[init]
    templateDir = {home}/templates
    defaultBranch = trunk
[status]
    showUntrackedFiles = no
[filter "shout"]
    clean = tr a-z A-Z
    smudge = cat
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder of a person whose settings would change what is stored, in every way that git and DVC know."""
    home = tmp_path / "home"
    (home / "hooks").mkdir(parents=True)
    (home / "templates" / "info").mkdir(parents=True)
    (home / "ignore").write_text("*\n")
    (home / "templates" / "info" / "exclude").write_text("*\n")
    (home / "attributes").write_text("* filter=shout text eol=crlf export-ignore\n")
    for name in ("fail", "hooks/pre-commit", "hooks/pre-push", "hooks/commit-msg"):
        (home / name).write_text("#!/bin/sh\nexit 1\n")
        (home / name).chmod(0o755)
    (home / ".gitconfig").write_text(DECIDING.format(home=home))
    config = home / ".config" / "dvc"
    config.mkdir(parents=True)
    (config / "config").write_text(
        f"[cache]\n    dir = {home}/cache\n[core]\n    autostage = true\n    remote = mine\n"
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    return home


def test_nothing_of_a_person_decides_what_is_stored(
    home: Path, tmp_path: Path, hand_in: Callable[..., Submission], monkeypatch: pytest.MonkeyPatch
):
    """Ignore files, attributes, hooks, signing, templates, a cache folder and git's variables change no byte."""
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.excludesFile")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(home / "ignore"))
    monkeypatch.setenv("DVC_CACHE_TYPE", "symlink")
    registry = Registry.create(Workspace.create(tmp_path / "workspace"))
    registry.declare(SCHEMA)
    registry.contribute([hand_in("ada", ("draws a line", "plotting"))])
    registry.seal_evaluation("docs", hand_in("steward", ("the mean of it", "statistics")))
    release_version(registry, "docs@v1.0.0")

    assert verify_registry(registry.repository).tags == 1
    assert b"draws a line" in registry.repository.object(registry.snapshot().contributions("docs")[0].md5).read_bytes()
    assert not (home / "cache").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("url.https://mirror.example/.insteadOf", "https://git.example/"),
        ("credential.helper", "store"),
        ("http.proxy", "http://proxy.example:3128"),
        ("core.sshCommand", "ssh -i key"),
        ("safe.directory", "*"),
    ],
)
def test_where_and_who_pass(name: str, value: str, home: Path, tmp_path: Path):
    """Settings that lead to an origin, or say who asks, reach git as they are."""
    subprocess.run(["git", "config", "--global", name, value], check=True)

    assert Git(tmp_path).git("config", "--get", name).decode().strip() == value


def test_settings_from_variables_pass_as_those_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`GIT_CONFIG_COUNT`, which build servers use for credentials, is filtered by the same rule."""
    given = {"http.extraHeader": "Authorization: x", "core.excludesFile": "/ignore"}
    monkeypatch.setenv("GIT_CONFIG_COUNT", str(len(given)))
    for place, (name, value) in enumerate(given.items()):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{place}", name)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{place}", value)
    environment = git_environment(tmp_path)

    passed = {environment[f"GIT_CONFIG_KEY_{place}"] for place in range(int(environment["GIT_CONFIG_COUNT"]))}
    assert "http.extraheader" in passed
    assert "core.excludesfile" not in passed


@pytest.mark.parametrize("name", ["GIT_ASKPASS", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO", "GIT_TERMINAL_PROMPT"])
def test_variables_of_where_and_who_pass(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """They lead to an origin; all others of git would lead to another repository."""
    monkeypatch.setenv(name, "1")
    monkeypatch.setenv("GIT_WORK_TREE", "/")

    assert git_environment(tmp_path)[name] == "1"
    assert "GIT_WORK_TREE" not in git_environment(tmp_path)


def test_of_a_dvc_config_only_remotes_pass():
    """Keys and endpoints do; a cache's place and a default remote do not."""
    config = (
        "[core]\n    remote = mine\n['remote \"mine\"']\n    url = s3://b\n    profile = p\n[cache]\n    dir = /c\n"
    )

    assert remotes_only(config) == "['remote \"mine\"']\n    url = s3://b\n    profile = p\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_gits_advice_is_told_whole(registry: Registry):
    """A registry that belongs to somebody else: git's message ends with the command that helps."""
    root = registry.repository.root
    os.chown(root, 12345, 12345)
    os.chown(root / ".git", 12345, 12345)

    with pytest.raises(RegistryError, match=r"dubious ownership.*git config --global --add safe\.directory"):
        registry.snapshot()


@pytest.mark.parametrize("option", ["remote", "origin"])
def test_a_registry_that_exists_takes_no_new_place(option: str, workspace: Workspace, registry: Registry):
    """`init --origin` on a finished workspace says that nothing would change instead of dropping the option."""
    with pytest.raises(RegistryError, match=f"exists already, so --{option} would change nothing"):
        Registry.create(workspace, **{option: "/elsewhere"})


@pytest.mark.parametrize("name", ["what?", "no#1", "50%20off", "set{1}"])
def test_a_path_that_a_database_cannot_have_is_refused(name: str, tmp_path: Path):
    """MLflow and Prefect would put their databases elsewhere."""
    with pytest.raises(WorkspaceError, match="choose another folder"):
        Workspace.create(tmp_path / name)

    assert not (tmp_path / name).exists()
