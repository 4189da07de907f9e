"""What a workspace holds, what runs in it, and what waits for whom. Reads only."""

import fcntl
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tribute.artifacts import Artifact, read_artifact
from tribute.contributions.registry import Registry
from tribute.contributions.releases import review
from tribute.formatting import counted
from tribute.ids import parse_tag
from tribute.pipeline.operations.harm import found_harm
from tribute.pipeline.runs import stale_runs
from tribute.pipeline.runs.runs import all_runs, read_run
from tribute.rewards import close
from tribute.rewards.disputes import OPEN, all_disputes
from tribute.rewards.ledger import handed_over, load
from tribute.rewards.period import NEEDED
from tribute.workspace import Workspace


@dataclass(frozen=True)
class DatasetState:
    """A declared dataset; `rows` counts those contributed, `tags` its versions in order."""

    name: str
    contributions: int
    rows: int
    tags: tuple[str, ...]


@dataclass(frozen=True)
class PeriodState:
    """A period of the ledger: `open`, `draft` or `closed`, and who signed so far."""

    period: str
    state: str
    signed: tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """What waits, for whom, and the command to do it with; words in capitals are to be filled in."""

    what: str
    who: str
    command: str


@dataclass(frozen=True)
class Status:
    """`artifacts_in_progress` counts the artifacts that processes make just now."""

    datasets: tuple[DatasetState, ...]
    runs: tuple[str, ...]
    periods: tuple[PeriodState, ...]
    artifacts_in_progress: int
    tasks: tuple[Task, ...]


def status(workspace: Workspace) -> Status:
    """The state of a workspace; its tasks are in the order of the work."""
    registry = Registry.open(workspace)
    datasets = tuple(_datasets(registry))
    runs, periods = tuple(all_runs(workspace)), tuple(_periods(workspace))
    tasks = (
        *_contribution_tasks(workspace, registry, datasets),
        *_training_tasks(workspace, datasets, runs),
        *_closing_tasks(workspace, periods),
        *_dispute_tasks(workspace),
        *_payment_tasks(workspace),
    )
    return Status(datasets, runs, periods, in_progress(workspace.scratch / "locks"), tasks)


def _datasets(registry: Registry) -> Iterator[DatasetState]:
    snapshot = registry.snapshot()
    for name in snapshot.datasets():
        contributions = snapshot.contributions(name)
        tags = tuple(version.tag for version in registry.versions(name))
        yield DatasetState(name, len(contributions), sum(each.rows for each in contributions), tags)


def _periods(workspace: Workspace) -> Iterator[PeriodState]:
    books = load(workspace)
    drafted = {path.name for path in workspace.rewards.glob("[0-9]*")}
    for period in sorted(drafted | {*books.closed, books.open_period} - {""}):
        folder = workspace.rewards / period
        if period in books.closed:
            yield PeriodState(period, "closed", tuple(close.signers(folder)))
        elif period in drafted:
            signatures = close.approvals(workspace.rewards, read_artifact(folder))
            yield PeriodState(period, "draft", tuple(signature.signer for signature in signatures))
        else:
            yield PeriodState(period, "open", ())


def _contribution_tasks(workspace: Workspace, registry: Registry, datasets: tuple[DatasetState, ...]) -> Iterator[Task]:
    if not datasets:
        command = "tribute contribute FILE --contributor ID --dataset NAME --licence SPDX --schema FILE"
        yield Task("no dataset yet", "steward", command)
    for dataset in datasets:
        harm = found_harm(workspace, [dataset.name])
        if dataset.contributions and (findings := review(registry, dataset.name, harm=harm)):
            rows = len({finding.row.row_id for finding in findings})
            yield Task(
                f"{counted(rows, 'row')} of {dataset.name} to review", "steward", f"tribute review {dataset.name}"
            )
        if dataset.contributions and not dataset.tags:
            yield Task(f"{dataset.name} has no version yet", "steward", f"tribute release {dataset.name}@v1.0.0")


def _training_tasks(workspace: Workspace, datasets: tuple[DatasetState, ...], runs: tuple[str, ...]) -> Iterator[Task]:
    learned = {parse_tag(read_run(workspace, run)["tag"])[0] for run in runs}
    for dataset in datasets:
        if dataset.tags and dataset.name not in learned:
            yield Task(f"no run of {dataset.tags[-1]} yet", "engineer", "tribute run CONFIG")
    for stale in stale_runs.pending(workspace):
        what = f"run {stale.run_id} learned from {', '.join(stale.gone)}, which was taken back"
        if stale.version is None:
            yield Task(what, "steward", f"tribute release {parse_tag(stale.tag)[0]}@vX.Y.Z")
        else:
            yield Task(what, "engineer", "tribute retrain")


def _closing_tasks(workspace: Workspace, periods: tuple[PeriodState, ...]) -> Iterator[Task]:
    for period in periods:
        if period.state == "draft":
            draft = read_artifact(workspace.rewards / period.period)
            # By a policy without two closers one makes drafts only, as the demo does: nobody is waited for.
            if len(draft.identity["config"]["policy"]["closers"]) >= NEEDED:
                yield _closing_task(workspace, period, draft)


def _closing_task(workspace: Workspace, period: PeriodState, draft: Artifact) -> Task:
    config, what = draft.identity["config"], f"the draft of {period.period}"
    closers = list(config["policy"]["closers"])
    if keyless := [name for name in closers if name not in config["closers"]]:
        what += f" was made before closers had keys: {', '.join(keyless)}"
        return Task(what, "finance", f"tribute key new {shlex.quote(keyless[0])} --out FILE")
    if not close.is_policy_published(workspace, draft):
        what += " is by a policy that is not published"
        return Task(what, "finance", "tribute policy publish POLICY --key FILE --as ID")
    what += f" needs {counted(NEEDED - len(period.signed), 'signature')}"
    left = [name for name in closers if name not in period.signed]
    command = f"tribute period close {period.period} --key FILE --as {shlex.quote(left[0])}"
    return Task(what, " or ".join(left), command)


def _dispute_tasks(workspace: Workspace) -> Iterator[Task]:
    for dispute in all_disputes(workspace):
        if dispute.state == OPEN:
            decided = ", ".join(str(opinion["by"]) for opinion in dispute.opinions) or "nobody"
            command = f"tribute dispute decide {dispute.id} --amount AMOUNT --as ID --key FILE --why TEXT"
            yield Task(f"dispute {dispute.id} is open; decided so far: {decided}", "reviewers", command)


def _payment_tasks(workspace: Workspace) -> Iterator[Task]:
    books = load(workspace)
    unpaid: dict[str, int] = {}
    for row in handed_over(workspace.rewards, books):
        if not books.find(row["idempotency_key"]):
            period = row["idempotency_key"].partition("/")[0]
            unpaid[period] = unpaid.get(period, 0) + 1
    for period, number in sorted(unpaid.items()):
        what = f"{counted(number, 'payment')} of {period} without the bank's answer"
        yield Task(what, "finance", f"tribute pay file {period} --from ID --out FILE")


def in_progress(locks: Path) -> int:
    """How many of the locks are held by a process that makes an artifact."""
    return sum(_is_held(path) for path in locks.glob("*"))


def _is_held(path: Path) -> bool:
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False  # released since the folder was listed
    return False
