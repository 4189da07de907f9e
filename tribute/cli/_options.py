"""Every option and argument that more than one command has, each defined here alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tribute.errors import ConfigError, RewardError

if TYPE_CHECKING:
    from tribute.rewards.second_name import Signing
    from tribute.workspace import Workspace


def refuse_blank(context: typer.Context, parameter: typer.CallbackParam, text: str) -> str:
    """What is given is recorded for good, so it has to say something. Raises ConfigError."""
    source = context.get_parameter_source(parameter.name or "")
    if not text.strip() and source is not None and source.name == "COMMANDLINE":
        raise ConfigError(f"--{parameter.name} is blank; it is recorded, so say it in a few words")
    return text


WorkspaceFolder = Annotated[
    Path, typer.Option("--workspace", "-w", envvar="TRIBUTE_WORKSPACE", help="The workspace's folder.")
]
HERE = Path()
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check everything and say what would be done.")]
ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="The run's YAML file.")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="A.B=C", help="Override a setting of the config. Repeatable.")
]
MetricsFile = Annotated[
    Path | None, typer.Option("--metrics", metavar="FILE", help="Also write the figures there, as numbers alone.")
]
CurveFile = Annotated[
    Path | None, typer.Option("--curve", metavar="FILE", help="Also write the seeds' mean training loss by step there.")
]

DatasetName = Annotated[str, typer.Argument(metavar="DATASET", help="The dataset's name.")]
Tag = Annotated[str, typer.Argument(metavar="VERSION", help="A released version, NAME@vX.Y.Z.")]
ContributionId = Annotated[str, typer.Argument(metavar="CONTRIBUTION", help="The contribution's id.")]
ContributorId = Annotated[str, typer.Argument(metavar="CONTRIBUTOR", help="The contributor's id.")]
RowIds = Annotated[list[str], typer.Argument(metavar="ROW...", help="Row ids, CONTRIBUTION:LINE.")]
Month = Annotated[str, typer.Argument(metavar="PERIOD", help="The month, YYYY-MM.")]
PolicyFile = Annotated[Path, typer.Argument(metavar="POLICY", help="The policy's YAML file.")]
StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="TRIBUTE_STORE",
        metavar="URL",
        help="The usage store, postgresql://USER@HOST/NAME; by default a file in the workspace.",
    ),
]

By = Annotated[str, typer.Option(metavar="ID", callback=refuse_blank, help="Who decides; recorded.")]
Why = Annotated[str, typer.Option(metavar="TEXT", callback=refuse_blank, help="The reason, in a few words; recorded.")]
Signer = Annotated[str, typer.Option("--as", metavar="ID", help="Your id, as the registry has it.")]
KeyFile = Annotated[Path, typer.Option("--key", metavar="FILE", help="Your private key, to sign with.")]
SecondSigner = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="ID",
        help="Your id, as one of the policy's closers; where the policy asks for a second signature.",
    ),
]
SecondKeyFile = Annotated[Path | None, typer.Option("--key", metavar="FILE", help="Your private key, to sign with.")]
TokenizerFolder = Annotated[
    Path | None,
    typer.Option(
        "--tokenizer",
        metavar="FOLDER",
        help="The base model whose tokenizer the schema names: rows compare as it reads.",
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="COLUMN=NAME", help="The file's name for a column. Repeatable."),
]
FileFormat = Annotated[
    Literal["openai", "sharegpt", "alpaca"] | None,
    typer.Option("--format", help="How the files write their rows, where not in the dataset's columns."),
]
SkipFaulty = Annotated[bool, typer.Option("--skip-faulty", help="Leave faulty rows out instead of rejecting the file.")]
OptionalKeyFile = Annotated[
    Path | None, typer.Option("--key", metavar="FILE", help="The contributor's private key, to sign with.")
]
Day = Annotated[
    str | None,
    typer.Option(
        "--date",
        metavar="YYYY-MM-DD",
        help="The day of posting, not before the last one nor after today; by default today in the ledger's time zone.",
    ),
]


def columns_of(pairs: list[str] | None) -> dict[str, str]:
    """Our column → the file's, from COLUMN=NAME each. Raises ConfigError."""
    columns = {}
    for pair in pairs or []:
        ours, _, theirs = pair.partition("=")
        if not (ours and theirs):
            raise ConfigError(f"--map {pair}: expected COLUMN=NAME, such as text=question")
        columns[ours] = theirs
    return columns


def posting_day(workspace: "Workspace", day: str | None) -> str:
    """The day that --date names; without it today's, in the ledger's time zone."""
    from tribute.rewards.ledger import read_calendar

    return read_calendar(workspace.rewards).today if day is None else day


def signing_of(name: str | None, key: Path | None) -> "Signing | None":
    """Who signs where the policy asks for a second name; None where neither option is given.

    Raises RewardError for one without the other.
    """
    from tribute.keys import load_key
    from tribute.rewards.second_name import Signing

    if (name is None) != (key is None):
        raise RewardError("--as ID and --key FILE belong together; give both")
    return None if name is None or key is None else Signing(name, load_key(key))
