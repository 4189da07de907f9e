"""Reading a period's allocation for finance, with exact numbers."""

from decimal import Decimal
from pathlib import Path

import pandas as pd

from tribute.money import format_amount
from tribute.rewards.tables import ALLOCATION, read_csv

_DECIMALS = ("score", "score_se", "score_high", "quota_minor", "rounding_minor")


def read_rewards(path: Path | str) -> pd.DataFrame:
    """`rewards/<period>/allocation.csv` with Python ints and Decimals, and `amount` in major units.

        lines = tribute.rewards.read_rewards("demo/rewards/2026-11")
        print(lines.groupby("currency")["amount"].sum())

    `path` is the period's folder. Columns of numbers have dtype object: floats and 64-bit integers
    could not hold 18 decimals.
    """
    rows = read_csv(Path(path) / "allocation.csv", ALLOCATION)
    columns: dict[str, pd.Series] = {}
    for name, kind in ALLOCATION.items():
        parse = Decimal if name in _DECIMALS else int if kind == "number" else str
        columns[name] = pd.Series([parse(row[name]) for row in rows], dtype="object" if kind == "number" else "str")
    amounts = [Decimal(format_amount(int(row["amount_minor"]), row["currency"])) for row in rows]
    return pd.DataFrame(columns | {"amount": pd.Series(amounts, dtype="object")})
