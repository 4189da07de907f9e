"""List the released dataset versions."""

from typing import TypedDict

from tribute.cli._command import command
from tribute.cli._options import HERE, WorkspaceFolder
from tribute.cli._output import Output, Table
from tribute.cli._version import Release, record


class Versions(TypedDict):
    versions: list[Release]


@command
def versions(workspace: WorkspaceFolder = HERE) -> Output[Versions]:
    from tribute.contributions.registry import Registry
    from tribute.workspace import Workspace

    released = Registry.open(Workspace.open(workspace)).versions()
    rows = [
        (
            version.tag,
            str(version.contributors),
            str(version.contributions),
            str(version.rows),
            str(version.excluded),
            str(version.rows - version.excluded),
        )
        for version in released
    ]
    columns = ("version", "contributors", "contributions", "rows", "excluded", "released")
    table = Table("Dataset versions", columns, rows, right=columns[1:])
    lines = [] if released else ["no version is released yet; see `tribute release --help`"]
    return Output({"versions": [record(version) for version in released]}, lines, [table] if released else [])
