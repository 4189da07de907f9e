"""Paid answers: explain and refund them, and seal a month of them. Works also while a server runs."""

from typing import Annotated, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, Month, StoreUrl, WorkspaceFolder
from tribute.cli._output import Output

Budget = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="About how many answers to explain, drawn in proportion to price; else all."),
]
Processes = Annotated[int, typer.Option(min=1, metavar="N", help="Batches at a time, one thread each.")]


class Explained(TypedDict):
    addendum_count: int
    explained_count: int


class Refunded(TypedDict):
    receipt_id: str
    corrected_receipt: str
    refunded_micro: int
    period: str


class Sealed(TypedDict):
    folder: str
    record_count: int
    receipts_root: str
    funds: dict[str, str]


@command
def explain(
    month: Annotated[str | None, typer.Option(metavar="PERIOD", help="Only of this month, YYYY-MM.")] = None,
    budget: Budget = None,
    processes: Processes = 2,
    store: StoreUrl = None,
    workspace: WorkspaceFolder = HERE,
) -> Output[Explained]:
    """Explain the answers that wait, and add a signed addendum to each receipt."""
    from tribute.cli._workers import run_each
    from tribute.pipeline.usage import explain as explaining
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    batches, addenda = explaining.waiting(home, store, month, budget)
    for batch_addenda in run_each(lambda batch: explaining.explain_batch(home, batch, store), batches, processes):
        addenda += batch_addenda
    added = explaining.add_addenda(home, addenda, store) if addenda else 0
    named = sum(bool(training.credits) for _, training in addenda)
    return Output(
        {"addendum_count": added, "explained_count": named}, [f"{added} receipts completed, {named} name contributors"]
    )


@command
def refund(
    receipt: Annotated[str, typer.Argument(metavar="RECEIPT", help="The receipt of the call, receipt-…")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the receipt of the refund.")],
    amount: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="What to give back; by default all that is left.")
    ] = None,
    id_: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="Of this refund, each counts once; by default one per call."),
    ] = None,
    store: StoreUrl = None,
    workspace: WorkspaceFolder = HERE,
) -> Output[Refunded]:
    """Give a payer back what a call cost, in the open month; the answer's part funds nobody, its texts are forgotten.

    Of an agent's call this is the margin: the calls within it have receipts of their own.
    """
    from tribute.dsse import Envelope
    from tribute.micro import exact_micro, parse_micro
    from tribute.services.meter import left_of, refund
    from tribute.services.opening import EXPLAINER, open_meter
    from tribute.strict import parse_json
    from tribute.workspace import Workspace

    refund_id = id_ or receipt.replace("receipt-", "refund-", 1)
    with open_meter(Workspace.open(workspace), store, EXPLAINER) as meter:
        micro = left_of(meter, receipt, refund_id) if amount is None else parse_micro(amount)
        body = parse_json(Envelope.parse(refund(meter, receipt, micro, refund_id, reason), "receipt").payload)
    price = body["price"]
    data: Refunded = {
        "receipt_id": body["id"],
        "corrected_receipt": receipt,
        "refunded_micro": -price["micro"],
        "period": body["month"],
    }
    line = f"{exact_micro(-price['micro'])} {price['currency']} of {receipt} are given back in {body['month']}"
    return Output(data, [f"{line}: {body['id']}"])


@command
def seal(month: Month, store: StoreUrl = None, workspace: WorkspaceFolder = HERE) -> Output[Sealed]:
    """Seal a month that is over, for good; rewards pays it where the pool is {from: usage}."""
    from tribute.micro import exact_micro
    from tribute.pipeline.usage.seal import seal as seal_usage
    from tribute.strict import parse_json
    from tribute.workspace import Workspace

    folder = seal_usage(Workspace.open(workspace), month, store)
    sealed = parse_json((folder / "seal.json").read_bytes())
    used = {
        f"{line['payer']} {line['dataset']}": f"{exact_micro(line['micro'])} {line['currency']}"
        for line in sealed["funds"]
    }
    data: Sealed = {
        "folder": str(folder),
        "record_count": sealed["size"],
        "receipts_root": sealed["root"],
        "funds": used,
    }
    lines = [f"{name}: {amount}" for name, amount in used.items()]
    return Output(data, [f"{month} is sealed: {sealed['size']} receipts and addenda", *lines])
