"""Screen a dataset's contributions and release them as a version."""

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, DryRun, Overrides, TokenizerFolder, WorkspaceFolder
from tribute.cli._output import Output
from tribute.cli._version import Release, record
from tribute.errors import ConfigError, TributeError

if TYPE_CHECKING:
    from tribute.config import RunConfig
    from tribute.contributions.registry import Version
    from tribute.workspace import Workspace


class Releasable(TypedDict):
    tag: str
    rows_excluded: int
    reasons: dict[str, int]


class Source(TypedDict):
    tag: str
    exists: bool


Released = Release | Releasable | Source


@command
def release(
    tag: Annotated[str | None, typer.Argument(metavar="VERSION", help="NAME@vX.Y.Z.")] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A run's YAML file instead: contribute its dataset.source, then release."),
    ] = None,
    set_: Overrides = None,
    tokenizer: TokenizerFolder = None,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Released]:
    from tribute.config import load_config
    from tribute.contributions.registry import Registry
    from tribute.contributions.releases import check_release, release_version
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    if config is not None and tag is None:
        return _release_source(home, load_config(config, set_ or []), dry_run)
    if tag is None or config is not None:
        raise ConfigError("tribute release: give either a version NAME@vX.Y.Z or --config FILE")
    registry, reads = Registry.open(home), None
    if tokenizer is not None:
        from tribute.contributions.releases import read_tokenizer

        reads = read_tokenizer(tokenizer)
    if dry_run:
        excluded = check_release(registry, tag, reads)
        reasons = Counter(finding.reason for finding in excluded)
        lines = [f"would release {tag}: {len(excluded)} rows excluded", *_in_words(reasons)]
        return Output({"tag": tag, "rows_excluded": len(excluded), "reasons": dict(sorted(reasons.items()))}, lines)
    version = release_version(registry, tag, reads)
    _tell(tag)
    return _released(version)


def _tell(tag: str) -> None:
    """Tell the Prefect server that PREFECT_API_URL names, if any; the version is released whatever it answers."""
    if not os.environ.get("PREFECT_API_URL"):
        return
    from tribute.cli._checkout import find_flows
    from tribute.cli._prefect import keep_loopback_off_proxies

    find_flows()
    keep_loopback_off_proxies()
    from flows.server import tell_of_release

    try:
        tell_of_release(tag)
    except TributeError as error:
        typer.echo(f"{tag} is released, but no deployment was told: {error}", err=True)


def _in_words(reasons: Mapping[str, int]) -> list[str]:
    """`3 rows: repeats a row …`, the most frequent reason first."""
    from tribute.contributions.screening import REASONS

    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return [f"  {count} rows ({code}): {REASONS[code]}" for code, count in ordered]


def _release_source(home: "Workspace", config: "RunConfig", dry_run: bool) -> Output[Released]:
    """Contribute what a config's source holds and release it, unless the version is released already."""
    from tribute.contributions.registry import Registry
    from tribute.pipeline.stages.data import is_released, take_in

    dataset = config.dataset
    if dry_run:
        released = is_released(home, dataset)
        line = f"{dataset.tag} is released already" if released else f"would contribute and release {dataset.tag}"
        return Output({"tag": dataset.tag, "exists": released}, [line])
    new = not is_released(home, dataset)
    take_in(home, dataset, config.finetuning.base)
    if new:
        _tell(dataset.tag)
    return _released(Registry.open(home).version(dataset.tag))


def _released(version: "Version") -> Output[Released]:
    from tribute.formatting import counted

    used = version.rows - version.excluded
    line = (
        f"{version.tag}: {counted(used, 'row')} of {counted(version.contributors, 'contributor')}, "
        f"{counted(version.excluded, 'row')} excluded"
    )
    return Output(record(version), [line])
