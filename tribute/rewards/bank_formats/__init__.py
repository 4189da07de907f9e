"""A file per format of a bank: the payment file that it is sent, and the answers that it gives."""

from tribute.rewards.bank_formats.csv_answers import CSV_COLUMNS
from tribute.rewards.bank_formats.pain001 import by_bank, payment_file

__all__ = ["CSV_COLUMNS", "by_bank", "payment_file"]
