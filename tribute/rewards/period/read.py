"""Reading a period's tables for finance, with exact numbers."""

from decimal import Decimal
from pathlib import Path

import pandas as pd

from tribute.errors import RewardError
from tribute.money import format_amount
from tribute.rewards.tables import TABLES, read


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
    columns = TABLES[table].columns
    rows = read(Path(path) / f"{table}.csv", TABLES[table])
    series: dict[str, pd.Series] = {}
    for name, column in columns.items():
        values = [getattr(row, name) for row in rows]
        series[name] = pd.Series(values, dtype="object" if column.is_number else "str")
    if "amount_minor" in columns:
        amounts = [Decimal(format_amount(row.amount_minor, row.currency)) for row in rows]
        series["amount"] = pd.Series(amounts, dtype="object")
    return pd.DataFrame(series)
