"""The folder in which one team's registry, artifacts, runs and rewards live."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from tribute.artifacts import Store, shared_artifacts
from tribute.errors import WorkspaceError
from tribute.files import write_atomically
from tribute.strict import parse_json

MARKER = "tribute.json"
UNFIT = "?#%{}"
"""Characters that the URLs of MLflow's and Prefect's databases, or DVC's messages, read as more than part of a path."""
FORMAT = 1


@dataclass(frozen=True)
class Workspace:
    """Where everything is. Open one with `Workspace.open`, make one with `Workspace.create`."""

    root: Path

    @classmethod
    def create(cls, root: Path) -> "Workspace":
        """Make an empty workspace, or open the one that is there. Raises WorkspaceError."""
        root = root.resolve()
        if cls.is_at(root):
            return cls.open(root)
        root.mkdir(parents=True, exist_ok=True)
        write_atomically(root / MARKER, json.dumps({"format": FORMAT}).encode() + b"\n")
        return cls(root)

    @classmethod
    def is_at(cls, root: Path) -> bool:
        """Whether a workspace is there already. Raises WorkspaceError where none could be made either."""
        root = root.resolve()
        if unfit := set(UNFIT) & set(str(root)):
            raise WorkspaceError(
                f"{root}: the path contains {' and '.join(sorted(unfit))}, which a database's URL or DVC cannot hold; "
                "choose another folder"
            )
        if (root / MARKER).exists():
            cls.open(root)
            return True
        if root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise WorkspaceError(f"{root} is neither empty nor a workspace; choose another folder")
        nearest = next(path for path in (root, *root.parents) if path.exists())
        if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
            raise WorkspaceError(f"{nearest} is not a folder that you may write to; choose another one")
        return False

    @classmethod
    def open(cls, root: Path) -> "Workspace":
        """Open a workspace. Raises WorkspaceError where the folder is none."""
        root = root.resolve()
        try:
            format_ = parse_json((root / MARKER).read_text(encoding="utf-8"))["format"]
        except (OSError, ValueError, KeyError) as error:
            raise WorkspaceError(f"{root} is not a workspace (no {MARKER}); run `tribute init {root}`") from error
        if format_ != FORMAT:
            raise WorkspaceError(f"{root / MARKER}: format {format_}, this version of Tribute reads {FORMAT}")
        return cls(root)

    @classmethod
    def open_at(cls, root: str) -> "Workspace":
        """Open by path as text, as tasks carry it."""
        return cls.open(Path(root))

    @property
    def store(self) -> Store:
        """The immutable artifacts, shared through the bucket that TRIBUTE_ARTIFACTS names, if any."""
        return Store(self.root, shared_artifacts())

    @property
    def registry(self) -> Path:
        """The git and DVC repository of contributions."""
        return self.root / "registry"

    @property
    def remote(self) -> Path:
        """DVC's local remote."""
        return self.root / "remote"

    @property
    def mlflow(self) -> Path:
        """MLflow's database and artifacts."""
        return self.root / "mlflow"

    @property
    def prefect(self) -> Path:
        """Prefect's own home: server database and results."""
        return self.root / "prefect"

    @property
    def scratch(self) -> Path:
        """Checkpoints of trainings under way; may be deleted, then they start again."""
        return self.root / "scratch"

    @property
    def runs(self) -> Path:
        """`runs/<run id>/`: the config a run used and the artifacts it led to."""
        return self.root / "runs"

    @property
    def receipts(self) -> Path:
        """`receipts/<contribution id>.json` and `.html`: what contributors get back."""
        return self.root / "receipts"

    @property
    def cards(self) -> Path:
        """`cards/<version>/`: dataset cards with copies of the version's tables."""
        return self.root / "cards"

    @property
    def keys(self) -> Path:
        """Private keys, readable by their owner alone."""
        return self.root / "keys"

    @property
    def vault(self) -> Path:
        """The encrypted file of who the contributors are; never part of the registry."""
        return self.root / "vault.bin"

    @property
    def rewards(self) -> Path:
        """`rewards/<period>/`."""
        return self.root / "rewards"

    @property
    def usage(self) -> Path:
        """`usage/<month>/`: the sealed usage of a month, from which rewards pays."""
        return self.root / "usage"

    @property
    def statements(self) -> Path:
        """`statements/<period>/<contributor id>.json` and `.html`: made on demand from rewards and registry."""
        return self.root / "statements"

    @property
    def reports(self) -> Path:
        """A page per run; `report.html` in the workspace is the page of the run that drafted a period last."""
        return self.root / "reports"

    def report_of(self, run_id: str, period: str | None) -> Path:
        """`reports/<period>/<run id>.html`, or of a run that pays nobody `reports/<run id>.html`."""
        return self.reports / (period or "") / f"{run_id}.html"

    @property
    def disputes(self) -> Path:
        """`disputes/<id>/dispute.json` and the evidence submitted for it."""
        return self.root / "disputes"
