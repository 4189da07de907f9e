"""Reading a period's tables for finance, with exact numbers."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path

import pandas as pd

from tribute.errors import RewardError
from tribute.money import format_amount
from tribute.rewards.period.package import TABLES
from tribute.rewards.tables import NUMBERS, Type, read_csv

PARSERS: Mapping[Type, Callable[[str], object]] = {
    **{"text": str, "day": str, "count": int, "amount": int},
    **{"decimal": Decimal, "decimal18": Decimal},
}
"""Type of a column → what reads a cell."""


def read_rewards(path: Path | str, table: str = "allocation") -> pd.DataFrame:
    """A table of `rewards/<period>/` with Python ints and Decimals, and `amount` in major units where one stands.

        lines = tribute.read_rewards("demo/rewards/2026-11")
        print(lines.groupby("currency")["amount"].sum())

    `path` is the period's folder; `table` one of allocation, journal, balances, payables, exclusions, tokens, leaves
    and, where a file said what users paid, usage. Columns of numbers have dtype object: floats and 64-bit integers
    could not hold 18 decimals. An empty number is None. Raises RewardError for another table.
    """
    if table not in TABLES:
        raise RewardError(f"there is no table {table!r}; expected one of {', '.join(TABLES)}")
    columns = TABLES[table][0]
    rows = read_csv(Path(path) / f"{table}.csv", columns)
    found: dict[str, pd.Series] = {}
    for name, kind in columns.items():
        is_number = kind in NUMBERS
        values = [PARSERS[kind](row[name]) if row[name] or not is_number else None for row in rows]
        found[name] = pd.Series(values, dtype="object" if is_number else "str")
    if "amount_minor" in columns:
        amounts = [Decimal(format_amount(int(row["amount_minor"]), row["currency"])) for row in rows]
        found["amount"] = pd.Series(amounts, dtype="object")
    return pd.DataFrame(found)
