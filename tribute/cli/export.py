"""Write a run's adapter into a folder that PEFT and vLLM load; with --merge the whole model."""

from pathlib import Path
from typing import Annotated, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, DryRun, WorkspaceFolder
from tribute.cli._output import Output
from tribute.cli._text import Plan, would
from tribute.errors import ConfigError


class Exported(TypedDict):
    adapter: str
    folder: str
    merged: bool


@command
def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id, as `tribute run` printed it.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="A folder that does not exist yet.")],
    merge: Annotated[bool, typer.Option("--merge", help="Add the adapter to the base's weights (causal-lm).")] = False,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Exported | Plan]:
    import pandas as pd

    from tribute.artifacts import check_files
    from tribute.config import load_config
    from tribute.contributions.dataset import read_description
    from tribute.files import making
    from tribute.finetuning.adapters.adapter_folder import add_shares, export_adapter, export_merged
    from tribute.pipeline.runs.runs import read_run
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    record = read_run(home, run)
    finetuning = load_config(home.runs / run / "config.yaml").finetuning
    adapter = home.store.get("adapter", record["adapters"][str(finetuning.seeds[0])])
    if merge and read_description(home.store.get("dataset", record["dataset"]))["task"] != "causal-lm":
        raise ConfigError(f"run {run} teaches labels, whose head is not part of the base; export it without --merge")
    if out.exists():
        raise ConfigError(f"--out {out} exists; name a new folder")
    if dry_run:
        return would(f"export adapter {adapter.id[:12]} of run {run} to {out}")
    check_files(adapter, lambda name: "/" not in name)
    shares = pd.read_parquet(home.store.get("attribution", record["attribution"]).file("shares.parquet"))
    with making(out) as folder:
        if merge:
            export_merged(adapter, finetuning, folder)
        else:
            export_adapter(adapter, folder)
        add_shares(folder, list(shares[["contributor_id", "share", "low", "high"]].itertuples(index=False, name=None)))
    kind = "the model, the adapter merged into it" if merge else "the adapter"
    return Output({"adapter": adapter.id, "folder": str(out), "merged": merge}, [f"wrote {kind}, to {out}"])
