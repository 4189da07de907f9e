"""The command line: thin. Each command opens a workspace, calls a stage and prints what it got."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from tribute import cli_disputes, cli_finance, cli_registry, cli_rewards
from tribute.cli_options import HERE, DryRunOption, JsonOption, WorkspaceOption, show, watching
from tribute.commands import checks, explaining, lineage, registry, stages
from tribute.errors import TributeError

app = typer.Typer(
    name="tribute",
    help="Contribute, attribute, distribute: fine-tuning that pays the people behind the data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
config_app = typer.Typer(help="Check a run config, or print the schema of all its keys.", no_args_is_help=True)
app.add_typer(config_app, name="config")
cli_registry.add_to(app)
cli_rewards.add_to(app)
cli_disputes.add_to(app)
cli_finance.add_to(app)

ConfigArgument = Annotated[Path, typer.Argument(help="The run's YAML file.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="Override a setting: a.b=c. Repeatable.")]
INTERRUPTED = 130


@app.command()
def init(
    folder: Path,
    remote: Annotated[str, typer.Option(help="Where the data goes: a folder, ssh://HOST/PATH or s3://BUCKET.")] = "",
    origin: Annotated[str, typer.Option(help="An empty git repository, to share the registry.")] = "",
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a workspace: registry, remote and the folders of a run."""

    show(registry.init(folder, dry_run, remote, origin), as_json)


@app.command()
def contribute(
    files: Annotated[list[Path], typer.Argument(help="JSONL, CSV or Parquet files of rows.")],
    contributor: Annotated[str, typer.Option(help="The contributor's id, a pseudonym.")],
    dataset: Annotated[str, typer.Option(help="The dataset's name.")],
    licence: Annotated[str, typer.Option(help="An SPDX expression, such as CC-BY-4.0.")],
    schema: Annotated[Path | None, typer.Option(help="YAML schema; declares the dataset first.")] = None,
    evaluation: Annotated[bool, typer.Option(help="The rows are the dataset's sealed evaluation.")] = False,
    map_: Annotated[
        list[str] | None, typer.Option("--map", help="COLUMN=NAME: the file's name for a column. Repeatable.")
    ] = None,
    skip_faulty: Annotated[
        bool, typer.Option("--skip-faulty", help="Leave faulty rows out instead of refusing the file.")
    ] = False,
    terms: Annotated[Path | None, typer.Option(help="YAML file: consent, purposes, expires.")] = None,
    key: Annotated[Path | None, typer.Option(help="The contributor's private key, to sign with.")] = None,
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Hand in rows of a contributor to a dataset: all are recorded, or none. Receipts are in receipts/."""

    offer = registry.Offer(contributor, dataset, licence, map_ or [], skip_faulty, terms, key)
    show(registry.contribute(workspace, files, offer, schema, evaluation, dry_run), as_json)


@app.command()
def release(
    tag: Annotated[str | None, typer.Argument(help="NAME@vX.Y.Z")] = None,
    config: Annotated[
        Path | None, typer.Option(help="A run's YAML file instead: contribute what its dataset.source holds first.")
    ] = None,
    set_: SetOption = None,
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Screen a dataset's contributions and release them as a version."""

    with watching(as_json):
        result = registry.release(workspace, tag, config, set_ or [], dry_run)
    show(result, as_json)


@app.command()
def versions(workspace: WorkspaceOption = HERE, as_json: JsonOption = False) -> None:
    """List the released dataset versions."""

    show(registry.versions(workspace), as_json)


@app.command()
def finetune(
    config: ConfigArgument,
    set_: SetOption = None,
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train every seed's adapter on a released version, without Prefect."""

    with watching(as_json):
        result = stages.finetune(workspace, config, set_ or [], dry_run)
    show(result, as_json)


@app.command()
def attribute(
    config: ConfigArgument,
    set_: SetOption = None,
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Attribute the trained adapters' improvement to rows and contributors, without Prefect."""

    with watching(as_json):
        result = stages.attribute(workspace, config, set_ or [], dry_run)
    show(result, as_json)


@app.command()
def reward(
    config: ConfigArgument,
    set_: SetOption = None,
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Pay the pool by the attribution, and write the report, without Prefect."""

    with watching(as_json):
        result = stages.reward(workspace, config, set_ or [], dry_run)
    show(result, as_json)


@app.command()
def run(
    config: ConfigArgument,
    set_: SetOption = None,
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run the whole pipeline through the Prefect flows."""

    with watching(as_json):
        result = stages.run(workspace, config, set_ or [], dry_run)
    show(result, as_json)


@app.command()
def demo(
    workspace: WorkspaceOption = Path("demo"),
    set_: SetOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run the whole pipeline on the docstrings of the packages installed here."""

    with watching(as_json):
        result = stages.demo(workspace, set_ or [], dry_run)
    show(result, as_json)


@app.command()
def verify(
    what: Annotated[str, typer.Argument(help="registry, run ID, period YYYY-MM, or the path of a folder.")],
    which: Annotated[str | None, typer.Argument(help="The run's id or the period.")] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="A period: allocate again, and measure the credits from the model again.")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="A period: every statement, and not a sample of 1,000.")] = False,
    workspace: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Check stored bytes, sums and chains; name the first thing that is wrong."""

    with watching(as_json):
        result = checks.verify(workspace, what, which, deep, every)
    show(result, as_json)


@app.command()
def trace(
    what: Annotated[
        str, typer.Argument(metavar="ID", help="A contribution, row, contributor, run or PERIOD/CONTRIBUTOR.")
    ],
    workspace: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Follow the chain: from a payout to its rows, from a contribution to runs and payouts."""

    show(lineage.trace(workspace, what), as_json)


@app.command()
def explain(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")],
    text: Annotated[str, typer.Option(help="What the model is asked.")],
    response: Annotated[str | None, typer.Option(help="The response to explain, for causal-lm.")] = None,
    label: Annotated[str | None, typer.Option(help="The label to explain; by default the predicted one.")] = None,
    rows: Annotated[int, typer.Option(min=1, help="How many rows to show on either side.")] = 5,
    html: Annotated[Path | None, typer.Option(help="Write a page, too.")] = None,
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say which contributors and rows moved an answer of a run's model; the first time it indexes the rows."""

    with watching(as_json):
        result = explaining.explain(workspace, run, text, response, label, rows, html, dry_run)
    show(result, as_json)


@app.command()
def inspect(
    config: ConfigArgument,
    set_: SetOption = None,
    rows: Annotated[int, typer.Option(min=1, help="How many rows to show.")] = 3,
    workspace: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Show what the model will really see: tokens, and which of them count in the loss."""

    show(checks.inspect(workspace, config, set_ or [], rows), as_json)


@app.command()
def fetch(
    dataset: Annotated[str, typer.Argument(help="clinc150 or tldr")],
    folder: Annotated[Path, typer.Argument(help="Where to put it; a config's source.folder.")],
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Download a published dataset from its own project and check it."""

    show(registry.fetch(dataset, folder, dry_run), as_json)


@config_app.command()
def check(config: ConfigArgument, set_: SetOption = None, as_json: JsonOption = False) -> None:
    """Report every fault of a run config at once."""

    show(checks.config_check(config, set_ or []), as_json)


@config_app.command()
def schema() -> None:
    """Print the JSON Schema of a run config."""

    typer.echo(checks.config_schema(), nl=False)


def main(arguments: list[str] | None = None) -> None:
    """Entry point: one line and exit code 2 for what the user can mend, `--debug` for the traceback."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    if debug:
        arguments.remove("--debug")
    sys.exit(_guarded(lambda: app(arguments, standalone_mode=True), debug))


def _guarded(command: Callable[[], Any], debug: bool) -> int:
    try:
        command()
    except (TributeError, OSError) as error:
        if debug:
            raise
        print(f"tribute: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except SystemExit as end:
        # Typer ends an interrupted command with this code, and says nothing.
        if end.code == INTERRUPTED:
            print("tribute: interrupted; run the same command again to resume", file=sys.stderr)
        raise
    return 0
