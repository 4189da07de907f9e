"""What of a run leaves the workspace: its adapter, or base and adapter in one model, with card and shares."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tribute.artifacts import Artifact, check_files
from tribute.config import FinetuningConfig, load_config
from tribute.contributions.dataset import read_description
from tribute.errors import ConfigError
from tribute.finetuning.adapters.adapter_folder import add_shares, export_adapter, export_merged
from tribute.pipeline.runs.runs import read_run
from tribute.workspace import Workspace


@dataclass(frozen=True)
class Export:
    """The adapter that stands for a run, and what it takes to write it for others."""

    adapter: Artifact
    finetuning: FinetuningConfig
    attribution: Artifact
    merge: bool

    @classmethod
    def of(cls, home: Workspace, run: str, merge: bool) -> "Export":
        """Raises WorkspaceError where there is no such run, ConfigError where it has nothing to merge."""
        record = read_run(home, run)
        if merge and read_description(home.store.get("dataset", record["dataset"]))["task"] != "causal-lm":
            raise ConfigError(f"run {run} teaches labels, whose head is not part of the base; leave out --merge")
        adapter = home.store.get("adapter", record["adapters"][str(record["champion_seed"])])
        finetuning = load_config(home.runs / run / "config.yaml").finetuning
        return cls(adapter, finetuning, home.store.get("attribution", record["attribution"]), merge)

    def write(self, folder: Path) -> None:
        """Fill a folder."""
        check_files(self.adapter, lambda name: "/" not in name, without_erased=True)
        shares = pd.read_parquet(self.attribution.file("shares.parquet"))
        if self.merge:
            export_merged(self.adapter, self.finetuning, folder)
        else:
            export_adapter(self.adapter, folder)
        lines = shares[["contributor_id", "share", "low", "high"]].itertuples(index=False, name=None)
        add_shares(folder, list(lines))
