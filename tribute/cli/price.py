"""Sign and publish a price list of the served models; it is current from now on, and never changes."""

from pathlib import Path
from typing import Annotated, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, StoreUrl, WorkspaceFolder
from tribute.cli._output import Output


class Published(TypedDict):
    price_version: int
    currency: str
    prices: dict[str, dict[str, int]]


@command
def price(
    file: Annotated[Path, typer.Argument(metavar="PRICES", help="The price list's YAML file.")],
    store: StoreUrl = None,
    workspace: WorkspaceFolder = HERE,
) -> Output[Published]:
    from tribute.server.setup.administration import administration, load_prices

    with administration(workspace, store) as admin:
        prices = admin.publish(load_prices(file, admin.next_version()))
    data: Published = {
        "price_version": prices.version,
        "currency": prices.currency,
        "prices": {name: parts.model_dump() for name, parts in prices.models.items()},
    }
    return Output(data, [f"price list {prices.version} is published: {', '.join(prices.models)} in {prices.currency}"])
