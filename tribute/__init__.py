"""Tribute: contribute, attribute, distribute.

    import tribute

    tribute.read_rewards("demo/rewards/2026-11")    # who is paid how much, exactly
    tribute.verify_period("demo/rewards/2026-11")   # what was checked; raises where something is wrong
    tribute.read_shares("demo", "docs-1a2b3c4d")    # a run's shares of the improvement

Each imports what it needs when it is called: a light command must not wait for pandas.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from tribute.version import __version__

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["__version__", "read_rewards", "read_shares", "verify_period"]


def read_rewards(path: Path | str, table: str = "allocation") -> "pd.DataFrame":
    """A table of a period's folder with Python ints and Decimals, and `amount` in major units where there is one.

    `table` is one of allocation, journal, balances, payables, exclusions, tokens, leaves and, where a file said what
    users paid, usage. Columns of numbers have dtype object: floats and 64-bit integers could not hold 18 decimals.
    An empty number is None. Raises RewardError for another table.
    """
    from tribute.rewards.period import read_rewards as read

    return read(path, table)


def verify_period(path: Path | str, *, deep: bool = False) -> list[str]:
    """Check a period's folder, in its workspace or a copy; returns what was checked, a sentence each.

    In the workspace the registry and the ledger are checked, too; there `deep` also allocates again and measures the
    credits from the model again. Raises IntegrityError naming the first thing that is wrong.
    """
    from tribute.pipeline.verification.verify import verify_folder

    return verify_folder(Path(path), deep=deep)


def read_shares(workspace: Path | str, run: str) -> "pd.DataFrame":
    """A run's shares: contributor_id, share (of 1), credit (nats) and its interval low to high; the best first.

    Raises WorkspaceError where there is no such workspace or run, IntegrityError where the file was changed.
    """
    from tribute.pipeline.verification.lineage import read_shares as read
    from tribute.workspace import Workspace

    return read(Workspace.open(Path(workspace)), run)
