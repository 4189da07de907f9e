"""Theorem: what a cluster explains, screens and plays is what this machine makes of the same."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from tests.flows.ray_nodes import two_nodes
from tests.helpers.terminal import tribute
from tests.helpers.tiny import write_rows
from tests.server.helpers.shop import listening, open_shop
from tests.server.test_usage import evaluation_texts
from tribute.config import ExecutionConfig
from tribute.incentives.draws import Draw, read_draws
from tribute.incentives.suite import CODE
from tribute.pipeline.usage.seal import verify
from tribute.rewards.ledger import simulate
from tribute.server.setup.setup import open_services
from tribute.workspace import Workspace

MONTH = "2026-11"
HERE, THERE = ExecutionConfig(), ExecutionConfig(engine="ray")
ASKED = "the socket and the server"


@pytest.fixture(scope="module")
def cluster(engine: None) -> Iterator[None]:
    """Two nodes that RAY_ADDRESS names, for all tests of this module."""
    with two_nodes() as nodes, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ADDRESS", nodes.address)
        yield


@pytest.fixture
def asked(tmp_path: Path) -> Workspace:
    """A workspace with a month of answers of two models, which wait to be explained: a batch each."""
    shop = open_shop(tmp_path, f"{MONTH}-15")
    secret = tribute("payer", "key", "acme", "--budget", "1.00", "--json", "-w", shop.root).data["secret"]
    with open_services(shop) as services:
        services.refresh()
        (classifier,), (writer,) = (
            [name for name, entry in services.catalogue.entries.items() if bool(entry.labels) == labelled]
            for labelled in (True, False)
        )
        with listening(services) as url, httpx.Client(headers={"Authorization": f"Bearer {secret}"}) as payer:
            message = {"role": "user", "content": ASKED}
            for path, body in (
                ("classify", {"model": classifier, "input": evaluation_texts(shop), "truncate_prompt_tokens": -1}),
                ("v1/chat/completions", {"model": writer, "messages": [message], "max_tokens": 4}),
            ):
                assert payer.post(f"{url}/{path}", json=body).status_code == 200
    simulate(shop.rewards, "2026-12-01")
    return shop


def test_paid_answers(cluster: None, asked: Workspace, tmp_path: Path):
    """Whom the sealed months name for each answer, and for how much, is the same to the byte."""
    from flows.runner import with_runner
    from flows.services import usage

    elsewhere = Workspace.open(shutil.copytree(asked.root, tmp_path / "elsewhere", symlinks=True))
    here, there = (
        Path(with_runner(usage, execution)(str(home.root), MONTH))
        for home, execution in ((asked, HERE), (elsewhere, THERE))
    )

    assert here != there
    assert verify(elsewhere, MONTH)
    # Receipts and seals differ: by when they were signed, and with whose key.
    for name in ("usage.parquet", "credits.parquet"):
        assert (here / name).read_bytes() == (there / name).read_bytes()
    assert "explained" in set(pd.read_parquet(there / "usage.parquet")["status"])
    assert len(pd.read_parquet(there / "credits.parquet"))


def test_a_release_check(cluster: None, finished: Path, spare: Path, tmp_path: Path):
    """A registry without news has nothing to release; with a contribution its dataset."""
    from flows.deployed import release_check

    rows = write_rows(tmp_path / "dee.jsonl", [("median sample word1 word2", "statistics")])
    about = ("--contributor", "dee", "--dataset", "tiny", "--licence", "CC-BY-3.0")
    contributed = tribute("contribute", rows, *about, "-w", spare)
    assert contributed.code == 0, contributed.err

    assert release_check(str(finished), THERE) == []
    assert release_check(str(spare), THERE) == release_check(str(spare), HERE) == ["tiny"]


def test_attacks(cluster: None, tmp_path: Path):
    """The draws are the same, but for the seconds that they took."""
    from flows import attack as attacking

    worlds = {0: ["split-4"], 1: ["split-4", "templates"]}
    drawn = []
    for execution in (HERE, THERE):
        file = tmp_path / f"{execution.engine}.jsonl"
        count = attacking.run("exact", worlds, str(file), execution)
        drawn.append(in_order(read_draws(file, CODE)))
        assert count == len(drawn[-1])

    here, there = drawn
    assert {(draw["seed"], draw["attack"]) for draw in here} == {(0, "split-4"), (1, "split-4"), (1, "templates")}
    assert here == there


def in_order(draws: Sequence[Draw]) -> list[dict[str, Any]]:
    """By seed and defence, without their seconds."""
    plain = [asdict(draw) | {"seconds": None} for draw in draws]
    return sorted(plain, key=lambda draw: (draw["seed"], draw["defence"], draw["attack"]))
