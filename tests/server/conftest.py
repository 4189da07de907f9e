"""One workspace and one running server for all tests of the server: each test asks with a key of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import openai
import pytest

from tests.helpers.terminal import tribute
from tests.server.helpers.shop import listening, open_shop
from tribute.server.setup.setup import Services, open_services
from tribute.workspace import Workspace


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with prices and a payer with money."""
    return open_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="session")
def services(workspace: Workspace) -> Iterator[Services]:
    """The workspace's open services, with everything loaded that may be served."""
    with open_services(workspace) as opened:
        opened.refresh()
        yield opened


@pytest.fixture(scope="session")
def address(services: Services) -> Iterator[str]:
    """Where the server listens."""
    with listening(services) as url:
        yield url


@pytest.fixture
def secret(workspace: Workspace) -> Callable[..., str]:
    """A new key of the payer, made on the command line while the server runs: its secret."""

    def issue(*options: str, budget: str = "1.00") -> str:
        ended = tribute("payer", "key", "acme", "--budget", budget, *options, "--json", "-w", workspace.root)
        assert ended.code == 0, ended.err
        return ended.data["secret"]

    return issue


@pytest.fixture
def client(address: str, secret: Callable[..., str]) -> openai.OpenAI:
    """OpenAI's own client, unmodified, with a key of a budget of 1 EUR."""
    return openai.OpenAI(base_url=f"{address}/v1", api_key=secret(), max_retries=0)


@pytest.fixture(scope="session")
def classifier(services: Services) -> str:
    """The full name of the model that classifies."""
    return next(name for name, entry in services.catalogue.entries.items() if entry.labels)


@pytest.fixture(scope="session")
def writer(services: Services) -> str:
    """The full name of the model that writes."""
    return next(name for name, entry in services.catalogue.entries.items() if not entry.labels)


@pytest.fixture(scope="session")
def prices(workspace: Workspace) -> Path:
    """The price list's file."""
    return workspace.root.parent / "prices.yaml"
