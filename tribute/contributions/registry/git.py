"""A git working tree, through git's own command line. Knows nothing of DVC, datasets or transactions."""

import io
import re
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tribute.contributions.registry.surroundings import git_environment
from tribute.errors import RegistryError

IDENTITY = ("user.name=Tribute", "user.email=tribute@localhost")
# A person's own git settings must not reach into the registry: no signing, hooks or changed line ends.
SETTINGS = (
    *("commit.gpgsign=false", "tag.gpgsign=false", "core.hooksPath=/dev/null", "core.autocrlf=false"),
    *("gc.auto=0", "maintenance.auto=false", "core.quotePath=false"),
)
COMMAND_SECONDS = 900.0
MAIN = "main"
SHARED = f"refs/remotes/origin/{MAIN}"


@dataclass(frozen=True)
class Tag:
    """An annotated tag; `annotated` is False for a plain one, which nothing of ours makes."""

    name: str
    commit: str
    time: str
    annotated: bool


class Git:
    """The git repository at `root`. Everything raises RegistryError with git's message where git fails."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._held: tuple[int, ...] = ()
        """Descriptors that children inherit: a lock is held until the last of them has ended, too."""

    def git(self, *arguments: str) -> bytes:
        """Run git; its standard output."""
        options = [part for setting in (*IDENTITY, *SETTINGS) for part in ("-c", setting)]
        return self._run(["git", *options, *arguments], f"git {arguments[0]}", git_environment(self.root))

    def commit(self, message: str) -> None:
        """Commit everything in the tree, if anything changed."""
        if self.changed():
            self.git("add", "--all")
            self.git("commit", "--quiet", "--message", message)

    def tree(self, revision: str = "HEAD") -> dict[str, bytes]:
        """Path → content of every file that git holds at a revision."""
        archive = self.git("archive", "--format=tar", revision)
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            return {member.name: file.read() for member in tar.getmembers() if (file := tar.extractfile(member))}

    def file(self, path: str, revision: str = "HEAD") -> bytes:
        """The content of one file at a revision."""
        return self.git("show", f"{revision}:{path}")

    def tag(self, name: str, message: str) -> None:
        """An annotated tag on the commit that has exactly this message; none where no commit has it."""
        commits = self.git("log", "--format=%H", "--grep", f"^{re.escape(message)}$").decode().split()
        if commits:
            self.git("tag", "--annotate", name, "--message", message, commits[0])

    def tags(self) -> list[Tag]:
        """All tags, in the order of their names."""
        fields = "%(refname:short)%00%(*objectname)%00%(taggerdate:iso-strict)%00%(objecttype)"
        lines = self.git("for-each-ref", f"--format={fields}", "refs/tags").decode().splitlines()
        parts = [line.split("\0") for line in lines]
        return [Tag(name, commit, when, kind == "tag") for name, commit, when, kind in parts]

    def changed(self) -> list[str]:
        """Paths in the tree that differ from the last commit."""
        lines = self.git("status", "--porcelain", "--untracked-files=all").decode().splitlines()
        return [line[3:] for line in lines]

    def head_time(self) -> int:
        """When the last commit was made, in seconds since 1970."""
        return int(self.git("log", "-1", "--format=%ct"))

    def time_of(self, path: str) -> str:
        """When the last commit that changed a path was made."""
        return self.git("log", "-1", "--format=%cI", "--", path).decode().strip()

    def is_shared(self) -> bool:
        """Is there an origin that other clones push to as well?"""
        return bool(self.git("remote").split())

    def fetch(self) -> None:
        """Bring the origin's commits and exactly its tags."""
        self.git("fetch", "--quiet", "--prune", "--force", "origin", "+refs/heads/*:refs/remotes/origin/*")
        self.git("fetch", "--quiet", "--prune", "--force", "origin", "+refs/tags/*:refs/tags/*")

    def publish(self, tags: Sequence[str]) -> bool:
        """Push the last commit and the tags together, unless another writer was faster: then False."""
        try:
            self.git("push", "--quiet", "--atomic", "origin", f"HEAD:refs/heads/{MAIN}", *tags)
        except RegistryError:
            self.fetch()
            # Another clone's commit is no ancestor of ours: it came in between. All else is an error.
            if self._is_ancestor(SHARED, "HEAD"):
                raise
            return False
        return True

    def _is_ancestor(self, earlier: str, later: str) -> bool:
        return self.git("merge-base", earlier, later) == self.git("rev-parse", earlier)

    def _run(self, command: list[str], name: str, environment: Mapping[str, str]) -> bytes:
        try:
            done = subprocess.run(
                command,
                cwd=self.root,
                env=environment,
                capture_output=True,
                timeout=COMMAND_SECONDS,
                pass_fds=self._held,
            )
        except FileNotFoundError as error:
            raise RegistryError("git is not installed or not on the PATH; install it") from error
        except subprocess.TimeoutExpired as error:
            raise RegistryError(f"{name} took more than {COMMAND_SECONDS:.0f} s in {self.root}; try again") from error
        if done.returncode:
            raise RegistryError(f"{name} failed in {self.root}: {_message(done)}")
        return done.stdout


def _message(failed: "subprocess.CompletedProcess[bytes]") -> str:
    """All that a program says about its failure, in one line: its advice often stands at the end."""
    lines = (failed.stderr or failed.stdout).decode(errors="replace").splitlines()
    return " ".join(line.strip() for line in lines if line.strip()) or f"exit code {failed.returncode}"
