"""Each contributor's statement, as JSON and as a page."""

from tribute.rewards.statements.periods import IN_FLIGHT, PAID, RETURNED, Books, Payment, PeriodSums, read_books
from tribute.rewards.statements.statements import period_folder, whose, write_early, write_statements
from tribute.rewards.statements.use import reached
from tribute.rewards.statements.wording import STATUS

__all__ = [
    "IN_FLIGHT",
    "PAID",
    "RETURNED",
    "STATUS",
    "Books",
    "Payment",
    "PeriodSums",
    "period_folder",
    "reached",
    "read_books",
    "whose",
    "write_early",
    "write_statements",
]
