"""Theorem: the official MCP client gets the API's answers over HTTP and over stdio, each with receipt and cost."""

import asyncio
import itertools
import sys
from pathlib import Path

import httpx
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

FREE = {"list_models", "quote", "budget", "receipt", "explain", "statement"}
PAID = {"classify", "generate", "search"}
NUMBERS = itertools.count()
ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["http", "stdio"])
def play(request, address, secret):
    """Run an exchange with a connected client, over each transport, with a key of its own."""

    def run(exchange, *options, **limits):
        key = secret(*options, **limits)

        async def session():
            if request.param == "http":
                headers = {"Authorization": f"Bearer {key}"}
                async with (
                    httpx2.AsyncClient(headers=headers, timeout=60) as http,
                    Client(streamable_http_client(f"{address}/mcp", http_client=http)) as client,
                ):
                    return await exchange(client)
            command = ["-m", "tribute", "mcp", "--url", address]
            server = StdioServerParameters(command=sys.executable, args=command, env={"TRIBUTE_API_KEY": key}, cwd=ROOT)
            async with Client(server) as client:
                return await exchange(client)

        return asyncio.run(session())

    return run


def test_tools_say_truly_what_they_do(play):
    """What charges is no read-only tool; none is destructive or reaches beyond the server."""

    async def exchange(client):
        return (await client.list_tools()).tools

    tools = {tool.name: tool.annotations for tool in play(exchange)}
    assert set(tools) == FREE | PAID
    assert {name for name, hints in tools.items() if hints.read_only_hint} == FREE
    assert not any(
        hints.open_world_hint or (hints.destructive_hint and not hints.read_only_hint) for hints in tools.values()
    )


def test_a_question_from_quote_to_receipt(play, classifier, writer):
    """The quote bounds the cost, the budget shrinks by it, and the receipt is the one that the result names."""

    name = f"tool-{next(NUMBERS)}"

    async def exchange(client):
        async def call(tool, **arguments):
            result = await client.call_tool(tool, arguments)
            assert not result.is_error, result.content
            return result.structured_content

        models = await call("list_models")
        quote = await call("quote", model=writer, text="matrix vector", max_tokens=6)
        before = await call("budget")
        label = await call("classify", model=classifier, texts=["matrix"])
        written = await call(
            "generate",
            model=writer,
            prompt="matrix vector",
            max_tokens=6,
            call={"idempotency_key": name, "explain": "never"},
        )
        again = await call(
            "generate",
            model=writer,
            prompt="matrix vector",
            max_tokens=6,
            call={"idempotency_key": name, "explain": "never"},
        )
        after = await call("budget")
        receipt = await call("receipt", receipt=written["receipt"])
        explained = await call("explain", receipt=written["receipt"])
        return models, quote, before, label, written, again, after, receipt, explained

    models, quote, before, label, written, again, after, receipt, explained = play(exchange)

    assert {model["id"] for model in models["result"]["data"]} == {classifier, writer}
    assert (models["receipt"], models["cost"]) == (None, 0)
    assert 0 < written["cost"] <= quote["result"]["micro"] + 100
    assert quote["result"]["fits"]
    assert written["result"]["usage"]["cost"] == written["cost"]
    assert (again["receipt"], again["result"]) == (written["receipt"], written["result"])
    spent = label["cost"] + written["cost"]
    assert before["result"]["remaining"] - after["result"]["remaining"] == spent
    assert {"receipt", "certificate"} <= receipt["result"].keys()
    assert explained["result"]["receipt"] == written["receipt"]
    assert explained["result"]["training"] == "never"


def test_refusals_are_tool_errors(play, classifier):
    """No budget, an unknown model, a path for a receipt, another's statement: the API's status and words."""
    asked = [
        ("classify", {"model": classifier, "texts": ["matrix"]}, "402"),
        ("classify", {"model": "gpt-4", "texts": ["matrix"]}, "404"),
        ("receipt", {"receipt": "../budget"}, "expected letters"),
        ("receipt", {"receipt": "receipt-0"}, "404"),
        ("statement", {"month": "2026-11"}, "403"),
        ("quote", {"model": classifier, "text": "x", "max_tokens": -1}, "400"),
        ("classify", {"model": classifier, "texts": ["x"], "call": {"idempotency_key": "é"}}, "should match pattern"),
    ]

    async def exchange(client):
        return [await client.call_tool(tool, arguments) for tool, arguments, _ in asked]

    for (tool, _, words), result in zip(asked, play(exchange, budget="0.000001"), strict=True):
        assert result.is_error, tool
        assert words in result.content[0].text


def test_nobody_waits_for_events_that_never_come(address, secret):
    """A stateless server sends none, so a stream of them is refused and no connection is held open."""
    headers = {"Authorization": f"Bearer {secret()}", "Accept": "text/event-stream"}

    assert httpx.get(f"{address}/mcp", headers=headers, timeout=10).status_code == 405
    assert httpx.delete(f"{address}/mcp", headers=headers, timeout=10).status_code == 405


@pytest.mark.parametrize("key", ["", "Bearer tribute_sk_unknown"])
def test_without_a_key_there_are_no_tools(address, key):
    """401 before any message of the protocol is read."""
    told = httpx.post(
        f"{address}/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, headers={"Authorization": key}
    )

    assert told.status_code == 401
    assert told.json()["error"]["code"] == "invalid_api_key"


def test_a_contributors_key_reads_its_own_statement(play, workspace):
    """Written by `tribute statement`; another key of the same payer gets 403, a month without one 404."""
    folder = workspace.statements / "2026-10"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ada.json").write_text('{"contributor": "ada"}')

    async def exchange(client):
        own = await client.call_tool("statement", {"month": "2026-10"})
        return own, await client.call_tool("statement", {"month": "2026-09"})

    own, absent = play(exchange, "--contributor", "ada")
    assert own.structured_content["result"] == {"contributor": "ada"}
    assert "404" in absent.content[0].text
