"""The usage store: its tables, its transactions, and the one server per instance that may write."""

from tribute.services.store.store import Store
from tribute.services.store.times import as_text, month_of, parse_time, period_of

__all__ = ["Store", "as_text", "month_of", "parse_time", "period_of"]
