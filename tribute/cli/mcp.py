"""Serve a running server's API to agents as MCP tools over stdin and stdout."""

import os
from typing import Annotated, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._output import Output
from tribute.errors import ConfigError

VARIABLE = "TRIBUTE_API_KEY"
"""No option: whoever lists the processes would read it."""


class Ended(TypedDict):
    address: str


@command
def mcp(
    url: Annotated[
        str, typer.Option(metavar="URL", help="Where `tribute serve` listens, without /v1.")
    ] = "http://127.0.0.1:8080",
) -> Output[Ended]:
    key = os.environ.get(VARIABLE)
    if not key:
        raise ConfigError(f"no API key; set {VARIABLE} to the secret that `tribute payer key` showed")
    from tribute.server.agent_tools import run_stdio

    run_stdio(url, key)
    # The client reads stdout as protocol: nothing else is printed there.
    return Output({"address": url})
