"""Serve the released models over HTTP: OpenAI's endpoints, metered, with a signed receipt per answer."""

from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, StoreUrl, WorkspaceFolder
from tribute.cli._output import Output

if TYPE_CHECKING:
    from tribute.server.setup.setup import Services


class Served(TypedDict):
    address: str
    served: list[str]


@command
def serve(
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, metavar="PORT", help="Where to listen.")] = 8080,
    upstream: Annotated[
        str | None,
        typer.Option(metavar="URL", help="What writes answers, such as vLLM's address without /v1; by default here."),
    ] = None,
    until_eof: Annotated[
        bool,
        typer.Option("--until-eof", help="Stop when standard input ends, as when what started the server is gone."),
    ] = False,
    store: StoreUrl = None,
    workspace: WorkspaceFolder = HERE,
) -> Output[Served]:
    import logging

    from tribute.pipeline.runs.telemetry import JsonLines, wants_json
    from tribute.server.run import Listening, serve
    from tribute.workspace import Workspace

    url, models = f"http://{f'[{host}]' if ':' in host else host}:{port}/v1", list[str]()

    def ready(services: "Services") -> None:
        models.extend(sorted(services.catalogue.entries))
        for name in models:
            typer.echo(f"serving {name}", err=True)
        for name, why in sorted(services.catalogue.refused.items()):
            typer.echo(f"not serving {name}: {why}", err=True)
        typer.echo(f"listening on {url}; interrupt to stop", err=True)

    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s")
    if wants_json():
        logging.getLogger().handlers[0].setFormatter(JsonLines())
    serve(Workspace.open(workspace), Listening(host, port, store, upstream, until_eof), ready)
    return Output({"address": url, "served": models}, ["stopped"])
