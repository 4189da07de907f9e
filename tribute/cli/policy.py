"""Check, publish, compare and try the policies by which periods are paid."""

from pathlib import Path
from typing import Annotated

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, DryRun, KeyFile, PolicyFile, Signer, WorkspaceFolder
from tribute.cli._output import Output, Table


@command
def check(policy: PolicyFile) -> Output:
    """Report every fault of a policy at once."""
    from tribute.rewards.policy import load_policy

    loaded = load_policy(policy)
    return Output(loaded.model_dump(mode="json"), [f"{policy}: ok; policy {loaded.id} {loaded.version}"])


@command
def publish(
    policy: PolicyFile,
    key: KeyFile,
    as_: Signer,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output:
    """Record a version of a policy in the registry, signed; periods close by published policies only."""
    from tribute.keys import load_key
    from tribute.rewards.policy import published
    from tribute.workspace import Workspace

    version = published.publish(Workspace.open(workspace), policy, as_, load_key(key), rehearse=dry_run)
    verb = "would be" if dry_run else "is"
    data = {"policy": version.id, "version": version.version, "published": not dry_run}
    return Output(data, [f"policy {version.id} {version.version} {verb} published by {as_}"])


@command
def diff(
    before: PolicyFile,
    after: Annotated[Path, typer.Argument(metavar="OTHER", help="Another policy's YAML file.")],
) -> Output:
    """List the settings in which two policies differ."""
    from tribute.rewards.policy import compare, load_policy

    changes = compare.differences(load_policy(before), load_policy(after))
    table = Table("What differs", ("setting", str(before), str(after)), changes)
    data = [{"setting": name, "before": old, "after": new} for name, old, new in changes]
    return Output(data, [] if changes else ["no setting differs"], [table] if changes else [])


@command
def simulate(
    policy: PolicyFile,
    period: Annotated[str, typer.Option(metavar="YYYY-MM", help="The month, drafted or closed.")],
    workspace: WorkspaceFolder = HERE,
) -> Output:
    """Say what a period would have paid by this policy, from the same data and the same fee; post nothing."""
    from tribute.cli._text import amount
    from tribute.rewards.allocation import simulate as allocation
    from tribute.rewards.policy import load_policy
    from tribute.rewards.statements import statements
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    result = allocation.simulate(home, statements.period_folder(home, period), load_policy(policy))
    keys = sorted(result.would, key=lambda key: (-abs(result.change(key)), key))
    rows = [
        (key[0], *(amount(minor, key[1]) for minor in (result.paid[key], result.would[key], result.change(key))))
        for key in keys
    ]
    columns = ("contributor", "paid", "by this policy", "difference")
    kept = [
        f"{code}: " + ", ".join(f"{name.replace('_', ' ')} {amount(minor, code)}" for name, minor in parts.items())
        for code, parts in result.kept.items()
    ]
    data = {
        "period": period,
        "rule": result.rule,
        "kept": {code: {name: str(minor) for name, minor in parts.items()} for code, parts in result.kept.items()},
        "contributors": [
            {"contributor_id": name, "currency": code, "paid_minor": str(result.paid[name, code])}
            | {"would_minor": str(result.would[name, code])}
            for name, code in keys
        ],
    }
    return Output(data, [f"{period} by {result.rule}; {'; '.join(kept)}"], [Table(period, columns, rows, columns[1:])])
