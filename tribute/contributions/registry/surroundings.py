"""What of a person's own git and DVC settings reaches the registry: where things are and who asks.

Nothing else does: an ignore file, attributes, signing, a cache folder or an environment variable of theirs would
decide what the registry stores.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

GIT_VARIABLES = re.compile(
    r"GIT_(ASKPASS|EXEC_PATH|PROXY_COMMAND|SSH|SSH_COMMAND|SSH_VARIANT|SSL_\w+|TERMINAL_PROMPT|HTTP_PROXY_AUTHMETHOD)"
)
"""How to reach an origin and prove who one is. The rest of git's environment may name another repository."""
GIT_SETTINGS = re.compile(
    r"(core\.(sshcommand|askpass|gitproxy)|(credential|http|https|ssh|url|safe|protocol)\..*)", re.DOTALL
)
"""The same as settings, among them `url.<base>.insteadOf`, credential helpers and `safe.directory`."""
DVC_SECTION = re.compile(r"""\[\s*(?P<section>[^\]]*?)\s*\]\s*""")


def git_environment(root: Path) -> dict[str, str]:
    """The environment of a git command on the repository at `root`."""
    given = os.environ
    kept = {name: value for name, value in given.items() if GIT_VARIABLES.fullmatch(name) or name[:4] != "GIT_"}
    settings = _git_settings(root, tuple(sorted((k, v) for k, v in given.items() if _names_settings(k))))
    kept |= {f"GIT_CONFIG_KEY_{place}": name for place, (name, _) in enumerate(settings)}
    kept |= {f"GIT_CONFIG_VALUE_{place}": value for place, (_, value) in enumerate(settings)}
    nothing = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_ATTR_NOSYSTEM": "1"}
    return kept | nothing | {"GIT_CONFIG_COUNT": str(len(settings)), "LC_ALL": "C.UTF-8"}


def remotes_only(config: str) -> str:
    """The text of a DVC config without all but its remotes: keys and endpoints pass, a cache's place does not."""
    return "".join(_remotes(config))


def _names_settings(variable: str) -> bool:
    return variable in ("HOME", "XDG_CONFIG_HOME") or variable.startswith("GIT_CONFIG")


@cache
def _git_settings(root: Path, environment: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """(Name, value) of the person's settings that pass; the repository's own are read by git itself."""
    path = {"PATH": os.environ.get("PATH", os.defpath)}
    # The repository decides what `includeIf` includes; an unfinished one may not be there yet.
    place = root if root.is_dir() else root.parent
    listed = subprocess.run(
        ["git", "config", "--null", "--list", "--show-scope"],
        cwd=place,
        env=dict(environment) | path,
        capture_output=True,
        check=False,
    ).stdout.decode(errors="surrogateescape")
    words = listed.split("\0")
    pairs = zip(words[::2], words[1::2], strict=False)
    entries = (entry.partition("\n") for scope, entry in pairs if scope in ("system", "global", "command"))
    return tuple((name, value) for name, _, value in entries if GIT_SETTINGS.fullmatch(name))


def _remotes(config: str) -> Iterator[str]:
    """The lines of a DVC config that belong to a remote's section."""
    inside = False
    for line in config.splitlines(keepends=True):
        if match := DVC_SECTION.fullmatch(line):
            inside = match["section"].strip("'\"").startswith("remote ")
        if inside:
            yield line
