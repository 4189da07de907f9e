"""Theorem: the deployment's flow explains and seals a month of calls, on a real server that shows what it did."""

import httpx
import pytest

from tests.flows.real_server import post, python, running_server
from tests.helpers.terminal import tribute
from tests.server.helpers.shop import listening, open_shop
from tribute.pipeline.usage.seal import verify
from tribute.rewards.ledger import simulate
from tribute.server.setup.setup import open_services
from tribute.workspace import Workspace

STARTED = """
import sys
from flows.deployed import explain_usage
print(explain_usage(sys.argv[1], sys.argv[2]))
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Requests to a server with a home and a port of its own."""
    with running_server(tmp_path_factory.mktemp("server")) as (client, _):
        yield client


def explained(client, workspace, month):
    """What a run of the flow returns."""
    done = python(client, "-c", STARTED, str(workspace.root), month)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-1]


def names(client, kind):
    """Name → state of all runs of flows or of tasks that the server knows."""
    return {each["name"]: each["state_name"] for each in post(client, f"/{kind}_runs/filter", {})}


@pytest.mark.parametrize("elsewhere", [False, True], ids=["its own store", "TRIBUTE_STORE"])
def test_a_month_is_explained_and_sealed(client, tmp_path, monkeypatch, elsewhere):
    """Twice is once; every run and task has a name that people can read. The store may be one that is configured."""
    if elsewhere:
        monkeypatch.setenv("TRIBUTE_STORE", f"sqlite:///{tmp_path}/elsewhere.db")
    shop = open_shop(tmp_path, "2026-11-15")
    secret = tribute("payer", "key", "acme", "--budget", "1.00", "--json", "-w", shop.root).data["secret"]
    with open_services(shop) as services:
        services.refresh()
        model = next(name for name, entry in services.catalogue.entries.items() if entry.labels)
        with listening(services) as url:
            body = {"model": model, "input": "the socket and the server"}
            answer = httpx.post(f"{url}/classify", json=body, headers={"Authorization": f"Bearer {secret}"})
    simulate(shop.rewards, "2026-12-01")

    folder = explained(client, shop, "2026-11")
    flows, tasks = names(client, "flow"), names(client, "task")
    again = explained(client, shop, "2026-11")

    assert answer.status_code == 200
    assert (shop.root / "services" / "usage.db").exists() != elsewhere
    assert folder == again == str(shop.usage / "2026-11")
    assert len(verify(shop, "2026-11")) == 2
    assert flows == {"usage of 2026-11": "Completed", "explain and seal 2026-11": "Completed"}
    assert set(tasks.values()) == {"Completed"}
    assert {"find answers of 2026-11", "sign and add what explains them", "seal 2026-11"} < set(tasks)
    assert any(name.startswith("explain 1 answers of ") for name in tasks)


def test_a_workspace_that_serves_nobody_has_nothing_to_seal(client, tmp_path):
    """The schedule fails nowhere, and makes neither a store nor keys."""
    workspace = Workspace.create(tmp_path / "work")

    assert explained(client, workspace, "2026-11") == "None"
    assert names(client, "task")["seal 2026-11"] in ("Skipped", "Completed")
    assert not (workspace.root / "services").exists()
    assert not list(workspace.keys.glob("*"))
