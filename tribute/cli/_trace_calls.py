"""`tribute trace` of a paid call: from its receipt to the tree below it, to people and their money."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from tribute.cli._output import Output
from tribute.ids import contribution_of
from tribute.micro import exact_micro

if TYPE_CHECKING:
    from tribute.services.meter import CallNode, CallTree
    from tribute.workspace import Workspace

ROWS_SHOWN = 10


class TracedCall(TypedDict):
    receipt_id: str
    parent_receipt: str | None
    agent: str | None
    served_model: str
    kept_micro: int
    total_micro: int
    retrieved: list[dict[str, Any]]
    training_credit: Any
    contributor_credits: dict[str, float]
    paid_on: dict[str, float]
    """Whom what the call keeps reached in its drafted or closed period, in 10⁻⁶ of the unit."""


class TracedCalls(TypedDict):
    payer: str
    currency: str
    paid_micro: int
    calls: list[TracedCall]


def traced_calls(receipt: str, store: str | None, workspace: Path) -> Output[TracedCalls]:
    """The tree below a call: what each node keeps, who moved its answer, and whom that money reached."""
    from tribute.server.setup.administration import administration
    from tribute.services.meter import call_tree
    from tribute.services.opening import open_texts

    with administration(workspace, store) as admin:
        tree = call_tree(admin.store, receipt)
        owners = _owners(admin.workspace)
        payer = open_texts(admin.workspace, admin.store).pseudonym(tree.payer)
        reached = [_reached(admin.workspace, payer, node, tree) for node in tree.nodes()]
    calls = [_call(node, owners, paid_on) for node, paid_on in zip(tree.nodes(), reached, strict=True)]
    data: TracedCalls = {
        "payer": tree.payer,
        "currency": tree.currency,
        "paid_micro": tree.root.total,
        "calls": calls,
    }
    return Output(data, [*_tree_lines(tree, owners), *_paid_lines(tree, reached)])


def _call(node: "CallNode", owners: dict[str, str], paid_on: dict[str, float]) -> TracedCall:
    return {
        "receipt_id": node.receipt,
        "parent_receipt": node.parent,
        "agent": node.agent,
        "served_model": node.model,
        "kept_micro": node.kept,
        "total_micro": node.total,
        "retrieved": [{**line, "contributor": _owner(line, owners)} for line in node.retrieved],
        "training_credit": node.training,
        "contributor_credits": dict(node.credits),
        "paid_on": paid_on,
    }


def _tree_lines(tree: "CallTree", owners: dict[str, str]) -> Iterator[str]:
    """Every call below what it is a part of, with what it keeps and who moved its answer."""
    yield f"{tree.payer} paid {exact_micro(tree.root.total)} {tree.currency} for {tree.root.receipt}"
    for node in tree.nodes():
        indent = "  " * (node.depth + 1)
        training = node.training if isinstance(node.training, str) else node.training["status"]
        yield f"{indent}{node.model} keeps {exact_micro(node.kept)}, training {training}"
        yield from (f"{indent}  {_moved(line, owners)}" for line in node.retrieved)
        yield from (f"{indent}  {name}: {credit:+.6f} nats" for name, credit in list(node.credits.items())[:ROWS_SHOWN])


def _paid_lines(tree: "CallTree", reached: Sequence[Mapping[str, float]]) -> Iterator[str]:
    """Whom the money reached, where the month is divided."""
    if whom := _summed(reached):
        yield f"{tree.month} pays of it, by all that {tree.payer} asked in the month:"
        yield from (f"  {exact_micro(round(micro))} {tree.currency}  {name}" for name, micro in whom)
        yield f"`tribute trace {tree.month}/CONTRIBUTOR` shows the rows behind an amount"


def _summed(parts: Sequence[Mapping[str, float]]) -> list[tuple[str, float]]:
    """Sums by name, the largest first."""
    sums: dict[str, float] = {}
    for name, micro in (item for part in parts for item in part.items()):
        sums[name] = sums.get(name, 0.0) + micro
    return sorted(sums.items(), key=lambda item: (-item[1], item[0]))


def _reached(workspace: "Workspace", payer: str, node: "CallNode", tree: "CallTree") -> dict[str, float]:
    """Whom what a call keeps reached: the agent, or as its payer's money for the model was divided in the period."""
    from tribute.report.usage_flows import read_use
    from tribute.rewards.period import PeriodFolder

    folder = workspace.rewards / tree.month
    if not (folder / "usage.json").exists():
        return {}
    use = read_use(PeriodFolder(folder), tree.currency)
    model = None if node.model.startswith("agent:") else node.model
    ways = [way for way in (use.paths if use else []) if (way.payer, way.model) == (payer, model)]
    total = sum(way.micro for way in ways)
    reached: dict[str, float] = {}
    for way in ways:
        reached[way.target] = reached.get(way.target, 0.0) + node.kept * way.micro / total
    return reached


def _owners(workspace: "Workspace") -> dict[str, str]:
    """Contribution → contributor, of all that were ever recorded."""
    from tribute.contributions.registry import Registry

    entries = Registry.open(workspace).entries()
    return {entry.subject: entry.details["contributor_id"] for entry in entries if entry.event == "contribute"}


def _owner(line: Mapping[str, Any], owners: dict[str, str]) -> str:
    """Whose the retrieved rows of a receipt's line are: receipts themselves have pseudonyms."""
    return owners.get(contribution_of(line["rows"][0]), str(line["contributor"]))


def _moved(line: Mapping[str, Any], owners: dict[str, str]) -> str:
    shown = f"{', '.join(line['rows'])} of {_owner(line, owners)}"
    return f"{shown}: shown" if line["credit"] is None else f"{shown}: {float(line['credit']):+.6f} {line['unit']}"
