"""Check, publish, compare and simulate the policies that periods are paid under."""

from pathlib import Path
from typing import Annotated, Any, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, DryRun, KeyFile, PolicyFile, Signer, WorkspaceFolder
from tribute.cli._output import Output, Table


class CheckedPolicy(TypedDict):
    policy_id: str
    policy_version: str
    policy: dict[str, Any]


class Published(TypedDict):
    policy_id: str
    policy_version: str


class Setting(TypedDict):
    setting: str
    before: str
    after: str


class Differences(TypedDict):
    settings: list[Setting]


class Payment(TypedDict):
    contributor: str
    currency: str
    paid_minor: str
    would_minor: str


class Simulated(TypedDict):
    period: str
    rule: str
    reliability: str
    kept: dict[str, dict[str, str]]
    comparisons: list[Payment]


@command
def check(policy: PolicyFile) -> Output[CheckedPolicy]:
    """Report every fault of a policy at once."""
    from tribute.rewards.policy import load_policy

    loaded = load_policy(policy)
    data: CheckedPolicy = {
        "policy_id": loaded.id,
        "policy_version": loaded.version,
        "policy": loaded.model_dump(mode="json"),
    }
    lines = [f"{policy}: ok; policy {loaded.id} {loaded.version}"]
    if "fallback" not in loaded.model_fields_set:
        lines.append("fallback is not set: if a check of the gate fails, training tokens pay; see docs/policy.md")
    return Output(data, lines)


@command
def publish(
    policy: PolicyFile,
    key: KeyFile,
    as_: Signer,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Published]:
    """Record a version of a policy in the registry, signed; a period closes only under a published policy."""
    from tribute.keys import load_key
    from tribute.rewards.policy import publish as publish_policy
    from tribute.workspace import Workspace

    version = publish_policy(Workspace.open(workspace), policy, as_, load_key(key), rehearse=dry_run)
    verb = "would be" if dry_run else "is"
    data: Published = {"policy_id": version.id, "policy_version": version.version}
    return Output(data, [f"policy {version.id} {version.version} {verb} published by {as_}"])


@command
def diff(
    before: PolicyFile,
    after: Annotated[Path, typer.Argument(metavar="OTHER", help="Another policy's YAML file.")],
) -> Output[Differences]:
    """List the settings in which two policies differ."""
    from tribute.rewards.policy import differences, load_policy

    changes = differences(load_policy(before), load_policy(after))
    table = Table("What differs", ("setting", str(before), str(after)), changes)
    settings: list[Setting] = [{"setting": name, "before": old, "after": new} for name, old, new in changes]
    return Output({"settings": settings}, [] if changes else ["no setting differs"], [table] if changes else [])


@command
def simulate(
    policy: PolicyFile,
    period: Annotated[str, typer.Option(metavar="YYYY-MM", help="The month, drafted or closed.")],
    workspace: WorkspaceFolder = HERE,
) -> Output[Simulated]:
    """Show what a period would have paid under this policy, from the same data and fee; nothing is posted."""
    from tribute.formatting import plain_money
    from tribute.rewards.allocation import simulate_period
    from tribute.rewards.policy import load_policy
    from tribute.rewards.statements import period_folder
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    result = simulate_period(home, period_folder(home, period), load_policy(policy))
    keys = sorted(result.would, key=lambda key: (-abs(result.change(key)), key))
    rows = [
        (key[0], *(plain_money(minor, key[1]) for minor in (result.paid[key], result.would[key], result.change(key))))
        for key in keys
    ]
    columns = ("contributor", "paid", "by this policy", "difference")
    kept = [
        f"{code}: " + ", ".join(f"{name.replace('_', ' ')} {plain_money(minor, code)}" for name, minor in parts.items())
        for code, parts in result.kept.items()
    ]
    data: Simulated = {
        "period": period,
        "rule": result.verdict.rule,
        "reliability": f"{float(result.verdict.credit_part):.3f}",
        "kept": {code: {name: str(minor) for name, minor in parts.items()} for code, parts in result.kept.items()},
        "comparisons": [
            {
                "contributor": name,
                "currency": code,
                "paid_minor": str(result.paid[name, code]),
                "would_minor": str(result.would[name, code]),
            }
            for name, code in keys
        ],
    }
    return Output(
        data, [result.verdict.sentence, f"{period}: {'; '.join(kept)}"], [Table(period, columns, rows, columns[1:])]
    )
