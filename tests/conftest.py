"""What every test may rely on: reproducible examples, and where the datasets lie if they are here."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("house", derandomize=True, deadline=None)
settings.load_profile("house")

DATA = Path(os.environ.get("TRIBUTE_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of published datasets; the test is skipped where it is absent."""
    if not DATA.is_dir():
        pytest.skip(f"{DATA} is absent; set TRIBUTE_DATA to the folder of published datasets")
    return DATA
